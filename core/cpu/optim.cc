// Cuts optimizer steps into pieces for the pool and chooses the instruction set.
#include "cpu/optim.h"

#include "cpu/simd/optim.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

// An Adam step moves 28 bytes an element: this many take about as long as handing them to a thread.
constexpr int64_t kGrain = 32768;

template <class Rule>
void step_range(const Rule& rule, const Operands& operands, int64_t begin, int64_t end) {
  LAMPAS_BEST(optim_step(rule, operands, begin, end));
}

template <class Rule>
void step_all(const Rule& rule, const Operands& operands) {
  parallel_for(operands.n, kGrain,
               [&](int64_t begin, int64_t end) { step_range(rule, operands, begin, end); });
}

}  // namespace

#define ROW(Rule) \
  void step(const rules::Rule& rule, const Operands& operands) { step_all(rule, operands); }
LAMPAS_OPTIM_RULES(ROW)
#undef ROW

}  // namespace lampas::cpu
