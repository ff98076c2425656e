// Distances of pairs of rows: a few lanes of a warp to a pair.
#pragma once
#include "cuda/device/reduction_rows.h"

namespace lampas::device {

// Mirrored by cuda/distance.cc. a: (batch, rows, m), b: (batch, columns, m), y: (batch, rows,
// columns).
struct DistanceArguments {
  const void *a, *b;
  void* y;
  double p;
  int64_t batch, rows, columns, m;
  int32_t group;
};

enum class Norm { Zero, One, Two, Largest, Power };

template <class T, Norm N>
LAMPAS_INLINE void distances(const DistanceArguments& a) {
  int lane = static_cast<int>(threadIdx.x) & (a.group - 1);
  int64_t pair = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / a.group;
  bool inside = pair < a.batch * a.rows * a.columns;
  int64_t i = pair / a.columns, j = pair - i * a.columns, batch = i / a.rows;
  const T* left = static_cast<const T*>(a.a) + (inside ? i * a.m : 0);
  const T* right = static_cast<const T*>(a.b) + (inside ? (batch * a.columns + j) * a.m : 0);
  T sum = 0, power = static_cast<T>(a.p);
  for (int64_t k = lane; inside && k < a.m; k += a.group) {
    T d = math::abs(left[k] - right[k]);
    if constexpr (N == Norm::Zero)
      sum += d != 0 ? T(1) : T(0);
    else if constexpr (N == Norm::One)
      sum += d;
    else if constexpr (N == Norm::Two)
      sum += d * d;
    else if constexpr (N == Norm::Largest)
      sum = sum > d || sum != sum ? sum : d;
    else
      sum += math::pow(d, power);
  }
  sum = group_reduce(sum, a.group, [](T l, T r) {
    if constexpr (N == Norm::Largest)
      return l > r || l != l ? l : r;
    else
      return l + r;
  });
  if (!inside || lane != 0) return;
  if constexpr (N == Norm::Two)
    sum = root_of(sum);
  else if constexpr (N == Norm::Power)
    sum = math::pow(sum, static_cast<T>(1 / a.p));
  static_cast<T*>(a.y)[pair] = sum;
}

}  // namespace lampas::device
