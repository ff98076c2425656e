// Distances of pairs of rows.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// y (..., P, R) from contiguous a (..., P, M) and b (..., R, M): the p-norm of every difference.
void distances(const Tensor& y, const Tensor& a, const Tensor& b, double p);

}  // namespace lampas::cpu
