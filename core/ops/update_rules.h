// The update rules of the optimizers, for one element: read by the CPU's loops (cpu/simd/optim.cc)
// and by kernels of a GPU (cuda/device/optim.h). A rule holds the numbers of an update, corrections
// for the step count included. The order of roundings is that of PyTorch's loop over parameters.
// The same mathematics as tensor expressions: `_formula` in src/lampas/optim/*.py.
#pragma once
#include "ops/math.h"

namespace lampas::rules {

// Weight decay: g += decay * p, or p *= shrink when decoupled. One of them does nothing.
struct Decay {
  double decay = 0, shrink = 1;
  friend bool operator==(const Decay&, const Decay&) = default;
};

struct Sgd {  // states: momentum buffer or none
  double lr, momentum, dampening;
  double sign;  // of the gradient: -1 to maximize
  bool nesterov;
  Decay decay;
  friend bool operator==(const Sgd&, const Sgd&) = default;
};
struct Adam {  // states: mean, mean square, largest mean square or none
  double beta1, beta2, eps;
  double rate, root_correction;  // lr / (1 - beta1^t), sqrt(1 - beta2^t)
  double sign;
  Decay decay;
  friend bool operator==(const Adam&, const Adam&) = default;
};
// What rules are made of, in updates::..._at, for a step count and maybe a learning rate that may
// be known on a device only.
struct AdamOptions {
  double lr, beta1, beta2, eps, weight_decay;
  double sign;
  bool decoupled;
  friend bool operator==(const AdamOptions&, const AdamOptions&) = default;
};
struct AdamaxOptions {
  double lr, beta1, beta2, eps, weight_decay;
  double sign;
  friend bool operator==(const AdamaxOptions&, const AdamaxOptions&) = default;
};
struct RAdamOptions {
  double lr, beta1, beta2, eps, weight_decay;
  double sign;
  bool decoupled;
  friend bool operator==(const RAdamOptions&, const RAdamOptions&) = default;
};
struct Adamax {                    // states: mean, infinity norm
  double beta1, beta2, eps, rate;  // rate: lr / (1 - beta1^t)
  double sign;
  Decay decay;
  friend bool operator==(const Adamax&, const Adamax&) = default;
};
struct NAdam {  // states: mean, mean square
  double beta1, beta2, eps;
  double correction;  // 1 - beta2^t
  double grad_rate, mean_rate;
  double sign;
  Decay decay;
  friend bool operator==(const NAdam&, const NAdam&) = default;
};
struct RAdam {  // states: mean, mean square
  double beta1, beta2, eps, lr;
  double correction;  // 1 - beta1^t
  double rectified;   // r_t sqrt(1 - beta2^t); 0 while the step is not adaptive
  double sign;
  Decay decay;
  friend bool operator==(const RAdam&, const RAdam&) = default;
};
struct RMSprop {  // states: mean square, momentum buffer or none, mean or none
  double lr, alpha, eps, momentum;
  double sign;
  Decay decay;
  friend bool operator==(const RMSprop&, const RMSprop&) = default;
};
struct Adagrad {     // states: sum of squares
  double rate, eps;  // rate: lr / (1 + (t - 1) lr_decay)
  double sign;
  Decay decay;
  friend bool operator==(const Adagrad&, const Adagrad&) = default;
};
struct Adadelta {  // states: mean square of gradients, of steps
  double lr, rho, eps;
  double sign;
  Decay decay;
  friend bool operator==(const Adadelta&, const Adadelta&) = default;
};
struct Rprop {  // states: last gradient, step size
  double shrink, grow, smallest, largest;
  double sign;
  friend bool operator==(const Rprop&, const Rprop&) = default;
};
struct Asgd {                   // states: average of the parameter
  double rate, shrink, weight;  // shrink: 1 - lambd * rate; weight: of the parameter in the average
  double sign;
  Decay decay;
  friend bool operator==(const Asgd&, const Asgd&) = default;
};

#define LAMPAS_OPTIM_RULES(row)                                                                \
  row(Sgd) row(Adam) row(Adamax) row(NAdam) row(RAdam) row(RMSprop) row(Adagrad) row(Adadelta) \
      row(Rprop) row(Asgd)

}  // namespace lampas::rules

namespace lampas::LAMPAS_ISA::updates {

inline rules::Decay decay_of(double weight_decay, double lr, bool decoupled) {
  rules::Decay decay;
  if (weight_decay == 0) return decay;
  (decoupled ? decay.shrink : decay.decay) = decoupled ? 1 - lr * weight_decay : weight_decay;
  return decay;
}
inline rules::Adam adam_at(const rules::AdamOptions& o, double t, double lr) {
  double first = 1 - __builtin_pow(o.beta1, t), second = 1 - __builtin_pow(o.beta2, t);
  return {o.beta1,
          o.beta2,
          o.eps,
          lr / first,
          __builtin_sqrt(second),
          o.sign,
          decay_of(o.weight_decay, lr, o.decoupled)};
}

inline rules::Adamax adamax_at(const rules::AdamaxOptions& o, double t, double lr) {
  double first = 1 - __builtin_pow(o.beta1, t);
  return {o.beta1, o.beta2, o.eps, lr / first, o.sign, decay_of(o.weight_decay, lr, false)};
}
inline rules::RAdam radam_at(const rules::RAdamOptions& o, double t, double lr) {
  double first = 1 - __builtin_pow(o.beta1, t), second = 1 - __builtin_pow(o.beta2, t);
  double limit = 2 / (1 - o.beta2) - 1, length = limit - 2 * t * (1 - second) / second;
  double rectified = 0;
  if (length > 5) {
    double ratio = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length);
    rectified = __builtin_sqrt(ratio) * __builtin_sqrt(second);
  }
  return {o.beta1, o.beta2,   o.eps,  lr,
          first,   rectified, o.sign, decay_of(o.weight_decay, lr, o.decoupled)};
}

// One element: parameter, gradient, states.
template <class T>
struct Element {
  T p, g, a, b, c;
};

// A condition that is the same for all elements doubles the code of its loop, since the compiler
// makes one loop for either case: there are as few as possible.
template <class T>
LAMPAS_INLINE T lerp(T from, T to, double weight) {
  return from + T(weight) * (to - from);
}
template <class T>
LAMPAS_INLINE T mean_square(T mean, T g, double keep) {
  return mean * T(keep) + T(1 - keep) * g * g;
}
template <class T>
LAMPAS_INLINE T larger(T a, T b) {
  return (a > b) | (a != a) ? a : b;
}
template <class T>
LAMPAS_INLINE void prepare(Element<T>& x, double sign, const rules::Decay& d) {
  x.g = x.g * T(sign);
  x.p = x.p * T(d.shrink);
  x.g = d.decay != 0 ? x.g + T(d.decay) * x.p : x.g;  // 0 * infinity would be NaN
}

// States: bit i tells whether the rule keeps state i.
template <int States, class T>
LAMPAS_INLINE void apply(const rules::Sgd& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  if constexpr (States == 1) {
    x.a = x.a * T(r.momentum) + T(1 - r.dampening) * x.g;
    x.g = r.nesterov ? x.g + T(r.momentum) * x.a : x.a;
  }
  x.p = x.p + T(-r.lr) * x.g;
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::Adam& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = mean_square(x.b, x.g, r.beta2);
  T square = x.b;
  if constexpr (States == 7) square = x.c = larger(x.c, x.b);
  T root = math::sqrt(square) / T(r.root_correction) + T(r.eps);
  x.p = x.p + T(-r.rate) * x.a / root;
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::Adamax& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = larger(x.b * T(r.beta2), math::abs(x.g) + T(r.eps));
  x.p = x.p + T(-r.rate) * x.a / x.b;
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::NAdam& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = mean_square(x.b, x.g, r.beta2);
  T root = math::sqrt(x.b / T(r.correction)) + T(r.eps);
  x.p = x.p + T(-r.grad_rate) * x.g / root;
  x.p = x.p + T(-r.mean_rate) * x.a / root;
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::RAdam& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = mean_square(x.b, x.g, r.beta2);
  T direction = x.a / T(r.correction);
  T adapted = direction * (T(r.rectified) / (math::sqrt(x.b) + T(r.eps)));
  x.p = x.p + T(-r.lr) * (r.rectified != 0 ? adapted : direction);
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::RMSprop& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = mean_square(x.a, x.g, r.alpha);
  T variance = x.a;
  if constexpr (States & 4) {
    x.c = lerp(x.c, x.g, 1 - r.alpha);
    variance = x.a - x.c * x.c;
  }
  T root = math::sqrt(variance) + T(r.eps);
  if constexpr (States & 2) {
    x.b = x.b * T(r.momentum) + x.g / root;
    x.p = x.p + T(-r.lr) * x.b;
  } else {
    x.p = x.p + T(-r.lr) * x.g / root;
  }
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::Adagrad& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = x.a + x.g * x.g;
  x.p = x.p + T(-r.rate) * x.g / (math::sqrt(x.a) + T(r.eps));
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::Adadelta& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = mean_square(x.a, x.g, r.rho);
  T delta = math::sqrt(x.b + T(r.eps)) / math::sqrt(x.a + T(r.eps)) * x.g;
  x.b = mean_square(x.b, delta, r.rho);
  x.p = x.p + T(-r.lr) * delta;
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::Rprop& r, Element<T>& x) {
  T g = x.g * T(r.sign);
  T agreement = g * x.a;
  T factor = agreement > 0 ? T(r.grow) : agreement < 0 ? T(r.shrink) : T(1);
  T size = x.b * factor;
  size = size < T(r.smallest) ? T(r.smallest) : size;
  size = size > T(r.largest) ? T(r.largest) : size;
  // A weight whose gradient turned stays where it is, and starts afresh in the next step.
  g = agreement < 0 ? T(0) : g;
  T sign = T(g > 0) - T(g < 0);
  x.p = x.p - sign * size;
  x.a = g;
  x.b = size;
}

template <int States, class T>
LAMPAS_INLINE void apply(const rules::Asgd& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.p = x.p * T(r.shrink) + T(-r.rate) * x.g;
  x.a = r.weight == 1 ? x.p : x.a + (x.p - x.a) * T(r.weight);
}

}  // namespace lampas::LAMPAS_ISA::updates
