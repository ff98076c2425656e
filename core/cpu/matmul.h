// Matrix products on raw matrices.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// A matrix of `rows` x `cols` in memory: row-major with leading dimension ld, or transposed
// (column-major).
struct Matrix {
  void* data;
  int64_t rows, cols, ld;
  bool transposed;
};

// c = a @ b, or c += a @ b; c row-major. All of one type. Pieces run on the pool.
void matmul(DType dtype, Matrix a, Matrix b, Matrix c, bool accumulate);

// c = a @ b + bias, which has one element for each column of c.
void matmul_biased(DType dtype, Matrix a, Matrix b, Matrix c, const void* bias);

// `batch` products at fixed distances (in elements; 0 repeats a matrix).
void matmul_batched(DType dtype, int64_t batch, Matrix a, int64_t a_step, Matrix b, int64_t b_step,
                    Matrix c, int64_t c_step, bool accumulate);

}  // namespace lampas::cpu
