// Sorting and selecting along lines. Short lines: bitonic sorts of (key, place) in shared memory,
// several lines to a block. Long lines: radix sorts by digits of eight bits, from the lowest; each
// pass counts the digits of every tile, sums the counts up, and puts each tile's elements in order
// before they are written, so that writes are runs. All orders are stable.
#pragma once
#include "cuda/device/block_scan.h"
#include "cuda/device/order.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct SortArguments {
  const void* x;
  void* values;  // may be null
  int64_t* indices;
  const int64_t* origin;  // null, or what stands for place j of a line
  int64_t lines, n, inner, take, descending;
};

// Line l of k elements in memory (outer, k, inner).
inline int64_t start_of(int64_t line, int64_t k, int64_t inner) {
  return line / inner * k * inner + line % inner;
}

// Writes the first `take` of each line in order. size: a power of two, at least n.
template <class T, int size, int lines>
inline void sort_short(const SortArguments& a) {
  __shared__ Key<T> keys[size * lines];
  __shared__ uint16_t places[size * lines];
  int64_t first = static_cast<int64_t>(blockIdx.x) * lines;
  const T* x = static_cast<const T*>(a.x);
  for (int e = static_cast<int>(threadIdx.x); e < size * lines; e += static_cast<int>(blockDim.x)) {
    int64_t line = first + e / size, j = e % size;
    bool inside = line < a.lines && j < a.n;
    keys[e] = inside ? key_of(x[start_of(line, a.n, a.inner) + j * a.inner], a.descending != 0)
                     : static_cast<Key<T>>(~Key<T>(0));
    places[e] = static_cast<uint16_t>(j);
  }
  __syncthreads();
  for (int span = 2; span <= size; span *= 2)
    for (int step = span / 2; step > 0; step /= 2) {
      for (int t = static_cast<int>(threadIdx.x); t < size * lines / 2;
           t += static_cast<int>(blockDim.x)) {
        int i = 2 * t - (t & (step - 1)), j = i + step;
        bool up = (i & (size - 1) & span) == 0;
        bool after = keys[i] != keys[j] ? keys[i] > keys[j] : places[i] > places[j];
        if (after == up) {
          Key<T> k = keys[i];
          keys[i] = keys[j], keys[j] = k;
          uint16_t p = places[i];
          places[i] = places[j], places[j] = p;
        }
      }
      __syncthreads();
    }
  for (int e = static_cast<int>(threadIdx.x); e < size * lines; e += static_cast<int>(blockDim.x)) {
    int64_t line = first + e / size, j = e % size;
    if (line >= a.lines || j >= a.take) continue;
    int64_t to = start_of(line, a.take, a.inner) + j * a.inner, place = places[e];
    int64_t from = start_of(line, a.n, a.inner) + place * a.inner;
    a.indices[to] = a.origin ? a.origin[from] : place;
    if (a.values) static_cast<T*>(a.values)[to] = x[from];
  }
}

constexpr int kDigits = 256, kSortThreads = 256, kSortItems = 16,
              kSortTile = kSortThreads * kSortItems;
struct RadixArguments {
  const void* x;     // (lines, n)
  const void* keys;  // of the pass before; null in the first
  const int32_t* places;
  void* keys_to;  // null in the last pass
  int32_t* places_to;
  void* values;  // of the last pass; may be null
  int64_t* indices;
  uint32_t* counts;  // (lines, digit, tile)
  uint32_t* totals;  // (lines, digit)
  int64_t n, tiles, shift, descending;
};
template <class T>
inline Key<T> key_at(const RadixArguments& a, int64_t at) {
  return a.keys ? static_cast<const Key<T>*>(a.keys)[at]
                : key_of(static_cast<const T*>(a.x)[at], a.descending != 0);
}

template <class T>
inline void radix_count(const RadixArguments& a) {
  __shared__ uint32_t counts[kDigits];
  counts[threadIdx.x] = 0;
  __syncthreads();
  int64_t line = blockIdx.y, first = static_cast<int64_t>(blockIdx.x) * kSortTile;
  for (int i = 0; i < kSortItems; ++i) {
    int64_t j = first + i * kSortThreads + threadIdx.x;
    unsigned digit = kDigits;
    if (j < a.n) digit = static_cast<unsigned>(key_at<T>(a, line * a.n + j) >> a.shift) & 255;
    // One addition for all lanes of a warp that have the digit.
    unsigned peers = __match_any_sync(0xffffffffu, digit);
    if (digit < kDigits && __ffs(static_cast<int>(peers)) - 1 == static_cast<int>(threadIdx.x % 32))
      atomicAdd(&counts[digit], static_cast<uint32_t>(__popc(peers)));
  }
  __syncthreads();
  a.counts[(line * kDigits + threadIdx.x) * a.tiles + blockIdx.x] = counts[threadIdx.x];
}
// A block for each digit and line: counts of tiles become what lies before them.
inline void radix_scan(const RadixArguments& a) {
  int64_t row = static_cast<int64_t>(blockIdx.y) * kDigits + blockIdx.x;
  uint32_t* counts = a.counts + row * a.tiles;
  uint32_t before = 0;
  for (int64_t first = 0; first < a.tiles; first += blockDim.x) {
    int64_t i = first + threadIdx.x;
    uint32_t mine = i < a.tiles ? counts[i] : 0, total;
    uint32_t at = exclusive_sum(mine, total);
    if (i < a.tiles) counts[i] = before + at;
    before += total;
  }
  if (threadIdx.x == 0) a.totals[row] = before;
}
// Element `place` of a line has found its place `at` in the result.
template <class T>
inline void write_place(const RadixArguments& a, int64_t line, int64_t at, int32_t place) {
  if (a.keys_to) {
    a.places_to[at] = place;
    return;
  }
  a.indices[at] = place;
  if (a.values) static_cast<T*>(a.values)[at] = static_cast<const T*>(a.x)[line * a.n + place];
}
template <class T>
inline void radix_scatter(const RadixArguments& a) {
  using K = Key<T>;
  constexpr int warps = kSortThreads / 32;
  __shared__ uint32_t in_warp[warps][kDigits];
  __shared__ uint32_t target[kDigits];  // of a digit's first element, less its place in the tile
  __shared__ K staged[kSortTile];       // keys, then places
  unsigned tid = threadIdx.x, lane = tid % 32, warp = tid / 32;
  int64_t line = blockIdx.y, first = static_cast<int64_t>(blockIdx.x) * kSortTile;
  int64_t left = a.n - first;
  int count = left < kSortTile ? static_cast<int>(left) : kSortTile;
  for (int w = 0; w < warps; ++w) in_warp[w][tid] = 0;
  __syncthreads();
  K keys[kSortItems];
  int32_t places[kSortItems];
  uint32_t ranks[kSortItems];
#pragma unroll
  for (int i = 0; i < kSortItems; ++i) {
    int in_tile = static_cast<int>(warp) * 32 * kSortItems + i * 32 + static_cast<int>(lane);
    bool inside = in_tile < count;
    int64_t at = line * a.n + first + in_tile;
    keys[i] = inside ? key_at<T>(a, at) : K(0);
    places[i] = inside ? (a.keys ? a.places[at] : static_cast<int32_t>(first + in_tile)) : 0;
    unsigned digit = inside ? static_cast<unsigned>(keys[i] >> a.shift) & 255 : kDigits;
    unsigned peers = __match_any_sync(0xffffffffu, digit);
    unsigned before = static_cast<unsigned>(__popc(peers & ((1u << lane) - 1)));
    ranks[i] = inside ? in_warp[warp][digit] + before : 0;
    __syncwarp();
    if (inside && before == 0) in_warp[warp][digit] += static_cast<uint32_t>(__popc(peers));
    __syncwarp();
  }
  __syncthreads();
  // Thread d has digit d: where it begins in the tile and in the line.
  uint32_t in_tile = 0, unused;
  for (int w = 0; w < warps; ++w) {
    uint32_t mine = in_warp[w][tid];
    in_warp[w][tid] = in_tile;
    in_tile += mine;
  }
  uint32_t begin = exclusive_sum(in_tile, unused);
  uint32_t line_begin = exclusive_sum(a.totals[line * kDigits + tid], unused);
  target[tid] = line_begin + a.counts[(line * kDigits + tid) * a.tiles + blockIdx.x] - begin;
  for (int w = 0; w < warps; ++w) in_warp[w][tid] += begin;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kSortItems; ++i) {
    if (static_cast<int>(warp) * 32 * kSortItems + i * 32 + static_cast<int>(lane) < count) {
      ranks[i] += in_warp[warp][static_cast<unsigned>(keys[i] >> a.shift) & 255];
      staged[ranks[i]] = keys[i];
    }
  }
  __syncthreads();
  uint32_t to[kSortItems];
#pragma unroll
  for (int i = 0; i < kSortItems; ++i) {
    unsigned p = static_cast<unsigned>(i) * kSortThreads + tid;
    if (static_cast<int>(p) >= count) continue;
    K key = staged[p];
    to[i] = target[static_cast<unsigned>(key >> a.shift) & 255] + p;
    if (a.keys_to) static_cast<K*>(a.keys_to)[line * a.n + to[i]] = key;
  }
  __syncthreads();
  // Places go the same way; where a key is narrower than a place, straight.
  constexpr bool wide = sizeof(K) >= sizeof(int32_t);
  if constexpr (!wide) {
#pragma unroll
    for (int i = 0; i < kSortItems; ++i) {
      if (static_cast<int>(warp) * 32 * kSortItems + i * 32 + static_cast<int>(lane) < count) {
        int64_t at =
            line * a.n + target[static_cast<unsigned>(keys[i] >> a.shift) & 255] + ranks[i];
        write_place<T>(a, line, at, places[i]);
      }
    }
    return;
  } else {
#pragma unroll
    for (int i = 0; i < kSortItems; ++i)
      if (static_cast<int>(warp) * 32 * kSortItems + i * 32 + static_cast<int>(lane) < count)
        staged[ranks[i]] = static_cast<K>(static_cast<uint32_t>(places[i]));
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kSortItems; ++i) {
      unsigned p = static_cast<unsigned>(i) * kSortThreads + tid;
      if (static_cast<int>(p) >= count) continue;
      write_place<T>(a, line, line * a.n + to[i], static_cast<int32_t>(staged[p]));
    }
  }
}

struct PermuteArguments {  // to[i] = from[order[i]]
  int64_t* to;
  const int64_t* from;
  const int64_t* order;
  int64_t n, width, lines;  // from: (lines, width); order: (lines, n)
};
inline void permute(const PermuteArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n * a.lines; i += step_of_grid())
    a.to[i] = a.from[i / a.n * a.width + a.order[i]];
}

// The most frequent element of each sorted line: the smallest of them, at its last place.
struct ModeArguments {
  const void* sorted;
  const int64_t* places;
  void* values;
  int64_t* indices;
  int64_t lines, n;
};
template <class T>
inline void mode_of_sorted(const ModeArguments& a) {
  __shared__ unsigned long long best;
  for (int64_t line = blockIdx.x; line < a.lines; line += gridDim.x) {
    const T* x = static_cast<const T*>(a.sorted) + line * a.n;
    if (threadIdx.x == 0) best = 0;
    __syncthreads();
    for (int64_t j = threadIdx.x; j < a.n; j += blockDim.x) {
      Key<T> key = key_of(x[j]);
      if (j && key_of(x[j - 1]) == key) continue;
      int64_t low = j, high = a.n;  // the last place that has the key
      while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (key_of(x[middle]) == key)
          low = middle;
        else
          high = middle;
      }
      auto length = static_cast<unsigned long long>(low - j + 1);
      atomicMax(&best, length << 32 | (0xffffffffull - static_cast<unsigned long long>(j)));
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      auto begin = static_cast<int64_t>(0xffffffffull - (best & 0xffffffffull));
      int64_t at = begin + static_cast<int64_t>(best >> 32) - 1;
      a.indices[line] = a.places[line * a.n + at];
      static_cast<T*>(a.values)[line] = x[at];
    }
    __syncthreads();
  }
}

}  // namespace lampas::device
