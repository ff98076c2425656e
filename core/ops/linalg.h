// What the operators of linear algebra share: stacks for LAPACK (cpu/lapack.h), checks, shapes.
#pragma once
#include "cpu/lapack.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/reduce.h"
#include "ops/views.h"
#include "tape/tape.h"

namespace lampas::ops {

inline void require_matrices(const Tensor& x) {
  CHECK(x.dim() >= 2, "The input tensor must have at least 2 dimensions, got ", x.dim());
}
inline int64_t rows_of(const Tensor& x) { return require_matrices(x), x.size(x.dim() - 2); }
inline int64_t cols_of(const Tensor& x) { return require_matrices(x), x.size(x.dim() - 1); }
inline Tensor mh(const Tensor& x) { return transpose(conj(x), -2, -1); }
inline Tensor flip_last(const Tensor& x) { return transpose(x, -2, -1); }

inline Dims batch_of(const Tensor& x) {
  require_matrices(x);
  return Dims(x.sizes().begin(), x.sizes().end() - 2);
}
inline Dims with(Dims batch, std::initializer_list<int64_t> more) {
  for (int64_t n : more) batch.push_back(n);
  return batch;
}

// Column-major copies of matrices, without history: (..., n, m) in memory for m x n.
inline Tensor stack_of(const Tensor& x) {
  require_matrices(x);
  tape::NoGrad off;
  Tensor t = transpose(plain(x), -2, -1), y = empty(t.sizes(), t.dtype(), t.device());
  copy_values(y, t);
  return y;
}
// The matrices of a stack: a view with column-major strides.
inline Tensor matrices(const Tensor& stack) {
  Dims sizes = stack.sizes(), strides = stack.strides();
  size_t d = sizes.size();
  std::swap(sizes[d - 1], sizes[d - 2]);
  std::swap(strides[d - 1], strides[d - 2]);
  return view_of(stack, sizes, strides);
}
inline Tensor new_stack(const Dims& batch, int64_t rows, int64_t cols, DType dtype, Device device) {
  return empty(with(batch, {cols, rows}), dtype, device);
}
inline Tensor new_info(const Dims& batch, Device device) {
  return zeros(batch, DType::Int32, device);
}

inline void check_matrix(const Tensor& x, const char* name, const char* argument = "A") {
  CHECK(x.dim() >= 2, name, ": The input tensor ", argument, " must have at least 2 dimensions.");
}
inline void check_floating(const Tensor& x, const char* name, bool low = false) {
  CHECK(x.is_floating() || x.is_complex(), name,
        ": Expected a floating point or complex tensor as input. Got ", label(x.dtype()));
  if (!low)
    CHECK(!is_reduced(x.dtype()), name, ": Low precision dtypes not supported. Got ",
          label(x.dtype()));
}
inline void check_square(const Tensor& x, const char* name, const char* argument = "A") {
  check_matrix(x, name, argument);
  CHECK(rows_of(x) == cols_of(x), name, ": ", argument,
        " must be batches of square matrices, but they are ", rows_of(x), " by ", cols_of(x),
        " matrices");
}
// a x = b (x a = b on the right): what the kernels rely on. The composites have said it in
// PyTorch's words before.
inline void check_system(const char* name, const Tensor& a, const Tensor& b, bool left = true) {
  check_square(a, name);
  check_matrix(b, name, "B");
  check_floating(a, name);
  require_device(a.device(), b);
  CHECK(a.dtype() == b.dtype(), name, ": Expected A and B to have the same dtype, but found ",
        label(a.dtype()), " and ", label(b.dtype()));
  CHECK(rows_of(a) == (left ? rows_of(b) : cols_of(b)), name, ": Incompatible shapes of A and B");
}
// pivots of an LU or LDL factorization, (..., n) for the n x n matrices of `lu`
inline void check_pivots(const char* name, const Tensor& lu, const Tensor& pivots) {
  CHECK(pivots.dtype() == DType::Int32, name, ": Expected pivots of int32, got ",
        label(pivots.dtype()));
  CHECK(pivots.dim() >= 1 && pivots.size(pivots.dim() - 1) == rows_of(lu), name,
        ": Expected one pivot for each row");
  require_device(lu.device(), pivots);
}
inline Tensor with_batch(const Tensor& x, const Dims& batch) {
  return expand(x, with(batch, {rows_of(x), cols_of(x)}));
}

}  // namespace lampas::ops
