// Convolutions whose window is one element: products of matrices on the image as it lies. With a
// stride only the pixels that are hit are read.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cpu {

// Whether such a convolution takes and gives images with their channels last.
bool single_tap_last(const ConvShape& s);

// False when the shape is left to another method; nothing has been written then. T: float, double.
template <class T>
bool single_tap_convolve(T* y, const T* x, const T* w, const T* bias, const ConvShape& s);
template <class T>
bool single_tap_convolve_input(T* dx, const T* g, const T* w, const T* bias, const ConvShape& s);
template <class T>
bool single_tap_convolve_weight(T* dw, const T* g, const T* x, const ConvShape& s);

}  // namespace lampas::cpu
