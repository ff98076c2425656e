// The largest or smallest element of each line and its place: the first of equal ones, or the first
// NaN.
#pragma once
#include "cuda/device/order.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct ExtremeArguments {
  const void* x;
  void* values;  // may be null
  int64_t* indices;
  const int64_t* candidates;  // null: all places; else `parts` places for each line
  int64_t outer, n, inner, parts;
};

template <class K>
struct Best {
  K rank;
  int64_t place;
  inline void meet(const Best& b) {
    if (b.rank < rank || (b.rank == rank && b.place < place)) *this = b;
  }
};
template <class K>
inline Best<K> none() {
  return {static_cast<K>(~K(0)), 0x7fffffffffffffffll};
}
template <class K>
inline Best<K> best_of_warp(Best<K> b, int width) {
  for (int step = width / 2; step > 0; step /= 2)
    b.meet({static_cast<K>(__shfl_xor_sync(0xffffffffu, b.rank, step)),
            __shfl_xor_sync(0xffffffffu, b.place, step)});
  return b;
}

// Lines that lie together (inner is 1). `width` threads for a line, or for one of its parts.
template <class T, bool largest, int width>
inline void extremes_of_rows(const ExtremeArguments& a) {
  using K = Key<T>;
  int64_t line = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / width;
  int lane = static_cast<int>(threadIdx.x) % width;
  int64_t parts = a.candidates ? 1 : a.parts, row = line / parts, part = line % parts;
  bool inside = row < a.outer;
  const T* x = static_cast<const T*>(a.x) + row * a.n;
  Best<K> best = none<K>();
  if (inside && a.candidates) {
    for (int64_t i = lane; i < a.parts; i += width) {
      int64_t j = a.candidates[row * a.parts + i];
      best.meet({rank_of<largest>(x[j]), j});
    }
  } else if (inside) {
    int64_t length = (a.n + parts - 1) / parts, end = (part + 1) * length;
    if (end > a.n) end = a.n;
    for (int64_t j = part * length + lane; j < end; j += width)
      best.meet({rank_of<largest>(x[j]), j});
  }
  best = best_of_warp(best, width < 32 ? width : 32);
  if constexpr (width > 32) {
    __shared__ Best<K> of_warps[width / 32];
    if (lane % 32 == 0) of_warps[lane / 32] = best;
    __syncthreads();
    if (lane == 0)
      for (int w = 1; w < width / 32; ++w) best.meet(of_warps[w]);
  }
  if (!inside || lane != 0) return;
  if (best.place >= a.n) best.place = part * ((a.n + parts - 1) / parts) < a.n ? a.n - 1 : 0;
  a.indices[line] = best.place;
  if (a.values) static_cast<T*>(a.values)[line] = x[best.place];
}

// Lines that lie side by side: blocks of 32 lines and eight threads for each.
template <class T, bool largest>
inline void extremes_of_columns(const ExtremeArguments& a) {
  using K = Key<T>;
  __shared__ Best<K> shared[8][32];
  int64_t tiles = (a.inner + 31) / 32, row = blockIdx.x / tiles;
  unsigned lane = threadIdx.x % 32, group = threadIdx.x / 32;
  int64_t column = blockIdx.x % tiles * 32 + lane;
  Best<K> best = none<K>();
  const T* x = static_cast<const T*>(a.x) + row * a.n * a.inner + column;
  if (column < a.inner)
    for (int64_t j = group; j < a.n; j += 8) best.meet({rank_of<largest>(x[j * a.inner]), j});
  shared[group][lane] = best;
  __syncthreads();
  if (group != 0 || column >= a.inner) return;
  for (int g = 1; g < 8; ++g) best.meet(shared[g][lane]);
  if (best.place >= a.n) best.place = 0;
  a.indices[row * a.inner + column] = best.place;
  if (a.values) static_cast<T*>(a.values)[row * a.inner + column] = x[best.place * a.inner];
}

}  // namespace lampas::device
