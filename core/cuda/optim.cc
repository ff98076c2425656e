// See optim.h.
#include "cuda/optim.h"

#include "cuda/family.h"
#include "cuda/tensor_lists.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

// OptimArguments of cuda/device/optim.h.
template <class Rule>
struct Arguments {
  Rule rule;
  const float *scale, *found, *rate;
  TensorTable<6, 60> tensors;
};

template <class Rule, class Launch>
void each_launch(const Rule& rule, const Updates& u, Launch launch) {
  static_assert(sizeof(Arguments<Rule>) <= 4096);
  Arguments<Rule> a;
  a.rule = rule;
  a.scale = u.numbers.scale, a.found = u.numbers.found, a.rate = u.numbers.rate;
  int64_t elements = 0;
  for (const Update& x : u.list) elements += x.n;
  auto size = [&](int64_t i) { return u.list[static_cast<size_t>(i)].n; };
  auto put = [&](void** data, int64_t i) {
    const Update& x = u.list[static_cast<size_t>(i)];
    data[0] = x.param, data[1] = x.grad, data[5] = x.step;
    std::copy_n(x.states, 3, data + 2);
  };
  each_table(a.tensors, static_cast<int64_t>(u.list.size()), chunk_for(elements, u.device), size,
             put, [&](unsigned blocks) { launch(a, blocks); });
}

template <class Rule>
void step_all(const Rule& rule, const char* name, const Updates& u) {
  if (u.list.empty()) return;
  int states = 0;
  for (int s = 0; s < 3; ++s) states |= (u.list[0].states[s] != nullptr) << s;
  const char* compute = u.dtype == DType::Double ? "double" : "float";
  std::string arguments = concat("OptimArguments<rules::", name, ">");
  FamilyKernel kernel{"optim", arguments.c_str(),
                      concat("optim_step<", device_type(u.dtype), ", ", compute, ", ", states,
                             ", rules::", name, ">")};
  each_launch(rule, u, [&](const Arguments<Rule>& a, unsigned blocks) {
    run_family(kernel, &a, {.x = blocks}, u.device, name);
  });
}

}  // namespace

#define ROW(Rule) \
  void step(const rules::Rule& rule, const Updates& u) { step_all(rule, #Rule, u); }
LAMPAS_OPTIM_RULES(ROW)
ROW(AdamOptions)
ROW(AdamaxOptions)
ROW(RAdamOptions)
#undef ROW

void count_steps(const Updates& updates) {
  Updates u = updates;
  for (Update& x : u.list) x.n = 1;  // tensors without elements count too
  each_launch(rules::Sgd{}, u, [&](const Arguments<rules::Sgd>& a, unsigned) {
    run_family({"optim", "OptimArguments<rules::Sgd>", "count_steps<rules::Sgd>"}, &a,
               {.x = 1, .threads = 64}, u.device, "step counts");
  });
}

}  // namespace lampas::cuda
