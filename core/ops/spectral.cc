// Eigenvalues and singular values with their gradients.
// Source of the gradients: M. Giles, "Collected matrix derivative results", 2008; J. Townsend,
// "Differentiating the singular value decomposition", 2016; C. Boeddeker et al. (complex case),
// 2017.
#include "ops/linalg.h"
#include "ops/primitives.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

Tensor on_diagonal(const Tensor& x) { return diag_embed(x, 0, -2, -1); }
Tensor diagonal_of(const Tensor& x) { return diagonal(x, 0, -2, -1); }
Tensor unit_mask(const Tensor& x) {
  return eye(cols_of(x), {}, DType::Bool, x.device(), false, false);
}
// x_j - x_i, with ones on the diagonal.
Tensor gaps(const Tensor& x) {
  Tensor e = unsqueeze(x, -2) - unsqueeze(x, -1);
  return where(unit_mask(e), 1.0, e);
}
Tensor without_diagonal(const Tensor& x) { return where(unit_mask(x), 0.0, x); }

// A loss must not depend on the free phase of complex vectors.
void check_phase(const Tensor& overlap, const char* name, const char* what) {
  if (!overlap.is_complex() || overlap.is_meta() || overlap.numel() == 0) return;
  tape::NoGrad off;
  Tensor turn = abs(imag(diagonal_of(plain(overlap))));
  double limit = overlap.dtype() == DType::ComplexFloat ? 1e-2 : 1e-4;
  Tensor scale = abs(real(diagonal_of(plain(overlap))));
  bool fine = truth(all(le(turn, scale * limit + limit), Optional<Dims>(), false));
  CHECK(fine, name, "_backward: The ", what,
        " in the complex case are specified up to multiplication by e^{i phi}. The specified loss "
        "function depends on "
        "this quantity, so it is ill-defined.");
}

Tensor narrowed(const Tensor& x, DType dtype) {
  return x.is_complex() && !is_complex(dtype) ? to(real(x), dtype) : x;
}

}  // namespace

Triple _linalg_eigh(const Tensor& a, bool upper, bool vectors) {
  check_square(a, "linalg.eigh");
  Tensor stack = stack_of(a), info = new_info(batch_of(a), a.device());
  Tensor values = empty(with(batch_of(a), {rows_of(a)}), real_of(a.dtype()), a.device());
  bool both = vectors || needs_grad(a);
  KERNEL(eigh, stack, values, info, upper, both);
  Tensor v = both ? matrices(stack) : empty(Dims{0}, a.dtype(), a.device());
  if (needs_grad(a)) {
    record({&values, &v}, "LinalgEighBackward0", {a}, {tape::out(values), tape::out(v)},
           [](const Backward& b) -> Tensors {
             Tensor values = b.saved(0), v = b.saved(1), inner;
             const Tensor &gl = b.grads[0], &gv = b.grads[1];
             if (gv.defined()) {
               Tensor overlap = matmul(mh(v), gv);
               check_phase(overlap, "linalg_eigh", "eigenvectors");
               // Eigenvectors turn by skew matrices: only that part of the cotangent counts.
               Tensor turn = 0.5 * (overlap - mh(overlap));
               inner = without_diagonal(turn / gaps(values));
             }
             if (gl.defined()) {
               Tensor straight = on_diagonal(to(gl, v.dtype()));
               inner = inner.defined() ? inner + straight : straight;
             }
             return {matmul(v, matmul(inner, mh(v)))};
           });
  }
  return {values, v, info};
}

Triple _linalg_eig(const Tensor& a, bool vectors) {
  check_square(a, "linalg.eig");
  Tensor stack = stack_of(a), info = new_info(batch_of(a), a.device());
  DType type = complex_of(a.dtype());
  Tensor values = empty(with(batch_of(a), {rows_of(a)}), type, a.device());
  bool both = vectors || needs_grad(a);
  Tensor found = both ? new_stack(batch_of(a), rows_of(a), rows_of(a), type, a.device()) : Tensor();
  KERNEL(eig, stack, values, found, info);
  Tensor v = both ? matrices(found) : empty(Dims{0}, type, a.device());
  if (needs_grad(a)) {
    record({&values, &v}, "LinalgEigBackward0", {a}, {tape::out(values), tape::out(v)},
           [type = a.dtype()](const Backward& b) -> Tensors {
             Tensor values = b.saved(0), v = b.saved(1), inner;
             const Tensor &gl = b.grads[0], &gv = b.grads[1];
             if (gv.defined()) {
               Tensor overlap = matmul(mh(v), gv);
               check_phase(overlap, "linalg_eig", "eigenvectors");
               Tensor along = unsqueeze(to(real(diagonal_of(overlap)), v.dtype()), -2);
               Tensor free = overlap - matmul(mh(v), v) * along;
               inner = without_diagonal(free / conj(gaps(values)));
             }
             if (gl.defined()) inner = inner.defined() ? inner + on_diagonal(gl) : on_diagonal(gl);
             Tensor da = std::get<0>(_linalg_solve_ex(mh(v), matmul(inner, mh(v))));
             return {narrowed(da, type)};
           });
  }
  return {values, v, info};
}

namespace {

// da = u (u-part s + s v-part + diag(gs)) vh, and what leaves the spans of u and v.
Tensor svd_gradient(const Tensor& gu, const Tensor& gs, const Tensor& gvh, const Tensor& u,
                    const Tensor& s, const Tensor& vh) {
  int64_t m = rows_of(u), n = cols_of(vh), k = cols_of(u);
  Tensor inner, sc = to(s, u.dtype());
  Tensor row = unsqueeze(sc, -2), column = unsqueeze(sc, -1);
  auto join = [&](const Tensor& x) { inner = inner.defined() ? inner + x : x; };
  if (gu.defined() || gvh.defined()) {
    Tensor e = gaps(s * s), turn;
    auto skew = [](const Tensor& x) { return x - mh(x); };
    if (gu.defined()) {
      Tensor overlap = matmul(mh(u), gu);
      join(without_diagonal(skew(overlap) / e) * row);
      turn = overlap;
    }
    if (gvh.defined()) {
      Tensor overlap = matmul(vh, mh(gvh));
      join(column * without_diagonal(skew(overlap) / e));
      turn = turn.defined() ? turn + overlap : overlap;
    }
    if (u.is_complex()) {
      check_phase(turn, "svd", "singular vectors");
      if (gu.defined()) {  // the diagonal of skew(u^H gu), shared by both sides
        Tensor d = diagonal_of(matmul(mh(u), gu));
        join(on_diagonal((d - conj(d)) * 0.5 / sc));
      }
    }
  }
  if (gs.defined()) join(on_diagonal(to(gs, u.dtype())));
  Tensor da = matmul(u, matmul(inner, vh));
  if (gu.defined() && m > k) {
    Tensor g = gu / row;
    da = da + matmul(g - matmul(u, matmul(mh(u), g)), vh);
  }
  if (gvh.defined() && n > k) {
    Tensor g = gvh / column;
    da = da + matmul(u, g - matmul(matmul(g, mh(vh)), vh));
  }
  return da;
}

}  // namespace

// u, s, vh, info; u and vh are empty when vectors are not wanted.
Tensors _linalg_svd(const Tensor& a, bool full, bool vectors) {
  Dims batch = batch_of(a);
  int64_t m = rows_of(a), n = cols_of(a), k = std::min(m, n);
  bool both = vectors || needs_grad(a), square = full && vectors;
  Tensor stack = stack_of(a), info = new_info(batch, a.device());
  Tensor s = empty(with(batch, {k}), real_of(a.dtype()), a.device()), us, vs;
  if (both) {
    us = new_stack(batch, m, square ? m : k, a.dtype(), a.device());
    vs = new_stack(batch, square ? n : k, n, a.dtype(), a.device());
    if (k == 0) {  // any orthonormal vectors will do
      copy_values(us, expand(eye(us.size(us.dim() - 2), us.size(us.dim() - 1), a.dtype(),
                                 a.device(), false, false),
                             us.sizes()));
      copy_values(vs, expand(eye(vs.size(vs.dim() - 2), vs.size(vs.dim() - 1), a.dtype(),
                                 a.device(), false, false),
                             vs.sizes()));
    }
  }
  KERNEL(svd, stack, us, s, vs, info, square);
  Tensor u = both ? matrices(us) : empty(Dims{0}, a.dtype(), a.device());
  Tensor vh = both ? matrices(vs) : empty(Dims{0}, a.dtype(), a.device());
  if (needs_grad(a)) {
    record({&u, &s, &vh}, "LinalgSvdBackward0", {a}, {tape::out(u), tape::out(s), tape::out(vh)},
           [](const Backward& b) -> Tensors {
             Tensor u = b.saved(0), s = b.saved(1), vh = b.saved(2), gu = b.grads[0],
                    gvh = b.grads[2];
             int64_t k = s.size(s.dim() - 1);
             auto reduced = [k](const Tensor& x, int64_t d) {
               return !x.defined() || x.size(x.dim() + d) == k ? x : narrow(x, d, 0, k);
             };
             return {svd_gradient(reduced(gu, -1), b.grads[1], reduced(gvh, -2), reduced(u, -1), s,
                                  reduced(vh, -2))};
           });
  }
  return {u, s, vh, info};
}

}  // namespace lampas::ops
