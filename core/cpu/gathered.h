// Convolutions as products whose left factor is gathered from a padded copy of the image: output
// channels in the lanes, pixels broadcast. The way for channels enough to fill a vector.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cpu {

// Whether a map of this shape is done with channels last in memory too.
bool gathers(const ConvShape& s, int64_t item);
bool gathers_input(const ConvShape& s, int64_t item);
bool gathers_weight(const ConvShape& s, int64_t item);

// False when the shape is left to another method; nothing has been written then. T: float, double.
template <class T>
bool gathered_convolve(T* y, const T* x, const T* w, const T* bias, const ConvShape& s);
template <class T>
bool gathered_convolve_input(T* dx, const T* g, const T* w, const T* bias, const ConvShape& s);
template <class T>
bool gathered_convolve_weight(T* dw, const T* g, const T* x, const ConvShape& s);

}  // namespace lampas::cpu
