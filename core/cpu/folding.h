// Sliding blocks of images as columns, and their sum.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cpu {

// columns (batch, channels * taps, places of the window) from x (batch, channels, in); s.groups
// is 1.
void unfold(const Tensor& columns, const Tensor& x, const ConvShape& s);
// The adjoint: x from columns.
void fold(const Tensor& x, const Tensor& columns, const ConvShape& s);

}  // namespace lampas::cpu
