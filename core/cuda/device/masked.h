// What is done where a mask is true. Compaction (nonzero, masked_select, masked_scatter) counts by
// tiles, sums up the tiles' counts, and then every tile knows where its elements go.
#pragma once
#include "cuda/device/block_scan.h"
#include "cuda/device/elements.h"
#include "cuda/device/failures.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct FillArguments {
  void* y;
  const uint8_t* mask;
  const void* value;
  int64_t n;
  Walk<2> walk;  // y, mask
};
template <class Word, class Index>
inline void masked_fill(const FillArguments& a) {
  Word value = *static_cast<const Word*>(a.value);
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t at[2];
    place<Index>(a.walk, static_cast<Index>(i), at);
    if (a.mask[at[1]]) static_cast<Word*>(a.y)[at[0]] = value;
  }
}
// Everything contiguous. Four elements a thread, a block apart: their masks are read together, and
// neighbours in a warp are neighbours in memory.
template <class Word>
inline void masked_fill_flat(const FillArguments& a) {
  Word value = *static_cast<const Word*>(a.value), *y = static_cast<Word*>(a.y);
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x * 4;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x * 4 + threadIdx.x; i < a.n;
       i += step) {
    bool on[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      int64_t at = i + static_cast<int64_t>(k) * blockDim.x;
      on[k] = at < a.n && a.mask[at];
    }
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (on[k]) y[i + static_cast<int64_t>(k) * blockDim.x] = value;
  }
}

constexpr int kTileThreads = 256, kTileItems = 16, kTile = kTileThreads * kTileItems;
struct TileArguments {
  const void* mask;
  const void* from;
  void* to;
  int64_t* tiles;  // counts, then where each tile begins; behind them the sum of all
  int64_t n, count;
  int64_t rank;  // nonzero: of the mask
  int64_t flat;  // masks of bytes: contiguous, at a multiple of 16
  int64_t sizes[kWalkRank];
  Report report;  // masked_scatter: the source is too short
  Walk<2> walk;   // mask, the other tensor
};

// Bit k: item k of this thread's run of kTileItems is true.
template <class T, class Index>
inline unsigned true_items(const TileArguments& a, int64_t first) {
  unsigned bits = 0;
  if constexpr (sizeof(T) == 1) {
    if (a.flat && first + kTileItems <= a.n) {
      Word16 bytes = *reinterpret_cast<const Word16*>(static_cast<const T*>(a.mask) + first);
#pragma unroll
      for (int k = 0; k < kTileItems; ++k)
        if (bytes.v[k / 4] >> (k % 4 * 8) & 255) bits |= 1u << k;
      return bits;
    }
  }
  for (int k = 0; k < kTileItems; ++k) {
    if (first + k >= a.n) break;
    int64_t at[2];
    place<Index>(a.walk, static_cast<Index>(first + k), at);
    if (convert<bool>(static_cast<const T*>(a.mask)[at[0]])) bits |= 1u << k;
  }
  return bits;
}
inline int64_t first_item() {
  return static_cast<int64_t>(blockIdx.x) * kTile + static_cast<int64_t>(threadIdx.x) * kTileItems;
}

template <class T, class Index>
inline void count_tiles(const TileArguments& a) {
  int total;
  exclusive_sum(__popc(true_items<T, Index>(a, first_item())), total);
  if (threadIdx.x == 0) a.tiles[blockIdx.x] = total;
}
// body(number of the true element, its index) over the true elements of the tile.
template <class T, class Index, class F>
inline void each_true(const TileArguments& a, F body) {
  __shared__ uint16_t found[kTile];  // in order, so that neighbouring threads write neighbours
  unsigned bits = true_items<T, Index>(a, first_item());
  int total, at = exclusive_sum(__popc(bits), total);
  for (; bits; bits &= bits - 1)
    found[at++] = static_cast<uint16_t>(static_cast<int>(threadIdx.x) * kTileItems +
                                        __ffs(static_cast<int>(bits)) - 1);
  __syncthreads();
  int64_t first = static_cast<int64_t>(blockIdx.x) * kTile;
  for (int p = static_cast<int>(threadIdx.x); p < total; p += static_cast<int>(blockDim.x))
    body(a.tiles[blockIdx.x] + p, first + found[p]);
}
template <class T, class Index>
inline void nonzero(const TileArguments& a) {
  each_true<T, Index>(a, [&](int64_t at, int64_t i) {
    Index rest = static_cast<Index>(i);
    for (int d = static_cast<int>(a.rank); d-- > 0;) {
      Index size = static_cast<Index>(a.sizes[d]), next = rest / size;
      static_cast<int64_t*>(a.to)[d * a.count + at] = static_cast<int64_t>(rest - next * size);
      rest = next;
    }
  });
}
template <class Word, class Index>
inline void masked_select(const TileArguments& a) {
  each_true<uint8_t, Index>(a, [&](int64_t at, int64_t i) {
    int64_t place_of[2];
    place<Index>(a.walk, static_cast<Index>(i), place_of);
    static_cast<Word*>(a.to)[at] = static_cast<const Word*>(a.from)[place_of[1]];
  });
}
template <class Word, class Index>
inline void masked_scatter(const TileArguments& a) {
  each_true<uint8_t, Index>(a, [&](int64_t at, int64_t i) {
    if (at >= a.count) return report(a.report, at);
    int64_t place_of[2];
    place<Index>(a.walk, static_cast<Index>(i), place_of);
    static_cast<Word*>(a.to)[place_of[1]] = static_cast<const Word*>(a.from)[at];
  });
}

// One block: tiles become what lies before them.
struct ScanArguments {
  int64_t* tiles;
  int64_t n;
};
inline void scan_tiles(const ScanArguments& a) {
  int64_t before = 0;
  for (int64_t first = 0; first < a.n; first += blockDim.x) {
    int64_t i = first + threadIdx.x, mine = i < a.n ? a.tiles[i] : 0, total;
    int64_t at = exclusive_sum(mine, total);
    if (i < a.n) a.tiles[i] = before + at;
    before += total;
  }
  if (threadIdx.x == 0) a.tiles[a.n] = before;
}

}  // namespace lampas::device
