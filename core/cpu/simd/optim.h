// Optimizer steps of elements [begin, end), once per instruction set.
#pragma once
#include "cpu/isa.h"
#include "cpu/optim.h"

#define ROW(Rule) \
  void optim_step(const rules::Rule&, const cpu::Operands&, int64_t begin, int64_t end);
namespace lampas::baseline {
LAMPAS_OPTIM_RULES(ROW)
}
namespace lampas::avx2 {
LAMPAS_OPTIM_RULES(ROW)
}
namespace lampas::avx512 {
LAMPAS_OPTIM_RULES(ROW)
}
#undef ROW
