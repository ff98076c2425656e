// Launching the loops of cuda/device/reduce.h: for the reductions of reduce.cc, and for what else
// is one (extremes, the moments and gradients of normalisations).
#pragma once
#include "cpu/reduce_plan.h"

namespace lampas::cuda {

// A plan over axes given from the outermost in memory to the innermost; `out` as they are in y.
ReducePlan reduction_over(std::initializer_list<ReduceAxis> axes);

enum class Gather : uint8_t {
#define REDUCE(name, ...) name,
#include "ops/reduce.def"
  largest,
  smallest,
  plain_moments,  // doubles
  gradient_sums,
};

struct Reducing {
  Gather gather;
  DType dtype;
  const char* what;  // the operator
  const void* x;
  void* y;
  void* second = nullptr;       // a second result: extremes, moments
  const void* other = nullptr;  // read beside x: gradient_sums
  const void* centre = nullptr;
  int64_t centre_each = 1;  // neighbouring results that share a centre
  double p = 0;
};
void run_reduction(const Reducing& r, const ReducePlan& plan, Device device);

}  // namespace lampas::cuda
