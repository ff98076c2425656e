// Loops over the elements of one parameter.
#include "cpu/simd/optim.h"

namespace lampas::LAMPAS_ISA {

namespace {

template <int States, class T, class Rule>
void loop(Rule r, const cpu::Operands& o, int64_t begin, int64_t end) {
  auto* p = static_cast<T*>(o.param);
  auto* g = static_cast<const T*>(o.grad);
  auto *a = static_cast<T*>(o.states[0]), *b = static_cast<T*>(o.states[1]),
       *c = static_cast<T*>(o.states[2]);
  // Elements are independent, also where a state shares memory with the gradient.
#pragma GCC ivdep
  for (int64_t i = begin; i < end; ++i) {
    updates::Element<T> x{p[i], g[i], 0, 0, 0};
    if constexpr (States & 1) x.a = a[i];
    if constexpr (States & 2) x.b = b[i];
    if constexpr (States & 4) x.c = c[i];
    updates::apply<States>(r, x);
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
struct Kept<rules::Sgd> {
  using Sets = Set<0, 1>;
};
template <>
struct Kept<rules::Adam> {
  using Sets = Set<3, 7>;
};
template <>
struct Kept<rules::Adamax> {
  using Sets = Set<3>;
};
template <>
struct Kept<rules::NAdam> {
  using Sets = Set<3>;
};
template <>
struct Kept<rules::RAdam> {
  using Sets = Set<3>;
};
template <>
struct Kept<rules::RMSprop> {
  using Sets = Set<1, 3, 5, 7>;
};
template <>
struct Kept<rules::Adagrad> {
  using Sets = Set<1>;
};
template <>
struct Kept<rules::Adadelta> {
  using Sets = Set<3>;
};
template <>
struct Kept<rules::Rprop> {
  using Sets = Set<3>;
};
template <>
struct Kept<rules::Asgd> {
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

#define ROW(Rule)                                                                        \
  void optim_step(const rules::Rule& rule, const cpu::Operands& operands, int64_t begin, \
                  int64_t end) {                                                         \
    choose(Kept<rules::Rule>::Sets{}, rule, operands, begin, end);                       \
  }
LAMPAS_OPTIM_RULES(ROW)
#undef ROW

}  // namespace lampas::LAMPAS_ISA
