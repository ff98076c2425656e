// Sums and prefix sums over the threads of a block.
#pragma once
#include "cuda/device/standard.h"

namespace lampas::device {

// The sum of what threads before this one have; `total`: of all. Blocks of whole warps. May be
// called again at once: it ends with a barrier.
template <class T>
inline T exclusive_sum(T x, T& total) {
  __shared__ T sums[32];
  int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  int warps = static_cast<int>(blockDim.x / 32);
  T inclusive = x;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    T other = __shfl_up_sync(0xffffffffu, inclusive, static_cast<unsigned>(step));
    if (lane >= step) inclusive += other;
  }
  if (lane == 31) sums[warp] = inclusive;
  __syncthreads();
  T before = 0, all = 0;
  for (int w = 0; w < warps; ++w) {
    if (w == warp) before = all;
    all += sums[w];
  }
  total = all;
  __syncthreads();
  return before + inclusive - x;
}

}  // namespace lampas::device
