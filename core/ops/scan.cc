// Running sums, products and extremes along a dimension. Composites (diff, trapezoid) are in
// src/lampas/ops/reduction.py.
#include "cpu/scan.h"
#include "cpu/products.h"

#include "ops/arithmetic.h"
#include "ops/choice.h"
#include "ops/copy.h"
#include "ops/kernel.h"

namespace lampas::ops {

using cpu::Scan;
using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

Tensor scanned(const Tensor& x, int64_t d, Scan kind) {
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  KERNEL(scan, y, contiguous(x), Lines(x, d), kind);
  return y;
}

// dtype=, or int64 for integers and bool.
Tensor widened(const Tensor& x, Optional<DType> dtype) {
  DType type = dtype.value_or(is_integral(x.dtype(), true) ? DType::Int64 : x.dtype());
  return to(x, type);
}

// Sums of everything from each place to the end.
Tensor from_behind(const Tensor& x, int64_t d) {
  if (x.dim() == 0 || x.numel() == 0) return x;
  return flip(cumsum(flip(x, Dims{d}), d, {}), Dims{d});
}

// The gradient of a cumulative product where x has zeros, as a matrix: y_i depends on x_j for i >=
// j by the product of the x_k, k <= i, k != j. Quadratic in the length; has every derivative.
Tensor product_gradient_with_zeros(const Tensor& g, const Tensor& x, int64_t d) {
  Tensor line = transpose(x, d, -1), dy = transpose(g, d, -1);
  int64_t n = line.size(line.dim() - 1);
  Dims sizes = line.sizes();
  sizes.insert(sizes.size() - 1, n);
  Tensor mask = empty(Dims{n, n}, DType::Bool, x.device());
  KERNEL(fill_diagonal_mask, mask);
  // Row j has a one in place of x_j: its running product is, from j on, what x_j is multiplied by.
  Tensor without = cumprod(where(mask, 1, expand(unsqueeze(line, -2), sizes)), -1, {});
  Tensor later = cumsum(to(mask, DType::UInt8), 1, {});  // (j, i): 1 for i >= j
  Tensor factors = conj(without) * later;
  return transpose(sum(factors * unsqueeze(dy, -2), Dims{-1}, false), d, -1);
}

// dx_j = sum over i >= j of g_i exp(x_j - y_i), as a matrix: no exponent is positive. Quadratic in
// the length; has every derivative.
Tensor logcumsumexp_gradient(const Tensor& g, const Tensor& x, const Tensor& y, int64_t d) {
  int64_t n = x.size(d);
  Tensor mask = empty(Dims{n, n}, DType::Bool, x.device());
  KERNEL(fill_diagonal_mask, mask);
  Tensor later = to(cumsum(to(mask, DType::UInt8), 1, {}), DType::Bool);  // (j, i): i >= j
  Tensor distance = unsqueeze(transpose(x, d, -1), -1) - unsqueeze(transpose(y, d, -1), -2);
  Tensor weight = exp(where(later, distance, -std::numeric_limits<double>::infinity()));
  return transpose(sum(weight * unsqueeze(transpose(g, d, -1), -2), Dims{-1}, false), d, -1);
}

bool any_zero(const Tensor& x) {
  Tensor nonzero = reduce_plain(Reduction::all, x, Reduced(x, Optional<Dims>(), false));
  return !x.is_meta() && !truth(nonzero);
}

std::tuple<Tensor, Tensor> extremes_so_far(const Tensor& x, int64_t dim, bool largest) {
  int64_t d = wrap_dim(dim, x.dim());
  if (x.is_complex()) fail_dtype(largest ? "cummax_cpu" : "cummin_cpu", x.dtype());
  Tensor values = empty(x.sizes(), x.dtype(), x.device());
  Tensor indices = empty(x.sizes(), DType::Int64, x.device());
  KERNEL(scan_extremes, values, indices, contiguous(x), Lines(x, d), largest);
  record_choices(values, largest ? "CummaxBackward0" : "CumminBackward0", x, indices, d, true);
  return {values, indices};
}

}  // namespace

Tensor cumsum(const Tensor& input, int64_t dim, Optional<DType> dtype) {
  int64_t d = wrap_dim(dim, input.dim());
  Tensor x = widened(input, dtype), y = scanned(x, d, Scan::Sum);
  if (needs_grad(x))
    record(y, "CumsumBackward0", {x}, {},
           [d](const Backward& b) -> Tensors { return {from_behind(b.g, d)}; });
  return y;
}

Tensor cumprod(const Tensor& input, int64_t dim, Optional<DType> dtype) {
  int64_t d = wrap_dim(dim, input.dim());
  Tensor x = widened(input, dtype), y = scanned(x, d, Scan::Product);
  if (needs_grad(x)) {
    record(y, "CumprodBackward0", {x}, {x, tape::out(y)}, [d](const Backward& b) -> Tensors {
      Tensor x = b.saved(0);
      if (x.dim() == 0 || x.size(d) <= 1) return {b.g};
      if (any_zero(x)) return {product_gradient_with_zeros(b.g, x, d)};
      return {from_behind(b.g * conj(b.saved(1)), d) / conj(x)};
    });
  }
  return y;
}

Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  int64_t d = wrap_dim(dim, x.dim());
  if (is_integral(x.dtype(), true)) fail_dtype("logcumsumexp_out_cpu", x.dtype());
  Tensor y = scanned(x, d, Scan::LogSumExp);
  if (needs_grad(x)) {
    record(y, "LogcumsumexpBackward0", {x}, {x, tape::out(y)}, [d](const Backward& b) -> Tensors {
      Tensor x = b.saved(0), y = b.saved(1);
      if (x.dim() == 0) return {b.g};
      // dx_j = sum over i >= j of g_i exp(x_j - y_i), in logarithms; real ones by the sign of g.
      auto behind = [d](const Tensor& t) {
        return flip(logcumsumexp(flip(t, Dims{d}), d), Dims{d});
      };
      if (x.is_complex()) return {exp(behind(log(b.g) - conj(y)) + conj(x))};
      if (tape::grad_enabled()) return {logcumsumexp_gradient(b.g, x, y, d)};
      double inf = std::numeric_limits<double>::infinity();
      Tensor size = log(abs(b.g));
      Tensor up = exp(behind(where(gt(b.g, 0), size, -inf) - y) + x);
      Tensor down = exp(behind(where(lt(b.g, 0), size, -inf) - y) + x);
      return {up - down};
    });
  }
  return y;
}

std::tuple<Tensor, Tensor> cummax(const Tensor& x, int64_t dim) {
  return extremes_so_far(x, dim, true);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& x, int64_t dim) {
  return extremes_so_far(x, dim, false);
}

}  // namespace lampas::ops
