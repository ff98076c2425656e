// Optimizer steps of one parameter, by the rules of ops/update_rules.h.
#pragma once
#include "ops/update_rules.h"
#include "runtime/dtype.h"

namespace lampas::cpu {

// The memory of one parameter, its gradient and its states: n elements each, in the same order. A
// state that the rule does not keep is null.
struct Operands {
  DType dtype = DType::Float;  // float or double
  int64_t n = 0;
  void* param = nullptr;
  const void* grad = nullptr;
  void* states[3] = {};
};

#define ROW(Rule) void step(const rules::Rule& rule, const Operands& operands);
LAMPAS_OPTIM_RULES(ROW)
#undef ROW

}  // namespace lampas::cpu
