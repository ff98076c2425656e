// Lane<T>: one element as the row formulas of pointwise.def see it. Numbers in a text take the
// lane's type. The functions behind the words are in math.h, special.h, complex_math.h and
// integer_math.h.
#pragma once
#include "ops/complex_math.h"
#include "ops/integer_math.h"
#include "ops/special.h"

namespace lampas::LAMPAS_ISA {

template <class T>
inline constexpr bool is_complex_lane = false;
template <class T>
inline constexpr bool is_complex_lane<Complex<T>> = true;
template <class T>
inline constexpr bool is_float_lane = std::is_floating_point_v<T>;
template <class T>
inline constexpr bool is_integer_lane = std::is_integral_v<T> && !std::is_same_v<T, bool>;

// A word whose meaning is the same function of math.h on any lane.
#define LAMPAS_WORD(f) \
  LAMPAS_INLINE friend Lane f(Lane x) { return Lane(math::f(x.v)); }
// A word that is a scalar function of a double.
#define LAMPAS_SPECIAL(f, call) \
  friend Lane f(Lane x) { return Lane(static_cast<T>(call(static_cast<double>(x.v)))); }
#define LAMPAS_SPECIAL2(f, call)                                                           \
  friend Lane f(Lane a, Lane b) {                                                          \
    return Lane(static_cast<T>(call(static_cast<double>(a.v), static_cast<double>(b.v)))); \
  }
// Trigonometry: `Far` lanes may hold arguments beyond math::trig_limit.
#define LAMPAS_TRIG(word)                     \
  LAMPAS_INLINE friend Lane word(Lane x) {    \
    if constexpr (!Far || is_complex_lane<T>) \
      return Lane(math::word(x.v));           \
    else if constexpr (math::is_single<T>)    \
      return Lane(__builtin_##word##f(x.v));  \
    else                                      \
      return Lane(__builtin_##word(x.v));     \
  }

template <class T, bool Far = false>
struct Lane {
  T v;
  Lane() = default;
  LAMPAS_INLINE Lane(T x) : v(x) {}
  template <class N>
    requires(std::is_arithmetic_v<N> && !std::is_same_v<N, T>)
  LAMPAS_INLINE Lane(N n) : v(from_number(n)) {}

  // A real value among complex ones, as in y * real(conj(y) * g).
  template <class R>
    requires(is_complex_lane<T> && std::is_same_v<Complex<R>, T>)
  LAMPAS_INLINE Lane(Lane<R, Far> x) : v{x.v, 0} {}

  template <class N>
  LAMPAS_INLINE static T from_number(N n) {
    if constexpr (is_complex_lane<T>)
      return T{static_cast<decltype(T{}.re)>(n), 0};
    else if constexpr (std::is_same_v<T, bool>)
      return n != 0;
    else
      return static_cast<T>(n);
  }

  // --- arithmetic; whole numbers wrap, bool saturates ---
#define LAMPAS_OPERATOR(op)                                                    \
  LAMPAS_INLINE friend Lane operator op(Lane a, Lane b) {                      \
    if constexpr (is_integer_lane<T>) {                                        \
      return Lane(static_cast<T>(math::wrapping(a.v) op math::wrapping(b.v))); \
    } else {                                                                   \
      return Lane(a.v op b.v);                                                 \
    }                                                                          \
  }
  LAMPAS_OPERATOR(+)
  LAMPAS_OPERATOR(-)
  LAMPAS_OPERATOR(*)
#undef LAMPAS_OPERATOR
  LAMPAS_INLINE friend Lane operator/(Lane a, Lane b) { return Lane(static_cast<T>(a.v / b.v)); }
  LAMPAS_INLINE friend Lane operator-(Lane x) {
    if constexpr (is_integer_lane<T>)
      return Lane(static_cast<T>(0 - math::wrapping(x.v)));
    else
      return Lane(-x.v);
  }
  LAMPAS_INLINE friend bool operator==(Lane a, Lane b) { return a.v == b.v; }
  LAMPAS_INLINE friend bool operator!=(Lane a, Lane b) { return a.v != b.v; }
  LAMPAS_INLINE friend bool operator<(Lane a, Lane b) { return a.v < b.v; }
  LAMPAS_INLINE friend bool operator<=(Lane a, Lane b) { return a.v <= b.v; }
  LAMPAS_INLINE friend bool operator>(Lane a, Lane b) { return a.v > b.v; }
  LAMPAS_INLINE friend bool operator>=(Lane a, Lane b) { return a.v >= b.v; }

  // --- choice ---
  LAMPAS_INLINE friend Lane where(bool m, Lane a, Lane b) {
    if constexpr (is_complex_lane<T>)
      return Lane(T{m ? a.v.re : b.v.re, m ? a.v.im : b.v.im});
    else
      return Lane(m ? a.v : b.v);
  }
  // NaN wins. Two choices in a row: gcc 12 does not vectorise one over a joined mask here.
  LAMPAS_INLINE friend Lane max(Lane a, Lane b) {
    Lane larger = where(a.v > b.v, a, b);
    return where(a.v != a.v, a, larger);
  }
  LAMPAS_INLINE friend Lane min(Lane a, Lane b) {
    Lane smaller = where(a.v < b.v, a, b);
    return where(a.v != a.v, a, smaller);
  }
  LAMPAS_INLINE friend Lane clamp(Lane x, Lane lo, Lane hi) {
    x = where(x.v < lo.v, lo, x);
    return where(x.v > hi.v, hi, x);
  }

  // --- sign and size ---
  LAMPAS_INLINE friend auto abs(Lane x) {
    if constexpr (is_complex_lane<T>)
      return Lane<decltype(T{}.re), Far>(math::magnitude(x.v));
    else if constexpr (is_float_lane<T>)
      return Lane(math::abs(x.v));
    else if constexpr (std::is_unsigned_v<T>)
      return x;
    else
      return where(x.v < 0, -x, x);
  }
  LAMPAS_INLINE friend Lane sign(Lane x) {
    if constexpr (std::is_unsigned_v<T>)
      return Lane(T(x.v != 0));
    else
      return Lane(static_cast<T>(T(x.v > 0) - T(x.v < 0)));
  }
  LAMPAS_INLINE friend Lane sgn(Lane x) {
    if constexpr (is_complex_lane<T>) {
      auto m = math::magnitude(x.v);
      return m == 0 ? Lane(0) : Lane(T{x.v.re / m, x.v.im / m});
    } else {
      return sign(x);
    }
  }
  LAMPAS_INLINE friend Lane conj(Lane x) {
    if constexpr (is_complex_lane<T>)
      return Lane(T{x.v.re, -x.v.im});
    else
      return x;
  }
  LAMPAS_INLINE friend auto real(Lane x) {
    if constexpr (is_complex_lane<T>)
      return Lane<decltype(T{}.re), Far>(x.v.re);
    else
      return x;
  }
  LAMPAS_INLINE friend bool signbit(Lane x) {
    if constexpr (is_float_lane<T>)
      return (math::bits(x.v) >> (sizeof(T) * 8 - 1)) != 0;
    else if constexpr (std::is_unsigned_v<T>)
      return false;
    else
      return x.v < 0;
  }
  LAMPAS_INLINE friend Lane copysign(Lane a, Lane b) { return Lane(math::copysign(a.v, b.v)); }
  LAMPAS_INLINE friend Lane square(Lane x) { return x * x; }
  LAMPAS_INLINE friend bool isnan(Lane x) { return x != x; }
  LAMPAS_INLINE friend bool isinf(Lane x) {
    if constexpr (is_complex_lane<T>)
      return math::isinf(x.v.re) | math::isinf(x.v.im);
    else if constexpr (is_float_lane<T>)
      return math::isinf(x.v);
    else
      return false;
  }
  LAMPAS_INLINE friend bool isfinite(Lane x) {
    if constexpr (is_complex_lane<T>)
      return math::isfinite(x.v.re) & math::isfinite(x.v.im);
    else if constexpr (is_float_lane<T>)
      return math::isfinite(x.v);
    else
      return true;
  }
  LAMPAS_INLINE friend Lane heaviside(Lane a, Lane b) {
    return where(a == 0, b, where(a > 0, Lane(1), Lane(0)));
  }

  // --- rounding and division ---
#define LAMPAS_ROUNDING(f)              \
  LAMPAS_INLINE friend Lane f(Lane x) { \
    if constexpr (is_float_lane<T>)     \
      return Lane(math::f(x.v));        \
    else                                \
      return x;                         \
  }
  LAMPAS_ROUNDING(ceil)
  LAMPAS_ROUNDING(floor)
  LAMPAS_ROUNDING(trunc)
  LAMPAS_ROUNDING(round)
#undef LAMPAS_ROUNDING
  // At `decimals` places behind the point, or before it when negative.
  friend Lane round_decimals(Lane x, Lane decimals) {
    bool behind = decimals.v >= 0;
    T ten = math::pow(T(10), math::abs(decimals.v));
    return Lane(behind ? math::round(x.v * ten) / ten : math::round(x.v / ten) * ten);
  }
  friend Lane fmod(Lane a, Lane b) {
    if constexpr (math::is_single<T>)
      return Lane(__builtin_fmodf(a.v, b.v));
    else if constexpr (is_float_lane<T>)
      return Lane(__builtin_fmod(a.v, b.v));
    else
      return Lane(math::fmod_int(a.v, b.v));
  }
  // The result has the divisor's sign.
  friend Lane remainder(Lane a, Lane b) {
    if constexpr (is_integer_lane<T>)
      return Lane(math::remainder_int(a.v, b.v));
    else {
      Lane r = fmod(a, b);
      return where((r.v != 0) & ((r.v < 0) != (b.v < 0)), r + b, r);
    }
  }
  friend Lane div_trunc(Lane a, Lane b) {
    if constexpr (is_integer_lane<T>)
      return Lane(math::div_trunc_int(a.v, b.v));
    else
      return Lane(math::trunc(a.v / b.v));
  }
  // As Python's //: from the exact remainder, so that the rounded quotient cannot be one too high.
  friend Lane div_floor(Lane a, Lane b) {
    if constexpr (is_integer_lane<T>)
      return Lane(math::div_floor_int(a.v, b.v));
    else {
      Lane r = fmod(a, b);
      T q = (a.v - r.v) / b.v;
      q = (r.v != 0) & ((b.v < 0) != (r.v < 0)) ? q - 1 : q;
      T y = math::floor(q);
      y = q - y > T(0.5) ? y + 1 : y;
      y = q == 0 ? math::copysign(T(0), a.v / b.v) : y;
      return Lane(b.v == 0 ? a.v / b.v : y);
    }
  }

  // --- elementary functions ---
  LAMPAS_WORD(exp)
  LAMPAS_WORD(exp2)
  LAMPAS_WORD(expm1)
  LAMPAS_WORD(log)
  LAMPAS_WORD(log2)
  LAMPAS_WORD(log10)
  LAMPAS_WORD(log1p)
  LAMPAS_WORD(sqrt)
  LAMPAS_WORD(asin)
  LAMPAS_WORD(acos)
  LAMPAS_WORD(atan)
  LAMPAS_WORD(sinh)
  LAMPAS_WORD(cosh)
  LAMPAS_WORD(tanh)
  LAMPAS_WORD(asinh)
  LAMPAS_WORD(acosh)
  LAMPAS_WORD(atanh)
  LAMPAS_WORD(erf)
  LAMPAS_WORD(erfc)
  LAMPAS_WORD(erfcx)
  LAMPAS_WORD(erfinv)
  LAMPAS_WORD(ndtr)
  LAMPAS_WORD(gelu)
  LAMPAS_WORD(ndtri)
  LAMPAS_TRIG(sin)
  LAMPAS_TRIG(cos)
  LAMPAS_TRIG(tan)
  LAMPAS_INLINE friend Lane sigmoid(Lane x) { return 1 / (1 + exp(-x)); }
  LAMPAS_INLINE friend Lane atan2(Lane a, Lane b) { return Lane(math::atan2(a.v, b.v)); }
  LAMPAS_INLINE friend Lane hypot(Lane a, Lane b) { return Lane(math::hypot(a.v, b.v)); }
  LAMPAS_INLINE friend Lane pow(Lane a, Lane b) {
    if constexpr (is_integer_lane<T>)
      return Lane(math::pow_int(a.v, b.v));
    else
      return Lane(math::pow(a.v, b.v));
  }

  // --- special functions ---
  LAMPAS_SPECIAL(log_ndtr, special::log_ndtr)
  LAMPAS_SPECIAL(lgamma, special::lgamma)
  LAMPAS_SPECIAL(digamma, special::digamma)
  LAMPAS_SPECIAL(i0, special::i0)
  LAMPAS_SPECIAL(i0e, special::i0e)
  LAMPAS_SPECIAL(i1, special::i1)
  LAMPAS_SPECIAL(i1e, special::i1e)
  LAMPAS_SPECIAL(bessel_j0, __builtin_j0)
  LAMPAS_SPECIAL(bessel_j1, __builtin_j1)
  LAMPAS_SPECIAL(bessel_y0, special::y0)
  LAMPAS_SPECIAL(bessel_y1, special::y1)
  LAMPAS_SPECIAL(modified_bessel_k0, special::k0)
  LAMPAS_SPECIAL(modified_bessel_k1, special::k1)
  LAMPAS_SPECIAL(scaled_modified_bessel_k0, special::k0e)
  LAMPAS_SPECIAL(scaled_modified_bessel_k1, special::k1e)
  LAMPAS_SPECIAL(spherical_bessel_j0, special::spherical_j0)
  LAMPAS_SPECIAL(airy_ai, special::airy_ai)
  LAMPAS_SPECIAL2(igamma, special::igamma)
  LAMPAS_SPECIAL2(igammac, special::igammac)
  LAMPAS_SPECIAL2(zeta, special::zeta)
  friend Lane polygamma(Lane x, Lane n) {
    return Lane(
        static_cast<T>(special::polygamma(static_cast<double>(n.v), static_cast<double>(x.v))));
  }
  friend Lane nextafter(Lane a, Lane b) {
    if constexpr (math::is_single<T>)
      return Lane(__builtin_nextafterf(a.v, b.v));
    else
      return Lane(__builtin_nextafter(a.v, b.v));
  }

  // --- whole numbers ---
  LAMPAS_INLINE friend Lane bitwise_not(Lane x) {
    if constexpr (std::is_same_v<T, bool>)
      return Lane(!x.v);
    else
      return Lane(static_cast<T>(~x.v));
  }
  LAMPAS_INLINE friend Lane bitwise_and(Lane a, Lane b) { return Lane(static_cast<T>(a.v & b.v)); }
  LAMPAS_INLINE friend Lane bitwise_or(Lane a, Lane b) { return Lane(static_cast<T>(a.v | b.v)); }
  LAMPAS_INLINE friend Lane bitwise_xor(Lane a, Lane b) { return Lane(static_cast<T>(a.v ^ b.v)); }
  LAMPAS_INLINE friend Lane bitwise_left_shift(Lane a, Lane b) {
    return Lane(math::shift_left(a.v, b.v));
  }
  LAMPAS_INLINE friend Lane bitwise_right_shift(Lane a, Lane b) {
    return Lane(math::shift_right(a.v, b.v));
  }
  friend Lane gcd(Lane a, Lane b) { return Lane(math::gcd_int(a.v, b.v)); }
  friend Lane lcm(Lane a, Lane b) { return Lane(math::lcm_int(a.v, b.v)); }
};
#undef LAMPAS_WORD
#undef LAMPAS_SPECIAL
#undef LAMPAS_SPECIAL2
#undef LAMPAS_TRIG

}  // namespace lampas::LAMPAS_ISA
