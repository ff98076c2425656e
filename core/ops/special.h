// Special functions that stay scalar: gamma and its relatives, Bessel, Hurwitz zeta, Airy. All
// compute in double; float callers round once. Not here: what math.h does in SIMD.
#pragma once
#include "ops/math.h"

namespace lampas::LAMPAS_ISA::special {

inline constexpr double pi = 3.14159265358979323846;

// log |gamma(x)|, all x; 1 ULP away from its zeros (the C library's).
inline double lgamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

// Derivative of lgamma: recurrence up to 10, then the asymptotic series; reflection for x < 0.
// -inf at +0, +inf at -0, NaN at negative integers. 3 ULP away from its zeros.
inline double digamma(double x) {
  if (x == 0) return std::copysign(math::infinity<double>, -x);
  if (x == -math::infinity<double>) return math::nan<double>;
  double shift = 0;
  if (x < 0) {
    if (x == __builtin_trunc(x)) return math::nan<double>;
    double whole, part = __builtin_modf(x, &whole);
    shift = -pi / __builtin_tan(pi * part);
    x = 1 - x;
  }
  while (x < 10) {
    shift -= 1 / x;
    x += 1;
  }
  if (x > 1e17) return shift + __builtin_log(x);
  double z = 1 / (x * x);
  double tail =
      z * math::poly(z, 1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12);
  return __builtin_log(x) - 0.5 / x - tail + shift;
}

// Hurwitz zeta: sum of (x + k)^-s, s > 1, by Euler and Maclaurin. Poles at non-positive integers.
inline double zeta(double s, double x) {
  if (s == 1) return math::infinity<double>;
  if (!(s > 1)) return math::nan<double>;
  if (x != x) return x;
  if (x <= 0) {
    if (x == __builtin_floor(x)) return math::infinity<double>;
    if (s != __builtin_floor(s)) return math::nan<double>;
  }
  constexpr double eps = 1.1102230246251565e-16;
  double sum = __builtin_pow(x, -s), a = x, term = 0;
  for (int i = 0; i < 9 || a <= 9; ++i) {
    a += 1;
    term = __builtin_pow(a, -s);
    sum += term;
    if (math::abs(term) < eps * math::abs(sum)) return sum;
  }
  sum += term * a / (s - 1) - 0.5 * term;
  // (2k)! / B_2k
  constexpr double factors[] = {12.0,
                                -720.0,
                                30240.0,
                                -1209600.0,
                                47900160.0,
                                -1.8924375803183791606e9,
                                7.47242496e10,
                                -2.950130727918164224e12,
                                1.1646782814350067249e14,
                                -4.5979787224074726105e15,
                                1.8152105401943546773e17,
                                -7.1661652561756670113e18};
  double rising = 1, power = term;
  for (int k = 0; k < 12; ++k) {
    rising *= s + 2 * k;
    power /= a;
    double t = rising * power / factors[k];
    sum += t;
    if (math::abs(t) < eps * math::abs(sum)) break;
    rising *= s + 2 * k + 1;
    power /= a;
  }
  return sum;
}

inline double trigamma(double x) {
  double sign = 1, sum = 0;
  if (x < 0.5) {
    sign = -1;
    double s = __builtin_sin(pi * (x - __builtin_floor(x)));
    sum = -(pi * pi) / (s * s);
    x = 1 - x;
  }
  for (int i = 0; i < 10; ++i) {
    sum += 1 / (x * x);
    x += 1;
  }
  double z = 1 / (x * x);
  double tail = z * math::poly(z, 1. / 6, -1. / 30, 1. / 42, -1. / 30, 5. / 66, -691. / 2730);
  return sign * (sum + (1 + 0.5 / x + tail) / x);
}
// The n-th derivative of digamma.
inline double polygamma(double n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1) return trigamma(x);
  int sign;
  double factorial = __builtin_exp(::lgamma_r(n + 1, &sign));
  return (__builtin_fmod(n, 2) == 0 ? -1 : 1) * factorial * zeta(n + 1, x);
}

inline double log_ndtr(double x) {
  double t = x * 0.70710678118654752;
  if (x < -1) return __builtin_log(math::erfcx(-t) * 0.5) - t * t;
  return math::log1p(-0.5 * math::erfc(t));
}

// --- Bessel functions: Chebyshev series in 40 digits, cut at 2^-60 ---

// Clenshaw's sum of c[k] T_k(t).
template <int N>
inline double chebyshev(double t, const double (&c)[N]) {
  double b0 = 0, b1 = 0;
  for (int k = N - 1; k > 0; --k) {
    double b = 2 * t * b0 - b1 + c[k];
    b1 = b0;
    b0 = b;
  }
  return t * b0 - b1 + c[0];
}
inline constexpr double kI0[] = {
    0.33839763720473804,     -0.3046826723431984,     0.17162090152220878,
    -0.094901097048047644,   0.049305284239670708,    -0.023737414805899469,
    0.010546460394594998,    -0.0043243099950505759,  0.0016394756169413358,
    -0.00057637557453858237, 0.00018850288509584166,  -5.7541950100821037e-5,
    1.6448448070728897e-5,   -4.4167383584587506e-6,  1.1173875391201037e-6,
    -2.6707938539406117e-7,  6.0469950225419189e-8,   -1.300025009986248e-8,
    2.6598237246823867e-9,   -5.1897956016352629e-10, 9.6758090353732369e-11,
    -1.7268262914415557e-11, 2.9550526631296398e-12,  -4.8564467831119295e-13,
    7.6761854986049356e-14,  -1.1685332877993452e-14, 1.715391285555133e-15,
    -2.4312798465479547e-16, 3.3307945188222381e-17,  -4.4153416464793394e-18};
inline constexpr double kI0Tail[] = {
    0.40224520550705442,     0.0033691164782556941,   6.889758346916824e-5,
    2.8913705208347565e-6,   2.0489185894690637e-7,   2.2666689904981781e-8,
    3.3962320257083863e-9,   4.9406023882249696e-10,  1.1889147107846438e-11,
    -3.1499165279632414e-11, -1.3215811840447713e-11, -1.7941785315068061e-12,
    7.1801244513836662e-13,  3.8527783827421427e-13,  1.5400862175214098e-14,
    -4.1505693472872221e-14, -9.5548466988283076e-15, 3.8116806693526224e-15,
    1.7725601330565264e-15,  -3.4254856196772191e-16, -2.8276239805165835e-16,
    3.461222867697461e-17,   4.46562142029676e-17,    -4.8305044859441783e-18,
    -7.2331804878747598e-18, 9.9214754121736755e-19,  1.1936508908460062e-18};
inline constexpr double kI1[] = {
    0.12629359322181683,     -0.17641651835783406,    0.1026436586898471,
    -0.052945981208094991,   0.024726449030626517,    -0.010564084894626198,
    0.0041564229443128882,   -0.0015135724506312531,  0.00051228595616857577,
    -0.00016176081582589675, 4.7815651075500542e-5,   -1.3273163656039436e-5,
    3.4702513081376785e-6,   -8.5687202646954547e-7,  2.0032947535521353e-7,
    -4.4450591287963281e-8,  9.3815373864957718e-9,   -1.8872497517228293e-9,
    3.625590281552117e-10,   -6.6634897235020277e-11, 1.1736186298890902e-11,
    -1.9839743977649437e-12, 3.2237933659455747e-13,  -5.0421855047279117e-14,
    7.6006842947354069e-15,  -1.1055969477353863e-15, 1.5536319577362005e-16,
    -2.1114212143581661e-17, 2.7779141127610464e-18};
inline constexpr double kI1Tail[] = {
    0.38928811750914006,     -0.0097610974913614684,  -0.00011058893876262372,
    -3.8825648088776904e-6,  -2.5122362378702089e-7,  -2.6314688468895195e-8,
    -3.835380385964237e-9,   -5.5897434621965838e-10, -1.8974958123505412e-11,
    3.2526035830154882e-11,  1.4125807436613781e-11,  2.0356285441470895e-12,
    -7.1985517762459085e-13, -4.0835511110921973e-13, -2.1015418427726643e-14,
    4.2724400167119514e-14,  1.0420276984128803e-14,  -3.8144030724370078e-15,
    -1.8803547755107824e-15, 3.3082023109209283e-16,  2.9626289976459501e-16,
    -3.2095259219934239e-17, -4.6503053684893583e-17, 4.4143483230717041e-18,
    7.5172963108421108e-18,  -9.3141788673268624e-19, -1.2421932751949153e-18};
inline constexpr double kK0[] = {
    -0.26766369661695138,   0.34428989992462849,   0.035979936515361502,  0.0012646154114469259,
    2.2862121031194518e-5,  2.5347910790261495e-7, 1.9045163772202089e-9, 1.0349695257633625e-11,
    4.2598161427910826e-14, 1.3744654358807509e-16};
inline constexpr double kK0Tail[] = {
    1.2201515410329777,      -0.031448101311964501,   0.0015698838857300534,
    -0.00012849549581627803, 1.3949813718876499e-5,   -1.8317555227191195e-6,
    2.7668136394450151e-7,   -4.6604898976879477e-8,  8.5740340174142261e-9,
    -1.6975345093890615e-9,  3.5773972814003284e-10,  -7.957489244477397e-11,
    1.8559491149549266e-11,  -4.5145978833745192e-12, 1.1403405882073442e-12,
    -2.9800969231481784e-13, 8.0328907750683744e-14,  -2.2275133267462964e-14,
    6.340076476276646e-15,   -1.8485933779209072e-15, 5.5120559994043334e-16,
    -1.6782311257549006e-16, 5.2103917776435541e-17,  -1.6475805939842633e-17,
    5.3004337711773358e-18,  -1.7331712005821e-18};
inline constexpr double kK1[] = {
    0.76265011366947389,     -0.35315596077654488,    -0.12261118082265715,
    -0.0069757238596398644,  -0.00017302889575130521, -2.4334061415659682e-6,
    -2.2133876307347259e-8,  -1.4114883926335278e-10, -6.666901694199329e-13,
    -2.4274498505193659e-15, -7.0238634793862876e-18};
inline constexpr double kK1Tail[] = {
    1.3603130952422213,      0.10392373657681724,     -0.0028578168596227794,
    0.00019521551847135163,  -1.936197974166083e-5,   2.4064849478372171e-6,
    -3.5019606030878125e-7,  5.7410841254500493e-8,   -1.0345762465678097e-8,
    2.0150497551970346e-9,   -4.1903547593419256e-10, 9.2183151876053141e-11,
    -2.129967838427791e-11,  5.1396396734823435e-12,  -1.2891739609498229e-12,
    3.3484196660522431e-13,  -8.9767051820101461e-14, 2.4771544242195987e-14,
    -7.0198370892147689e-15, 2.0387031662398609e-15,  -6.0570472706430178e-16,
    1.8380935752430454e-16,  -5.6894628491936484e-17, 1.7940510478863573e-17,
    -5.7567444820733024e-18, 1.8778651901623267e-18};
// exp(-|x|) I0(x); 2 ULP.
inline double i0e(double x) {
  x = math::abs(x);
  if (x <= 8) return chebyshev(x / 4 - 1, kI0);
  return chebyshev(16 / x - 1, kI0Tail) / __builtin_sqrt(x);
}
inline double i0(double x) {
  x = math::abs(x);
  double half = __builtin_exp(x / 2);  // exp(x) alone would overflow too soon
  return half * i0e(x) * half;
}
inline double i1e(double x) {
  double a = math::abs(x);
  if (a <= 8) return chebyshev(a / 4 - 1, kI1) * x;
  return std::copysign(chebyshev(16 / a - 1, kI1Tail) / __builtin_sqrt(a), x);
}
inline double i1(double x) {
  double half = __builtin_exp(math::abs(x) / 2);
  return half * i1e(x) * half;
}
inline double k0e(double x) {
  if (!(x > 0)) return x == 0 ? math::infinity<double> : math::nan<double>;
  if (x > 2) return chebyshev(4 / x - 1, kK0Tail) / __builtin_sqrt(x);
  return (chebyshev(x * x / 2 - 1, kK0) - __builtin_log(x / 2) * i0(x)) * __builtin_exp(x);
}
inline double k0(double x) {
  if (!(x > 0)) return x == 0 ? math::infinity<double> : math::nan<double>;
  if (x > 2) return __builtin_exp(-x) * chebyshev(4 / x - 1, kK0Tail) / __builtin_sqrt(x);
  return chebyshev(x * x / 2 - 1, kK0) - __builtin_log(x / 2) * i0(x);
}
inline double k1(double x) {
  if (!(x > 0)) return x == 0 ? math::infinity<double> : math::nan<double>;
  if (x > 2) return __builtin_exp(-x) * chebyshev(4 / x - 1, kK1Tail) / __builtin_sqrt(x);
  return chebyshev(x * x / 2 - 1, kK1) / x + __builtin_log(x / 2) * i1(x);
}
inline double k1e(double x) {
  if (!(x > 2)) return k1(x) * __builtin_exp(x);
  return chebyshev(4 / x - 1, kK1Tail) / __builtin_sqrt(x);
}
inline double y0(double x) {
  return x > 0 ? __builtin_y0(x) : x == 0 ? -math::infinity<double> : math::nan<double>;
}
inline double y1(double x) {
  return x > 0 ? __builtin_y1(x) : x == 0 ? -math::infinity<double> : math::nan<double>;
}
// Ai(x), about 1e-13 of its amplitude. x > 1: sqrt(x/3)/pi K_1/3(z) by the trapezoidal rule, which
// converges faster than any power on exp(-z cosh t). x < -8: asymptotic series. Between: Maclaurin.
inline double airy_ai(double x) {
  if (x != x || x == math::infinity<double>) return x != x ? x : 0;
  if (x == -math::infinity<double>) return 0;
  double z = 2.0 / 3 * math::abs(x) * __builtin_sqrt(math::abs(x));
  if (x > 1) {
    double sum = 0.5, h = 0.25;  // error exp(-pi^2 / h)
    for (double t = h;; t += h) {
      double s = __builtin_sinh(t / 2),
             term = __builtin_exp(-2 * z * s * s) * __builtin_cosh(t / 3);
      sum += term;
      if (term < 1e-18) break;
    }
    return __builtin_sqrt(x / 3) / pi * h * sum * __builtin_exp(-z);
  }
  if (x < -8) {
    double even = 0, odd = 0, u = 1;
    for (int k = 0; k < 16; ++k) {  // u_k / z^k, u_k = (6k-5)(6k-3)(6k-1) / (216 k (2k-1)) u_(k-1)
      (k % 2 ? odd : even) += k % 4 < 2 ? u : -u;
      double n = k + 1,
             ratio = (6 * n - 5) * (6 * n - 3) * (6 * n - 1) / (216 * n * (2 * n - 1)) / z;
      if (ratio > 1) break;
      u *= ratio;
    }
    double phase = z - pi / 4;
    return (__builtin_cos(phase) * even + __builtin_sin(phase) * odd) /
           (__builtin_sqrt(pi) * __builtin_sqrt(__builtin_sqrt(-x)));
  }
  long double cube = static_cast<long double>(x) * x * x, f = 1, g = x, sf = 1, sg = x;
  for (int k = 1; k < 80; ++k) {
    f *= cube / ((3 * k - 1) * (3 * k));
    g *= cube / ((3 * k) * (3 * k + 1));
    sf += f;
    sg += g;
  }
  return static_cast<double>(0.355028053887817239260063186L * sf -
                             0.258819403792806798405183560L * sg);
}
inline double spherical_j0(double x) {
  if (math::isinf(x)) return 0;
  if (math::abs(x) < 0.5) {
    return math::poly(x * x, 1, -1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800,
                      1. / 6227020800);
  }
  return __builtin_sin(x) / x;
}

// --- incomplete gamma ---

// x^a e^-x / gamma(a), without losing digits when a and x are large and close.
inline double gamma_weight(double a, double x) {
  if (a < 10) {
    int sign;
    return __builtin_exp(a * __builtin_log(x) - x - ::lgamma_r(a, &sign));
  }
  // Stirling: the exponent is a (log(x/a) - x/a + 1), small when x is near a.
  double d = (x - a) / a, z = 1 / (a * a);
  double e = math::abs(d) < 0.3 ? 0 : math::log1p(d) - d;
  if (math::abs(d) < 0.3) {
    double power = d * d;
    for (int k = 2; k < 60; ++k, power *= -d) {
      double t = power / k;
      e -= t;
      if (math::abs(t) < 1e-18 * math::abs(e)) break;
    }
  }
  double correction = math::poly(z, 1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188) / a;
  return __builtin_exp(a * e - correction) * __builtin_sqrt(a / (2 * pi));
}
// Lower series, for x below a or so.
inline double igamma_series(double a, double x) {
  double term = 1 / a, sum = term;
  for (int k = 1; k < 20000; ++k) {
    term *= x / (a + k);
    sum += term;
    if (term < sum * 1e-17) break;
  }
  return sum * gamma_weight(a, x);
}
// Upper continued fraction by Lentz, for x above a or so.
inline double igammac_fraction(double a, double x) {
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int k = 1; k < 20000; ++k) {
    double n = -k * (k - a);
    b += 2;
    d = n * d + b;
    c = b + n / c;
    if (d == 0) d = 1e-300;
    if (c == 0) c = 1e-300;
    d = 1 / d;
    double ratio = d * c;
    h *= ratio;
    if (math::abs(ratio - 1) < 1e-16) break;
  }
  return h * gamma_weight(a, x);
}
// 1 - lower for small x, where both are near one: the series of gamma(a, x) at zero.
inline double igammac_small(double a, double x) {
  double term = 1, sum = 0;
  for (int k = 1; k < 200; ++k) {
    term *= -x / k;
    double t = term / (a + k);
    sum += t;
    if (math::abs(t) < 1e-17 * math::abs(sum)) break;
  }
  int sign;
  double log_x = __builtin_log(x);
  double first = -math::expm1(a * log_x - ::lgamma_r(1 + a, &sign));
  return first - __builtin_exp(a * log_x - ::lgamma_r(a, &sign)) * sum;
}
// a above 1e6: Temme's uniform expansion (SIAM J. Math. Anal. 10, 1979), two terms. sign +1 gives
// the upper function, -1 the lower.
inline double igamma_uniform(double a, double x, int sign) {
  double d = (x - a) / a;
  double half = d - math::log1p(d);  // eta^2 / 2
  if (math::abs(d) < 1e-3) half = d * d * math::poly(d, 0.5, -1. / 3, 0.25, -0.2, 1. / 6, -1. / 7);
  double eta = std::copysign(__builtin_sqrt(2 * half), d);
  double c0 = math::poly(eta, -1. / 3, 1. / 12, -2. / 135, 1. / 864);
  double c1 = math::poly(eta, -1. / 540, -1. / 288);
  if (math::abs(eta) > 0.1) c0 = 1 / d - 1 / eta, c1 = 0;
  double tail = __builtin_exp(-a * half) / __builtin_sqrt(2 * pi * a) * (c0 + c1 / a);
  return 0.5 * math::erfc(sign * eta * __builtin_sqrt(a / 2)) + sign * tail;
}
inline double igamma(double a, double x);
inline double igammac(double a, double x) {
  if (a != a || x != x || a < 0 || x < 0) return math::nan<double>;
  if (a == 0) return x > 0 ? 0 : math::nan<double>;
  if (x == 0) return 1;
  if (math::isinf(a)) return math::isinf(x) ? math::nan<double> : 1;
  if (math::isinf(x)) return 0;
  if (a > 1e6) return igamma_uniform(a, x, 1);
  if (a < 1e-300) return 0;
  if (x > 1.1) return x < a + 1 ? 1 - igamma_series(a, x) : igammac_fraction(a, x);
  return a > x ? 1 - igamma_series(a, x) : igammac_small(a, x);
}
// Regularised lower incomplete gamma; a >= 0, x >= 0.
inline double igamma(double a, double x) {
  if (a != a || x != x || a < 0 || x < 0) return math::nan<double>;
  if (a == 0) return x > 0 ? 1 : math::nan<double>;
  if (x == 0) return 0;
  if (math::isinf(a)) return math::isinf(x) ? math::nan<double> : 0;
  if (math::isinf(x)) return 1;
  if (a > 1e6) return igamma_uniform(a, x, -1);
  if (a < 1e-300) return 1;
  return x > 1 && x > a ? 1 - igammac(a, x) : igamma_series(a, x);
}

}  // namespace lampas::LAMPAS_ISA::special
