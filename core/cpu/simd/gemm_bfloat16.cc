// See gemm_bfloat16.h. Compiled once per instruction set; only that of AVX-512 has a kernel.
#include "cpu/simd/gemm_bfloat16.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace lampas::LAMPAS_ISA {

#if defined(__AVX512F__)

namespace {

#define LAMPAS_PAIRS __attribute__((target("avx512bf16")))

constexpr int kRows = 14, kVectors = 2, kLanes = 16;

struct Place {
  float* c;
  int64_t ldc;
  __mmask16 last;  // lanes of the last vector that exist
  bool add;
};

// M rows x N vectors. Each pair is two multiplications and additions, rounded after each.
template <int M, int N>
LAMPAS_PAIRS void tile(int64_t pairs, const uint16_t* a, const uint16_t* b, const Place& p) {
  __m512 acc[M][N] = {};
#pragma GCC unroll 2
  for (int64_t k = 0; k < pairs; ++k, a += 2 * M, b += 2 * N * kLanes) {
    __m512i x[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) x[n] = _mm512_loadu_si512(b + 2 * n * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      __m512i w =
          _mm512_set1_epi32(*reinterpret_cast<const __attribute__((may_alias)) int*>(a + 2 * m));
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n)
        acc[m][n] = _mm512_dpbf16_ps(acc[m][n], (__m512bh)w, (__m512bh)x[n]);
    }
  }
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) {
    __mmask16 lanes = n + 1 < N ? __mmask16(0xffff) : p.last;
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      float* c = p.c + m * p.ldc + n * kLanes;
      __m512 y = acc[m][n];
      if (p.add) y = _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, c), y);
      _mm512_mask_storeu_ps(c, lanes, y);
    }
  }
}

using Tile = void (*)(int64_t, const uint16_t*, const uint16_t*, const Place&);

Tile tile_of(int64_t rows, int64_t vectors) {
  switch (rows) {
#define ROWS(M) \
  case M:       \
    return vectors == 1 ? tile<M, 1> : tile<M, 2>
    ROWS(1);
    ROWS(2);
    ROWS(3);
    ROWS(4);
    ROWS(5);
    ROWS(6);
    ROWS(7);
    ROWS(8);
    ROWS(9);
    ROWS(10);
    ROWS(11);
    ROWS(12);
    ROWS(13);
    ROWS(14);
#undef ROWS
  }
  return nullptr;
}

// Pairs are neighbours in memory: they move as one float would.
bool pairs_of_words(const Bfloat16Panels& p) {
  return p.depth_step == 1 && p.row_step % 2 == 0 && p.depth % 2 == 0;
}

// One panel: to[(k / 2 * width + i) * 2 + k % 2] = element (i, k).
void panel(const uint16_t* x, const Bfloat16Panels& p, int64_t rows, int64_t width, uint16_t* to) {
  for (int64_t k = 0; k < p.depth; k += 2, to += 2 * width) {
    const uint16_t *first = x + k * p.depth_step, *second = first + p.depth_step;
    bool both = k + 1 < p.depth;
    if (p.row_step == 1 && both)
      for (int64_t i = 0; i < rows; ++i) to[2 * i] = first[i], to[2 * i + 1] = second[i];
    else
      for (int64_t i = 0; i < rows; ++i) {
        to[2 * i] = first[i * p.row_step];
        to[2 * i + 1] = both ? second[i * p.row_step] : uint16_t(0);
      }
    for (int64_t i = 2 * rows; i < 2 * width; ++i) to[i] = 0;
  }
}

}  // namespace

GemmTile gemm_bfloat16_tile() {
  if (!__builtin_cpu_supports("avx512bf16")) return {};
  return {kRows, kLanes * kVectors, kLanes};
}

void gemm_bfloat16_block(const Bfloat16Block& g) {
  constexpr int64_t width = kLanes * kVectors;
  for (int64_t col = 0; col < g.cols; col += width) {
    int64_t left = g.cols - col < width ? g.cols - col : width,
            vectors = (left + kLanes - 1) / kLanes, last = left - (vectors - 1) * kLanes;
    const uint16_t* b = g.b + col * g.pairs * 2;
    for (int64_t row = 0; row < g.rows; row += g.height) {
      int64_t rows = g.rows - row < g.height ? g.rows - row : g.height;
      tile_of(rows, vectors)(
          g.pairs, g.a + row * g.pairs * 2, b,
          {g.c + row * g.ldc + col, g.ldc, static_cast<__mmask16>((1u << last) - 1), g.add});
    }
  }
}

void gemm_bfloat16_pack(const Bfloat16Panels& p) {
  int64_t pairs = (p.depth + 1) / 2;
  for (int64_t row = 0; row < p.rows; row += p.height) {
    int64_t rows = p.rows - row < p.height ? p.rows - row : p.height,
            width = (rows + p.lanes - 1) / p.lanes * p.lanes;
    const uint16_t* x = p.x + row * p.row_step;
    uint16_t* to = p.to + row * pairs * 2;
    if (!pairs_of_words(p)) {
      panel(x, p, rows, width, to);
      continue;
    }
    auto* words = reinterpret_cast<const float*>(x);
    auto* panels = reinterpret_cast<float*>(to);
    if (p.lanes > 1)
      gemm_pack_right(words, 1, p.row_step / 2, pairs, rows, panels);
    else
      gemm_pack_left(words, p.row_step / 2, 1, rows, pairs, rows, panels);
  }
}

#else

GemmTile gemm_bfloat16_tile() { return {}; }
void gemm_bfloat16_block(const Bfloat16Block&) {}
void gemm_bfloat16_pack(const Bfloat16Panels&) {}

#endif

}  // namespace lampas::LAMPAS_ISA
