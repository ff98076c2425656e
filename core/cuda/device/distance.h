// p-norms of the differences of all pairs of rows: blocks of 16 x 16 pairs, whose rows pass through
// shared memory sixteen columns at a time.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

struct DistanceArguments {
  void* y;  // (batch, rows, others)
  const void *a, *b;
  int64_t rows, others, width, tiles;  // tiles: of a row of tiles
  double p;
};

enum class Norm { zero, one, two, infinite, any };

template <class T, Norm norm>
inline void distances(const DistanceArguments& a) {
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  __shared__ C left[16][17], right[16][17];
  int64_t across = (a.others + 15) / 16, tile = blockIdx.x % a.tiles, batch = blockIdx.x / a.tiles;
  int64_t first = tile / across * 16, second = tile % across * 16;
  int64_t i = threadIdx.x / 16, j = threadIdx.x % 16;
  const T* x = static_cast<const T*>(a.a) + batch * a.rows * a.width;
  const T* z = static_cast<const T*>(a.b) + batch * a.others * a.width;
  C sum = 0;
  for (int64_t column = 0; column < a.width; column += 16) {
    bool inside = column + j < a.width;
    left[i][j] =
        inside && first + i < a.rows ? convert<C>(x[(first + i) * a.width + column + j]) : C(0);
    right[i][j] =
        inside && second + i < a.others ? convert<C>(z[(second + i) * a.width + column + j]) : C(0);
    __syncthreads();
    int64_t count = a.width - column < 16 ? a.width - column : 16;
    for (int64_t k = 0; k < count; ++k) {
      C d = left[i][k] - right[j][k];
      d = d < 0 ? -d : d;
      if constexpr (norm == Norm::zero)
        sum += d != 0;
      else if constexpr (norm == Norm::one)
        sum += d;
      else if constexpr (norm == Norm::two)
        sum += d * d;
      else if constexpr (norm == Norm::infinite)
        sum = d > sum || d != d ? d : sum;
      else
        sum += static_cast<C>(__builtin_pow(static_cast<double>(d), a.p));
    }
    __syncthreads();
  }
  if (first + i >= a.rows || second + j >= a.others) return;
  if constexpr (norm == Norm::two) sum = static_cast<C>(__builtin_sqrt(static_cast<double>(sum)));
  if constexpr (norm == Norm::any)
    sum = static_cast<C>(__builtin_pow(static_cast<double>(sum), 1 / a.p));
  static_cast<T*>(a.y)[(batch * a.rows + first + i) * a.others + second + j] = convert<T>(sum);
}

}  // namespace lampas::device
