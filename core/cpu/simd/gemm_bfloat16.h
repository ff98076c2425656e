// The inner loops of products of bfloat16 matrices on machines that multiply pairs of them
// (AVX512_BF16). How a product is cut is cpu/gemm_bfloat16.cc.
#pragma once
#include <cstdint>

#include "cpu/isa.h"
#include "cpu/simd/gemm.h"

namespace lampas {

// c (rows, cols), float, = or += a @ b over one stretch of the inner dimension, `pairs` pairs deep.
// a: panels of `height` rows (the last may have fewer), each (pairs, rows of the panel, 2);
// b: panels of GemmTile::cols columns (the last one's width is rounded up to lanes), each
//    (pairs, width, 2), the rest filled with zeros.
struct Bfloat16Block {
  const uint16_t *a, *b;
  int64_t rows, cols, pairs, height;
  float* c;
  int64_t ldc;
  bool add;
};

// Panels for a block: element (i, k) of `rows` x `depth` at x[i * row_step + k * depth_step], an
// odd depth filled up with a zero. Widths are rounded up to `lanes`.
struct Bfloat16Panels {
  const uint16_t* x;
  int64_t row_step, depth_step, rows, depth, height, lanes;
  uint16_t* to;
};

#define LAMPAS_GEMM_BFLOAT16(isa)                       \
  namespace isa {                                       \
  /* No rows where the machine cannot. */               \
  GemmTile gemm_bfloat16_tile();                        \
  void gemm_bfloat16_block(const Bfloat16Block& block); \
  void gemm_bfloat16_pack(const Bfloat16Panels& p);     \
  }
LAMPAS_GEMM_BFLOAT16(baseline)
LAMPAS_GEMM_BFLOAT16(avx2)
LAMPAS_GEMM_BFLOAT16(avx512)
#undef LAMPAS_GEMM_BFLOAT16

}  // namespace lampas
