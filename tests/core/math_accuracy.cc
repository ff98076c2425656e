// Holds every function of ops/math.h to the largest error its comment states, against long double.
// Prints one line per violation; exits with their number.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

#include "ops/math.h"

namespace math = lampas::LAMPAS_ISA::math;

template <class T>
double error_in_units(T y, long double exact) {
  T nearest = static_cast<T>(exact);
  if (y != y || exact != exact) return (y != y) == (exact != exact) ? 0 : 1e30;
  if (math::isinf(y) || math::isinf(nearest)) return y == nearest ? 0 : 1e30;
  T a = std::fabs(nearest), unit = std::nextafter(a, math::infinity<T>) - a;
  if (math::isinf(unit)) unit = a - std::nextafter(a, T(0));
  return static_cast<double>(std::fabs(y - exact) / unit);
}

// Half of the arguments uniform over [lo, hi], half over all magnitudes inside it.
template <class T>
T draw(std::mt19937_64& bits, double lo, double hi, bool uniform) {
  if (uniform) return static_cast<T>(std::uniform_real_distribution<double>(lo, hi)(bits));
  for (;;) {
    math::Word<T> w = static_cast<math::Word<T>>(bits());
    T x = math::from_bits<T>(w);
    if (x >= static_cast<T>(lo) && x <= static_cast<T>(hi)) return x;
  }
}

int failures = 0;

template <class T, class F, class R>
void check(const char* name, double bound, double lo, double hi, F f, R exact) {
  std::mt19937_64 bits(20240229);
  double worst = 0;
  T at = 0;
  for (int i = 0; i < 100000; ++i) {
    T x = draw<T>(bits, lo, hi, i % 2);
    double e = error_in_units<T>(f(x), exact(static_cast<long double>(x)));
    if (e > worst) worst = e, at = x;
  }
  bool bad = worst > bound;
  failures += bad;
  if (bad || std::getenv("VERBOSE")) {
    std::printf("%s<%s>: %.2f units at %.17g, stated %.2f\n", name,
                math::is_single<T> ? "float" : "double", worst, static_cast<double>(at), bound);
  }
}

// name, stated bounds, range for float, range for double, exact value
#define CHECK2(name, single, twice, lo, hi, low, high, exact)          \
  check<float>(                                                        \
      #name, single, lo, hi, [](float x) { return math::name(x); },    \
      [](long double x) -> long double { return exact; });             \
  check<double>(                                                       \
      #name, twice, low, high, [](double x) { return math::name(x); }, \
      [](long double x) -> long double { return exact; });

int main() {
  CHECK2(exp, 1.1, 1.1, -87, 89, -708, 710, expl(x))
  CHECK2(exp_negative, 1.1, 1.1, -87.3, 0, -708.3, 0, expl(x))
  CHECK2(exp2, 1.1, 1.1, -126, 129, -1022, 1025, exp2l(x))
  CHECK2(expm1, 1.7, 1.7, -104, 89, -746, 710, expm1l(x))
  CHECK2(sigmoid, 2.3, 2.3, -85, 100, -700, 800, 1 / (1 + expl(-x)))
  CHECK2(tanh, 2.4, 2.4, -12, 12, -25, 25, tanhl(x))
  CHECK2(sinh, 2.0, 2.0, -90, 90, -711, 711, sinhl(x))
  CHECK2(cosh, 1.6, 1.6, -90, 90, -711, 711, coshl(x))
  CHECK2(log, 1.0, 1.0, 0, 4, 0, 4, logl(x))
  CHECK2(log, 1.0, 1.0, 0, 3e38, 0, 1e308, logl(x))
  CHECK2(log2, 1.8, 1.8, 0, 4, 0, 4, log2l(x))
  CHECK2(log10, 2.0, 2.0, 0, 4, 0, 4, log10l(x))
  CHECK2(log1p, 1.0, 1.0, -1, 4, -1, 4, log1pl(x))
  CHECK2(asinh, 1.8, 1.8, -4, 4, -4, 4, asinhl(x))
  CHECK2(asinh, 1.8, 1.8, -3e38, 3e38, -1e308, 1e308, asinhl(x))
  CHECK2(acosh, 2.0, 2.0, 1, 4, 1, 4, acoshl(x))
  CHECK2(atanh, 2.1, 2.1, -1, 1, -1, 1, atanhl(x))
  CHECK2(sin, 1.6, 1.6, -1e4, 1e4, -1e6, 1e6, sinl(x))
  CHECK2(cos, 1.6, 1.6, -1e4, 1e4, -1e6, 1e6, cosl(x))
  CHECK2(tan, 3.2, 3.2, -1e4, 1e4, -1e6, 1e6, tanl(x))
  CHECK2(asin, 2.5, 2.5, -1, 1, -1, 1, asinl(x))
  CHECK2(acos, 1.5, 1.5, -1, 1, -1, 1, acosl(x))
  CHECK2(atan, 2.3, 2.3, -4, 4, -4, 4, atanl(x))
  CHECK2(erf, 1.4, 1.4, -5, 5, -7, 7, erfl(x))
  CHECK2(erfc, 5.0, 5.0, -5, 9.1, -7, 26.4, erfcl(x))
  CHECK2(erfcx, 3.0, 3.0, 0, 9, 0, 26, expl(x * x) * erfcl(x))
  // The distance of erf(y) from x, carried back through the slope of erf.
  CHECK2(erfinv, 4.0, 4.0, -0.999, 0.999, -0.999, 0.999,
         math::erfinv(static_cast<double>(x)) -
             (erfl(math::erfinv(static_cast<double>(x))) - x) * 0.88622692545275801365L *
                 expl(powl(math::erfinv(static_cast<double>(x)), 2)))
  // The error of the value itself, carried into units of one by adding one.
  check<float>(
      "1 + ndtr", 1.8, -9, 9, [](float x) { return 1 + math::ndtr(x); },
      [](long double x) -> long double { return 1 + erfcl(-x * 0.70710678118654752440L) / 2; });
  check<double>(
      "1 + ndtr", 1.1, -9, 9, [](double x) { return 1 + math::ndtr(x); },
      [](long double x) -> long double { return 1 + erfcl(-x * 0.70710678118654752440L) / 2; });
  // The same of gelu, whose error grows with x.
  check<float>(
      "1 + gelu / x", 2.2, -9, 9,
      [](float x) { return std::fabs(x) < 1e-30f ? 1.5f : 1 + math::gelu(x) / x; },
      [](long double x) -> long double { return 1 + erfcl(-x * 0.70710678118654752440L) / 2; });
  check<double>(
      "1 + gelu / x", 1.6, -9, 9,
      [](double x) { return std::fabs(x) < 1e-300 ? 1.5 : 1 + math::gelu(x) / x; },
      [](long double x) -> long double { return 1 + erfcl(-x * 0.70710678118654752440L) / 2; });
  return failures;
}
