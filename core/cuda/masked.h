// What is done where a mask is true: cpu/masked.h and nonzero of cpu/indexing.h on a GPU. Where the
// size of a result depends on the mask, the kernel makes the result: it learns the size on its way.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;

void masked_fill(On, Tensor& y, const Tensor& mask, const Tensor& value);
void masked_scatter(On, Tensor& y, const Tensor& mask, const Tensor& source);
// Wait for the device.
Tensor masked_select(On, const Tensor& x, const Tensor& mask);
Tensor nonzero(On, const Tensor& x);  // (dims, count)

}  // namespace lampas::cuda
