// Cholesky, LU, QR and LDL factorisations with their gradients.
// Source of the gradients: M. Giles, "Collected matrix derivative results for forward and reverse
// mode algorithmic differentiation", 2008; I. Murray, "Differentiation of the Cholesky
// decomposition", 2016; J. Townsend, "Differentiating the QR decomposition", 2018.
#include "ops/linalg.h"
#include "ops/primitives.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

Tensor lower_solve(const Tensor& l, const Tensor& b, bool unit = false) {
  return _linalg_solve_triangular(l, b, false, true, unit);
}
// Solves l^H x = b.
Tensor adjoint_solve(const Tensor& l, const Tensor& b, bool unit = false) {
  return _linalg_solve_triangular(mh(l), b, true, true, unit);
}
// Solves x u^H = b.
Tensor right_adjoint_solve(const Tensor& u, const Tensor& b) {
  return _linalg_solve_triangular(mh(u), b, false, false, false);
}

Tensor cholesky_gradient(const Tensor& g, const Tensor& l) {
  Tensor lower = tril(matmul(mh(l), g), 0);
  Tensor inner = 0.5 * (lower + mh(tril(lower, -1)));  // the diagonal stays as it is, complex too
  return adjoint_solve(l, mh(adjoint_solve(l, mh(inner))));  // l^-H inner l^-1
}

Tensor top_rows(const Tensor& x, int64_t k) { return narrow(x, -2, 0, k); }
Tensor left_columns(const Tensor& x, int64_t k) { return narrow(x, -1, 0, k); }
Tensor rest_rows(const Tensor& x, int64_t k) { return narrow(x, -2, k, rows_of(x) - k); }
Tensor rest_columns(const Tensor& x, int64_t k) { return narrow(x, -1, k, cols_of(x) - k); }
Tensor identity_like(const Tensor& x, int64_t n) {
  return eye(n, {}, x.dtype(), x.device(), false, false);
}

// Gradient of a = p l u; gl and gu undefined where none arrived. l unit lower (m, k), u upper (k,
// n).
Tensor lu_gradient(Tensor gl, Tensor gu, const Tensor& l, const Tensor& u, const Tensor& p) {
  int64_t m = rows_of(l), n = cols_of(u), k = std::min(m, n);
  if (!gl.defined()) gl = zeros_like(l);
  if (!gu.defined()) gu = zeros_like(u);
  Tensor l1 = top_rows(l, k), u1 = left_columns(u, k);
  Tensor below = matmul(mh(l1), top_rows(gl, k)), above = matmul(left_columns(gu, k), mh(u1));
  if (n > k) below = below - matmul(rest_columns(gu, k), mh(rest_columns(u, k)));
  if (m > k) above = above - matmul(mh(rest_rows(l, k)), rest_rows(gl, k));
  Tensor inner = tril(below, -1) + triu(above, 0);
  Tensor da = right_adjoint_solve(u1, adjoint_solve(l1, inner, true));
  if (n > k) da = cat(Tensors{da, adjoint_solve(l1, rest_columns(gu, k), true)}, -1);
  if (m > k) da = cat(Tensors{da, right_adjoint_solve(u1, rest_rows(gl, k))}, -2);
  return matmul(p, da);
}

struct LuParts {
  Tensor l, u;
  explicit LuParts(const Tensor& lu) {
    int64_t k = std::min(rows_of(lu), cols_of(lu));
    l = tril(left_columns(lu, k), -1) + narrow(identity_like(lu, rows_of(lu)), -1, 0, k);
    u = triu(top_rows(lu, k), 0);
  }
};

}  // namespace

Pair _linalg_cholesky_ex(const Tensor& a, bool upper, const std::string& node) {
  check_square(a, "linalg.cholesky");
  Tensor stack = stack_of(a), info = new_info(batch_of(a), a.device());
  KERNEL(cholesky, stack, info, upper);
  Tensor y = matrices(stack);
  if (needs_grad(a)) {
    const char* name =
        node == "CholeskyBackward0" ? "CholeskyBackward0" : "LinalgCholeskyExBackward0";
    record(y, name, {a}, {tape::out(y)}, [upper](const Backward& b) -> Tensors {
      Tensor f = b.saved(0);
      return {upper ? cholesky_gradient(mh(b.g), mh(f)) : cholesky_gradient(b.g, f)};
    });
  }
  return {y, info};
}

Tensor _linalg_cholesky_inverse(const Tensor& l, bool upper) {
  check_square(l, "cholesky_inverse");
  if (needs_grad(l)) {
    Tensor unit = expand(identity_like(l, rows_of(l)), l.sizes());
    Tensor f = upper ? mh(l) : l;
    return adjoint_solve(tril(f, 0), lower_solve(tril(f, 0), unit));
  }
  Tensor stack = stack_of(l), info = new_info(batch_of(l), l.device());
  KERNEL(cholesky_inverse, stack, info, upper);
  return matrices(stack);
}

// --- LU ---

Tensor _linalg_permutation(const Tensor& pivots, int64_t rows) {
  CHECK(pivots.dtype() == DType::Int32 && pivots.dim() > 0 && rows >= 0,
        "pivots must be a tensor of int32 with at least one dimension");
  Dims batch(pivots.sizes().begin(), pivots.sizes().end() - 1);
  Tensor order = empty(with(batch, {rows}), DType::Int64, pivots.device());
  if (order.is_meta()) return order;
  int64_t k = pivots.size(pivots.dim() - 1), count = checked_numel(batch);
  CHECK(k <= rows, "lu_unpack: ", k, " pivots for ", rows, " rows");
  Tensor flat = contiguous(pivots);
  for (int64_t i = 0; i < count; ++i) {
    int64_t* to = order.data<int64_t>() + i * rows;
    for (int64_t r = 0; r < rows; ++r) to[r] = r;
    for (int64_t r = 0; r < k; ++r) {
      int64_t p = flat.data<int32_t>()[i * k + r] - 1;
      CHECK(p >= 0 && p < rows,
            "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you "
            "properly pass the result of lu_factor?");
      std::swap(to[r], to[p]);
    }
  }
  return order;
}

namespace {

// p with a = p l u, from the order of rows.
Tensor permutation_matrix(const Tensor& order, DType dtype) {
  int64_t n = order.size(order.dim() - 1);
  Tensor unit = eye(n, {}, dtype, order.device(), false, false);
  Tensor picked = index_select(unit, 1, reshape(order, Dims{-1}));  // (n, batch * n)
  Dims sizes = order.sizes();
  sizes.insert(0, n);
  return contiguous(movedim(reshape(picked, sizes), Dims{0}, Dims{-2}));
}

Tensor order_of(const Tensor& a, const Tensor& pivots) {
  if (a.is_meta()) return empty(with(batch_of(a), {rows_of(a)}), DType::Int64, a.device());
  return _linalg_permutation(pivots, rows_of(a));
}

Triple factored(const Tensor& a, bool pivot) {
  Dims batch = batch_of(a);
  Tensor stack = stack_of(a), info = new_info(batch, a.device());
  Tensor pivots = empty(with(batch, {std::min(rows_of(a), cols_of(a))}), DType::Int32, a.device());
  KERNEL(lu_factor, stack, pivots, info, pivot);
  return {matrices(stack), pivots, info};
}

}  // namespace

Triple _linalg_lu_factor_ex(const Tensor& a, bool pivot) {
  auto [lu, pivots, info] = factored(a, pivot);
  if (needs_grad(a)) {
    record(lu, "LinalgLuFactorExBackward0", {a}, {tape::out(lu), pivots},
           [](const Backward& b) -> Tensors {
             Tensor lu = b.saved(0), p = permutation_matrix(order_of(lu, b.saved(1)), lu.dtype());
             LuParts parts(lu);
             int64_t k = std::min(rows_of(lu), cols_of(lu));
             return {lu_gradient(tril(left_columns(b.g, k), -1), triu(top_rows(b.g, k), 0), parts.l,
                                 parts.u, p)};
           });
  }
  return {lu, pivots, info};
}

Triple _linalg_lu(const Tensor& a, bool pivot) {
  Tensor p, l, u;
  {
    tape::NoGrad off;
    auto [lu, pivots, info] = factored(a, pivot);
    p = permutation_matrix(order_of(a, pivots), a.dtype());
    LuParts parts(lu);
    l = contiguous(parts.l);
    u = contiguous(parts.u);
  }
  if (needs_grad(a))
    record({&l, &u}, "LinalgLuBackward0", {a}, {tape::out(l), tape::out(u), p},
           [](const Backward& b) -> Tensors {
             return {lu_gradient(b.grads[0], b.grads[1], b.saved(0), b.saved(1), b.saved(2))};
           });
  return {p, l, u};
}

// --- QR ---

namespace {

// Lower triangle from below, its adjoint above: x with tril(x) kept and triu(x, 1) = tril(x, -1)^H.
Tensor mirrored(const Tensor& lower) {
  Tensor strict = tril(lower, -1);
  Tensor middle = diagonal(lower, 0, -2, -1);
  if (lower.is_complex()) middle = to(real(middle), lower.dtype());
  return strict + mh(strict) + diag_embed(middle, 0, -2, -1);
}

// Tall or square: da = (gq + q mirror(r gr^H - gq^H q)) r^-H.
Tensor qr_gradient(const Tensor& gq, const Tensor& gr, const Tensor& q, const Tensor& r) {
  Tensor inner;
  if (gr.defined()) inner = matmul(r, mh(gr));
  if (gq.defined()) inner = inner.defined() ? inner - matmul(mh(gq), q) : -matmul(mh(gq), q);
  Tensor x = matmul(q, mirrored(tril(inner, 0)));
  if (gq.defined()) x = x + gq;
  return right_adjoint_solve(r, x);
}

}  // namespace

Pair _linalg_qr(const Tensor& a, const std::string& mode) {
  CHECK(mode == "reduced" || mode == "complete" || mode == "r", "qr received unrecognized mode '",
        mode, "' but expected one of 'reduced' (default), 'r', or 'complete'");
  int64_t m = rows_of(a), n = cols_of(a), k = std::min(m, n);
  int64_t down = mode == "complete" ? m : k;
  Tensor q, r;
  {
    tape::NoGrad off;
    auto [h, tau] = _linalg_geqrf(a);
    Tensor upper = top_rows(h, down);
    r = matrices(stack_of(triu(upper, 0)));
    if (mode == "r") {
      q = empty(Dims{0}, a.dtype(), a.device());
    } else {
      Tensor start = new_stack(batch_of(a), m, down, a.dtype(), a.device());
      Tensor view = matrices(start);
      copy_values(narrow(view, -1, 0, std::min(down, n)), narrow(h, -1, 0, std::min(down, n)));
      if (down > n) fill_values(narrow(view, -1, n, down - n), Scalar(0));
      KERNEL(householder_product, start, tau);
      q = view;
    }
  }
  if (needs_grad(a)) {
    bool complete = mode == "complete" && m > n, only_r = mode == "r";
    record(
        {&q, &r}, "LinalgQrBackward0", {a}, {tape::out(q), tape::out(r)},
        [complete, only_r](const Backward& b) -> Tensors {
          CHECK(!only_r,
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
                "Please use linalg.qr(A, mode='reduced') if "
                "you are going to require gradients through Q.");
          CHECK(
              !complete,
              "The QR decomposition is not differentiable when mode='complete' and nrows > ncols");
          Tensor q = b.saved(0), r = b.saved(1), gq = b.grads[0], gr = b.grads[1];
          int64_t k = rows_of(r), n = cols_of(r);
          if (n <= k) return {qr_gradient(gq, gr, q, r)};
          // Wide: a = q [r1 r2], and r2 = q^H a2.
          Tensor r1 = left_columns(r, k), g1, right;
          if (gr.defined()) {
            Tensor gr2 = rest_columns(gr, k),
                   through = matmul(matmul(q, rest_columns(r, k)), mh(gr2));
            gq = gq.defined() ? gq + through : through;
            g1 = left_columns(gr, k);
            right = matmul(q, gr2);
          } else {
            Dims sizes = q.sizes();
            sizes[sizes.size() - 1] = n - k;
            right = zeros(sizes, q.dtype(), q.device());
          }
          return {cat(Tensors{qr_gradient(gq, g1, q, r1), right}, -1)};
        });
  }
  return {q, r};
}

Pair _linalg_geqrf(const Tensor& a) {
  Tensor stack = stack_of(a),
         tau = empty(with(batch_of(a), {std::min(rows_of(a), cols_of(a))}), a.dtype(), a.device());
  KERNEL(geqrf, stack, tau);
  return {matrices(stack), tau};
}

namespace {

// The product of reflections 1 - tau v v^H by steps that are differentiable, applied to b from the
// left or right; `conjugated`: the adjoint of the product.
Tensor reflect(Tensor b, const Tensor& a, const Tensor& tau, bool left, bool conjugated) {
  int64_t k = tau.size(tau.dim() - 1), m = rows_of(a);
  Tensor v = tril(left_columns(a, k), -1) + narrow(identity_like(a, m), -1, 0, k);
  bool last_first = left != conjugated;
  for (int64_t i = 0; i < k; ++i) {
    int64_t j = last_first ? k - 1 - i : i;
    Tensor column = narrow(v, -1, j, 1), factor = unsqueeze(narrow(tau, -1, j, 1), -1);
    if (conjugated) factor = conj(factor);
    if (left)
      b = b - factor * matmul(column, matmul(mh(column), b));
    else
      b = b - matmul(factor * matmul(b, column), mh(column));
  }
  return b;
}

}  // namespace

namespace {

// The reflectors below the diagonal of a, (..., m, n), with their factors tau, (..., k), k <= n.
void check_reflectors(const char* name, const Tensor& a, const Tensor& tau) {
  check_matrix(a, name);
  check_floating(a, name);
  require_device(a.device(), tau);
  CHECK(tau.dtype() == a.dtype(), name, ": tau must have the type of the reflectors");
  Dims wanted = with(batch_of(a), {tau.dim() ? tau.size(tau.dim() - 1) : 0});
  CHECK(tau.sizes() == wanted && wanted.back() <= std::min(rows_of(a), cols_of(a)), name,
        ": tau must have a factor for each reflector");
}

}  // namespace

Tensor _linalg_householder_product(const Tensor& a, const Tensor& tau) {
  check_reflectors("linalg.householder_product", a, tau);
  CHECK(rows_of(a) >= cols_of(a), "linalg.householder_product: more reflectors than rows");
  if (needs_grad(a, tau)) {
    Tensor unit = left_columns(identity_like(a, rows_of(a)), cols_of(a));
    return reflect(expand(unit, a.sizes()), a, tau, true, false);
  }
  Tensor stack = stack_of(a);
  KERNEL(householder_product, stack, contiguous(tau));
  return matrices(stack);
}

Tensor _linalg_ormqr(const Tensor& a, const Tensor& tau, const Tensor& b, bool left,
                     bool transposed) {
  check_reflectors("ormqr", a, tau);
  check_matrix(b, "ormqr", "other");
  require_device(a.device(), b);
  CHECK(b.dtype() == a.dtype() && batch_of(b) == batch_of(a) &&
            rows_of(a) == (left ? rows_of(b) : cols_of(b)),
        "ormqr: the reflectors do not fit the matrices");
  if (needs_grad(a, tau, b)) return reflect(b, a, tau, left, transposed);
  Tensor stack = stack_of(b);
  KERNEL(multiply_householder, stack, stack_of(a), contiguous(tau), left, transposed);
  return matrices(stack);
}

// --- LDL ---

Triple _linalg_ldl_factor_ex(const Tensor& a, bool hermitian) {
  CHECK(!needs_grad(a), "the derivative for 'linalg_ldl_factor_ex' is not implemented.");
  check_square(a, "linalg.ldl_factor_ex");
  Tensor stack = stack_of(a), info = new_info(batch_of(a), a.device());
  Tensor pivots = empty(with(batch_of(a), {rows_of(a)}), DType::Int32, a.device());
  KERNEL(ldl_factor, stack, pivots, info, hermitian);
  Tensor y = matrices(stack);
  return {y, pivots, info};
}

Tensor _linalg_ldl_solve(const Tensor& ld, const Tensor& pivots, const Tensor& b, bool hermitian) {
  CHECK(!needs_grad(ld, b), "the derivative for 'linalg_ldl_solve' is not implemented.");
  check_system("linalg.ldl_solve", ld, b);
  check_pivots("linalg.ldl_solve", ld, pivots);
  Dims batch = broadcast(batch_of(ld), batch_of(b));
  Tensor stack = stack_of(with_batch(b, batch));
  Tensor order = contiguous(expand(pivots, with(batch, {pivots.size(pivots.dim() - 1)})));
  KERNEL(ldl_solve, stack, stack_of(with_batch(ld, batch)), order, hermitian);
  return matrices(stack);
}

}  // namespace lampas::ops
