// Matrix products for every type and stride: tiles of the result that blocks build in registers
// from pieces of both factors in shared memory; the inner dimension may be split among blocks,
// whose sums are added by finish_product(). Products with a vector are in gemv.h; where cuBLASLt
// is, it takes floats. tile_product() serves convolution.h too.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

// Of ProductArguments in cuda/gemm.cc. Distances count elements.
struct ProductArguments {
  const void *a, *b, *bias;  // bias may be null
  void* c;           // where splits > 1: sums (split, batch, m, n) in the accumulator's type
  const void* sums;  // what finish_product() reads
  int64_t batch, m, n, k;
  int64_t a_row, a_col, a_batch, b_row, b_col, b_batch, c_row, c_col, c_batch;
  int64_t bias_row, bias_col;  // one of them is 1, the other 0
  int64_t splits, each;        // of the inner dimension: pieces, and the length of each
  double alpha, beta;          // c = alpha * a @ b + beta * c + bias; beta == 0 does not read c
};

// Four neighbours in shared memory, read at once.
template <class Acc>
struct alignas(16) Four {
  Acc v[4];
};

// (Loops over registers are unrolled: what is indexed otherwise lies in slow memory.)
// A tile of 16 R x 16 R elements by 256 threads: sum over p in [begin, end) of
// read_a(row, p) * read_b(p, column), rows and columns within the tile; write(row, column, sum).
// `a_by_rows`: threads that follow each other read A along p, else along its rows; `b_by_rows`: B
// along its columns, else along p. Both should be the direction of neighbours in memory.
template <class Acc, int R, class ReadA, class ReadB, class Write>
LAMPAS_INLINE void tile_product(int64_t begin, int64_t end, bool a_by_rows, bool b_by_rows,
                                ReadA read_a, ReadB read_b, Write write) {
  constexpr int kTile = 16 * R, kDepth = 8, kLoads = kTile * kDepth / 256, kPad = 4;
  alignas(16) __shared__ Acc left[2][kDepth][kTile + kPad];
  alignas(16) __shared__ Acc right[2][kDepth][kTile + kPad];
  const int thread = static_cast<int>(threadIdx.x), down = thread / 16 * 4,
            across = thread % 16 * 4;
  Acc sum[R][R];
#pragma unroll
  for (int i = 0; i < R; ++i)
#pragma unroll
    for (int j = 0; j < R; ++j) sum[i][j] = Acc{};
  Acc next_a[kLoads], next_b[kLoads];
  auto fetch = [&](int64_t from) {
#pragma unroll
    for (int l = 0; l < kLoads; ++l) {
      int at = thread + 256 * l;
      int pa = a_by_rows ? at % kDepth : at / kTile, ia = a_by_rows ? at / kDepth : at % kTile;
      int pb = b_by_rows ? at / kTile : at % kDepth, jb = b_by_rows ? at % kTile : at / kDepth;
      next_a[l] = from + pa < end ? read_a(ia, from + pa) : Acc{};
      next_b[l] = from + pb < end ? read_b(from + pb, jb) : Acc{};
    }
  };
  auto keep = [&](int buffer) {
#pragma unroll
    for (int l = 0; l < kLoads; ++l) {
      int at = thread + 256 * l;
      if (a_by_rows)
        left[buffer][at % kDepth][at / kDepth] = next_a[l];
      else
        left[buffer][at / kTile][at % kTile] = next_a[l];
      if (b_by_rows)
        right[buffer][at / kTile][at % kTile] = next_b[l];
      else
        right[buffer][at % kDepth][at / kDepth] = next_b[l];
    }
  };
  int buffer = 0;
  if (begin < end) {
    fetch(begin);
    keep(0);
  }
  __syncthreads();
  for (int64_t from = begin; from < end; from += kDepth) {
    bool more = from + kDepth < end;
    if (more) fetch(from + kDepth);
#pragma unroll
    for (int p = 0; p < kDepth; ++p) {
      Four<Acc> x[R / 4], z[R / 4];
#pragma unroll
      for (int q = 0; q < R / 4; ++q) {
        x[q] = *reinterpret_cast<const Four<Acc>*>(&left[buffer][p][down + 64 * q]);
        z[q] = *reinterpret_cast<const Four<Acc>*>(&right[buffer][p][across + 64 * q]);
      }
#pragma unroll
      for (int i = 0; i < R; ++i)
#pragma unroll
        for (int j = 0; j < R; ++j) sum[i][j] = sum[i][j] + x[i / 4].v[i % 4] * z[j / 4].v[j % 4];
    }
    // The other buffer was last read before the barrier at the end of the step before.
    if (more) keep(buffer ^= 1);
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < R; ++i)
#pragma unroll
    for (int j = 0; j < R; ++j)
      write(down + i / 4 * 64 + i % 4, across + j / 4 * 64 + j % 4, sum[i][j]);
}

template <class Acc>
LAMPAS_INLINE Acc times(double factor, Acc x) {
  if constexpr (is_complex<Acc>) {
    using Part = decltype(Acc{}.re);
    return Acc{static_cast<Part>(factor) * x.re, static_cast<Part>(factor) * x.im};
  } else if constexpr (std::is_integral_v<Acc>) {
    return static_cast<Acc>(static_cast<int64_t>(factor)) * x;
  } else {
    return static_cast<Acc>(factor) * x;
  }
}

// *c from the sum of its products; `bias` may be null.
template <class T, class Acc>
LAMPAS_INLINE void finish(T* c, Acc sum, const T* bias, double alpha, double beta) {
  Acc y = alpha == 1 ? sum : times(alpha, sum);
  if (beta != 0) y = y + times(beta, convert<Acc>(*c));
  if (bias) y = y + convert<Acc>(*bias);
  *c = convert<T>(y);
}

template <class T, class Acc, int R>
inline void product(const ProductArguments& g) {
  constexpr int kTile = 16 * R;
  const int64_t high = (g.m + kTile - 1) / kTile, wide = (g.n + kTile - 1) / kTile;
  int64_t block = blockIdx.x, row0 = block % high * kTile;
  block /= high;
  const int64_t column0 = block % wide * kTile;
  block /= wide;
  const int64_t split = block % g.splits, batch = block / g.splits;
  const T* a = static_cast<const T*>(g.a) + batch * g.a_batch + row0 * g.a_row;
  const T* b = static_cast<const T*>(g.b) + batch * g.b_batch + column0 * g.b_col;
  const int64_t rows = g.m - row0, columns = g.n - column0;
  auto read_a = [&](int i, int64_t p) {
    return i < rows ? convert<Acc>(a[i * g.a_row + p * g.a_col]) : Acc{};
  };
  auto read_b = [&](int64_t p, int j) {
    return j < columns ? convert<Acc>(b[p * g.b_row + j * g.b_col]) : Acc{};
  };
  const T* bias = static_cast<const T*>(g.bias);
  auto write = [&](int i, int j, Acc sum) {
    if (i >= rows || j >= columns) return;
    if (g.splits > 1) {
      int64_t at = ((split * g.batch + batch) * g.m + row0 + i) * g.n + column0 + j;
      static_cast<Acc*>(g.c)[at] = sum;
    } else {
      T* c = static_cast<T*>(g.c) + batch * g.c_batch + (row0 + i) * g.c_row;
      const T* own = bias ? bias + (row0 + i) * g.bias_row + (column0 + j) * g.bias_col : nullptr;
      finish(c + (column0 + j) * g.c_col, sum, own, g.alpha, g.beta);
    }
  };
  int64_t begin = split * g.each, end = begin + g.each < g.k ? begin + g.each : g.k;
  tile_product<Acc, R>(begin, end, g.a_col == 1, g.b_col == 1, read_a, read_b, write);
}

// Adds the sums of all splits, in their order. One thread an element of c.
template <class T, class Acc>
inline void finish_product(const ProductArguments& g) {
  const int64_t count = g.batch * g.m * g.n;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (at >= count) return;
  const Acc* sums = static_cast<const Acc*>(g.sums) + at;
  Acc sum = sums[0];
  for (int64_t s = 1; s < g.splits; ++s) sum = sum + sums[s * count];
  const int64_t j = at % g.n, i = at / g.n % g.m, batch = at / g.n / g.m;
  T* c = static_cast<T*>(g.c) + batch * g.c_batch + i * g.c_row + j * g.c_col;
  const T* bias = static_cast<const T*>(g.bias);
  finish(c, sum, bias ? bias + i * g.bias_row + j * g.bias_col : nullptr, g.alpha, g.beta);
}

}  // namespace lampas::device
