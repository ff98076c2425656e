// Evenly spaced values, each computed from its index, as cpu/ranges.cc computes them.
#pragma once
#include "cuda/device/pointwise.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct RangeArguments {
  void* y;
  int64_t n;
  Number first, second;  // start and step, or both ends
  double base;
};

template <class T>
using Spaced =
    std::conditional_t<std::is_same_v<T, ComplexHalf>, Complex<float>,
                       std::conditional_t<is_complex<T> || std::is_same_v<T, double>, T, float>>;
template <class C>
inline C times(C a, double k) {
  if constexpr (is_complex<C>)
    return {a.re * static_cast<decltype(C{}.re)>(k), a.im * static_cast<decltype(C{}.re)>(k)};
  else
    return a * static_cast<C>(k);
}
template <class C>
inline C plus(C a, C b) {
  if constexpr (is_complex<C>)
    return {a.re + b.re, a.im + b.im};
  else
    return a + b;
}
inline float fused(float a, float b, float c) { return ::fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return ::fma(a, b, c); }

template <class T>
inline void arange(const RangeArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    T* y = static_cast<T*>(a.y) + i;
    if constexpr (std::is_integral_v<T>)
      *y = static_cast<T>(static_cast<uint64_t>(a.first.whole) +
                          static_cast<uint64_t>(a.second.whole) * static_cast<uint64_t>(i));
    else
      *y = convert<T>(a.first.re + a.second.re * static_cast<double>(i));
  }
}

// Both halves count from their own end, so that the last value is exactly the end.
template <class T, class C>
inline void ends_of(const RangeArguments& a, C& first, C& last) {
  if constexpr (std::is_integral_v<T>) {
    first = static_cast<C>(static_cast<T>(a.first.whole));
    last = static_cast<C>(static_cast<T>(a.second.whole));
  } else {
    first = number_as<C>(a.first);
    last = number_as<C>(a.second);
  }
}
template <class C>
inline C step_between(C first, C last, int64_t n) {
  if constexpr (is_complex<C>) {
    auto d = static_cast<decltype(C{}.re)>(n - 1);
    return {(last.re - first.re) / d, (last.im - first.im) / d};
  } else {
    return (last - first) / static_cast<C>(n - 1);
  }
}
template <class T>
inline void linspace(const RangeArguments& a) {
  using C = Spaced<T>;
  C first, last, step{};
  ends_of<T>(a, first, last);
  if (a.n > 1) step = step_between(first, last, a.n);
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    bool low = i < a.n / 2 || a.n == 1;
    int64_t k = low ? i : a.n - i - 1;
    C y;
    if constexpr (is_complex<C>)
      y = plus(low ? first : last, times(step, static_cast<double>(low ? k : -k)));
    else
      y = fused(low ? step : -step, static_cast<C>(k), low ? first : last);
    static_cast<T*>(a.y)[i] = convert<T>(y);
  }
}
template <class T>
inline void logspace(const RangeArguments& a) {
  using C =
      std::conditional_t<is_complex<T> || std::is_same_v<T, ComplexHalf>, Complex<double>, double>;
  C first, last, step{};
  ends_of<T>(a, first, last);
  if (a.n > 1) step = step_between(first, last, a.n);
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    bool low = i < a.n / 2 || a.n == 1;
    auto k = static_cast<double>(low ? i : i - a.n + 1);
    C power = plus(low ? first : last, times(step, k));
    C y;
    if constexpr (is_complex<C>) {
      double log = __builtin_log(a.base < 0 ? -a.base : a.base);
      double turn = a.base < 0 ? 3.141592653589793 : 0;
      double size = __builtin_exp(power.re * log - power.im * turn);
      double angle = power.im * log + power.re * turn;
      y = {size * __builtin_cos(angle), size * __builtin_sin(angle)};
    } else {
      y = __builtin_pow(a.base, power);
    }
    static_cast<T*>(a.y)[i] = convert<T>(y);
  }
}

}  // namespace lampas::device
