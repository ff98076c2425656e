// Convolutions without columns: windows are read where they lie in a padded copy of the image. For
// sizes where matrix products do not pay: few channels, or many small groups.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cpu {

// Whether few products for each result make this the method of choice, row-major images given.
bool prefers_direct(const ConvShape& s, int64_t item);
bool prefers_direct_input(const ConvShape& s, int64_t item);

// False when the shape is left to another method; nothing has been written then. T: float, double.
template <class T>
bool direct_convolve(T* y, const T* x, const T* w, const T* bias, const ConvShape& s);
template <class T>
bool direct_convolve_input(T* dx, const T* g, const T* w, const T* bias, const ConvShape& s);
template <class T>
bool direct_convolve_weight(T* dw, const T* g, const T* x, const ConvShape& s);

}  // namespace lampas::cpu
