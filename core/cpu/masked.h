// Kernels that work where a mask is true. Masks are bool and have the shape of the tensor beside
// them.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// y = *value (one element of y's type) where the mask is true.
void masked_fill(Tensor& y, const Tensor& mask, const Tensor& value);
// The elements of x where the mask is true, in order, into the 1-d y.
void masked_select(Tensor& y, const Tensor& x, const Tensor& mask);
// y takes elements of the contiguous `source` in order where the mask is true.
void masked_scatter(Tensor& y, const Tensor& mask, const Tensor& source);

}  // namespace lampas::cpu
