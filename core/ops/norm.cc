// Vector norms, and what is built on them: dist, renorm, cdist.
#include "cpu/distance.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/promotion.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Reduction row_of(double p) {
  if (p == 0) return Reduction::norm_0;
  if (p == 1) return Reduction::norm_1;
  if (p == 2) return Reduction::norm_2;
  if (p == kInfinity) return Reduction::norm_max;
  if (p == -kInfinity) return Reduction::norm_min;
  return Reduction::norm_p;
}

void check_dtypes(const Tensor& x, Optional<DType> dtype) {
  CHECK(x.is_floating() || x.is_complex(),
        "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
        label(x.dtype()));
  if (!dtype) return;
  CHECK(is_floating(*dtype) || is_complex(*dtype),
        "linalg.vector_norm: dtype should be floating point or complex, but got ", label(*dtype));
  CHECK(is_complex(*dtype) == x.is_complex(), "linalg.vector_norm: dtype should be ",
        x.is_complex() ? "complex" : "real", " for ", x.is_complex() ? "complex" : "real",
        " inputs, but got ", label(*dtype));
  CHECK(promote(x.dtype(), *dtype) == *dtype, "linalg.vector_norm: the dtype of the input (",
        label(x.dtype()), ") should be convertible without narrowing to the specified dtype (",
        label(*dtype), ")");
}

void check_empty(const Tensor& x, double p, const Reduced& r, bool whole) {
  if (x.numel() != 0 || (p >= 0 && p != kInfinity)) return;
  CHECK(!whole && x.dim() != 0, "linalg.vector_norm cannot compute the ", p,
        " norm on an empty tensor because the operation does not have an identity");
  for (int64_t d : r.dims())
    CHECK(x.size(d) != 0, "linalg.vector_norm cannot compute the ", p, " norm on the dimension ", d,
          "because this dimension is empty and the operation does not have an identity");
}

// d|x|_p = |x|^(p-1) sgn(x) / y^(p-1), zero where it has no value.
Tensor gradient(double p, const Tensor& g, const Tensor& x, const Tensor& y, const Dims& dims) {
  if (std::isinf(p)) {
    Tensor size = abs(x), top = eq(size, y);
    Tensor ties = dims.empty() ? to(top, DType::Int64) : sum(top, dims, true);
    return sgn(x) * where(top, g / ties, 0);
  }
  if (p < 1) {
    Tensor scaled = sgn(x) * pow(abs(x), p - 1);
    return where(eq(x, 0), 0, scaled) * (g * pow(y, 1 - p));
  }
  if (p < 2) {
    Tensor scaled = sgn(x) * pow(abs(x), p - 1);
    return scaled * where(eq(y, 0), 0, g / pow(y, p - 1));
  }
  return x * pow(abs(x), p - 2) * where(eq(y, 0), 0, g / pow(y, p - 1));
}

Tensor vector_norm(const Tensor& x, double p, const Reduced& r) {
  Reduction row = row_of(p);
  Tensor y = reduce_plain(row, x, r, p);
  if (!needs_grad(x)) return y;
  const char* node = "LinalgVectorNormBackward0";
  if (p == 0) {
    record(y, node, {x}, {}, [](const Backward&) -> Tensors { return {Tensor()}; });
    return y;
  }
  if (p == 1 || p == 2) {
    record_reduction(y, row, node, x, r, p);
    return y;
  }
  record(y, node, {x}, {x, tape::out(y)}, [r, p](const Backward& b) -> Tensors {
    return {gradient(p, r.restore(b.g), b.saved(0), r.restore(b.saved(1)), r.dims())};
  });
  return y;
}

}  // namespace

Tensor linalg_vector_norm(const Tensor& x, const Scalar& ord, Optional<Dims> dim, bool keepdim,
                          Optional<DType> dtype) {
  check_dtypes(x, dtype);
  double p = ord.real();
  Reduced r(x, dim, keepdim);
  check_empty(x, p, r, !dim || dim->empty());
  return vector_norm(dtype ? to(x, *dtype) : x, p, r);
}

Tensor dist(const Tensor& x, const Tensor& other, const Scalar& p) {
  Tensor difference = x - other;
  CHECK(difference.is_floating() || difference.is_complex(),
        "dist only supports floating point dtypes, "
        "X1 got: ",
        label(x.dtype()));
  return vector_norm(difference, p.real(), Reduced(difference, Optional<Dims>(), false));
}

Tensor renorm(const Tensor& x, const Scalar& p, int64_t dim, const Scalar& maxnorm) {
  CHECK(p.real() > 0, "renorm: non-positive-norm not supported");
  CHECK(maxnorm.real() >= 0, "renorm: expected maxnorm to be >= 0 but got ", maxnorm.real());
  CHECK(x.dim() > 1, "renorm: input needs at least 2 dimensions, got ", x.dim(), " dimensions");
  Dims others;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (d != wrap_dim(dim, x.dim())) others.push_back(d);
  Tensor size = linalg_vector_norm(x, p, others, true, {});
  double limit = maxnorm.real();
  // A little more in the divisor, so that the result does not exceed the limit by rounding.
  Tensor factor = where(gt(size, limit), limit / (size + 1e-7), 1);
  return contiguous(x * factor);
}

// --- pairwise distances ---

namespace {

Tensor distances_backward(const Tensor& g, const Tensor& a, const Tensor& b, double p,
                          const Tensor& y) {
  // Differences of all pairs, differentiable: (..., P, R, M).
  Tensor difference = unsqueeze(a, -2) - unsqueeze(b, -3);
  Tensor z = unsqueeze(y, -1), w = unsqueeze(g, -1);
  if (p == 0) return zeros_like(difference);
  if (p == 1) return w * sgn(difference);
  if (p == 2) return where(eq(z, 0), 0, difference * (w / z));
  return gradient(p, w, difference, z, Dims{-1});
}

}  // namespace

Tensor cdist(const Tensor& x1, const Tensor& x2, double p,
             const Optional<std::string>& compute_mode) {
  for (const Tensor* x : {&x1, &x2}) {
    const char* name = x == &x1 ? "X1" : "X2";
    CHECK(x->dim() >= 2, "cdist only supports at least 2D tensors, ", name, " got: ", x->dim(),
          "D");
    CHECK(x->is_floating(), "cdist only supports floating-point dtypes, ", name,
          " got: ", label(x->dtype()));
  }
  int64_t m = x1.size(x1.dim() - 1);
  CHECK(m == x2.size(x2.dim() - 1), "X1 and X2 must have the same number of columns. X1: ", m,
        " X2: ", x2.size(x2.dim() - 1));
  CHECK(p >= 0, "cdist only supports non-negative p values");
  if (compute_mode) {
    const std::string& mode = *compute_mode;
    CHECK_KIND(mode == "use_mm_for_euclid_dist_if_necessary" || mode == "use_mm_for_euclid_dist" ||
                   mode == "donot_use_mm_for_euclid_dist",
               Value, mode, " is not a valid value for compute_mode");
  }
  Dims batch =
      broadcast(Span(x1.sizes()).first(x1.dim() - 2), Span(x2.sizes()).first(x2.dim() - 2));
  Dims left = batch, right = batch, sizes = batch;
  left.push_back(x1.size(x1.dim() - 2));
  left.push_back(m);
  right.push_back(x2.size(x2.dim() - 2));
  right.push_back(m);
  sizes.push_back(left[batch.size()]);
  sizes.push_back(right[batch.size()]);
  DType dtype = promote(x1.dtype(), x2.dtype());
  Tensor a = expand(to(x1, dtype), left), b = expand(to(x2, dtype), right);
  Tensor y = empty(sizes, dtype, x1.device());
  KERNEL(distances, y, contiguous(a), contiguous(b), p);
  if (needs_grad(a, b)) {
    record(y, "CdistBackward0", {a, b}, {a, b, tape::out(y)}, [p](const Backward& t) -> Tensors {
      Tensor d = distances_backward(t.g, t.saved(0), t.saved(1), p, t.saved(2));
      Tensor da, db;
      if (t.needs(0)) da = sum(d, Dims{-2}, false);
      if (t.needs(1)) db = -sum(d, Dims{-3}, false);
      return {da, db};
    });
  }
  return y;
}

}  // namespace lampas::ops
