// Products of a matrix and a vector, bound by reading the matrix once. The result's length is m,
// the vector's k (n is 1); a row vector times a matrix comes transposed. Arguments and the sums of
// several splits are those of gemm.h.
#pragma once
#include "cuda/device/gemm.h"

namespace lampas::device {

// Sixteen bytes of neighbours.
template <class T>
struct alignas(16) Pack {
  static constexpr int kCount = static_cast<int>(16 / sizeof(T));
  T v[kCount];
};

template <class T, class Acc>
LAMPAS_INLINE void put(const ProductArguments& g, int64_t batch, int64_t split, int64_t i,
                       Acc sum) {
  if (g.splits > 1) {
    static_cast<Acc*>(g.c)[(split * g.batch + batch) * g.m + i] = sum;
    return;
  }
  const T* bias = static_cast<const T*>(g.bias);
  finish(static_cast<T*>(g.c) + batch * g.c_batch + i * g.c_row, sum,
         bias ? bias + i * g.bias_row : nullptr, g.alpha, g.beta);
}

// The matrix's columns are neighbours (or nothing is): `Lanes` threads, 32 or 256, to a row.
template <class T, class Acc, int Lanes>
inline void gemv_rows(const ProductArguments& g) {
  constexpr int kRows = 256 / Lanes;
  __shared__ Acc parts[8];
  const int lane = static_cast<int>(threadIdx.x) % Lanes;
  const int64_t high = (g.m + kRows - 1) / kRows;
  int64_t block = blockIdx.x;
  const int64_t i = block % high * kRows + static_cast<int>(threadIdx.x) / Lanes;
  block /= high;
  const int64_t split = block % g.splits, batch = block / g.splits;
  const int64_t begin = split * g.each, end = begin + g.each < g.k ? begin + g.each : g.k;
  Acc sum{};
  if (i < g.m) {
    const T* a = static_cast<const T*>(g.a) + batch * g.a_batch + i * g.a_row;
    const T* x = static_cast<const T*>(g.b) + batch * g.b_batch;
    constexpr int kPack = Pack<T>::kCount;
    int64_t p = begin;
    if (g.a_col == 1) {
      // Up to the first address that whole packs start from, then packs, then the rest.
      int64_t head = (16 - static_cast<int64_t>(reinterpret_cast<unsigned long long>(a + p) % 16)) %
                     16 / static_cast<int64_t>(sizeof(T));
      int64_t whole = p + head < end ? p + head : end;
      if (p + lane < whole) sum = convert<Acc>(a[p + lane]) * convert<Acc>(x[(p + lane) * g.b_row]);
      int64_t packs = (end - whole) / kPack;
      if (g.b_row == 1 && reinterpret_cast<unsigned long long>(x + whole) % 16 == 0) {
#pragma unroll 4
        for (int64_t q = lane; q < packs; q += Lanes) {
          Pack<T> left = *reinterpret_cast<const Pack<T>*>(a + whole + q * kPack);
          Pack<T> right = *reinterpret_cast<const Pack<T>*>(x + whole + q * kPack);
          for (int e = 0; e < kPack; ++e)
            sum = sum + convert<Acc>(left.v[e]) * convert<Acc>(right.v[e]);
        }
      } else {
        for (int64_t q = lane; q < packs; q += Lanes) {
          int64_t at = whole + q * kPack;
          Pack<T> pack = *reinterpret_cast<const Pack<T>*>(a + at);
          for (int e = 0; e < kPack; ++e)
            sum = sum + convert<Acc>(pack.v[e]) * convert<Acc>(x[(at + e) * g.b_row]);
        }
      }
      p = whole + packs * kPack;
    }
    for (p += lane; p < end; p += Lanes)
      sum = sum + convert<Acc>(a[p * g.a_col]) * convert<Acc>(x[p * g.b_row]);
  }
  for (int step = 16; step; step /= 2) {
    if constexpr (is_complex<Acc>)
      sum = sum + Acc{__shfl_down_sync(~0u, sum.re, static_cast<unsigned>(step)),
                      __shfl_down_sync(~0u, sum.im, static_cast<unsigned>(step))};
    else
      sum = sum + __shfl_down_sync(~0u, sum, static_cast<unsigned>(step));
  }
  if constexpr (Lanes == 32) {
    if (lane == 0 && i < g.m) put<T>(g, batch, split, i, sum);
  } else {
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int w = 1; w < 8; ++w) sum = sum + parts[w];
      put<T>(g, batch, split, i, sum);
    }
  }
}

// The matrix's rows are neighbours: 32 lanes take a pack of rows each, eight groups of them an
// eighth of the inner dimension each.
template <class T, class Acc>
inline void gemv_columns(const ProductArguments& g) {
  constexpr int kPack = Pack<T>::kCount, kRows = 32 * kPack;
  __shared__ Acc parts[8][kRows];
  const int lane = static_cast<int>(threadIdx.x) % 32, group = static_cast<int>(threadIdx.x) / 32;
  const int64_t high = (g.m + kRows - 1) / kRows;
  int64_t block = blockIdx.x;
  const int64_t i0 = block % high * kRows + lane * kPack;
  block /= high;
  const int64_t split = block % g.splits, batch = block / g.splits;
  const int64_t begin = split * g.each, end = begin + g.each < g.k ? begin + g.each : g.k;
  const T* a = static_cast<const T*>(g.a) + batch * g.a_batch + i0;
  const T* x = static_cast<const T*>(g.b) + batch * g.b_batch;
  Acc sum[kPack];
  for (int e = 0; e < kPack; ++e) sum[e] = Acc{};
  const bool packs = i0 + kPack <= g.m && reinterpret_cast<unsigned long long>(a) % 16 == 0 &&
                     g.a_col * static_cast<int64_t>(sizeof(T)) % 16 == 0;
#pragma unroll 4
  for (int64_t p = begin + group; p < end; p += 8) {
    Acc factor = convert<Acc>(x[p * g.b_row]);
    const T* column = a + p * g.a_col;
    if (packs) {
      Pack<T> pack = *reinterpret_cast<const Pack<T>*>(column);
      for (int e = 0; e < kPack; ++e) sum[e] = sum[e] + convert<Acc>(pack.v[e]) * factor;
    } else {
      for (int e = 0; e < kPack; ++e)
        if (i0 + e < g.m) sum[e] = sum[e] + convert<Acc>(column[e]) * factor;
    }
  }
  for (int e = 0; e < kPack; ++e) parts[group][e * 32 + lane] = sum[e];
  __syncthreads();
  // Every thread adds some rows of all groups, in the groups' order.
  for (int r = static_cast<int>(threadIdx.x); r < kRows; r += 256) {
    Acc all = parts[0][r];
    for (int w = 1; w < 8; ++w) all = all + parts[w][r];
    int64_t i = i0 - lane * kPack + r % 32 * kPack + r / 32;
    if (i < g.m) put<T>(g, batch, split, i, all);
  }
}

}  // namespace lampas::device
