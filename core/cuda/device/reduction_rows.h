// What reductions gather, map and combine: the rows of ops/reduce.def in a device's types, and
// those that are no rows: extremes with their places, moments, the sums of a normalisation's
// gradient. The loops are in reduce.h, which says what a reduction is asked for.
#pragma once
#include "cuda/device/block.h"

namespace lampas::device {

template <class T>
struct real_of_type {
  using type = T;
};
template <class T>
struct real_of_type<Complex<T>> {
  using type = T;
};
template <class T>
using real_t = typename real_of_type<T>::type;
template <>
struct real_of_type<ComplexHalf> {
  using type = Half;
};

struct Lowest {
  template <class A>
  static A value() {
    if constexpr (is_float_lane<A>)
      return -std::numeric_limits<A>::infinity();
    else
      return std::numeric_limits<A>::min();
  }
};
struct Highest {
  template <class A>
  static A value() {
    if constexpr (is_float_lane<A>)
      return std::numeric_limits<A>::infinity();
    else
      return static_cast<A>(~std::numeric_limits<A>::min());
  }
};

// The place of an element that is not there.
constexpr int64_t kNowhere = 0x7fffffffffffffff;

// The columns `sum` and `centre` and the vocabulary of reduce.def, as cpu/simd/reduce_rows.h has
// them.
namespace reduction {

struct NoCentre {
  template <class T>
  using type = uint8_t;
  template <class T>
  using stored = uint8_t;
};
struct Total {
  template <class T>
  using type = std::conditional_t<std::is_integral_v<T>, int64_t, compute_t<T>>;
  template <class T>
  using stored = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
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
  using type = std::conditional_t<is_complex<T>, Complex<double>, double>;
  template <class T>
  using stored = type<T>;
};
struct WideReal {
  template <class T>
  using type = double;
  template <class T>
  using stored = real_t<T>;
};

template <class A, class B>
LAMPAS_INLINE A where(bool mask, A a, B b) {
  return mask ? a : static_cast<A>(b);
}
template <class T>
LAMPAS_INLINE real_t<T> square(T x) {
  if constexpr (is_complex<T>)
    return x.re * x.re + x.im * x.im;
  else
    return x * x;
}
template <class T>
LAMPAS_INLINE real_t<T> abs(T x) {
  if constexpr (is_complex<T>)
    return math::magnitude(x);
  else
    return math::abs(x);
}
template <class T>
LAMPAS_INLINE T pow(T x, double p) {
  return math::pow(x, static_cast<T>(p));
}
template <class T>
LAMPAS_INLINE T exp(T x) {
  return exp_of(x);
}
template <class T>
LAMPAS_INLINE T log(T x) {
  return log_of(x);
}
template <class T>
LAMPAS_INLINE T sqrt(T x) {
  return root_of(x);
}
LAMPAS_INLINE double max(double a, double b) { return a > b ? a : b; }
template <class T>
LAMPAS_INLINE uint64_t bits_of(T x) {
  if constexpr (is_float_lane<T>)
    return std::bit_cast<uint64_t>(static_cast<double>(x));
  else
    return static_cast<uint64_t>(static_cast<int64_t>(x));
}
template <class T>
LAMPAS_INLINE bool operator!=(Complex<T> x, int) {
  return x.re != 0 || x.im != 0;
}
template <class T>
LAMPAS_INLINE Complex<T> operator/(Complex<T> x, T n) {
  return {x.re / n, x.im / n};
}
inline constexpr Lowest lowest{};
inline constexpr Highest highest{};

// What a text gives, as the type it is gathered in.
template <class A, class R>
LAMPAS_INLINE A as(R x) {
  if constexpr (std::is_same_v<R, Lowest> || std::is_same_v<R, Highest>)
    return R::template value<A>();
  else if constexpr (is_complex<A> && !is_complex<R>)
    return A{static_cast<real_t<A>>(x), 0};
  else
    return static_cast<A>(x);
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
    using N = std::conditional_t<is_complex<A>, real_t<A>, double>;                                \
    static constexpr bool centred = !std::is_same_v<centre, NoCentre>;                             \
    LAMPAS_INLINE static A identity() { return as<A>(identity_text); }                             \
    LAMPAS_INLINE static A map([[maybe_unused]] X x, [[maybe_unused]] C c,                         \
                               [[maybe_unused]] double p) {                                        \
      return as<A>(map_text);                                                                      \
    }                                                                                              \
    LAMPAS_INLINE static A combine(A a, A b) { return as<A>(combine_text); }                       \
    LAMPAS_INLINE static Y finish(A a, [[maybe_unused]] C c, [[maybe_unused]] double p,            \
                                  [[maybe_unused]] N n) {                                          \
      return convert<Y>(as<A>(finish_text));                                                       \
    }                                                                                              \
  };
#include "ops/reduce.def"

}  // namespace reduction

// A row of reduce.def as the loops want it.
template <class Row>
struct Mapped {
  using A = typename Row::A;
  using Acc = A;
  using X = typename Row::X;
  using C = typename Row::C;
  using Centre = typename Row::Centre;
  static constexpr bool centred = Row::centred, paired = false;
  LAMPAS_INLINE static A identity() { return Row::identity(); }
  LAMPAS_INLINE static Acc start(int64_t) { return Row::identity(); }
  LAMPAS_INLINE static void add(Acc& a, X x, X, C c, double p, int64_t) {
    a = Row::combine(a, Row::map(x, c, p));
  }
  LAMPAS_INLINE static A close(Acc a) { return a; }
  LAMPAS_INLINE static A combine(A a, A b) { return Row::combine(a, b); }
  template <class Arguments>
  LAMPAS_INLINE static void finish(const Arguments& a, int64_t at, A total, C c) {
    auto n = static_cast<typename Row::N>(a.count);
    static_cast<typename Row::Y*>(a.y)[at] = Row::finish(total, c, a.p, n);
  }
};

// --- the best element and its place: y int64 places, second the elements (or null) ---

template <class C>
struct Best {
  C value;
  int64_t place;
};
template <class T, bool Largest>
struct Extreme {
  using X = std::conditional_t<std::is_same_v<T, bool>, uint8_t, compute_t<T>>;
  using A = Best<X>;
  using Acc = A;
  using C = uint8_t;
  using Centre = uint8_t;
  static constexpr bool centred = false, paired = false;
  LAMPAS_INLINE static X worst() { return Largest ? Lowest::value<X>() : Highest::value<X>(); }
  LAMPAS_INLINE static A identity() { return {worst(), kNowhere}; }
  // At the first place that will be looked at, so that lines of the worst value have one.
  LAMPAS_INLINE static Acc start(int64_t first) { return {worst(), first}; }
  // A NaN beats every number; nothing beats a NaN.
  LAMPAS_INLINE static bool beats(X a, X b) { return !(Largest ? a <= b : a >= b) && b == b; }
  // Elements of one thread come in order, so that equal ones change nothing.
  LAMPAS_INLINE static void add(Acc& a, X x, X, C, double, int64_t place) {
    bool better = beats(x, a.value);
    a.value = better ? x : a.value;
    a.place = better ? place : a.place;
  }
  LAMPAS_INLINE static A close(Acc a) { return a; }
  LAMPAS_INLINE static A combine(A a, A b) {
    if (beats(a.value, b.value)) return a;
    if (beats(b.value, a.value)) return b;
    return a.place <= b.place ? a : b;
  }
  template <class Arguments>
  LAMPAS_INLINE static void finish(const Arguments& a, int64_t at, A best, C) {
    static_cast<int64_t*>(a.y)[at] = best.place;
    if (a.second) static_cast<T*>(a.second)[at] = convert<T>(best.value);
  }
};

// --- mean and variance in one pass ---
//
// A thread sums what its elements differ from its first one. That one is an element like others, so
// cancellation costs at most (its count) roundings of the variance. What threads have found is
// joined in double (T. Chan et al., "Algorithms for Computing the Sample Variance", 1983).

template <class S, class R>
struct Shifted {
  S first, sum;
  R squares;
  int32_t n;
};
template <class M>
struct Moments {
  M mean;
  double m2, n;
};
template <class T, class Y, bool Root>
struct Spread {
  using X = compute_t<T>;
  using R = real_t<X>;
  using M = std::conditional_t<is_complex<X>, Complex<double>, double>;
  using A = Moments<M>;
  using Acc = Shifted<X, R>;
  using C = uint8_t;
  using Centre = uint8_t;
  static constexpr bool centred = false, paired = false;
  LAMPAS_INLINE static A identity() { return {M{}, 0, 0}; }
  LAMPAS_INLINE static Acc start(int64_t) { return {X{}, X{}, 0, 0}; }
  LAMPAS_INLINE static void add(Acc& a, X x, X, C, double, int64_t) {
    if (a.n == 0) a.first = x;
    X d = x - a.first;
    a.sum = a.sum + d;
    a.squares = a.squares + reduction::square(d);
    ++a.n;
  }
  LAMPAS_INLINE static M times(M a, double b) {
    if constexpr (is_complex<M>)
      return {a.re * b, a.im * b};
    else
      return a * b;
  }
  LAMPAS_INLINE static A close(Acc a) {
    if (a.n == 0) return identity();
    double n = a.n;
    M sum = convert<M>(a.sum);
    double m2 = static_cast<double>(a.squares) - reduction::square(sum) / n;
    return {convert<M>(a.first) + times(sum, 1 / n), m2 < 0 ? 0 : m2, n};
  }
  LAMPAS_INLINE static A combine(A a, A b) {
    if (a.n == 0) return b;
    if (b.n == 0) return a;
    double n = a.n + b.n;
    M apart = b.mean - a.mean;
    return {a.mean + times(apart, b.n / n),
            a.m2 + b.m2 + reduction::square(apart) * (a.n * b.n / n), n};
  }
  // p: what is taken off the count.
  template <class Arguments>
  LAMPAS_INLINE static void finish(const Arguments& a, int64_t at, A all, C) {
    double unknown = std::numeric_limits<double>::quiet_NaN();
    double left = static_cast<double>(a.count) - a.p;
    double y = all.m2 / (left > 0 ? left : 0);
    M mean = all.mean;
    if (a.count == 0) {
      y = unknown;
      if constexpr (is_complex<M>)
        mean = {unknown, unknown};
      else
        mean = unknown;
    }
    static_cast<Y*>(a.y)[at] = convert<Y>(Root ? ::sqrt(y) : y);
    static_cast<M*>(a.second)[at] = mean;
  }
};

// --- sums of g (x) and of g (other - mean): y holds pairs of doubles ---

template <class R>
struct Two {
  R g, gx;
};
template <class T>
struct GradientSums {
  using X = compute_t<T>;
  using A = Two<double>;
  using Acc = Two<X>;
  using C = X;
  using Centre = double;
  static constexpr bool centred = true, paired = true;
  LAMPAS_INLINE static A identity() { return {0, 0}; }
  LAMPAS_INLINE static Acc start(int64_t) { return {0, 0}; }
  LAMPAS_INLINE static void add(Acc& a, X g, X x, C mean, double, int64_t) {
    a.g += g;
    a.gx += g * (x - mean);
  }
  LAMPAS_INLINE static A close(Acc a) { return {a.g, a.gx}; }
  LAMPAS_INLINE static A combine(A a, A b) { return {a.g + b.g, a.gx + b.gx}; }
  template <class Arguments>
  LAMPAS_INLINE static void finish(const Arguments& a, int64_t at, A total, C) {
    static_cast<A*>(a.y)[at] = total;
  }
};

}  // namespace lampas::device
