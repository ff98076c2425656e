// Every value is computed from its index, so a range is the same however it is cut.
#include "cpu/ranges.h"

#include <cmath>

#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 1 << 16;

// The type in which positions are computed: exact for integers, double for floats.
template <class T>
using Wide = std::conditional_t<is_floating_v<T>, double, T>;

}  // namespace

void arange(const Tensor& y, const Scalar& start, const Scalar& step) {
  dispatch<Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t,
                 uint16_t, uint32_t, uint64_t>>(y.dtype(), "arange_cpu", [&](auto tag) {
    using T = decltype(tag);
    using C = Wide<T>;
    C first = start.to<C>(), by = step.to<C>();
    T* data = y.data<T>();
    parallel_for(y.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if constexpr (std::is_integral_v<T>) {
          data[i] = static_cast<T>(static_cast<uint64_t>(first) +
                                   static_cast<uint64_t>(by) * static_cast<uint64_t>(i));
        } else {
          data[i] = convert<T>(first + by * static_cast<C>(i));
        }
      }
    });
  });
}

// Both halves count from their own end, so that the last value is exactly `end`.
void linspace(const Tensor& y, const Scalar& start, const Scalar& end) {
  dispatch<Numbers>(y.dtype(), "linspace_cpu", [&](auto tag) {
    using T = decltype(tag);
    using C = std::conditional_t<std::is_integral_v<T>, float, compute_t<T>>;
    C a, b;
    if constexpr (std::is_integral_v<T>) {
      a = static_cast<C>(start.to<T>());
      b = static_cast<C>(end.to<T>());
    } else {
      a = start.to<C>();
      b = end.to<C>();
    }
    int64_t n = y.numel();
    C step = n > 1 ? (b - a) / convert<C>(n - 1) : C(0);
    T* data = y.data<T>();
    if (n == 1) {
      data[0] = convert<T>(a);
      return;
    }
    parallel_for(n, kGrain, [=](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        bool low = i < n / 2;
        C k = convert<C>(low ? i : n - i - 1);
        if constexpr (std::is_floating_point_v<T>)
          data[i] = low ? std::fma(step, k, a) : std::fma(-step, k, b);
        else
          data[i] = convert<T>(low ? a + step * k : b - step * k);
      }
    });
  });
}

void logspace(const Tensor& y, const Scalar& start, const Scalar& end, double base) {
  dispatch<Numbers>(y.dtype(), "logspace_cpu", [&](auto tag) {
    using T = decltype(tag);
    using C = std::conditional_t<is_complex_v<T>, T, double>;
    using Given = std::conditional_t<std::is_integral_v<T>, T, C>;  // integers count in their type
    C a = static_cast<C>(start.to<Given>()), b = static_cast<C>(end.to<Given>());
    int64_t n = y.numel();
    C step = n > 1 ? (b - a) / convert<C>(n - 1) : C(0);
    T* data = y.data<T>();
    parallel_for(n, kGrain, [=](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        bool low = i < n / 2 || n == 1;
        C k = convert<C>(low ? i : n - i - 1);
        C power = low ? a + step * k : b - step * k;
        data[i] = convert<T>(std::pow(C(base), power));
      }
    });
  });
}

}  // namespace lampas::cpu
