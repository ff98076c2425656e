// How threads share rows. All of it follows from sizes alone, so that results do not depend on the
// machine.
#pragma once
#include <algorithm>
#include <bit>

#include "cuda/family.h"

namespace lampas::cuda {

inline int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t power_of_two(int64_t n) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(n, 1))));
}

// A row of `packs` accesses of 16 bytes that is to stay in registers: `each` of them (1, 2 or 4) to
// a thread, `group` threads (a power of two: up to 32, or a whole block). each 0: it does not fit,
// and a block reads it twice.
struct RowShare {
  int64_t each, group;

  static RowShare held(int64_t packs) {
    constexpr int64_t kMost = 512, kLong = 512;  // 512 threads may have 128 registers each
    int64_t each = packs <= 4 ? 1 : packs <= 16 ? 2 : 4, group = power_of_two(ceiling(packs, each));
    return group > kMost ? RowShare{0, kLong} : RowShare{each, group};
  }
  Grid grid(int64_t rows) const {
    int64_t threads = group > 32 ? group : 256;
    return {.x = blocks_for(rows, threads / group), .threads = static_cast<unsigned>(threads)};
  }
};

}  // namespace lampas::cuda
