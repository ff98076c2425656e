// Strided walks as kernels take them (device/walk.h), and the names of types in their texts.
#pragma once
#include <algorithm>

#include "cpu/strided.h"
#include "cuda/kernel_table.h"
#include "runtime/error.h"

namespace lampas::cuda {

inline constexpr int kWalkRank = 12;
// Walk of device/walk.h. Dimensions innermost first, strides in elements.
template <int K>
struct Walk {
  int64_t sizes[kWalkRank] = {};
  int64_t strides[K][kWalkRank] = {};
  int64_t rank = 0;
};

template <int K>
Walk<K> walk_of(const cpu::Box<K>& box, const char* what) {
  Walk<K> w;
  w.rank = static_cast<int64_t>(box.sizes.size());
  CHECK_KIND(w.rank <= kWalkRank, NotImplemented, what,
             " on CUDA takes tensors whose memory is walked in at most ", kWalkRank, " dimensions");
  for (int64_t d = 0; d < w.rank; ++d) {
    auto from = static_cast<size_t>(w.rank - 1 - d);
    w.sizes[d] = box.sizes[from];
    for (int k = 0; k < K; ++k) w.strides[k][d] = box.strides[k][from];
  }
  return w;
}

// x in row-major order.
inline Walk<1> walk_of(const Tensor& x, const char* what) {
  cpu::Box<1> box;
  for (int64_t d = 0; d < x.dim(); ++d) box.add(x.size(d), {x.stride(d)});
  return walk_of(box, what);
}

// The type in which kernels count n things.
inline const char* index_type(int64_t n) {
  return n < (int64_t{1} << 31) ? "uint32_t" : "uint64_t";
}

// The type in which elements of so many bytes are moved.
inline const char* word_type(int64_t bytes) {
  switch (bytes) {
    case 1:
      return "uint8_t";
    case 2:
      return "uint16_t";
    case 4:
      return "uint32_t";
    case 8:
      return "uint64_t";
    default:
      return "Pair8";
  }
}

// A kernel's number among those of its table: choices below 64 each.
template <class... Choices>
uint64_t kernel_key(Choices... choices) {
  uint64_t key = 1;
  ((key = key << 6 | static_cast<uint64_t>(choices)), ...);
  return key;
}
inline bool is_wide(int64_t n) { return n >= int64_t{1} << 31; }

inline constexpr unsigned kThreads = 256;
inline Grid grid_of(int64_t n) { return {.x = blocks_for(n, kThreads), .threads = kThreads}; }

}  // namespace lampas::cuda
