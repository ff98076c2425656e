// Where an element of a strided walk lies, and the words in which bytes are moved when their type
// does not matter.
#pragma once
#include "cuda/device/standard.h"

namespace lampas::device {

constexpr int kWalkRank = 12;
// As cuda/walk.h has it. Dimensions innermost first, strides in elements.
template <int operands>
struct Walk {
  int64_t sizes[kWalkRank];
  int64_t strides[operands][kWalkRank];
  int64_t rank;
};

// Index: uint32_t where it suffices, since a division of 64 bits costs four times as much.
template <class Index, int operands>
inline void place(const Walk<operands>& w, Index linear, int64_t (&at)[operands]) {
#pragma unroll
  for (int k = 0; k < operands; ++k) at[k] = 0;
  for (int d = 0; d < w.rank; ++d) {
    Index size = static_cast<Index>(w.sizes[d]), rest = linear / size, i = linear - rest * size;
    linear = rest;
#pragma unroll
    for (int k = 0; k < operands; ++k) at[k] += static_cast<int64_t>(i) * w.strides[k][d];
  }
}

struct alignas(16) Word16 {  // one access
  uint32_t v[4];
};
struct Pair8 {  // an element of 16 bytes whose address may be a multiple of 8 only
  uint64_t v[2];
};

inline int64_t first_of_grid() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
inline int64_t step_of_grid() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace lampas::device
