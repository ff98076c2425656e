// Samplers that draw until they accept: Poisson, binomial, gamma, Dirichlet; and multinomial.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "cpu/random.h"

namespace lampas::cpu {
namespace {

// W. Hörmann, "The transformed rejection method for generating Poisson random variables", 1993
// (PTRS).
double poisson_large(double rate, Generator& g) {
  double root = std::sqrt(rate), log_rate = std::log(rate);
  double b = 0.931 + 2.53 * root;
  double a = -0.059 + 0.02483 * b;
  double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  double v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    double u = g.uniform() - 0.5, v = g.uniform();
    double us = 0.5 - std::fabs(u);
    double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    double weight = std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b);
    if (weight <= -rate + k * log_rate - std::lgamma(k + 1)) return k;
  }
}

// D. Knuth: uniform numbers are multiplied until the product falls below exp(-rate).
double poisson_small(double rate, Generator& g) {
  double limit = std::exp(-rate), product = 1;
  for (double k = 0;; ++k) {
    product *= g.uniform();
    if (product <= limit) return k;
  }
}

double poisson_one(double rate, Generator& g) {
  CHECK(rate >= 0, "invalid Poisson rate, expected rate to be non-negative");
  if (rate >= 10) return poisson_large(rate, g);
  return rate == 0 ? 0 : poisson_small(rate, g);
}

// Waiting times between successes, L. Devroye 1986.
double binomial_small(double count, double p, Generator& g) {
  double scale = std::log1p(-p), sum = 0;
  for (double successes = 0;; ++successes) {
    sum += std::ceil(std::log(g.uniform()) / scale);
    if (sum > count) return successes;
  }
}

// log(k!) minus Stirling's formula for it.
double stirling_tail(double k) {
  static constexpr double kTable[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983,
                                      0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
                                      0.0118967099458917,  0.0104112652619720, 0.00925546218271273,
                                      0.00833056343336287};
  if (k <= 9) return kTable[static_cast<int>(k)];
  double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

// W. Hörmann, "The generation of binomial random variates", 1993 (BTRS); count * p >= 10,
// p <= 0.5.
double binomial_large(double count, double p, Generator& g) {
  double deviation = std::sqrt(count * p * (1 - p));
  double b = 1.15 + 2.53 * deviation;
  double a = -0.0873 + 0.0248 * b + 0.01 * p;
  double c = count * p + 0.5;
  double v_r = 0.92 - 4.2 / b;
  double odds = p / (1 - p);
  double alpha = (2.83 + 5.1 / b) * deviation;
  double mode = std::floor((count + 1) * p);
  for (;;) {
    double u = g.uniform() - 0.5, v = g.uniform();
    double us = 0.5 - std::fabs(u);
    double k = std::floor((2 * a / us + b) * u + c);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || k > count) continue;
    v = std::log(v * alpha / (a / (us * us) + b));
    double bound = (mode + 0.5) * std::log((mode + 1) / (odds * (count - mode + 1))) +
                   (count + 1) * std::log((count - mode + 1) / (count - k + 1)) +
                   (k + 0.5) * std::log(odds * (count - k + 1) / (k + 1)) + stirling_tail(mode) +
                   stirling_tail(count - mode) - stirling_tail(k) - stirling_tail(count - k);
    if (v <= bound) return k;
  }
}

double binomial_half(double count, double p, Generator& g) {
  return count * p >= 10 ? binomial_large(count, p, g) : binomial_small(count, p, g);
}

double binomial_one(double count, double p, Generator& g) {
  if (std::isnan(count)) return count;
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  if (p <= 0.5) return binomial_half(count, p, g);
  if (p > 0.5) return count - binomial_half(count, 1 - p, g);
  return std::numeric_limits<double>::quiet_NaN();
}

// G. Marsaglia, W. Tsang, "A simple method for generating gamma variables", 2000. What is rounded
// to single precision, and when, shows in the results and is PyTorch's.
template <class T>
double gamma_one(T shape, Generator& g) {
  if (shape == 0) return 0;
  double scale = 1;
  if (shape < 1) {
    scale = std::pow(1 - g.uniform(), double(1 / shape));
    shape += 1;
  }
  double d = shape - 1.0f / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    double x, y;
    do {
      x = g.normal();
      y = 1 + c * x;
    } while (y <= 0);
    double v = y * y * y, u = 1 - g.uniform(), xx = x * x;
    if (u < 1 - 0.0331f * xx * xx) return scale * d * v;
    if (std::log(u) < 0.5 * xx + d * (1 - v + std::log(v))) return scale * d * v;
  }
}

}  // namespace

void poisson(Run y, const void* rate, Generator& g) {
  dispatch<Floats>(y.dtype, "poisson_cpu", [&](auto tag) {
    using T = decltype(tag);
    auto* rates = static_cast<const T*>(rate);
    auto* out = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i)
      out[i] = convert<T>(poisson_one(convert<double>(rates[i]), g));
  });
}

void binomial(Run y, const void* count, const void* p, Generator& g) {
  dispatch<RealFloats>(y.dtype, "binomial_cpu", [&](auto tag) {
    using T = decltype(tag);
    auto* counts = static_cast<const T*>(count);
    auto* ps = static_cast<const T*>(p);
    auto* out = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i) out[i] = static_cast<T>(binomial_one(counts[i], ps[i], g));
  });
}

void standard_gamma(Run y, const void* shape, Generator& g) {
  dispatch<RealFloats>(y.dtype, "gamma_cpu", [&](auto tag) {
    using T = decltype(tag);
    auto* shapes = static_cast<const T*>(shape);
    auto* out = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i) {
      out[i] = std::max(std::numeric_limits<T>::min(), static_cast<T>(gamma_one(shapes[i], g)));
    }
  });
}

void dirichlet(Run y, const void* concentration, int64_t categories, Generator& g) {
  dispatch<RealFloats>(y.dtype, "dirichlet", [&](auto tag) {
    using T = decltype(tag);
    auto* shapes = static_cast<const T*>(concentration);
    auto* out = static_cast<T*>(y.data);
    T least = std::numeric_limits<T>::min(), most = std::nextafter(T(1), T(0));
    auto gammas = std::make_unique_for_overwrite<double[]>(y.n);
    {
      std::lock_guard lock(g.mutex);
      for (int64_t i = 0; i < y.n; ++i) gammas[i] = gamma_one<double>(shapes[i], g);
    }
    for (int64_t row = 0; row < y.n; row += categories) {
      double sum = 0;
      for (int64_t i = row; i < row + categories; ++i) sum += gammas[i];
      for (int64_t i = row; i < row + categories; ++i) {
        out[i] = std::clamp(static_cast<T>(gammas[i] / sum), least, most);
      }
    }
  });
}

void check_weights(ConstRun weights, int64_t rows, int64_t categories) {
  dispatch<Floats>(weights.dtype, "multinomial", [&](auto tag) {
    auto* w = static_cast<const decltype(tag)*>(weights.data);
    for (int64_t row = 0; row < rows; ++row, w += categories) {
      bool any = false;
      for (int64_t i = 0; i < categories; ++i) {
        auto weight = static_cast<double>(w[i]);
        CHECK(weight >= 0 && weight < std::numeric_limits<double>::infinity(),
              "probability tensor contains either `inf`, `nan` or element < 0");
        any |= weight > 0;
      }
      CHECK(any, "invalid multinomial distribution (sum of probabilities <= 0)");
    }
  });
}

void multinomial(int64_t* y, ConstRun weights, int64_t rows, int64_t categories, int64_t samples,
                 Generator& g) {
  dispatch<Floats>(weights.dtype, "multinomial", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    auto* row_weights = static_cast<const T*>(weights.data);
    auto cumulative = std::make_unique_for_overwrite<C[]>(categories);
    std::lock_guard lock(g.mutex);
    for (int64_t row = 0; row < rows; ++row, row_weights += categories) {
      C sum = 0;
      for (int64_t i = 0; i < categories; ++i) {
        auto weight = static_cast<C>(row_weights[i]);
        CHECK(weight >= 0, "invalid multinomial distribution (encountering probability entry < 0)");
        CHECK(
            std::isfinite(weight),
            "invalid multinomial distribution (encountering probability entry = infinity or NaN)");
        sum += weight;
        cumulative[i] = sum;
      }
      CHECK(sum > 0, "invalid multinomial distribution (sum of probabilities <= 0)");
      for (int64_t i = 0; i < categories; ++i) cumulative[i] /= sum;
      cumulative[categories - 1] = 1;
      for (int64_t j = 0; j < samples; ++j) {
        double u = g.uniform();
        *y++ = std::lower_bound(cumulative.get(), cumulative.get() + categories, u,
                                [](C c, double at) { return c < at; }) -
               cumulative.get();
      }
    }
  });
}

}  // namespace lampas::cpu
