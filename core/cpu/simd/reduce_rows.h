// The rows of ops/reduce.def as C++ types: what a row gathers in, maps, combines and finishes. For
// reduce.cc beside it only: everything here is private to one instruction set.
#pragma once
#include <cmath>

#include "cpu/isa.h"
#include "cpu/reduce.h"
#include "ops/math.h"

namespace lampas::LAMPAS_ISA {
namespace {

template <class T>
struct real_of_type {
  using type = T;
};
template <class T>
struct real_of_type<std::complex<T>> {
  using type = T;
};
template <class T>
using real_t = typename real_of_type<T>::type;
template <class T>
inline constexpr bool is_whole_v = std::is_integral_v<T>;

using NumbersAndBool = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t,
                             int64_t, ComplexFloat, ComplexDouble, bool>;

// The columns `sum` and `centre`: from an element type T to a type, and to the dtype it is stored
// in.
struct NoCentre {
  template <class T>
  using type = uint8_t;
  template <class T>
  using stored = uint8_t;
};
struct Total {
  template <class T>
  using type = std::conditional_t<is_whole_v<T>, int64_t, compute_t<T>>;
  template <class T>
  using stored = std::conditional_t<is_whole_v<T>, int64_t, T>;
};
struct Same {
  template <class T>
  using type = std::conditional_t<std::is_same_v<T, bool>, uint8_t, compute_t<T>>;
  template <class T>
  using stored = T;
};
struct Count {
  template <class T>
  using type = int64_t;
  template <class T>
  using stored = int64_t;
};
struct Truth {
  template <class T>
  using type = uint8_t;
  template <class T>
  using stored = std::conditional_t<std::is_same_v<T, uint8_t>, uint8_t, bool>;
};
struct Bits {
  template <class T>
  using type = uint64_t;
  template <class T>
  using stored = uint64_t;
};
struct Modulus {
  template <class T>
  using type = real_t<compute_t<T>>;
  template <class T>
  using stored = real_t<T>;
};
struct Wide {
  template <class T>
  using type = std::conditional_t<is_complex_v<T>, ComplexDouble, double>;
  template <class T>
  using stored = type<T>;
};
struct WideReal {
  template <class T>
  using type = double;
  template <class T>
  using stored = real_t<T>;
};

// The vocabulary of the texts. Branch-free, so that loops over them vectorise.
template <class M, class A, class B>
inline auto where(M mask, A a, B b) {
  using R = std::common_type_t<A, B>;
  return mask ? R(a) : R(b);
}
template <class T>
inline real_t<T> square(T x) {
  if constexpr (is_complex_v<T>)
    return x.real() * x.real() + x.imag() * x.imag();
  else
    return x * x;
}
using math::exp;
using math::log;
using math::sqrt;
using std::pow;
template <class T>
inline auto abs(T x) {
  if constexpr (is_complex_v<T>)
    return std::abs(x);
  else
    return math::abs(x);
}
inline double max(double a, double b) { return a > b ? a : b; }
// A float's bits as a double; an integer's sign is extended.
template <class T>
inline uint64_t bits_of(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::bit_cast<uint64_t>(static_cast<double>(x));
  else
    return static_cast<uint64_t>(static_cast<int64_t>(x));
}
struct Lowest {
  template <class A>
  operator A() const {
    if constexpr (std::is_floating_point_v<A>)
      return -std::numeric_limits<A>::infinity();
    else
      return std::numeric_limits<A>::lowest();
  }
};
struct Highest {
  template <class A>
  operator A() const {
    if constexpr (std::is_floating_point_v<A>)
      return std::numeric_limits<A>::infinity();
    else
      return std::numeric_limits<A>::max();
  }
};
inline constexpr Lowest lowest{};
inline constexpr Highest highest{};

// What a text may do with the element: complex numbers compare with a complex zero.
template <class T>
inline bool operator!=(std::complex<T> x, int zero) {
  return x != T(zero);
}

#define REDUCE(row, label, types, sum, centre, identity_text, map_text, combine_text, finish_text, \
               dx)                                                                                 \
  template <class T>                                                                               \
  struct row##_row {                                                                               \
    using A = sum::type<T>;                                                                        \
    using Y = sum::stored<T>;                                                                      \
    using C = centre::type<T>;                                                                     \
    using Centre = centre::stored<T>;                                                              \
    using X =                                                                                      \
        std::conditional_t<std::is_same_v<sum, Wide>, A,                                           \
                           std::conditional_t<std::is_same_v<centre, Wide>, C, compute_t<T>>>;     \
    using N = std::conditional_t<is_complex_v<A>, real_t<A>, double>;                              \
    static constexpr bool centred = !std::is_same_v<centre, NoCentre>;                             \
    static A identity() { return static_cast<A>(identity_text); }                                  \
    static A map([[maybe_unused]] X x, [[maybe_unused]] C c, [[maybe_unused]] double p) {          \
      return static_cast<A>(map_text);                                                             \
    }                                                                                              \
    static A combine(A a, A b) { return static_cast<A>(combine_text); }                            \
    static Y finish(A a, [[maybe_unused]] C c, [[maybe_unused]] double p, [[maybe_unused]] N n) {  \
      return convert<Y>(static_cast<A>(finish_text));                                              \
    }                                                                                              \
  };
#include "ops/reduce.def"

}  // namespace
}  // namespace lampas::LAMPAS_ISA
