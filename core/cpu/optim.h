// Optimizer steps of one parameter. A rule holds the numbers of its update, corrections for the
// step count included; the formulas are in simd/optim.cc.
#pragma once
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

// Weight decay: g += decay * p, or p *= shrink when decoupled. One of them does nothing.
struct Decay {
  double decay = 0, shrink = 1;
};

struct Sgd {  // states: momentum buffer or none
  double lr, momentum, dampening;
  double sign;  // of the gradient: -1 to maximize
  bool nesterov;
  Decay decay;
};
struct Adam {  // states: mean, mean square, largest mean square or none
  double beta1, beta2, eps;
  double rate, root_correction;  // lr / (1 - beta1^t), sqrt(1 - beta2^t)
  double sign;
  Decay decay;
};
struct Adamax {                    // states: mean, infinity norm
  double beta1, beta2, eps, rate;  // rate: lr / (1 - beta1^t)
  double sign;
  Decay decay;
};
struct NAdam {  // states: mean, mean square
  double beta1, beta2, eps;
  double correction;  // 1 - beta2^t
  double grad_rate, mean_rate;
  double sign;
  Decay decay;
};
struct RAdam {  // states: mean, mean square
  double beta1, beta2, eps, lr;
  double correction;  // 1 - beta1^t
  double rectified;   // r_t sqrt(1 - beta2^t); 0 while the step is not adaptive
  double sign;
  Decay decay;
};
struct RMSprop {  // states: mean square, momentum buffer or none, mean or none
  double lr, alpha, eps, momentum;
  double sign;
  Decay decay;
};
struct Adagrad {     // states: sum of squares
  double rate, eps;  // rate: lr / (1 + (t - 1) lr_decay)
  double sign;
  Decay decay;
};
struct Adadelta {  // states: mean square of gradients, of steps
  double lr, rho, eps;
  double sign;
  Decay decay;
};
struct Rprop {  // states: last gradient, step size
  double shrink, grow, smallest, largest;
  double sign;
};
struct Asgd {                   // states: average of the parameter
  double rate, shrink, weight;  // shrink: 1 - lambd * rate; weight: of the parameter in the average
  double sign;
  Decay decay;
};

#define LAMPAS_OPTIM_RULES(row)                                                                \
  row(Sgd) row(Adam) row(Adamax) row(NAdam) row(RAdam) row(RMSprop) row(Adagrad) row(Adadelta) \
      row(Rprop) row(Asgd)

#define ROW(Rule) void step(const Rule& rule, const Operands& operands);
LAMPAS_OPTIM_RULES(ROW)
#undef ROW

}  // namespace lampas::cpu
