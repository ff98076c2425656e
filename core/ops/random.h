// What the files of random operators share: the generator to draw from, and operands as the kernels
// of cpu/random.h take them.
#pragma once
#include "cpu/random.h"
#include "ops/copy.h"
#include "tape/tape.h"

namespace lampas::ops {

inline Generator& pick(Generator* g) { return g ? *g : default_generator(); }

inline cpu::Run run_of(const Tensor& x) { return {x.raw(), x.dtype(), x.numel()}; }

// Values only, in row-major order.
inline Tensor plain_contiguous(const Tensor& x) {
  tape::NoGrad off;
  return contiguous(x);
}

// True when there is nothing to draw; raises for a device that cannot be used.
inline bool on_meta(const Tensor& x) {
  if (!x.is_meta()) require_available(x.device());
  return x.is_meta();
}

inline void check_std(double std) {
  CHECK(std >= 0, "normal expects std >= 0.0, but found std ", std);
}

}  // namespace lampas::ops
