// Matrix products and their gradients; matmul's rules for every pair of ranks; the fused linear
// layer.
#include "cpu/matmul.h"
#include "cpu/ordered_sums.h"
#include "cuda/matmul.h"

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/primitives.h"
#include "ops/promotion.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

using cpu::Matrix;
using tape::Backward;
using tape::needs_grad;
using tape::record;

void check_types(const char* name, const Tensor& a, const Tensor& b) {
  CHECK(a.device() == b.device(),
        "Expected all tensors to be on the same device, but found at least two devices, ",
        to_string(a.device()), " and ", to_string(b.device()),
        "! (when checking argument for argument mat2 in method wrapper_", name, ")");
  CHECK(a.dtype() == b.dtype(),
        "expected m1 and m2 to have the same dtype, but got: ", c_name(a.dtype()),
        " != ", c_name(b.dtype()));
}

// The last two dimensions of x as BLAS sees them; `keep` holds a copy when the strides do not fit.
Matrix matrix_of(const Tensor& x, Tensor& keep) {
  int64_t d = x.dim(), rows = x.size(d - 2), cols = x.size(d - 1), rs = x.stride(d - 2),
          cs = x.stride(d - 1);
  if ((cs == 1 || cols <= 1) && (rs >= std::max<int64_t>(cols, 1) || rows <= 1)) {
    keep = x;
    return {x.raw(), rows, cols, rows <= 1 ? std::max<int64_t>(cols, 1) : rs, false};
  }
  if ((rs == 1 || rows <= 1) && (cs >= std::max<int64_t>(rows, 1) || cols <= 1)) {
    keep = x;
    return {x.raw(), rows, cols, cols <= 1 ? std::max<int64_t>(rows, 1) : cs, true};
  }
  tape::NoGrad off;
  keep = clone(x, MemoryFormat::Contiguous);
  return {keep.raw(), rows, cols, std::max<int64_t>(cols, 1), false};
}

// y (m, n) = or += a (m, k) @ b (k, n), without recording.
void multiply(Tensor& y, const Tensor& a, const Tensor& b, bool accumulate) {
  if (y.is_meta()) return;
  if (y.device().is_cuda())
    return cuda::multiply(cuda::On{}, y, a, b, {}, {1, accumulate ? 1.0 : 0.0});
  require_available(y.device());
  Tensor keep_a, keep_b;
  Matrix x = matrix_of(a, keep_a), z = matrix_of(b, keep_b);
  cpu::matmul(y.dtype(), x, z,
              {y.raw(), y.size(0), y.size(1), std::max<int64_t>(y.size(1), 1), false}, accumulate);
}

void multiply_batches(Tensor& y, const Tensor& a, const Tensor& b) {
  if (y.is_meta() || y.numel() == 0) return;
  if (y.device().is_cuda()) return cuda::multiply(cuda::On{}, y, a, b);
  require_available(y.device());
  Tensor keep_a, keep_b;
  Matrix x = matrix_of(a, keep_a), z = matrix_of(b, keep_b);
  Matrix c{y.raw(), y.size(1), y.size(2), std::max<int64_t>(y.size(2), 1), false};
  cpu::matmul_batched(y.dtype(), y.size(0), x, keep_a.stride(0), z, keep_b.stride(0), c,
                      y.stride(0), false);
}

Tensor flipped(const Tensor& x) { return transpose(conj(x), -2, -1); }

Tensor mm_plain(const Tensor& a, const Tensor& b) {
  Tensor y = empty(Dims{a.size(0), b.size(1)}, a.dtype(), a.device());
  multiply(y, a, b, false);
  return y;
}

Tensor scaled(const Tensor& x, const Scalar& factor) {
  bool one = !factor.is_complex() && factor.to<double>() == 1;
  return one ? x : mul(x, factor);
}

bool is_zero(const Scalar& s) { return s.to<ComplexDouble>() == ComplexDouble(0); }

// beta * x + alpha * product; beta == 0 ignores x, NaN or not.
Tensor combined(const Tensor& x, const Tensor& product, Scalar beta, Scalar alpha) {
  CHECK(x.dtype() == product.dtype(), "self and mat2 must have the same dtype, but got ",
        label(x.dtype()), " and ", label(product.dtype()));
  if (is_integral(product.dtype(), true)) {
    beta = beta.to<int64_t>();
    alpha = alpha.to<int64_t>();
  }
  Tensor part = scaled(product, alpha);
  if (is_zero(beta)) {
    Tensor y = expand(x, product.sizes());  // for the check of shapes
    return needs_grad(x) ? add(part, mul(zeros_like(y), y)) : part;
  }
  return add(scaled(expand(x, product.sizes()), beta), part);
}

bool is_one(const Scalar& s) { return s.to<ComplexDouble>() == ComplexDouble(1); }

// Whether beta * x + alpha * a @ b can be one pass, in real floats of one type: with factors on a
// GPU only.
bool adds_plainly(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                  const Scalar& alpha) {
  auto fits = [&](int64_t back, int64_t size) {
    return x.dim() < back || x.size(x.dim() - back) == 1 || x.size(x.dim() - back) == size;
  };
  bool factors = (is_one(beta) && is_one(alpha)) ||
                 (a.device().is_cuda() && !beta.is_complex() && !alpha.is_complex());
  return is_floating(a.dtype()) && x.dtype() == a.dtype() && b.dtype() == a.dtype() &&
         x.device() == a.device() && b.device() == a.device() && factors && x.dim() <= 2 &&
         fits(1, b.size(1)) && fits(2, a.size(0));
}

void multiply_and_add(Tensor& y, const Tensor& x, const Tensor& a, const Tensor& b, double beta,
                      double alpha) {
  if (!y.device().is_cuda()) {
    copy_(y, x);
    return multiply(y, a, b, true);
  }
  bool is_bias = beta == 1 && x.dim() == 1 && x.size(0) == y.size(1);
  if (!is_bias && beta != 0) copy_(y, x);
  cuda::multiply(cuda::On{}, y, a, b, is_bias ? contiguous(x) : Tensor(),
                 {alpha, is_bias ? 0.0 : beta}, "addmm");
}

// beta * x + alpha * a @ b, the product added to x in its own pass.
Tensor added_product(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                     const Scalar& alpha) {
  Tensor y = empty(Dims{a.size(0), b.size(1)}, a.dtype(), a.device());
  if (!y.is_meta()) {
    tape::NoGrad off;
    multiply_and_add(y, x, a, b, beta.to<double>(), alpha.to<double>());
  }
  if (needs_grad(x, a, b))
    record(y, "AddmmBackward0", {x, a, b}, {a, b},
           [sizes = x.sizes(), beta, alpha](const Backward& k) -> Tensors {
             Tensor dx, da, db;
             if (k.needs(0)) dx = scaled(sum_to(k.g, sizes), beta);
             if (k.needs(1)) da = scaled(mm(k.g, flipped(k.saved(1))), alpha);
             if (k.needs(2)) db = scaled(mm(flipped(k.saved(0)), k.g), alpha);
             return {dx, da, db};
           });
  return y;
}

// beta * x + alpha * product(a, b) of 16-bit floats is rounded once, at its end.
template <class Product>
Tensor combined_product(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
                        const Scalar& alpha, Product product) {
  bool same = x.dtype() == a.dtype() && a.dtype() == b.dtype();
  if (!same || !is_reduced(a.dtype()) || needs_grad(x, a, b))
    return combined(x, product(a, b), beta, alpha);
  auto wide = [](const Tensor& t) { return to(t, DType::Float); };
  return to(combined(wide(x), product(wide(a), wide(b)), beta, alpha), a.dtype());
}

void check_matrices(const Tensor& a, const Tensor& b) {
  CHECK(a.dim() == 2, "self must be a matrix");
  CHECK(b.dim() == 2, "mat2 must be a matrix");
  CHECK(a.size(1) == b.size(0), "mat1 and mat2 shapes cannot be multiplied (", a.size(0), "x",
        a.size(1), " and ", b.size(0), "x", b.size(1), ")");
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
  check_matrices(a, b);
  check_types("CUDA_mm", a, b);
  Tensor y = mm_plain(a, b);
  if (needs_grad(a, b))
    record(y, "MmBackward0", {a, b}, {a, b}, [](const Backward& k) -> Tensors {
      Tensor da, db;
      if (k.needs(0)) da = mm(k.g, flipped(k.saved(1)));
      if (k.needs(1)) db = mm(flipped(k.saved(0)), k.g);
      return {da, db};
    });
  return y;
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  CHECK(a.dim() == 3, "batch1 must be a 3D tensor");
  CHECK(b.dim() == 3, "batch2 must be a 3D tensor");
  check_types("CUDA_bmm", a, b);
  CHECK(a.size(0) == b.size(0) && a.size(2) == b.size(1),
        "Expected size for first two dimensions of batch2 tensor to be: [", a.size(0), ", ",
        a.size(2), "] but got: [", b.size(0), ", ", b.size(1), "].");
  Tensor y = empty(Dims{a.size(0), a.size(1), b.size(2)}, a.dtype(), a.device());
  multiply_batches(y, a, b);
  if (needs_grad(a, b))
    record(y, "BmmBackward0", {a, b}, {a, b}, [](const Backward& k) -> Tensors {
      Tensor da, db;
      if (k.needs(0)) da = bmm(k.g, flipped(k.saved(1)));
      if (k.needs(1)) db = bmm(flipped(k.saved(0)), k.g);
      return {da, db};
    });
  return y;
}

Tensor mv(const Tensor& a, const Tensor& v) {
  CHECK(a.dim() == 2 && v.dim() == 1, "vector + matrix @ vector expected, got ", 1, ", ", a.dim(),
        ", ", v.dim());
  CHECK(a.size(1) == v.size(0), "size mismatch, got input (", a.size(0), "), mat (", a.size(0), "x",
        a.size(1), "), vec (", v.size(0), ")");
  check_types("CUDA_mv", a, v);
  Tensor y = empty(Dims{a.size(0)}, a.dtype(), a.device());
  {
    tape::NoGrad off;
    Tensor column = unsqueeze(v, 1), target = view_of(y, Dims{a.size(0), 1}, Dims{1, 1});
    multiply(target, a, column, false);
  }
  if (needs_grad(a, v))
    record(y, "MvBackward0", {a, v}, {a, v}, [](const Backward& k) -> Tensors {
      Tensor da, dv;
      if (k.needs(0)) da = outer(k.g, conj(k.saved(1)));
      if (k.needs(1)) dv = mv(flipped(k.saved(0)), k.g);
      return {da, dv};
    });
  return y;
}

Tensor dot(const Tensor& a, const Tensor& b) {
  CHECK(a.dim() == 1 && b.dim() == 1, "1D tensors expected, but got ", a.dim(), "D and ", b.dim(),
        "D tensors");
  CHECK(a.dtype() == b.dtype(), "dot : expected both vectors to have same dtype, but found ",
        label(a.dtype()), " and ", label(b.dtype()));
  CHECK(a.size(0) == b.size(0), "inconsistent tensor size, expected tensor [", a.size(0),
        "] and src [", b.size(0), "] to have the same number of elements, but got ", a.size(0),
        " and ", b.size(0), " elements respectively");
  CHECK_KIND(a.dtype() != DType::Bool, NotImplemented, "\"dot\" not implemented for 'Bool'");
  Tensor y = empty({}, a.dtype(), a.device());
  require_device(a.device(), b);
  if (a.dtype() == DType::Float && a.device().is_cpu()) {
    *y.data<float>() =
        cpu::dot(a.data<float>(), a.stride(0), b.data<float>(), b.stride(0), a.size(0));
  } else {
    tape::NoGrad off;
    Tensor row = unsqueeze(a, 0), column = unsqueeze(b, 1),
           target = view_of(y, Dims{1, 1}, Dims{1, 1});
    multiply(target, row, column, false);
  }
  if (needs_grad(a, b))
    record(y, "DotBackward0", {a, b}, {a, b}, [](const Backward& k) -> Tensors {
      Tensor da, db;
      if (k.needs(0)) da = k.g * conj(k.saved(1));
      if (k.needs(1)) db = k.g * conj(k.saved(0));
      return {da, db};
    });
  return y;
}

Tensor vdot(const Tensor& a, const Tensor& b) { return dot(conj(a), b); }

Tensor outer(const Tensor& a, const Tensor& b) {
  CHECK(a.dim() == 1, "outer: Expected 1-D argument self, but got ", a.dim(), "-D");
  CHECK(b.dim() == 1, "outer: Expected 1-D argument vec2, but got ", b.dim(), "-D");
  return mul(unsqueeze(a, 1), b);
}

Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
             const Scalar& alpha) {
  CHECK(a.dim() == 2, "mat1 must be a matrix, got ", a.dim(), "-D tensor");
  CHECK(b.dim() == 2, "mat2 must be a matrix, got ", b.dim(), "-D tensor");
  check_matrices(a, b);
  if (adds_plainly(x, a, b, beta, alpha)) return added_product(x, a, b, beta, alpha);
  return combined_product(x, a, b, beta, alpha, mm);
}

Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
               const Scalar& alpha) {
  return combined_product(x, a, b, beta, alpha, bmm);
}

Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
              const Scalar& alpha) {
  CHECK(a.dim() == 3 && b.dim() == 3, "batch1 must be a 3D tensor");
  // The batch joins the inner dimension: sum_i a[i] @ b[i] = [a[0] a[1] ...] @ [b[0]; b[1]; ...].
  CHECK(a.size(0) == b.size(0), "batch1 and batch2 must have same number of batches, got ",
        a.size(0), " and ", b.size(0));
  CHECK(a.size(2) == b.size(1), "Incompatible matrix sizes for bmm (", a.size(1), "x", a.size(2),
        " and ", b.size(1), "x", b.size(2), ")");
  Tensor wide = reshape(permute(a, Dims{1, 0, 2}), Dims{a.size(1), a.size(0) * a.size(2)});
  Tensor tall = reshape(b, Dims{b.size(0) * b.size(1), b.size(2)});
  return combined_product(x, wide, tall, beta, alpha, mm);
}

Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& v, const Scalar& beta,
             const Scalar& alpha) {
  return combined(x, mv(a, v), beta, alpha);
}

Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta,
            const Scalar& alpha) {
  CHECK(a.dim() == 1 && b.dim() == 1, "addr: Expected 1-D argument vec1, but got ", a.dim(), "-D");
  if (result_type(x, a) == DType::Bool && b.dtype() == DType::Bool) {  // and, or
    Tensor product = logical_and(outer(a, b), scalar_tensor(!is_zero(alpha), DType::Bool, {}));
    return is_zero(beta) ? product : logical_or(expand(x, product.sizes()), product);
  }
  Tensor product = scaled(outer(a, b), alpha);
  if (is_zero(beta)) return product;
  return add(scaled(expand(x, product.sizes()), beta), product);
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  int64_t p = a.dim(), q = b.dim();
  CHECK(p > 0 && q > 0, "both arguments to matmul need to be at least 1D, but they are ", p,
        "D and ", q, "D");
  if (p == 1 && q == 1) return dot(a, b);
  if (p == 2 && q == 1) return mv(a, b);
  if (p == 1 && q == 2) return squeeze(mm(unsqueeze(a, 0), b), 0);
  if (p == 2 && q == 2) return mm(a, b);
  if (p == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  if (q == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  int64_t k = a.size(p - 1);
  CHECK(k == b.size(q - 2),
        q == 2
            ? concat("mat1 and mat2 shapes cannot be multiplied (", k ? a.numel() / k : 0, "x", k,
                     " and ", b.size(0), "x", b.size(1), ")")
            : concat("Expected size for first two dimensions of batch2 tensor to be: [",
                     a.numel() / std::max<int64_t>(1, a.size(p - 2) * k), ", ", k, "] but got: [",
                     b.numel() / std::max<int64_t>(1, b.size(q - 2) * b.size(q - 1)), ", ",
                     b.size(q - 2), "]."));
  Dims sizes;
  if (q == 2) {  // one matrix for all of a: a's leading dimensions join its rows
    int64_t rows = 1;
    for (int64_t i = 0; i + 1 < p; ++i) {
      sizes.push_back(a.size(i));
      rows *= a.size(i);
    }
    sizes.push_back(b.size(1));
    return view(mm(reshape(a, Dims{rows, k}), b), sizes);
  }
  Dims lead = broadcast(Span(a.sizes()).first(static_cast<size_t>(p - 2)),
                        Span(b.sizes()).first(static_cast<size_t>(q - 2)));
  int64_t batch = checked_numel(lead);
  auto batched = [&](const Tensor& x) {
    int64_t rows = x.size(x.dim() - 2), cols = x.size(x.dim() - 1);
    Dims full = lead;
    full.push_back(rows);
    full.push_back(cols);
    return reshape(expand(x, full), Dims{batch, rows, cols});
  };
  Tensor y = bmm(batched(a), batched(b));
  sizes = lead;
  sizes.push_back(a.size(p - 2));
  sizes.push_back(b.size(q - 1));
  return view(y, sizes);
}

// y (rows, out), of any shape, = x (rows, in) @ weight^T + bias, without recording.
static void multiply_linear(const Tensor& y, const Tensor& x, const Tensor& weight,
                            const Tensor& bias) {
  int64_t rows = x.size(0), in = weight.size(1), out = weight.size(0);
  if (y.device().is_cuda())
    return cuda::multiply(cuda::On{}, view_of(y, Dims{rows, out}, Dims{out, 1}), x,
                          transpose(weight, 0, 1), bias, {}, "linear");
  require_available(y.device());
  Tensor keep_x, keep_w;
  Matrix a = matrix_of(x, keep_x), w = matrix_of(weight, keep_w);
  w = {w.data, in, out, w.ld, !w.transposed};
  Matrix c{y.raw(), rows, out, std::max<int64_t>(out, 1), false};
  if (bias.defined())
    cpu::matmul_biased(y.dtype(), a, w, c, bias.raw());
  else
    cpu::matmul(y.dtype(), a, w, c, false);
}

// y = x @ weight^T + bias over the last dimension of x; weight (out, in) or (in,).
Tensor linear(const Tensor& x, const Tensor& weight, Optional<Tensor> given) {
  Tensor bias = given.value_or(Tensor());
  int64_t d = x.dim();
  if (weight.dim() != 2 || d == 0) {
    CHECK(d > 0 && weight.dim() == 1,
          "linear(): weight must be a matrix or a vector and input must have dimensions");
    Tensor y = matmul(x, weight);
    return bias.defined() ? add(y, bias) : y;
  }
  int64_t k = x.size(d - 1), out = weight.size(0), rows = 1;
  for (int64_t i = 0; i + 1 < d; ++i) rows *= x.size(i);
  CHECK(k == weight.size(1), "mat1 and mat2 shapes cannot be multiplied (", rows, "x", k, " and ",
        weight.size(1), "x", out, ")");
  CHECK(x.device() == weight.device(),
        "Expected all tensors to be on the same device, but found at least two devices, ",
        to_string(x.device()), " and ", to_string(weight.device()), "!");
  if (x.dtype() != weight.dtype()) {
    CHECK(bias.defined(), "expected m1 and m2 to have the same dtype, but got: ", c_name(x.dtype()),
          " != ", c_name(weight.dtype()));
    fail("mat1 and mat2 must have the same dtype, but got ", label(x.dtype()), " and ",
         label(weight.dtype()));
  }
  bool fused = bias.defined() && bias.dim() == 1 && bias.size(0) == out &&
               bias.dtype() == x.dtype() && bias.device() == x.device();
  Dims sizes = x.sizes();
  sizes[static_cast<size_t>(d - 1)] = out;
  Tensor y = empty(sizes, x.dtype(), x.device());
  if (!y.is_meta()) {
    tape::NoGrad off;
    Tensor flat = d == 2 ? x : reshape(x, Dims{rows, k});
    multiply_linear(y, flat, weight, fused ? contiguous(bias) : Tensor());
  }
  Tensor added = fused ? bias : Tensor();
  if (needs_grad(x, weight, added)) {
    const char* name = d == 2   ? (fused ? "AddmmBackward0" : "MmBackward0")
                       : d == 1 ? (fused ? "AddBackward0" : "SqueezeBackward4")
                                : (fused ? "ViewBackward0" : "UnsafeViewBackward0");
    record(y, name, {x, weight, added}, {x, weight}, [](const Backward& b) -> Tensors {
      Tensor x = b.saved(0), w = b.saved_transposed(1), dx, dw, db;
      int64_t k = w.size(1), out = w.size(0);
      int64_t rows = 1;
      for (int64_t i = 0; i + 1 < x.dim(); ++i) rows *= x.size(i);
      Tensor g = b.g.dim() == 2 ? b.g : reshape(b.g, Dims{rows, out});
      if (b.needs(0)) dx = x.dim() == 2 ? mm(g, conj(w)) : reshape(mm(g, conj(w)), x.sizes());
      if (b.needs(1))
        dw = mm(transpose(g, 0, 1), conj(x.dim() == 2 ? x : reshape(x, Dims{rows, k})));
      if (b.needs(2)) db = sum_to(g, Dims{out});
      return {dx, dw, db};
    });
  }
  return bias.defined() && !fused ? add(y, bias) : y;
}

}  // namespace lampas::ops
