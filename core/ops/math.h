// Elementary functions for one float or double, free of branches so that the loops around them
// become SIMD code. Special functions that stay scalar are in special.h.
//
// Each function states its domain and its largest error in units in the last place (float, double);
// outside the domain it returns what the C library does. The polynomials are interpolations at
// Chebyshev nodes, computed in 60 digits with the error weighted by what the function makes of it.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cpu/isa.h"

namespace lampas::LAMPAS_ISA::math {

#ifndef LAMPAS_INLINE  // devices have their own (cuda/device/standard.h)
#define LAMPAS_INLINE [[gnu::always_inline]] inline
#endif

template <class T>
struct Format;
template <>
struct Format<float> {
  using Int = int32_t;
  using Word = uint32_t;
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float magic = 12582912.f;  // 1.5 * 2^23: adding it rounds to an integer
};
template <>
struct Format<double> {
  using Int = int64_t;
  using Word = uint64_t;
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
};
template <class T>
using Word = typename Format<T>::Word;
template <class T>
inline constexpr bool is_single = std::is_same_v<T, float>;
template <class T>
inline constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T nan = std::numeric_limits<T>::quiet_NaN();

template <class T>
LAMPAS_INLINE Word<T> bits(T x) {
  return std::bit_cast<Word<T>>(x);
}
template <class T>
LAMPAS_INLINE T from_bits(Word<T> w) {
  return std::bit_cast<T>(w);
}

// c0 + x * (c1 + x * (c2 + ...))
template <class T>
LAMPAS_INLINE T poly(T, double c0) {
  return T(c0);
}
template <class T, class... C>
LAMPAS_INLINE T poly(T x, double c0, C... rest) {
  return x * poly(x, rest...) + T(c0);
}

template <class T>
LAMPAS_INLINE T abs(T x) {
  return from_bits<T>(bits(x) & (~Word<T>(0) >> 1));
}
template <class T>
LAMPAS_INLINE T sqrt(T x) {
  if constexpr (is_single<T>)
    return __builtin_sqrtf(x);
  else
    return __builtin_sqrt(x);
}
template <class T>
LAMPAS_INLINE T copysign(T x, T sign) {
  constexpr Word<T> top = Word<T>(1) << (sizeof(T) * 8 - 1);
  return from_bits<T>((bits(x) & ~top) | (bits(sign) & top));
}
template <class T>
LAMPAS_INLINE T floor(T x) {
  if constexpr (is_single<T>)
    return __builtin_floorf(x);
  else
    return __builtin_floor(x);
}
template <class T>
LAMPAS_INLINE T ceil(T x) {
  if constexpr (is_single<T>)
    return __builtin_ceilf(x);
  else
    return __builtin_ceil(x);
}
template <class T>
LAMPAS_INLINE T trunc(T x) {
  if constexpr (is_single<T>)
    return __builtin_truncf(x);
  else
    return __builtin_trunc(x);
}
// To nearest, ties to even.
template <class T>
LAMPAS_INLINE T round(T x) {
  constexpr T whole = T(Word<T>(1) << Format<T>::mantissa);
  T big = copysign(whole, x);
  return abs(x) < whole ? copysign((x + big) - big, x) : x;
}
template <class T>
LAMPAS_INLINE bool isnan(T x) {
  return x != x;
}
template <class T>
LAMPAS_INLINE bool isinf(T x) {
  return abs(x) == infinity<T>;
}
template <class T>
LAMPAS_INLINE bool isfinite(T x) {
  return abs(x) < infinity<T>;
}

// --- exponentials ---

// 2^k for k in the normal range.
template <class T>
LAMPAS_INLINE T power_of_two(Word<T> k) {
  return from_bits<T>((k + Format<T>::bias) << Format<T>::mantissa);
}
// p * 2^k, also into the subnormals, in two factors whose exponents are the halves of k. `both` are
// the bits of k + `half_magic`: of them the shifts leave the lowest, a power of two each.
// No shift is signed; AVX2 lacks that of 64 bits.
template <class T>
inline constexpr T half_magic = Format<T>::magic + 2 * Format<T>::bias;
template <class T>
LAMPAS_INLINE T scale(T p, Word<T> both) {
  constexpr int shift = Format<T>::mantissa;
  Word<T> half = both >> 1;
  return p * from_bits<T>(half << shift) * from_bits<T>((both - half) << shift);
}
template <class T>
LAMPAS_INLINE T clip(T x, double lo, double hi) {  // NaN stays
  bool below = x<T(lo), above = x> T(hi);  // both of x: in turn they cost gcc a third comparison
  x = below ? T(lo) : x;
  return above ? T(hi) : x;
}
// Within -end .. end; one comparison.
template <class T>
LAMPAS_INLINE T clip_size(T x, double end) {
  return abs(x) > T(end) ? copysign(T(end), x) : x;
}
// x = k ln2 + r with |r| <= ln2 / 2.
template <class T>
struct Reduced {
  T r;
  Word<T> k;
};
// n ln2 taken off x.
template <class T>
LAMPAS_INLINE T less_ln2(T x, T n) {
  if constexpr (is_single<T>)
    return (x - n * 0.693359375f) - n * -2.12194440e-4f;
  else
    return (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
}
template <class T>
LAMPAS_INLINE Reduced<T> reduce_ln2(T x) {
  constexpr T magic = Format<T>::magic;
  T t = x * T(1.4426950408889634) + magic;
  return {less_ln2(x, t - magic), bits(t) - bits(magic)};
}
// e^r - 1 on |r| <= ln2 / 2.
template <class T>
LAMPAS_INLINE T expm1_small(T r) {
  T q;
  if constexpr (is_single<T>) {
    q = poly(r, 0.50000000134981779, 0.16666666681659179, 0.041666464602026542,
             0.0083333108895820772, 0.0013933685862617174, 0.00019891030654370328);
  } else {
    q = poly(r, 0.5, 0.16666666666666667, 0.041666666666666677, 0.008333333333333334,
             0.0013888888888879043, 0.00019841269841263278, 2.4801587336526004e-5,
             2.7557319247274563e-6, 2.7557263189476207e-7, 2.5052071034565118e-8,
             2.0918170876658783e-9, 1.6086650044578211e-10);
  }
  return r * r * q + r;
}
// 2^shift * e^x.
template <class T>
LAMPAS_INLINE T exp_shifted(T x, int shift) {
  constexpr T magic = half_magic<T>;
  x = is_single<T> ? clip(x, -104.5, 90) : clip(x, -746, 711);
  T t = x * T(1.4426950408889634) + magic;
  return scale(1 + expm1_small(less_ln2(x, t - magic)), bits(t) + static_cast<Word<T>>(shift));
}
// Any x; 1.1, 1.1.
template <class T>
LAMPAS_INLINE T exp(T x) {
  return exp_shifted(x, 0);
}
// x <= 0; 1.1, 1.1 down to `least`, just above the logarithm of the smallest normal number, 0
// below: the exponent needs no care there, so 2^k is an addition to it. For sums of exponentials
// beside e^0.
template <class T>
LAMPAS_INLINE T exp_negative(T x) {
  constexpr T least = is_single<T> ? T(-87.33) : T(-708.39);
  auto [r, k] = reduce_ln2(x < least ? least : x);
  T y = from_bits<T>(bits(1 + expm1_small(r)) + (k << Format<T>::mantissa));
  return x < least ? T(0) : y;
}
// Any x; 1.1, 1.1; exact at integers.
template <class T>
LAMPAS_INLINE T exp2(T x) {
  constexpr T magic = half_magic<T>;
  x = is_single<T> ? clip(x, -151, 129) : clip(x, -1077, 1025);
  T t = x + magic;
  T r = (x - (t - magic)) * T(0.69314718055994531);
  return scale(1 + expm1_small(r), bits(t));
}
// Any x; 1.7, 1.7. Halved until the end so that 2^k never overflows before the result does.
template <class T>
LAMPAS_INLINE T expm1(T x) {
  T c = is_single<T> ? clip(x, -60, 88.9) : clip(x, -60, 709.9);
  auto [r, k] = reduce_ln2(c);
  T p = expm1_small(r), s = power_of_two<T>(k - 1);
  T y = k == 0 ? p : (p * s + (s - T(0.5))) * 2;
  return x == 0 ? x : y;
}
// Any x; 2.3, 2.3 above -85 (float), -700 (double); towards zero beyond.
template <class T>
LAMPAS_INLINE T sigmoid(T x) {
  return 1 / (1 + exp(-x));
}
// Any x; 2.4, 2.4.
template <class T>
LAMPAS_INLINE T tanh(T x) {
  T a = 2 * abs(x);
  auto [r, k] = reduce_ln2(a > T(40) ? T(40) : a);
  T s = power_of_two<T>(k), e = expm1_small(r) * s + (s - 1);  // e^a - 1
  return copysign(e / (e + 2), x);
}
// Any x; 2.0, 2.0.
template <class T>
LAMPAS_INLINE T sinh(T x) {
  T a = abs(x), e = expm1(a < 20 ? a : T(20));
  T y = a < 20 ? (e + e / (e + 1)) * T(0.5) : exp_shifted(a, -1);
  return copysign(y, x);
}
// Any x; 1.6, 1.6.
template <class T>
LAMPAS_INLINE T cosh(T x) {
  T e = exp_shifted(abs(x), -1);
  return e + T(0.25) / e;
}

// --- logarithms ---

// x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = f - low, f = m - 1, for positive normal or
// subnormal x.
template <class T>
struct Log {
  T e, f, low;
};
template <class T>
LAMPAS_INLINE Log<T> log_parts(T x) {
  constexpr int shift = Format<T>::mantissa;
  constexpr T two = is_single<T> ? T(16777216.0) : T(18014398509481984.0);
  bool tiny = x < std::numeric_limits<T>::min();
  Word<T> w = bits(tiny ? x * two : x);
  constexpr Word<T> one = std::bit_cast<Word<T>>(T(1)),
                    root = std::bit_cast<Word<T>>(T(0.70710678));
  w += one - root;
  T e;
  if constexpr (is_single<T>) {
    e = static_cast<float>(static_cast<int32_t>(w >> shift) - 127);
  } else {  // no 64-bit integer conversion before AVX-512: place the exponent in a mantissa
    e = from_bits<double>((w >> shift) | 0x4330000000000000u) - (4503599627370496.0 + 1023);
  }
  e = tiny ? e - (is_single<T> ? 24 : 54) : e;
  T m = from_bits<T>((w & ((Word<T>(1) << shift) - 1)) + root);
  T f = m - 1, s = f / (2 + f), z = s * s, half = T(0.5) * f * f, tail;
  if constexpr (is_single<T>) {
    tail = poly(z, 0.6666666655430018, 0.40000122000816881, 0.2855080255327671, 0.2333096405177204);
  } else {
    tail =
        poly(z, 0.66666666666666666, 0.4000000000000088, 0.28571428570801957, 0.22222222392089008,
             0.18181795600060792, 0.15386241881938596, 0.13268714792348097, 0.13087236196659622);
  }
  return {e, f, half - s * (half + z * tail)};
}
// What a logarithm returns for zero, negative, infinite and NaN x.
template <class T>
LAMPAS_INLINE T log_edges(T x, T y) {
  y = x == infinity<T> ? x : y;
  y = x == 0 ? -infinity<T> : y;
  return x >= 0 ? y : nan<T>;
}
template <class T>
LAMPAS_INLINE T log_sum(Log<T> l, T extra) {
  if constexpr (is_single<T>) {
    return l.e * 0.693359375f + (l.f - (l.low - (l.e * -2.12194440e-4f + extra)));
  } else {
    return l.e * 6.93147180369123816490e-01 +
           (l.f - (l.low - (l.e * 1.90821492927058770002e-10 + extra)));
  }
}
// x >= 0; 1.0, 1.0.
template <class T>
LAMPAS_INLINE T log(T x) {
  return log_edges(x, log_sum(log_parts(x), T(0)));
}
// x >= 0; 1.8, 1.8; exact at powers of two.
template <class T>
LAMPAS_INLINE T log2(T x) {
  auto l = log_parts(x);
  return log_edges(x, l.e + (l.f - l.low) * T(1.4426950408889634));
}
// x >= 0; 2.0, 2.0.
template <class T>
LAMPAS_INLINE T log10(T x) {
  auto l = log_parts(x);
  T y;
  if constexpr (is_single<T>) {
    y = l.e * 0.30102920532f + (l.e * 7.9034151668e-07f + (l.f - l.low) * 0.43429448190f);
  } else {
    y = l.e * 3.01029995663611771306e-01 +
        (l.e * 3.69423907715893078616e-13 + (l.f - l.low) * 4.34294481903251816668e-01);
  }
  return log_edges(x, y);
}
// x >= -1; 1.0, 1.0. The rounding error of 1 + x goes in as a correction (Kahan).
template <class T>
LAMPAS_INLINE T log1p(T x) {
  T u = 1 + x;
  T lost = x < 1 ? x - (u - 1) : 1 - (u - x);
  T y = log_sum(log_parts(u), lost / u);
  y = abs(x) < (is_single<T> ? T(1e-7) : T(1e-16)) ? x : y;
  return log_edges(u, x == infinity<T> ? x : y);
}
// Any x; 1.8, 1.8.
template <class T>
LAMPAS_INLINE T asinh(T x) {
  T a = abs(x);
  bool large = a > T(1e8);
  T b = large ? T(1) : a;
  T y = log1p(b + b * b / (1 + sqrt(b * b + 1)));
  y = large ? log(a) + T(0.69314718055994531) : y;
  return copysign(y, x);
}
// x >= 1; 2.0, 2.0.
template <class T>
LAMPAS_INLINE T acosh(T x) {
  bool large = x > T(1e8);
  T t = large ? T(1) : x - 1;
  T y = log1p(t + sqrt(2 * t + t * t));
  y = large ? log(x) + T(0.69314718055994531) : y;
  return x >= 1 ? y : nan<T>;
}
// |x| <= 1; 2.1, 2.1.
template <class T>
LAMPAS_INLINE T atanh(T x) {
  T a = abs(x);
  return copysign(T(0.5) * log1p(2 * a / (1 - a)), x);
}

// --- trigonometry ---

// Largest argument for which the reduction below keeps its accuracy; loops send tiles with larger
// ones to the C library.
template <class T>
inline constexpr T trig_limit = is_single<T> ? T(1e4) : T(1e6);

// x = k pi/2 + r with |r| <= pi/4; products of k with all parts but the last are exact.
template <class T>
LAMPAS_INLINE Reduced<T> reduce_pio2(T x) {
  constexpr T magic = Format<T>::magic;
  T t = x * T(0.63661977236758134) + magic, n = t - magic, r, third, fourth;
  if constexpr (is_single<T>) {
    r = (x - n * 1.5703125f) - n * 4.837512969970703125e-4f;
    third = n * 7.54953362047672271728515625e-8f;
    fourth = n * 2.5633441515707e-12f;
  } else {
    r = x - n * 1.57079632673412561417e+00;
    third = n * 6.07710050630396597660e-11;
    fourth = n * 2.02226624879595063154e-21;
  }
  T hi = r - third, lost = (r - hi) - third;
  return {hi + (lost - fourth), bits(t) - bits(magic)};
}
// On |r| <= pi/4.
template <class T>
LAMPAS_INLINE T sin_small(T r) {
  T z = r * r, q;
  if constexpr (is_single<T>) {
    q = poly(z, -0.16666666663832776, 0.0083333318659637959, -0.00019840082015127999,
             2.7249314360416799e-6);
  } else {
    q = poly(z, -0.16666666666666667, 0.0083333333333333315, -0.00019841269841265017,
             2.7557319221938226e-6, -2.5052106219528367e-8, 1.6058529573291738e-10,
             -7.5865766484052612e-13);
  }
  return r + r * (z * q);
}
template <class T>
LAMPAS_INLINE T cos_small(T r) {
  T z = r * r, q, h = T(0.5) * z, w = 1 - h;
  if constexpr (is_single<T>) {
    q = poly(z, 0.041666664664302415, -0.0013888887664717277, 2.4800596437593729e-5,
             -2.73004488746506e-7);
  } else {
    q = poly(z, 0.041666666666666667, -0.0013888888888888888, 2.480158730158462e-5,
             -2.7557319221382126e-7, 2.0876755783897637e-9, -1.1470459750244853e-11,
             4.7458049232498397e-14);
  }
  return w + (((1 - w) - h) + z * z * q);
}
template <class T>
LAMPAS_INLINE T negate_if(bool m, T x) {
  return m ? -x : x;
}
// |x| <= trig_limit; 1.6, 1.6.
template <class T>
LAMPAS_INLINE T sin(T x) {
  auto [r, k] = reduce_pio2(x);
  T y = (k & 1) != 0 ? cos_small(r) : sin_small(r);
  y = negate_if((k & 2) != 0, y);
  return x == 0 ? x : y;
}
template <class T>
LAMPAS_INLINE T cos(T x) {
  auto [r, k] = reduce_pio2(x);
  T y = (k & 1) != 0 ? sin_small(r) : cos_small(r);
  return negate_if(((k + 1) & 2) != 0, y);
}
// |x| <= trig_limit; 3.2, 3.2.
template <class T>
LAMPAS_INLINE T tan(T x) {
  auto [r, k] = reduce_pio2(x);
  T s = sin_small(r), c = cos_small(r);
  bool odd = (k & 1) != 0;
  T y = (odd ? -c : s) / (odd ? s : c);
  return x == 0 ? x : y;
}
// On |t| <= tan(pi/8).
template <class T>
LAMPAS_INLINE T atan_small(T t) {
  T z = t * t, q;
  if constexpr (is_single<T>) {
    q = poly(z, -0.33333331746438905, 0.19999537101519532, -0.14263838534755131,
             0.10742467481458571, -0.064477431387491153);
  } else {
    q = poly(z, -0.33333333333333333, 0.19999999999999801, -0.14285714285658823,
             0.11111111105057619, -0.090909087486376781, 0.076922962345621043,
             -0.066664223652985352, 0.058789000468626214, -0.052302412575139906,
             0.045506225250304515, -0.034545622575104519, 0.016258145857267049);
  }
  return t + t * (z * q);
}
// pi/4 less its nearest T.
template <class T>
inline constexpr T quarter_pi_tail = is_single<T> ? T(-2.1855695e-8) : T(3.061616997868383e-17);
// The angle of (x, y) with both non-negative: atan(y / x) in [0, pi/2].
template <class T>
LAMPAS_INLINE T first_octants(T y, T x) {
  bool swap = y > x;
  T lo = swap ? x : y, hi = swap ? y : x;
  bool both = lo == infinity<T>;
  lo = both ? T(1) : lo;
  hi = both ? T(1) : hi == 0 ? T(1) : hi;
  // Beyond tan(pi/8), turn by 45 degrees. The sum must not overflow.
  bool turn = lo > hi * T(0.41421356237309503);
  T k = hi > T(1e30) ? T(0.25) : T(1);
  T top = turn ? lo * k - hi * k : lo * k, bottom = turn ? lo * k + hi * k : hi * k;
  T angle = atan_small(top / bottom);
  angle = turn ? T(0.78539816339744831) + (angle + quarter_pi_tail<T>) : angle;
  return swap ? T(1.5707963267948966) - (angle - 2 * quarter_pi_tail<T>) : angle;
}
// Any x; 2.3, 2.3.
template <class T>
LAMPAS_INLINE T atan(T x) {
  T y = copysign(first_octants(abs(x), T(1)), x);
  return x != x || x == 0 ? x : y;
}
// Any; 2.3, 2.3.
template <class T>
LAMPAS_INLINE T atan2(T y, T x) {
  T angle = first_octants(abs(y), abs(x));
  bool left = static_cast<std::make_signed_t<Word<T>>>(bits(x)) < 0;
  angle = left ? T(3.1415926535897932) - angle : angle;
  angle = copysign(angle, y);
  return x != x || y != y ? nan<T> : angle;
}
// asin(s) - s on |s| <= 1/2, over s.
template <class T>
LAMPAS_INLINE T asin_excess(T z) {
  if constexpr (is_single<T>) {
    return z * poly(z, 0.16666666335647973, 0.075000949792761528, 0.044599236667855577,
                    0.03110279417419203, 0.017138190981837096, 0.03371060920943917);
  } else {
    return z * poly(z, 0.16666666666666667, 0.075000000000001192, 0.044642857142548468,
                    0.030381944475855854, 0.022372157427705221, 0.017352816997695015,
                    0.013963771548009895, 0.011566564202171594, 0.0096209612626302937,
                    0.0093246484763178749, 0.0030251140174674945, 0.01960393110799315,
                    -0.019313465666024365, 0.029658061303905721);
  }
}
// |x| <= 1; 2.5, 2.5.
template <class T>
LAMPAS_INLINE T asin(T x) {
  T a = abs(x);
  bool far = a > T(0.5);
  T z = far ? (1 - a) * T(0.5) : a * a, s = far ? sqrt(z) : a;
  T y = s + s * asin_excess(z);
  y = far ? T(1.5707963267948966) - 2 * (y - quarter_pi_tail<T>) : y;
  return copysign(y, x);
}
// |x| <= 1; 1.5, 1.5.
template <class T>
LAMPAS_INLINE T acos(T x) {
  T a = abs(x);
  bool far = a > T(0.5);
  T z = far ? (1 - a) * T(0.5) : a * a, s = far ? sqrt(z) : x;
  T y = s + s * asin_excess(z);
  T near = T(1.5707963267948966) - (y - 2 * quarter_pi_tail<T>);
  T outer = x < 0 ? T(3.1415926535897932) - 2 * (y - 2 * quarter_pi_tail<T>) : 2 * y;
  return far ? outer : near;
}

// --- error function ---

// exp(x^2) erfc(x) for x >= 0: (1 + 2x) times it is smooth in t = (x - K) / (x + K)
// (Shepherd and Laframboise, 1981).
template <class T>
LAMPAS_INLINE T erfcx_positive(T x) {
  T t = 1 - T(7.5) / (x + T(3.75)), p;
  if constexpr (is_single<T>) {
    p = poly(t, 1.2375126184625717, -0.14024060801000692, 0.0035863101016888517,
             0.082277417560368671, -0.10881458496174144, 0.092296367961203001,
             -0.058645982867712496, 0.028396482120658268, -0.0098454910949592954,
             0.0016886622311156745, 0.00039670463828005489, -0.00022874723359084774);
  } else {
    p = poly(t, 1.2375126308378276, -0.14024059858554696, 0.003585415485463775,
             0.082276738490145159, -0.10880393014171786, 0.092304321160378767,
             -0.058693398590212367, 0.028362277418940665, -0.009746579552504243,
             0.0017556258530017258, 0.00029371363428500813, -0.00029015408097952713,
             5.1649211390702852e-5, 2.2384240314224438e-5, -1.1444412439171723e-5,
             -9.7356190151826633e-7, 1.7520579701663181e-6, -5.7215972559909872e-8,
             -2.5910696877966579e-7, 2.3261913276696567e-8, 3.8965452548985968e-8,
             -3.7435680336345832e-9, -5.2842869796314206e-9, 3.110310719839165e-10,
             4.4349590700096283e-10);
  }
  return T(0.5) * p / (T(0.5) + x);  // 1 + 2x could overflow
}
// exp(sign x^2) for |x| below 30, with the rounding error of x^2 (by Veltkamp's splitting) put
// back.
template <class T>
LAMPAS_INLINE T exp_square(T x, int sign) {
  constexpr Word<T> mask = ~Word<T>(0) << (is_single<T> ? 12 : 27);
  T hi = from_bits<T>(bits(x) & mask), lo = x - hi, p = x * x;
  T lost = ((hi * hi - p) + 2 * hi * lo) + lo * lo;
  return exp(sign * p) * (1 + sign * lost);
}
// erf(x) / x - 1 on x^2 = z <= 1.
template <class T>
LAMPAS_INLINE T erf_excess(T z) {
  if constexpr (is_single<T>) {
    return poly(z, 0.1283791670615434, -0.3761263846802871, 0.11283782495236845,
                -0.026865430727670243, 0.0052210318078580228, -0.00084840804055351063,
                0.00011265959025606609, -9.6670445714869964e-6);
  } else {
    return poly(z, 0.1283791670955126, -0.37612638903183752, 0.11283791670955126,
                -0.026866170645131219, 0.005223977625441674, -0.00085483270234030006,
                0.00012055332978879484, -1.4925650236967502e-5, 1.6462110782018636e-6,
                -1.6365768648832072e-7, 1.4806027146128752e-8, -1.2277734486795524e-9,
                9.3237235181530266e-11, -6.1967364287877e-12, 2.8067128195611262e-13);
  }
}
// Any x; 1.4, 1.4.
template <class T>
LAMPAS_INLINE T erf(T x) {
  T a = abs(x), far;
  T z = a < 1 ? a * a : T(1);
  T near = x + x * erf_excess(z);
  if constexpr (is_single<T>) {
    a = a > 4 ? T(4) : a;  // 1 - erf(4) is below half a unit
    far = 1 - exp(poly(a, 0.00032013804967769884, -1.130233434841994, -0.63182605155916301,
                       -0.11008008294882025, 0.026421136005663897, -0.0047595962932662646,
                       0.00059680562566077971, -4.6058042689189779e-5, 1.6371514145936436e-6));
  } else {
    a = a > 6 ? T(6) : a;
    far = 1 - exp(-a * a) * erfcx_positive(a);
  }
  return a < 1 ? near : copysign(far, x);
}
// The normal distribution function, for any x. Error of the value itself, not in its units: 1.5e-7
// (float) and 1.2e-16 (double), as of 0.5 (1 + erf(x / sqrt 2)). Single precision: an odd
// polynomial, in z = 2 (x / 5.25)^2 - 1, to where the function is 0 or 1 in steps of a float below
// one.
template <class T>
LAMPAS_INLINE T ndtr(T x) {
  if constexpr (is_single<T>) {
    T t = clip_size(x, 5.25), z = t * t * 0.0725623583f - 1;
    T y =
        0.5f + t * poly(z, 0.13465935, -0.0671268553, 0.0496459864, -0.0397621728, 0.03202755,
                        -0.0250531919, 0.0185659248, -0.0127321007, 0.00832868088, -0.00552801741,
                        0.00303971674, -0.000969868735, 0.0005455137, -0.0006798869, 0.00027747979);
    return clip(y, 0, 1);  // the polynomial ends a little beyond both
  } else {
    return T(0.5) * (1 + erf(x * T(0.7071067811865476)));
  }
}
// x ndtr(x), for any x; -inf gives NaN. Error of the value over x: 2.6e-7 (float) and 1.2e-16
// (double). Single precision: max(x, 0) - a (1 - ndtr(a)) with a = |x|, and the second factor,
// which is nothing in steps of a float from `end` on, as (end - a) times a polynomial.
template <class T>
LAMPAS_INLINE T gelu(T x) {
  if constexpr (is_single<T>) {
    constexpr float end = 5.5f;
    uint32_t size = bits(abs(x)), most = bits(end);
    float a = from_bits<float>(size < most ? size : most);  // of NaN too: the first term has it
    float tail = poly(a - 0.5f * end, 0.00108354099, -0.00291282506, 0.00348775259, -0.00234790665,
                      0.00087435433, -9.14154418e-05, -7.58661587e-05, 3.89560564e-05,
                      -4.23152407e-06, -2.84519302e-06, 9.8585782e-07, 7.22695591e-08,
                      -6.5330019e-08, 2.05731935e-10, 1.75282197e-09);
    return (0.5f * x + 0.5f * abs(x)) - a * (end - a) * tail;
  } else {
    return x * ndtr(x);
  }
}
// Any x; 5.0, 5.0 down to the subnormals.
template <class T>
LAMPAS_INLINE T erfc(T x) {
  T a = abs(x), limit = is_single<T> ? T(11) : T(28);
  a = a > limit ? limit : a;
  T y = exp_square(a, -1) * erfcx_positive(a);
  y = x < 0 ? 2 - y : y;
  T near = 1 - (x + x * erf_excess(a < 1 ? a * a : T(1)));
  return a < T(0.5) ? near : y;
}
// Any x; 3.0, 3.0 for positive x.
template <class T>
LAMPAS_INLINE T erfcx(T x) {
  T a = abs(x), y = erfcx_positive(a), c = a > T(29) ? T(29) : a, e = exp_square(c, 1);
  T near = e * (1 - (x + x * erf_excess(a < 1 ? a * a : T(1))));
  y = x < 0 ? 2 * e - y : y;
  return a < T(0.5) ? near : y;
}

// y with erf(y) = a and erfc(y) = q = 1 - a, for 0 <= a < 1. Winitzki's formula, then Halley's
// steps below 3/4 and Newton's on log erfc above, whose slope is -2 / (sqrt(pi) erfcx(y)). The one
// function here with a branch: both sides at once would cost more than they gain.
template <class T>
inline T erf_inverse(T a, T q) {
  constexpr T slope = T(0.88622692545275801);
  constexpr int steps = is_single<T> ? 2 : 3;
  bool low = a < T(0.75);
  T log_q = low ? T(0) : log(q), l = low ? log1p(-a * a) : log_q + log(2 - q);
  T b = T(4.3307467508) + T(0.5) * l, disc = sqrt(b * b - l * T(6.802721088));
  T y = sqrt(b > 0 ? -l * T(6.802721088) / (disc + b) : disc - b);
  for (int i = 0; i < steps; ++i) {
    if (low) {
      T u = (erf(y) - a) * exp(y * y) * slope;
      y -= u / (1 + y * u);
    } else {
      T e = erfcx_positive(y);
      y += (log(e) - y * y - log_q) * e * slope;
    }
  }
  return y;
}
// |x| <= 1; 4.0, 4.0.
template <class T>
LAMPAS_INLINE T erfinv(T x) {
  T a = abs(x), y = erf_inverse(a < 1 ? a : T(0), a < 1 ? 1 - a : T(1));
  y = a == 1 ? infinity<T> : y;
  return a <= 1 ? copysign(y, x) : nan<T>;
}
// 0 <= p <= 1; 5, 5.
template <class T>
LAMPAS_INLINE T ndtri(T p) {
  bool upper = p > T(0.5);
  T q = 2 * (upper ? 1 - p : p), a = upper ? 2 * p - 1 : 1 - q;
  T y = T(1.4142135623730951) * erf_inverse(q > 0 ? a : T(0), q > 0 ? q : T(1));
  y = q == 0 ? infinity<T> : y;
  y = upper ? y : 0 - y;
  return q >= 0 ? y : nan<T>;
}

// --- powers ---

// Any; 0.51 (float, through double), 1 (double, the C library's). As C99's pow in every special
// case.
LAMPAS_INLINE double pow(double x, double y) { return __builtin_pow(x, y); }
LAMPAS_INLINE float pow(float x, float y) {
  // log2 |x| and 2^p in double, to 2^-43 and 2^-38.
  float ax = abs(x);
  uint64_t w = bits(static_cast<double>(ax)) + (0x3ff0000000000000u - 0x3fe6a09e00000000u);
  double e = from_bits<double>((w >> 52) | 0x4330000000000000u) - (4503599627370496.0 + 1023);
  double f = from_bits<double>((w & 0x000fffffffffffffu) + 0x3fe6a09e00000000u) - 1;
  double s = f / (2 + f), z = s * s;
  double l = s * (2 + z * poly(z, 0.66666666667376645, 0.39999998795219156, 0.28571754968350352,
                               0.22191373380944631, 0.19363186932161763));
  l = e + l * 1.4426950408889634;
  l = ax == 0 ? -infinity<double> : ax < infinity<float> ? l : static_cast<double>(ax);
  double p = clip(l * static_cast<double>(y), -200, 200), t = p + Format<double>::magic;
  double r = (p - (t - Format<double>::magic)) * 0.69314718055994531;
  double q = poly(r, 0.5, 0.16666666719154798, 0.041666666719138069, 0.0083332984139414553,
                  0.0013888853979832356, 0.00019899332056564083, 2.4859636294108329e-5);
  r = (1 + (r + r * r * q)) * power_of_two<double>(bits(t) - bits(Format<double>::magic));
  float whole = trunc(y), half = y * 0.5f;
  bool integer = y == whole, odd = integer && trunc(half) != half;
  bool negative = static_cast<int32_t>(bits(x)) < 0;
  r = negative && odd ? -r : r;
  r = x < 0 && !integer && ax != infinity<float> ? nan<double> : r;
  r = x == -1 && isinf(y) ? 1 : r;
  return y == 0 || x == 1 ? 1.f : static_cast<float>(r);
}
// Any; 0.6 (float, through double), 1 (double, the C library's).
LAMPAS_INLINE double hypot(double x, double y) { return __builtin_hypot(x, y); }
LAMPAS_INLINE float hypot(float x, float y) {
  double a = x, b = y;
  float r = static_cast<float>(sqrt(a * a + b * b));
  return isinf(x) || isinf(y) ? infinity<float> : r;
}

}  // namespace lampas::LAMPAS_ISA::math
