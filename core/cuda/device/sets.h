// Sets and histograms: runs of equal neighbours, binary searches, counts.
#pragma once
#include "cuda/device/block_scan.h"
#include "cuda/device/failures.h"
#include "cuda/device/order.h"
#include "cuda/device/walk.h"

namespace lampas::device {

constexpr int kTileThreads = 256, kTileItems = 16, kTile = kTileThreads * kTileItems;
struct GroupArguments {
  const void* x;
  const int64_t* order;  // null: as they lie
  int64_t* group;
  int64_t* tiles;
  int64_t n, width;
};
inline int64_t row_at(const GroupArguments& a, int64_t i) { return a.order ? a.order[i] : i; }
template <class T>
inline bool equal_elements(T a, T b) {
  if constexpr (is_narrow<T>)
    return widen(a) == widen(b);
  else
    return a == b;
}
// Does row i of the order begin a run, other than the first? NaNs are equal to nothing.
template <class T>
inline bool begins_run(const GroupArguments& a, int64_t i) {
  if (i == 0 || i >= a.n) return false;
  const T* p = static_cast<const T*>(a.x) + row_at(a, i) * a.width;
  const T* q = static_cast<const T*>(a.x) + row_at(a, i - 1) * a.width;
  for (int64_t j = 0; j < a.width; ++j)
    if (!equal_elements(p[j], q[j])) return true;
  return false;
}
inline int64_t tile_item() {
  return static_cast<int64_t>(blockIdx.x) * kTile + static_cast<int64_t>(threadIdx.x) * kTileItems;
}
template <class T>
inline void count_runs(const GroupArguments& a) {
  int64_t first = tile_item();
  int mine = 0, total;
  for (int k = 0; k < kTileItems; ++k) mine += begins_run<T>(a, first + k);
  exclusive_sum(mine, total);
  if (threadIdx.x == 0) a.tiles[blockIdx.x] = total;
}
template <class T>
inline void number_runs(const GroupArguments& a) {
  int64_t first = tile_item();
  unsigned bits = 0;
  int total;
  for (int k = 0; k < kTileItems; ++k)
    bits |= static_cast<unsigned>(begins_run<T>(a, first + k)) << k;
  int64_t run = a.tiles[blockIdx.x] + exclusive_sum(__popc(bits), total);
  for (int k = 0; k < kTileItems && first + k < a.n; ++k) {
    run += bits >> k & 1;
    a.group[row_at(a, first + k)] = run;
  }
}

struct RunArguments {
  const int64_t *group, *order;
  int64_t *first, *begins, *counts;
  int64_t n, runs;
};
inline void find_runs(const RunArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t row = a.order ? a.order[i] : i, run = a.group[row];
    if (i && a.group[a.order ? a.order[i - 1] : i - 1] == run) continue;
    a.first[run] = row;
    a.begins[run] = i;
  }
}
inline void count_run_lengths(const RunArguments& a) {
  for (int64_t r = first_of_grid(); r < a.runs; r += step_of_grid())
    a.counts[r] = (r + 1 < a.runs ? a.begins[r + 1] : a.n) - a.begins[r];
}

struct SearchArguments {
  void* places;
  const void *edges, *values;
  const int64_t* sorter;
  int64_t n, edge_count, per_line, right;  // per_line: 0 where all share one line
};
template <class T, class Out>
inline void search(const SearchArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t line = a.per_line ? i / a.per_line * a.edge_count : 0, low = 0, high = a.edge_count;
    const T* edges = static_cast<const T*>(a.edges) + line;
    auto key = key_of(static_cast<const T*>(a.values)[i]);
    while (low < high) {
      int64_t middle = low + (high - low) / 2;
      auto edge = key_of(edges[a.sorter ? a.sorter[line + middle] : middle]);
      if (a.right ? edge <= key : edge < key)
        low = middle + 1;
      else
        high = middle;
    }
    static_cast<Out*>(a.places)[i] = static_cast<Out>(low);
  }
}

constexpr int kSharedBins = 4096;
struct CountArguments {
  void* totals;
  const void *x, *weights;
  int64_t n, bins;
  double low, high;
};
// Few bins: counted in shared memory first.
template <class T, bool shared>
inline void count_values(const CountArguments& a) {
  auto* totals = static_cast<unsigned long long*>(a.totals);
  if constexpr (shared) {
    __shared__ unsigned counts[kSharedBins];
    for (int64_t b = threadIdx.x; b < a.bins; b += blockDim.x) counts[b] = 0;
    __syncthreads();
    for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
      auto v = static_cast<int64_t>(static_cast<const T*>(a.x)[i]);
      if (v >= 0 && v < a.bins) atomicAdd(&counts[v], 1u);
    }
    __syncthreads();
    for (int64_t b = threadIdx.x; b < a.bins; b += blockDim.x)
      if (counts[b]) atomicAdd(totals + b, static_cast<unsigned long long>(counts[b]));
  } else {
    for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
      auto v = static_cast<int64_t>(static_cast<const T*>(a.x)[i]);
      if (v >= 0 && v < a.bins) atomicAdd(totals + v, 1ull);
    }
  }
}
template <class T, class W>
inline void sum_weights(const CountArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    auto v = static_cast<int64_t>(static_cast<const T*>(a.x)[i]);
    if (v >= 0 && v < a.bins)
      atomicAdd(static_cast<W*>(a.totals) + v, static_cast<const W*>(a.weights)[i]);
  }
}
// Equal bins between low and high; the last is closed. What lies outside is left out.
template <class T>
inline void count_bins(const CountArguments& a) {
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  C low = static_cast<C>(a.low), high = static_cast<C>(a.high), bins = static_cast<C>(a.bins);
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    C v = convert<C>(static_cast<const T*>(a.x)[i]);
    if (!(v >= low && v <= high)) continue;
    C place = (v - low) * bins / (high - low);
    int64_t bin = place < bins ? static_cast<int64_t>(place) : a.bins - 1;
    atomicAdd(static_cast<unsigned long long*>(a.totals) + bin, 1ull);
  }
}

}  // namespace lampas::device
