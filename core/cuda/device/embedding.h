// Rows of a table that are named by an index get a norm of at most so much, each once.
#pragma once
#include "cuda/device/block_scan.h"
#include "cuda/device/elements.h"
#include "cuda/device/failures.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct RenormArguments {
  void* weight;
  int32_t* done;  // per row
  Indices index;
  int64_t n, width, row_step, step;
  double most, power;
  Walk<1> walk;
};

template <class T>
inline void renorm_rows(const RenormArguments& a) {
  __shared__ int64_t row;
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  if (threadIdx.x == 0) {
    int64_t at[1];
    place<uint64_t>(a.walk, blockIdx.x, at);
    row = offset_of(a.index, a.index.at[at[0]]);
    if (row >= 0 && atomicExch(a.done + row, 1) != 0) row = -1;
  }
  __syncthreads();
  if (row < 0) return;
  T* first = static_cast<T*>(a.weight) + row * a.row_step;
  bool infinite = a.power > 1.7976931348623157e308;
  double norm = 0;
  for (int64_t j = threadIdx.x; j < a.width; j += blockDim.x) {
    double v = convert<double>(first[j * a.step]);
    v = v < 0 ? -v : v;
    if (infinite)
      norm = v > norm || v != v ? v : norm;
    else
      norm += a.power == 2 ? v * v : a.power == 1 ? v : __builtin_pow(v, a.power);
  }
  double total;
  if (infinite) {
    __shared__ double largest[128];
    largest[threadIdx.x] = norm;
    __syncthreads();
    total = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) total = largest[i] > total ? largest[i] : total;
  } else {
    exclusive_sum(norm, total);
    total = a.power == 2   ? __builtin_sqrt(total)
            : a.power == 1 ? total
                           : __builtin_pow(total, 1 / a.power);
  }
  total = convert<double>(convert<T>(total));
  if (total <= a.most) return;
  C scale = static_cast<C>(a.most / (total + 1e-7));
  for (int64_t j = threadIdx.x; j < a.width; j += blockDim.x)
    first[j * a.step] = convert<T>(convert<C>(first[j * a.step]) * scale);
}

}  // namespace lampas::device
