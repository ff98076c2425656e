// Incomplete gamma and beta functions with their derivatives, carried along as dual numbers.
#include "cpu/sample_gradients.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/special.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

// A value and its derivative by one parameter.
struct Dual {
  double v, d;
};
Dual operator+(Dual a, Dual b) { return {a.v + b.v, a.d + b.d}; }
Dual operator*(Dual a, Dual b) { return {a.v * b.v, a.v * b.d + a.d * b.v}; }
Dual operator/(Dual a, Dual b) { return {a.v / b.v, (a.d - a.v / b.v * b.d) / b.v}; }
Dual constant(double v) { return {v, 0}; }

using baseline::special::digamma;

constexpr double kTiny = 1e-300, kPrecision = 1e-15;

// Lentz's method: b0 + a1 / (b1 + a2 / (b2 + ...)), until a factor is 1. a(n), b(n) for n >= 1.
template <class A, class B>
Dual continued_fraction(Dual b0, A a, B b, int most) {
  Dual f = b0.v == 0 ? constant(kTiny) : b0, c = f, d = constant(0);
  for (int n = 1; n <= most; ++n) {
    d = b(n) + a(n) * d;
    if (d.v == 0) d = constant(kTiny);
    d = constant(1) / d;
    c = b(n) + a(n) / c;
    if (c.v == 0) c = constant(kTiny);
    Dual factor = c * d;
    f = f * factor;
    if (std::fabs(factor.v - 1) < kPrecision &&
        std::fabs(factor.d) < kPrecision * (1 + std::fabs(f.d)))
      break;
  }
  return f;
}

// E. Wilson, M. Hilferty, 1931: the cube root of a gamma variable is nearly normal; its quantile is
// held fixed. For shapes so large that its error, of order 1 / shape, is small.
double gamma_gradient_large(double shape, double x) {
  double w = std::cbrt(x / shape), root = std::sqrt(shape);
  double z = 3 * root * (w - 1 + 1 / (9 * shape));
  return w * w * w + 3 * shape * w * w * (1 / (9 * shape * shape) - z / (6 * shape * root));
}

// Lower series: P = x**a e**-x / Gamma(a) * sum of x**n / (a (a + 1) ... (a + n)).
double gamma_gradient_series(double shape, double x) {
  Dual a{shape, 1}, term = constant(1) / a, sum = term;
  for (int n = 1; n < 100000; ++n) {
    term = term * constant(x) / (a + constant(n));
    sum = sum + term;
    if (term.v < kPrecision * sum.v && std::fabs(term.d) < kPrecision * std::fabs(sum.d)) break;
  }
  return -x * ((std::log(x) - digamma(shape)) * sum.v + sum.d);
}

// Upper fraction (Legendre): Q = x**a e**-x / Gamma(a) / (x + 1 - a - 1 (1 - a) / (x + 3 - a -
// ...)).
double gamma_gradient_fraction(double shape, double x) {
  Dual a{shape, 1}, minus{-shape, -1};
  Dual f = continued_fraction(
      constant(x + 1) + minus, [&](int n) { return constant(n) * (a + constant(-n)); },
      [&](int n) { return constant(x + 2 * n + 1) + minus; }, 100000);
  Dual q = constant(1) / f;
  return x * ((std::log(x) - digamma(shape)) * q.v + q.d);
}

// x**a (1-x)**b / (a B(a, b)) / (1 + d1 / (1 + d2 / ...)) is the incomplete beta function.
Dual beta_fraction(Dual a, Dual b, double x) {
  auto coefficient = [&](int n) {
    Dual m = constant(n / 2);
    Dual at = a + constant(n);
    if (n % 2 == 0) return m * (b + constant(-n / 2)) * constant(x) / ((at + constant(-1)) * at);
    return constant(-x) * (a + m) * (a + b + m) / ((at + constant(-1)) * at);
  };
  Dual f = continued_fraction(constant(1), coefficient, [](int) { return constant(1); }, 100000);
  return constant(1) / f;
}

}  // namespace

double gamma_sample_gradient(double shape, double x) {
  if (!(shape > 0) || !(x >= 0) || std::isinf(x)) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return 0;
  if (shape > 1e5) return gamma_gradient_large(shape, x);
  return x <= shape + 1 ? gamma_gradient_series(shape, x) : gamma_gradient_fraction(shape, x);
}

double dirichlet_sample_gradient(double x, double a, double total) {
  double b = total - a;
  if (!(a > 0) || !(b > 0) || !(x >= 0) || !(x <= 1))
    return std::numeric_limits<double>::quiet_NaN();
  x = std::clamp(x, 1e-300, 1 - 0x1p-53);
  double shift = std::log(x) - digamma(a) + digamma(total);
  if (x < (a + 1) / (total + 2)) {
    Dual f = beta_fraction({a, 1}, constant(b), x);
    return -x / a * ((shift - 1 / a) * f.v + f.d);
  }
  Dual f = beta_fraction(constant(b), {a, 1}, 1 - x);
  return x / b * (shift * f.v + f.d);
}

void standard_gamma_gradient(const Tensor& y, const Tensor& shape, const Tensor& x) {
  dispatch<RealFloats>(y.dtype(), "_standard_gamma_grad_cpu", [&](auto tag) {
    using T = decltype(tag);
    const T *shapes = shape.data<T>(), *xs = x.data<T>();
    parallel_for(y.numel(), 512, [=, out = y.data<T>()](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        out[i] = static_cast<T>(gamma_sample_gradient(shapes[i], xs[i]));
    });
  });
}

void dirichlet_gradient(const Tensor& y, const Tensor& x, const Tensor& a, const Tensor& total) {
  dispatch<RealFloats>(y.dtype(), "_dirichlet_grad_cpu", [&](auto tag) {
    using T = decltype(tag);
    const T *xs = x.data<T>(), *as = a.data<T>(), *sums = total.data<T>();
    parallel_for(y.numel(), 256, [=, out = y.data<T>()](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        out[i] = static_cast<T>(dirichlet_sample_gradient(xs[i], as[i], sums[i]));
    });
  });
}

}  // namespace lampas::cpu
