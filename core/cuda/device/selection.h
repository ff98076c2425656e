// The element of a given rank of each line, and the first so many, without sorting: radix selection
// from the highest digit down. A block has one line.
#pragma once
#include "cuda/device/block_scan.h"
#include "cuda/device/order.h"
#include "cuda/device/walk.h"

namespace lampas::device {

enum class Wanted { rank, median, nanmedian, first };
struct SelectArguments {
  const void* x;
  void* values;
  int64_t* indices;
  int64_t lines, n, inner, k, descending;  // first: k elements, in the order in which they lie
};

inline int64_t line_start(int64_t line, int64_t n, int64_t inner) {
  return line / inner * n * inner + line % inner;
}

// The key of rank k; k becomes its rank among equal ones.
template <class T>
inline Key<T> key_of_rank(const SelectArguments& a, const T* x, int64_t& k) {
  using K = Key<T>;
  __shared__ unsigned counts[256];
  __shared__ unsigned chosen;
  __shared__ int64_t rest;
  K found = 0;
  for (int shift = static_cast<int>(sizeof(K)) * 8 - 8; shift >= 0; shift -= 8) {
    for (unsigned d = threadIdx.x; d < 256; d += blockDim.x) counts[d] = 0;
    __syncthreads();
    for (int64_t base = 0; base < a.n; base += blockDim.x) {
      int64_t j = base + threadIdx.x;
      unsigned digit = 256;
      if (j < a.n) {
        K key = key_of(x[j * a.inner], a.descending != 0);
        bool matches = shift + 8 >= static_cast<int>(sizeof(K)) * 8 ||
                       static_cast<K>(key >> (shift + 8 < 64 ? shift + 8 : 0)) ==
                           static_cast<K>(found >> (shift + 8 < 64 ? shift + 8 : 0));
        if (matches) digit = static_cast<unsigned>(key >> shift) & 255;
      }
      unsigned peers = __match_any_sync(0xffffffffu, digit);
      if (digit < 256 && __ffs(static_cast<int>(peers)) - 1 == static_cast<int>(threadIdx.x % 32))
        atomicAdd(&counts[digit], static_cast<unsigned>(__popc(peers)));
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int64_t before = 0;
      unsigned d = 0;
      while (d < 255 && before + counts[d] <= k) before += counts[d++];
      chosen = d;
      rest = k - before;
    }
    __syncthreads();
    found = static_cast<K>(found | static_cast<K>(static_cast<K>(chosen) << shift));
    k = rest;
    __syncthreads();
  }
  return found;
}

template <class T>
inline void nans_of(const SelectArguments& a, const T* x, int64_t& count) {
  int mine = 0, total;
  for (int64_t j = threadIdx.x; j < a.n; j += blockDim.x) mine += is_nan(x[j * a.inner]);
  exclusive_sum(mine, total);
  count = total;
}

template <class T, Wanted wanted>
inline void select(const SelectArguments& a) {
  using K = Key<T>;
  for (int64_t line = blockIdx.x; line < a.lines; line += gridDim.x) {
    const T* x = static_cast<const T*>(a.x) + line_start(line, a.n, a.inner);
    int64_t k = wanted == Wanted::first ? a.k - 1 : a.k;
    if constexpr (wanted == Wanted::median || wanted == Wanted::nanmedian) {
      int64_t nans;
      nans_of(a, x, nans);
      int64_t left = a.n - nans;
      k = wanted == Wanted::median && nans ? left : (left > 0 ? left - 1 : 0) / 2;
    }
    K found = key_of_rank(a, x, k);
    int64_t taken = 0, equals = 0;
    for (int64_t base = 0; base < a.n; base += blockDim.x) {
      int64_t j = base + threadIdx.x;
      K key = j < a.n ? key_of(x[j * a.inner], a.descending != 0) : K(0);
      int equal = j < a.n && key == found, all_equal, all_taken;
      int64_t number = equals + exclusive_sum(equal, all_equal);
      if constexpr (wanted == Wanted::first) {
        int take = j < a.n && (key < found || (equal && number <= k));
        int64_t at = taken + exclusive_sum(take, all_taken);
        if (take) {
          int64_t to = line_start(line, a.k, a.inner) + at * a.inner;
          a.indices[to] = j;
          static_cast<T*>(a.values)[to] = x[j * a.inner];
        }
        taken += all_taken;
        if (taken >= a.k) break;
      } else if (equal && number == k) {
        a.indices[line] = j;
        static_cast<T*>(a.values)[line] = x[j * a.inner];
      }
      equals += all_equal;
      if (wanted != Wanted::first && equals > k) break;
    }
    __syncthreads();
  }
}

}  // namespace lampas::device
