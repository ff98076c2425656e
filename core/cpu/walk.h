// Runs a tile kernel over an elementwise plan: tiles that fit the first-level cache, operands
// gathered and converted into buffers only where memory is not already what the kernel wants.
#pragma once
#include "ops/iterator.h"
#include "ops/rows.h"

namespace lampas::cpu {

struct Program {
  rows::Tile tile;
  const Scalar* params;
  DType lanes[Plan::kMost];  // the type in which the kernel sees each operand
};

void walk(const Plan& plan, const Program& program);

}  // namespace lampas::cpu
