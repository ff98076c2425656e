// Distances of pairs of rows: cpu/distance.h on a GPU.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;

void distances(On, const Tensor& y, const Tensor& a, const Tensor& b, double p);

}  // namespace lampas::cuda
