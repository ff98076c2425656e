// The update rules of the optimizers, for one element. The order of roundings is that of PyTorch's
// loop over parameters. The same mathematics as tensor expressions: `_formula` in
// src/lampas/optim/*.py.
#include "cpu/simd/optim.h"

#include "ops/math.h"

namespace lampas::LAMPAS_ISA {

namespace {

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
LAMPAS_INLINE void prepare(Element<T>& x, double sign, const cpu::Decay& d) {
  x.g = x.g * T(sign);
  x.p = x.p * T(d.shrink);
  x.g = d.decay != 0 ? x.g + T(d.decay) * x.p : x.g;  // 0 * infinity would be NaN
}

// States: bit i tells whether the rule keeps state i.
template <int States, class T>
LAMPAS_INLINE void apply(const cpu::Sgd& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  if constexpr (States == 1) {
    x.a = x.a * T(r.momentum) + T(1 - r.dampening) * x.g;
    x.g = r.nesterov ? x.g + T(r.momentum) * x.a : x.a;
  }
  x.p = x.p + T(-r.lr) * x.g;
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::Adam& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = mean_square(x.b, x.g, r.beta2);
  T square = x.b;
  if constexpr (States == 7) square = x.c = larger(x.c, x.b);
  T root = math::sqrt(square) / T(r.root_correction) + T(r.eps);
  x.p = x.p + T(-r.rate) * x.a / root;
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::Adamax& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = larger(x.b * T(r.beta2), math::abs(x.g) + T(r.eps));
  x.p = x.p + T(-r.rate) * x.a / x.b;
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::NAdam& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = mean_square(x.b, x.g, r.beta2);
  T root = math::sqrt(x.b / T(r.correction)) + T(r.eps);
  x.p = x.p + T(-r.grad_rate) * x.g / root;
  x.p = x.p + T(-r.mean_rate) * x.a / root;
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::RAdam& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = lerp(x.a, x.g, 1 - r.beta1);
  x.b = mean_square(x.b, x.g, r.beta2);
  T direction = x.a / T(r.correction);
  T adapted = direction * (T(r.rectified) / (math::sqrt(x.b) + T(r.eps)));
  x.p = x.p + T(-r.lr) * (r.rectified != 0 ? adapted : direction);
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::RMSprop& r, Element<T>& x) {
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
LAMPAS_INLINE void apply(const cpu::Adagrad& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = x.a + x.g * x.g;
  x.p = x.p + T(-r.rate) * x.g / (math::sqrt(x.a) + T(r.eps));
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::Adadelta& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.a = mean_square(x.a, x.g, r.rho);
  T delta = math::sqrt(x.b + T(r.eps)) / math::sqrt(x.a + T(r.eps)) * x.g;
  x.b = mean_square(x.b, delta, r.rho);
  x.p = x.p + T(-r.lr) * delta;
}

template <int States, class T>
LAMPAS_INLINE void apply(const cpu::Rprop& r, Element<T>& x) {
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
LAMPAS_INLINE void apply(const cpu::Asgd& r, Element<T>& x) {
  prepare(x, r.sign, r.decay);
  x.p = x.p * T(r.shrink) + T(-r.rate) * x.g;
  x.a = r.weight == 1 ? x.p : x.a + (x.p - x.a) * T(r.weight);
}

template <int States, class T, class Rule>
void loop(Rule r, const cpu::Operands& o, int64_t begin, int64_t end) {
  auto* p = static_cast<T*>(o.param);
  auto* g = static_cast<const T*>(o.grad);
  auto *a = static_cast<T*>(o.states[0]), *b = static_cast<T*>(o.states[1]),
       *c = static_cast<T*>(o.states[2]);
  // Elements are independent, also where a state shares memory with the gradient.
#pragma GCC ivdep
  for (int64_t i = begin; i < end; ++i) {
    Element<T> x{p[i], g[i], 0, 0, 0};
    if constexpr (States & 1) x.a = a[i];
    if constexpr (States & 2) x.b = b[i];
    if constexpr (States & 4) x.c = c[i];
    apply<States>(r, x);
    p[i] = x.p;
    if constexpr (States & 1) a[i] = x.a;
    if constexpr (States & 2) b[i] = x.b;
    if constexpr (States & 4) c[i] = x.c;
  }
}

// The sets of states that a rule may keep.
template <class Rule>
struct Kept;
template <int... Sets>
struct Set {};
template <>
struct Kept<cpu::Sgd> {
  using Sets = Set<0, 1>;
};
template <>
struct Kept<cpu::Adam> {
  using Sets = Set<3, 7>;
};
template <>
struct Kept<cpu::Adamax> {
  using Sets = Set<3>;
};
template <>
struct Kept<cpu::NAdam> {
  using Sets = Set<3>;
};
template <>
struct Kept<cpu::RAdam> {
  using Sets = Set<3>;
};
template <>
struct Kept<cpu::RMSprop> {
  using Sets = Set<1, 3, 5, 7>;
};
template <>
struct Kept<cpu::Adagrad> {
  using Sets = Set<1>;
};
template <>
struct Kept<cpu::Adadelta> {
  using Sets = Set<3>;
};
template <>
struct Kept<cpu::Rprop> {
  using Sets = Set<3>;
};
template <>
struct Kept<cpu::Asgd> {
  using Sets = Set<1>;
};

template <class Rule, int... Sets>
void choose(Set<Sets...>, const Rule& rule, const cpu::Operands& o, int64_t begin, int64_t end) {
  int given = 0;
  for (int i = 0; i < 3; ++i) given |= (o.states[i] != nullptr) << i;
  auto run = [&]<class T>(T) {
    ((given == Sets ? loop<Sets, T>(rule, o, begin, end) : void()), ...);
  };
  o.dtype == DType::Float ? run(float{}) : run(double{});
}

}  // namespace

#define ROW(Rule)                                                                      \
  void optim_step(const cpu::Rule& rule, const cpu::Operands& operands, int64_t begin, \
                  int64_t end) {                                                       \
    choose(Kept<cpu::Rule>::Sets{}, rule, operands, begin, end);                       \
  }
LAMPAS_OPTIM_RULES(ROW)
#undef ROW

}  // namespace lampas::LAMPAS_ISA
