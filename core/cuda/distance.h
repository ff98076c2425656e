// Distances of pairs of rows, as cpu/distance.h has them.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;  // see kernels.h

void distances(On, const Tensor& y, const Tensor& a, const Tensor& b, double p);

}  // namespace lampas::cuda
