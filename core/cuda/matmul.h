// Products of matrices on a GPU: cuBLASLt where it is and can, else our own kernels (any stride,
// any type; also every product with a vector, which is bound by reading the matrix).
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;  // see kernels.h

// A matrix at any distances, in elements; `batch`: from one to the next.
struct Strided {
  void* data;
  int64_t row, col, batch;
};

// c = alpha * a @ b + beta * c + bias. beta == 0 does not read c.
struct Product {
  DType dtype;
  int device;
  int64_t batch, m, n, k;
  Strided a, b, c;
  const void* bias;  // n elements, or null
  double alpha, beta;
  const char* what;  // the operator, for errors
};

void multiply(const Product& p);

// y (m, n) or (batch, m, n) of matrices alike; `bias` (n), contiguous, may be undefined.
struct Scaling {
  double alpha = 1, beta = 0;
};
void multiply(On, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor& bias = {},
              Scaling scaling = {}, const char* what = "matmul");

// The type in which kernels sum products of elements of `dtype`, as they name it, and its size.
const char* accumulator(DType dtype);
int64_t accumulator_bytes(DType dtype);

// cublaslt.cc: false where the library is missing or refuses the problem.
bool multiply_by_library(const Product& p);

}  // namespace lampas::cuda
