// A vector times a matrix, at the speed of memory, by instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

#define LAMPAS_GEMV(isa, T)                                                                    \
  namespace isa {                                                                              \
  /* y[j] (+)= sum of x[k] * b[k * step + j]: rows of b, of `cols`, are added up. */           \
  void gemv_rows(const T* x, const T* b, int64_t step, int64_t depth, int64_t cols, T* y,      \
                 bool add);                                                                    \
  /* y[j * y_step] (+)= sum of x[k] * b[j * step + k]: one dot product for each of `count`. */ \
  void gemv_dots(const T* x, const T* b, int64_t step, int64_t depth, int64_t count, T* y,     \
                 int64_t y_step, bool add);                                                    \
  }
#define LAMPAS_GEMV_SET(isa) LAMPAS_GEMV(isa, float) LAMPAS_GEMV(isa, double)
LAMPAS_GEMV_SET(baseline)
LAMPAS_GEMV_SET(avx2)
LAMPAS_GEMV_SET(avx512)
#undef LAMPAS_GEMV_SET
#undef LAMPAS_GEMV

}  // namespace lampas
