// Convolutions of 3 x 3 windows with fewer multiplications, for float: F(2x2, 3x3), 16 products
// where 36 would be. The error stays within a few of the direct sum's (tests hold it to a bound),
// and what is not finite is computed again by another method, so that infinities are where they
// should be.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cpu {

// False when the shape or the values are left to another method.
bool winograd_convolve(float* y, const float* x, const float* w, const float* bias,
                       const ConvShape& s);
bool winograd_convolve_input(float* dx, const float* g, const float* w, const float* bias,
                             const ConvShape& s);
bool winograd_convolve_weight(float* dw, const float* g, const float* x, const ConvShape& s);

}  // namespace lampas::cpu
