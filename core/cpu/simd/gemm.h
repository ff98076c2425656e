// The inner loops of matrix products, by instruction set: packing and tiles of registers. How a
// product is cut into blocks is cpu/gemm.cc.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// Sizes of the tile that lives in registers.
struct GemmTile {
  int64_t rows;   // the most rows of a panel of the left operand
  int64_t cols;   // columns of a panel of the right operand
  int64_t lanes;  // of a vector: the last panel's width is rounded up to it
};

// What happens to a block of the result besides the product.
template <class T>
struct GemmEnd {
  bool add = false;             // c += instead of c =
  const T* row_bias = nullptr;  // one per row of c, added
  const T* col_bias = nullptr;  // one per column
  bool relu = false;            // at last; NaN stays NaN
};

// c (rows, cols) = or += a @ b over one stretch of the inner dimension.
// a: panels of `height` rows (the last may have fewer), each (depth, rows of the panel);
// b: panels of GemmTile::cols columns (the last one's width is rounded up to lanes), each
//    (depth, width), the rest filled with zeros.
template <class T>
struct GemmBlock {
  const T *a, *b;
  int64_t rows, cols, depth, height;
  T* c;
  int64_t ldc;
  GemmEnd<T> end;
};

#define LAMPAS_GEMM(isa, T)                                                                        \
  namespace isa {                                                                                  \
  void gemm_block(const GemmBlock<T>& block);                                                      \
  void gemm_pack_left(const T* x, int64_t row_step, int64_t col_step, int64_t rows, int64_t depth, \
                      int64_t height, T* panels);                                                  \
  void gemm_pack_right(const T* x, int64_t row_step, int64_t col_step, int64_t depth,              \
                       int64_t cols, T* panels);                                                   \
  }
#define LAMPAS_GEMM_SET(isa)        \
  namespace isa {                   \
  GemmTile gemm_tile(int64_t item); \
  }                                 \
  LAMPAS_GEMM(isa, float)           \
  LAMPAS_GEMM(isa, double)
LAMPAS_GEMM_SET(baseline)
LAMPAS_GEMM_SET(avx2)
LAMPAS_GEMM_SET(avx512)
#undef LAMPAS_GEMM_SET
#undef LAMPAS_GEMM

}  // namespace lampas
