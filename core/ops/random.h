// What the files of random operators share: the generator to draw from, and operands as the kernels
// of cpu/random.h take them.
#pragma once
#include "cpu/random.h"
#include "ops/copy.h"
#include "tape/tape.h"

namespace lampas::ops {

// The generator for draws on a device; on meta nothing is drawn.
Generator& pick(Generator* given, Device device);
inline Generator& pick(Generator* given, const Tensor& like) { return pick(given, like.device()); }

// Values only, in row-major order.
inline Tensor plain_contiguous(const Tensor& x) {
  tape::NoGrad off;
  return contiguous(x);
}

inline void check_std(double std) {
  CHECK(std >= 0, "normal expects std >= 0.0, but found std ", std);
}

}  // namespace lampas::ops
