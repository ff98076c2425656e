// Distances of pairs of rows.
#include "cpu/distance.h"

#include <cmath>

#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr int kLanes = 8;  // sums side by side: SIMD, and less rounding

// Sums f(|a - b|) over a row.
template <class T, class F>
T gather(const T* a, const T* b, int64_t m, F f) {
  T lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= m; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] = f(lanes[l], std::abs(a[i + l] - b[i + l]));
  for (int l = 0; i < m; ++i, ++l) lanes[l] = f(lanes[l], std::abs(a[i] - b[i]));
  for (int w = kLanes / 2; w > 0; w /= 2)
    for (int l = 0; l < w; ++l) lanes[l] += lanes[l + w];
  return lanes[0];
}

template <class T>
T largest(const T* a, const T* b, int64_t m) {
  T top = 0;
  for (int64_t i = 0; i < m; ++i) {
    T d = std::abs(a[i] - b[i]);
    top = (top > d) | (top != top) ? top : d;
  }
  return top;
}

template <class T>
T distance(const T* a, const T* b, int64_t m, double p) {
  if (p == 0) return gather(a, b, m, [](T s, T d) { return s + (d != 0 ? T(1) : T(0)); });
  if (p == 1) return gather(a, b, m, [](T s, T d) { return s + d; });
  if (p == 2) return std::sqrt(gather(a, b, m, [](T s, T d) { return s + d * d; }));
  if (std::isinf(p)) return largest(a, b, m);
  T sum = gather(a, b, m, [q = T(p)](T s, T d) { return s + std::pow(d, q); });
  return std::pow(sum, T(1 / p));
}

}  // namespace

void distances(const Tensor& y, const Tensor& a, const Tensor& b, double p) {
  if (y.numel() == 0) return;
  int64_t m = a.size(a.dim() - 1), rows = y.size(y.dim() - 2), columns = y.size(y.dim() - 1);
  dispatch<RealFloats>(y.dtype(), "cdist", [&](auto tag) {
    using T = decltype(tag);
    const T *left = a.data<T>(), *right = b.data<T>();
    T* to = y.data<T>();
    int64_t grain = std::max<int64_t>(65536 / (columns * (m + 1)), 1);
    parallel_for(y.numel() / columns, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < columns; ++j)
          to[i * columns + j] = distance(left + i * m, right + (i / rows * columns + j) * m, m, p);
    });
  });
}

}  // namespace lampas::cpu
