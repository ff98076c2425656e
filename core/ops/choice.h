// The gradient of operators whose result is some elements of their input, at `indices` along one
// dimension: max, sort, topk, median, cummax, ...
#pragma once
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

// One element per line; without keepdim the dimension is gone from values and indices.
void record_choice(Tensor& values, const char* node, const Tensor& x, const Tensor& indices,
                   int64_t d, bool keepdim);
// Several elements per line, each at most once; `repeats` when an element may be chosen again.
void record_choices(Tensor& values, const char* node, const Tensor& x, const Tensor& indices,
                    int64_t d, bool repeats = false);

}  // namespace lampas::ops
