// Gradients of rows as recorded tensor operations, from the same texts as the fused kernels.
#pragma once
#include "ops/pointwise.h"

namespace lampas::ops {

// The gradient of `input`, in the broadcast shape and the row's common type. Inputs that the text
// does not read may be undefined, and so may y.
Tensor derivative(rows::Row row, int input, const Tensor& g, std::span<const Tensor> inputs,
                  const Tensor& y, Params params);

}  // namespace lampas::ops
