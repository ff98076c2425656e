// Batches of matrices through LAPACK of OpenBLAS. Matrices are column-major: an m x n matrix is a
// contiguous tensor (..., n, m), here called a stack. Work is in place unless said. info (int32,
// one per matrix) gets LAPACK's verdict, 0 for success.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

void cholesky(const Tensor& a, const Tensor& info, bool upper);
void cholesky_inverse(const Tensor& a, const Tensor& info, bool upper);
// pivots: int32 (..., min(m, n)), from 1. Without `pivoted` rows stay in place.
void lu_factor(const Tensor& a, const Tensor& pivots, const Tensor& info, bool pivoted);
// b becomes the solution of op(a) x = b; op: 'N', 'T' or 'C'.
void lu_solve(const Tensor& b, const Tensor& lu, const Tensor& pivots, char op);
// b becomes the solution of a x = b, or x a = b when not `left`.
void solve_triangular(const Tensor& b, const Tensor& a, bool upper, bool left, bool unit);
// values real, ascending; a becomes the vectors when they are wanted.
void eigh(const Tensor& a, const Tensor& values, const Tensor& info, bool upper, bool vectors);
// values and vectors complex; vectors undefined when not wanted; a is used up.
void eig(const Tensor& a, const Tensor& values, const Tensor& vectors, const Tensor& info);
// a is used up; u and vh stacks, undefined when not wanted; `full`: square u and vh.
void svd(const Tensor& a, const Tensor& u, const Tensor& s, const Tensor& vh, const Tensor& info,
         bool full);
// a becomes R above reflectors, tau (..., min(m, n)).
void geqrf(const Tensor& a, const Tensor& tau);
// a (m x n, whose first k columns hold reflectors) becomes the first n columns of their product.
void householder_product(const Tensor& a, const Tensor& tau);
// b becomes op(Q) b, or b op(Q) when not `left`.
void multiply_householder(const Tensor& b, const Tensor& a, const Tensor& tau, bool left,
                          bool conjugated);
// b, of max(m, n) rows, becomes the solution; rank int64 and s may be undefined. driver: "gels",
// "gelsy", "gelsd", "gelss".
void least_squares(const Tensor& b, const Tensor& a, const Tensor& rank, const Tensor& s,
                   const Tensor& info, double rcond, const std::string& driver);
void ldl_factor(const Tensor& a, const Tensor& pivots, const Tensor& info, bool hermitian);
void ldl_solve(const Tensor& b, const Tensor& ld, const Tensor& pivots, bool hermitian);

}  // namespace lampas::cpu
