// See small_matmul.h. Compiled once per instruction set.
#include "cpu/simd/small_matmul.h"

namespace lampas::LAMPAS_ISA {

namespace {

// Rows of b are contiguous: c's row gathers multiples of them.
template <class T>
void by_rows(const T* a, int64_t ai, int64_t aj, const T* b, int64_t bi, T* c, int64_t ldc,
             int64_t m, int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; ++i) {
    T* __restrict row = c + i * ldc;
    for (int64_t p = 0; p < k; ++p) {
      T factor = a[i * ai + p * aj];
      const T* __restrict from = b + p * bi;
      for (int64_t j = 0; j < n; ++j) row[j] += factor * from[j];
    }
  }
}

// Columns of b are contiguous: dot products, in eight partial sums.
template <class T>
void by_columns(const T* a, int64_t ai, int64_t aj, const T* b, int64_t bj, T* c, int64_t ldc,
                int64_t m, int64_t n, int64_t k) {
  constexpr int kLanes = 8;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const T* __restrict x = a + i * ai;
      const T* __restrict y = b + j * bj;
      T sum = 0;
      int64_t p = 0;
      if (aj == 1) {
        T part[kLanes] = {};
        for (; p + kLanes <= k; p += kLanes)
          for (int l = 0; l < kLanes; ++l) part[l] += x[p + l] * y[p + l];
        sum = ((part[0] + part[4]) + (part[1] + part[5])) +
              ((part[2] + part[6]) + (part[3] + part[7]));
      }
      for (; p < k; ++p) sum += x[p * aj] * y[p];
      c[i * ldc + j] += sum;
    }
  }
}

template <class T>
void either(const T* a, int64_t ai, int64_t aj, const T* b, int64_t bi, int64_t bj, T* c,
            int64_t ldc, int64_t m, int64_t n, int64_t k) {
  if (bj == 1)
    by_rows(a, ai, aj, b, bi, c, ldc, m, n, k);
  else
    by_columns(a, ai, aj, b, bj, c, ldc, m, n, k);
}

}  // namespace

void small_matmul(const float* a, int64_t ai, int64_t aj, const float* b, int64_t bi, int64_t bj,
                  float* c, int64_t ldc, int64_t m, int64_t n, int64_t k) {
  either(a, ai, aj, b, bi, bj, c, ldc, m, n, k);
}
void small_matmul(const double* a, int64_t ai, int64_t aj, const double* b, int64_t bi, int64_t bj,
                  double* c, int64_t ldc, int64_t m, int64_t n, int64_t k) {
  either(a, ai, aj, b, bi, bj, c, ldc, m, n, k);
}

}  // namespace lampas::LAMPAS_ISA
