// Linear systems, inverses, determinants and least squares, with their gradients.
// Source of the gradients: M. Giles, "Collected matrix derivative results", 2008.
#include "ops/linalg.h"
#include "ops/primitives.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

Dims shared_batch(const Tensor& a, const Tensor& b) { return broadcast(batch_of(a), batch_of(b)); }
Tensor solved(const Tensor& a, const Tensor& b) { return std::get<0>(_linalg_solve_ex(a, b)); }

}  // namespace

Tensor _linalg_solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left,
                                bool unit) {
  check_system("linalg.solve_triangular", a, b, left);
  Dims batch = shared_batch(a, b);
  Tensor stack = stack_of(with_batch(b, batch));
  KERNEL(solve_triangular, stack, stack_of(with_batch(a, batch)), upper, left, unit);
  Tensor x = matrices(stack);
  if (needs_grad(a, b))
    record(x, "LinalgSolveTriangularBackward0", {a, b}, {a, tape::out(x)},
           [upper, left, unit, sizes = b.sizes()](const Backward& k) -> Tensors {
             Tensor a = k.saved(0), x = k.saved(1), da, db;
             Tensor g = _linalg_solve_triangular(mh(a), k.g, !upper, left, unit);
             if (k.needs(0)) {
               da = left ? -matmul(g, mh(x)) : -matmul(mh(x), g);
               int64_t d = unit ? 1 : 0;
               da = sum_to(upper ? triu(da, d) : tril(da, -d), a.sizes());
             }
             if (k.needs(1)) db = sum_to(g, sizes);
             return {da, db};
           });
  return x;
}

Pair _linalg_solve_ex(const Tensor& a, const Tensor& b) {
  check_system("linalg.solve", a, b);
  Dims batch = shared_batch(a, b);
  Tensor stack = stack_of(with_batch(b, batch)), lu = stack_of(a),
         info = new_info(batch_of(a), a.device());
  Tensor pivots = empty(with(batch_of(a), {rows_of(a)}), DType::Int32, a.device());
  KERNEL(lu_factor, lu, pivots, info, true);
  {
    tape::NoGrad off;
    Dims wide = with(batch, {rows_of(a), rows_of(a)});
    Tensor all = contiguous(expand(lu, wide)),
           order = contiguous(expand(pivots, with(batch, {rows_of(a)})));
    KERNEL(lu_solve, stack, all, order, 'N');
  }
  Tensor x = matrices(stack);
  if (needs_grad(a, b))
    record(x, "LinalgSolveExBackward0", {a, b}, {a, tape::out(x)},
           [sizes = b.sizes()](const Backward& k) -> Tensors {
             Tensor a = k.saved(0), g = solved(mh(a), k.g), da, db;
             if (k.needs(0)) da = sum_to(-matmul(g, mh(k.saved(1))), a.sizes());
             if (k.needs(1)) db = sum_to(g, sizes);
             return {da, db};
           });
  return {x, info};
}

Tensor _linalg_lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool adjoint) {
  check_system("linalg.lu_solve", lu, b);
  check_pivots("linalg.lu_solve", lu, pivots);
  Dims batch = shared_batch(lu, b);
  int64_t n = rows_of(lu);
  Tensor stack = stack_of(with_batch(b, batch));
  Tensor order = contiguous(expand(pivots, with(batch, {n})));
  KERNEL(lu_solve, stack, stack_of(with_batch(lu, batch)), order,
         adjoint ? (lu.is_complex() ? 'C' : 'T') : 'N');
  Tensor x = matrices(stack);
  if (needs_grad(lu, b))
    record(x, "LinalgLuSolveBackward0", {lu, b}, {lu, pivots, tape::out(x)},
           [adjoint, sizes = b.sizes()](const Backward& k) -> Tensors {
             Tensor lu = k.saved(0), pivots = k.saved(1), x = k.saved(2), dlu, db;
             Tensor g = _linalg_lu_solve(lu, pivots, k.g, !adjoint);
             if (k.needs(1)) db = sum_to(g, sizes);
             if (!k.needs(0)) return {dlu, db};
             // With a = p l u: da = -g x^H (or -x g^H); dl = p^T da u^H and du = l^H p^T da, each
             // on its triangle.
             int64_t n = rows_of(lu);
             Tensor unit = eye(n, {}, lu.dtype(), lu.device(), false, false);
             Tensor l = tril(lu, -1) + unit, u = triu(lu, 0);
             Tensor da = adjoint ? -matmul(x, mh(g)) : -matmul(g, mh(x));
             Tensor order = _linalg_permutation(pivots, n);
             Tensor index = expand(unsqueeze(order, -1), da.sizes());
             Tensor moved = gather(da, -2, index);
             dlu = tril(matmul(moved, mh(u)), -1) + triu(matmul(mh(l), moved), 0);
             return {sum_to(dlu, lu.sizes()), db};
           });
  return x;
}

Pair _linalg_inv_ex(const Tensor& a) {
  Tensor x, info;
  {
    tape::NoGrad off;
    Tensor unit = expand(eye(rows_of(a), {}, a.dtype(), a.device(), false, false), a.sizes());
    std::tie(x, info) = _linalg_solve_ex(a, unit);
  }
  if (needs_grad(a))
    record(x, "LinalgInvExBackward0", {a}, {tape::out(x)}, [](const Backward& b) -> Tensors {
      Tensor x = mh(b.saved(0));
      return {-matmul(x, matmul(b.g, x))};
    });
  return {x, info};
}

namespace {

struct Determinant {
  Tensor diagonal, sign;  // of U, and of the permutation

  explicit Determinant(const Tensor& a) {
    tape::NoGrad off;
    auto [lu, pivots, info] = _linalg_lu_factor_ex(a, true);
    int64_t n = rows_of(a);
    diagonal = contiguous(ops::diagonal(lu, 0, -2, -1));
    Tensor places = arange(Scalar(int64_t{1}), Scalar(n + 1), Scalar(int64_t{1}), DType::Int32,
                           a.device(), false, false);
    Tensor swaps = sum(to(ne(pivots, places), DType::Int64), Dims{-1}, false);
    sign = to(1 - 2 * to(remainder(swaps, 2), DType::Double), a.dtype());
  }
};

Tensor spread(const Tensor& x) { return unsqueeze(unsqueeze(x, -1), -1); }

// det(a) conj a^-H without dividing: u diag(products of the other singular values) v^H, times their
// signs.
Tensor adjugate_adjoint(const Tensor& a) {
  Tensors parts = _linalg_svd(a, false, true);
  Tensor u = parts[0], s = parts[1], vh = parts[2];
  int64_t n = cols_of(a);
  Tensor square = expand(unsqueeze(s, -2), a.sizes());
  Tensor unit = eye(n, {}, DType::Bool, a.device(), false, false);
  Tensor others = prod(where(unit, 1.0, square), -1, false, {});
  Tensor turn = conj(_linalg_det(matmul(u, vh)));
  return matmul(u * unsqueeze(to(others, a.dtype()), -2), vh) * spread(turn);
}

}  // namespace

Tensor _linalg_det(const Tensor& a) {
  Tensor y;
  {
    tape::NoGrad off;
    Determinant d(a);
    y = prod(d.diagonal, -1, false, {}) * d.sign;
  }
  if (needs_grad(a))
    record(y, "LinalgDetBackward0", {a}, {a, tape::out(y)}, [](const Backward& b) -> Tensors {
      Tensor a = b.saved(0), y = b.saved(1);
      if (a.numel() == 0) return {zeros_like(a)};
      bool regular = a.is_meta() || truth(all(gt(abs(plain(y)), 0), Optional<Dims>(), false));
      if (!regular) return {spread(b.g) * adjugate_adjoint(a)};
      Tensor scale = spread(b.g * conj(y));
      Tensor unit = expand(eye(rows_of(a), {}, a.dtype(), a.device(), false, false), a.sizes());
      return {solved(mh(a), scale * unit)};
    });
  return y;
}

Pair _linalg_slogdet(const Tensor& a) {
  Tensor sign, size;
  {
    tape::NoGrad off;
    Determinant d(a);
    sign = prod(sgn(d.diagonal), -1, false, {}) * d.sign;
    size = sum(log(abs(d.diagonal)), Dims{-1}, false);
  }
  if (needs_grad(a))
    record({&sign, &size}, "LinalgSlogdetBackward0", {a}, {a, tape::out(sign)},
           [](const Backward& b) -> Tensors {
             Tensor a = b.saved(0), sign = b.saved(1), scale;
             if (b.grads[1].defined()) scale = to(b.grads[1], a.dtype());
             if (b.grads[0].defined() && a.is_complex()) {
               Tensor turn = imag(b.grads[0] * conj(sign));
               Tensor part = complex(zeros_like(turn), turn);
               scale = scale.defined() ? scale + part : part;
             }
             if (!scale.defined()) return {zeros_like(a)};
             Tensor unit =
                 expand(eye(rows_of(a), {}, a.dtype(), a.device(), false, false), a.sizes());
             return {solved(mh(a), spread(scale) * unit)};
           });
  return {sign, size};
}

// Solution, rank and singular values; those that the driver does not know are empty.
Tensors _linalg_least_squares(const Tensor& a, const Tensor& b, double rcond,
                              const std::string& driver) {
  check_matrix(a, "linalg.lstsq");
  check_matrix(b, "linalg.lstsq", "B");
  CHECK(a.dtype() == b.dtype() && rows_of(a) == rows_of(b),
        "linalg.lstsq: input and other must have equal types and rows");
  CHECK(driver == "gels" || driver == "gelsy" || driver == "gelsd" || driver == "gelss",
        "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)");
  Dims batch = shared_batch(a, b);
  int64_t m = rows_of(a), n = cols_of(a), k = cols_of(b);
  Tensor stack = zeros(with(batch, {k, std::max(m, n)}), a.dtype(), a.device());
  copy_values(narrow(stack, -1, 0, m), transpose(with_batch(plain(b), batch), -2, -1));
  bool ranked = driver != "gels", valued = driver == "gelsd" || driver == "gelss";
  Tensor rank = ranked ? zeros(batch, DType::Int64, a.device()) : Tensor();
  Tensor sigma =
      valued ? zeros(with(batch, {std::min(m, n)}), real_of(a.dtype()), a.device()) : Tensor();
  Tensor info = new_info(batch, a.device());
  KERNEL(least_squares, stack, stack_of(with_batch(a, batch)), rank, sigma, info, rcond, driver);
  return {matrices(stack), ranked ? rank : empty(Dims{0}, DType::Int64, a.device()),
          valued ? sigma : empty(Dims{0}, real_of(a.dtype()), a.device()), info};
}

}  // namespace lampas::ops
