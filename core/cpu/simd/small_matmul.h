// Products too small for a BLAS call to pay: loops that the compiler vectorises.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

// c (m, n) += a (m, k) @ b (k, n); a[i, j] at a[i * ai + j * aj], b likewise with bj == 1 or bi ==
// 1; c row-major with leading dimension ldc.
#define LAMPAS_SMALL_MATMUL(isa)                                                          \
  namespace lampas::isa {                                                                 \
  void small_matmul(const float* a, int64_t ai, int64_t aj, const float* b, int64_t bi,   \
                    int64_t bj, float* c, int64_t ldc, int64_t m, int64_t n, int64_t k);  \
  void small_matmul(const double* a, int64_t ai, int64_t aj, const double* b, int64_t bi, \
                    int64_t bj, double* c, int64_t ldc, int64_t m, int64_t n, int64_t k); \
  }
LAMPAS_SMALL_MATMUL(baseline)
LAMPAS_SMALL_MATMUL(avx2)
LAMPAS_SMALL_MATMUL(avx512)
#undef LAMPAS_SMALL_MATMUL
