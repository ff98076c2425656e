// How losses are reduced. `reduction` is 0 none, 1 mean, 2 sum, as torch._C._nn counts.
#pragma once
#include "ops/arithmetic.h"
#include "ops/reduce.h"

namespace lampas::ops {

enum : int64_t { kNone, kMean, kSum };

// Recorded as what it is: MeanBackward0, SumBackward0.
Tensor reduced_loss(const Tensor& losses, int64_t reduction);
void check_reduction(int64_t reduction);

}  // namespace lampas::ops
