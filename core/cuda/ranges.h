// Evenly spaced values: cpu/ranges.h on a GPU.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;

void arange(On, const Tensor& y, const Scalar& start, const Scalar& step);
void linspace(On, const Tensor& y, const Scalar& start, const Scalar& end);
void logspace(On, const Tensor& y, const Scalar& start, const Scalar& end, double base);

}  // namespace lampas::cuda
