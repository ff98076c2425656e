// Steps of optimizers over lists of parameters, as few launches as possible. Which step count and
// rule each parameter has is decided in ops/optim.cc.
#pragma once
#include <vector>

#include "ops/update_rules.h"
#include "runtime/dtype.h"

namespace lampas::cuda {

// One parameter: its memory, that of its gradient and of its states (null: none), dense and in one
// order, n elements each; its step count (float) where that lies on the device.
struct Update {
  void *param, *grad;
  void* states[3];
  float* step;
  int64_t n;
};

// What lies on the device; each may be null.
struct DeviceNumbers {
  const float* scale = nullptr;  // gradients are divided by it, in memory too
  const float* found = nullptr;  // not 0: nothing changes
  const float* rate = nullptr;   // the learning rate
};

// Parameters of one dtype (floating), one device and one set of states.
struct Updates {
  DType dtype;
  int device;
  DeviceNumbers numbers;
  std::vector<Update> list;
};

#define ROW(Rule) void step(const rules::Rule& rule, const Updates& updates);
LAMPAS_OPTIM_RULES(ROW)
ROW(AdamOptions)
ROW(AdamaxOptions)
ROW(RAdamOptions)
#undef ROW
// Adds 1 to every step count, unless an infinity was found.
void count_steps(const Updates& updates);

}  // namespace lampas::cuda
