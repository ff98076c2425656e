// Evenly spaced values.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

void arange(const Tensor& y, const Scalar& start, const Scalar& step);
void linspace(const Tensor& y, const Scalar& start, const Scalar& end);
void logspace(const Tensor& y, const Scalar& start, const Scalar& end, double base);

}  // namespace lampas::cpu
