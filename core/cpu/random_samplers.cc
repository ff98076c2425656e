// Samplers that draw until they accept, over memory: Poisson, binomial, gamma, Dirichlet
// (ops/samplers.h has one draw of each); and multinomial.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "cpu/random.h"
#include "ops/samplers.h"

namespace lampas::cpu {

void poisson(Run y, ConstRun rate, Generator& g) {
  dispatch<Floats>(y.dtype, "poisson_cpu", [&](auto tag) {
    using T = decltype(tag);
    auto* rates = static_cast<const T*>(rate.data);
    auto* out = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i) {
      auto one = convert<double>(rates[i]);
      CHECK(one >= 0, "invalid Poisson rate, expected rate to be non-negative");
      out[i] = convert<T>(samplers::poisson(one, g));
    }
  });
}

void binomial(Run y, ConstRun count, ConstRun p, Generator& g) {
  dispatch<RealFloats>(y.dtype, "binomial_cpu", [&](auto tag) {
    using T = decltype(tag);
    auto* counts = static_cast<const T*>(count.data);
    auto* ps = static_cast<const T*>(p.data);
    auto* out = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i)
      out[i] = static_cast<T>(samplers::binomial(counts[i], ps[i], g));
  });
}

void standard_gamma(Run y, ConstRun shape, Generator& g) {
  dispatch<RealFloats>(y.dtype, "gamma_cpu", [&](auto tag) {
    using T = decltype(tag);
    auto* shapes = static_cast<const T*>(shape.data);
    auto* out = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i) {
      out[i] =
          std::max(std::numeric_limits<T>::min(), static_cast<T>(samplers::gamma(shapes[i], g)));
    }
  });
}

void dirichlet(Run y, ConstRun concentration, int64_t categories, Generator& g) {
  dispatch<RealFloats>(y.dtype, "dirichlet", [&](auto tag) {
    using T = decltype(tag);
    auto* shapes = static_cast<const T*>(concentration.data);
    auto* out = static_cast<T*>(y.data);
    T least = std::numeric_limits<T>::min(), most = std::nextafter(T(1), T(0));
    auto gammas = std::make_unique_for_overwrite<double[]>(y.n);
    {
      std::lock_guard lock(g.mutex);
      for (int64_t i = 0; i < y.n; ++i) gammas[i] = samplers::gamma<double>(shapes[i], g);
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

void multinomial(Run run, ConstRun weights, int64_t rows, int64_t categories, int64_t samples,
                 Generator& g) {
  auto* y = static_cast<int64_t*>(run.data);
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
