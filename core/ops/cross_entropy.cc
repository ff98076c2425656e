// Losses of class targets: nll_loss and cross_entropy, whose gradient (softmax - one-hot) is fused.
#include "cpu/losses.h"
#include "cpu/softmax.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/losses.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

// The class dimension: 0 for a single sample (C), else 1.
int64_t class_dim(const Tensor& x) { return x.dim() == 1 ? 0 : 1; }

void check_shapes(const Tensor& x, const Tensor& target) {
  CHECK_KIND(x.dim() >= 1, Value, "Expected 1 or more dimensions (got ", x.dim(), ")");
  if (x.dim() == 1) {
    CHECK_KIND(target.dim() == 0 || target.numel() == 1, Value,
               "For 1D input, 1D target must have size 1, but got target size: ",
               target.dim() ? target.size(0) : 1);
    return;
  }
  CHECK_KIND(target.dim() >= 1 && x.size(0) == target.size(0), Value, "Expected input batch_size (",
             x.size(0), ") to match target batch_size (", target.dim() ? target.size(0) : 1, ").");
  Dims wanted{x.size(0)};
  for (int64_t d = 2; d < x.dim(); ++d) wanted.push_back(x.size(d));
  if (same(wanted, target.sizes())) return;
  CHECK(x.dim() != 2, "0D or 1D target tensor expected, multi-target not supported");
  CHECK(x.dim() != 4 || target.dim() != 3, "size mismatch (got input: ", to_string(x.sizes()),
        " , target: ", to_string(target.sizes()));
  fail("Expected target size ", to_string(wanted), ", got ", to_string(target.sizes()));
}

void check_types(const Tensor& x, const Tensor& target, const Tensor& weight) {
  CHECK(target.dtype() == DType::Int64 || target.dtype() == DType::UInt8,
        "expected target dtype to be Long or Byte, but got ", label(target.dtype()));
  if (!weight.defined()) return;
  int64_t classes = x.size(class_dim(x));
  CHECK(weight.dim() == 1 && weight.numel() == classes,
        "weight tensor should be defined either for all ", classes,
        " classes or no classes but got weight tensor of shape: ", to_string(weight.sizes()));
  CHECK(weight.dtype() == x.dtype(), "expected scalar type ", label(x.dtype()), " but found ",
        label(weight.dtype()));
}

DType compute_dtype(DType dtype) { return is_reduced(dtype) ? DType::Float : dtype; }

// What each line lost and weighs, and the result; the formulas keep `weights`.
struct Picked {
  Tensor y, weights, total, target;
};

// x: log-probabilities, or (with lse) scores.
Picked pick(const Tensor& x, const Tensor& lse, const Tensor& target, const Tensor& weight,
            int64_t reduction, int64_t ignored) {
  check_reduction(reduction);
  tape::NoGrad off;
  int64_t d = class_dim(x);
  Lines lines(x, d);
  Dims sizes = x.sizes();
  sizes.erase(d);
  DType type = compute_dtype(x.dtype());
  Picked p;
  p.target = reshape(contiguous(to(target, DType::Int64)), sizes);
  KERNEL(check_classes, p.target, lines.n, ignored);
  Tensor losses = empty(sizes, type, x.device());
  p.weights = empty(sizes, type, x.device());
  Tensor scale = weight.defined() ? contiguous(to(weight, type)) : Tensor();
  KERNEL(pick_losses, losses, p.weights, x, lse, p.target, scale, ignored, lines);
  constexpr int64_t few = 1 << 14;  // what one block of a GPU adds as fast as many
  if (reduction == kNone) {
    p.y = to(losses, x.dtype());
  } else if (x.device().is_cuda() && losses.numel() <= few) {
    p.y = empty(Dims{}, x.dtype(), x.device());
    if (reduction == kMean) p.total = empty(Dims{}, type, x.device());
    cuda::total_loss(cuda::On{}, p.y, p.total, losses, p.weights);
  } else {
    p.y = sum_all(losses, {});
    if (reduction == kMean) {
      p.total = sum_all(p.weights, {});
      p.y = p.y / p.total;
    }
    p.y = to(p.y, x.dtype());
  }
  return p;
}

// The gradient of each line's loss, weighted: 0 for ignored lines even when the mean was 0 / 0.
Tensor line_scale(const Tensor& g, const Tensor& weights, const Tensor& total) {
  if (g.device().is_cuda() && !tape::grad_enabled()) {
    Tensor scale = empty_like(weights);
    cuda::line_scales(cuda::On{}, scale, contiguous(g), weights, total);
    return scale;
  }
  Tensor wide = to(g, weights.dtype());
  if (total.defined()) wide = wide / total;
  return where(eq(weights, 0), 0, wide * weights);
}

// Targets in range, for scatter: ignored ones point at class 0, where they add nothing.
Tensor class_indices(const Tensor& target, int64_t ignored, int64_t d) {
  return unsqueeze(where(eq(target, ignored), 0, target), d);
}

Tensor nll(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
           int64_t ignored) {
  check_shapes(x, target);
  check_types(x, target, weight);
  if (!x.is_floating()) fail_dtype("nll_loss_out_frame", x.dtype());
  Picked p = pick(contiguous(x), {}, target, weight, reduction, ignored);
  if (!needs_grad(x)) return p.y;
  int64_t d = class_dim(x);
  const char* node = x.dim() <= 2 ? "NllLossBackward0" : "NllLoss2DBackward0";
  record(p.y, node, {x}, {p.target, p.weights, p.total, x},
         [=, sizes = x.sizes()](const Backward& b) -> Tensors {
           Tensor target = b.saved(0), scale = line_scale(b.g, b.saved(1), b.saved(2));
           if (!tape::grad_enabled()) {
             Tensor dx = empty(sizes, b.g.dtype(), b.g.device());
             KERNEL(scatter_losses, dx, target, contiguous(scale), Lines(dx, d));
             return {dx};
           }
           // x takes part, so that the gradient has a gradient by x: zero.
           Tensor never = zeros(Dims{}, DType::Bool, b.g.device());
           Tensor nothing = where(never, b.saved(3), 0);
           Tensor picked = unsqueeze(to(-scale, b.g.dtype()), d);
           return {scatter_add(nothing, d, class_indices(target, ignored, d), picked)};
         });
  return p.y;
}

// Scores to loss in one step: neither the log-probabilities nor one-hot targets are ever stored.
Tensor fused(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t reduction,
             int64_t ignored) {
  check_shapes(input, target);
  check_types(input, target, weight);
  int64_t d = class_dim(input);
  Tensor x = contiguous(input);
  Dims sizes = x.sizes();
  sizes.erase(d);
  Tensor lse = empty(sizes, compute_dtype(x.dtype()), x.device());
  KERNEL(log_sum, lse, x, Lines(x, d));
  Picked p = pick(x, lse, target, weight, reduction, ignored);
  if (!needs_grad(x)) return p.y;
  const char* node = x.dim() <= 2 ? "NllLossBackward0" : "NllLoss2DBackward0";
  record(p.y, node, {x}, {x, lse, p.target, p.weights, p.total}, [=](const Backward& b) -> Tensors {
    Tensor x = b.saved(0), target = b.saved(2);
    Tensor scale = line_scale(b.g, b.saved(3), b.saved(4));
    if (!tape::grad_enabled()) {
      Tensor dx = empty(x.sizes(), x.dtype(), x.device());
      KERNEL(cross_entropy_backward, dx, contiguous(x), b.saved(1), target, contiguous(scale),
             Lines(x, d));
      return {dx};
    }
    Tensor wide = unsqueeze(to(scale, x.dtype()), d);
    return {scatter_add(softmax(x, d, {}) * wide, d, class_indices(target, ignored, d), -wide)};
  });
  return p.y;
}

// -sum over classes of weight * log-probability, per line.
Tensor smooth_losses(const Tensor& logs, const Tensor& weight, int64_t d) {
  Tensor scaled = logs;
  if (weight.defined()) {
    Dims shape(logs.dim(), 1);
    shape[d] = logs.size(d);
    scaled = logs * reshape(weight, shape);
  }
  return -sum(scaled, Dims{d}, false);
}

Tensor smoothed(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                int64_t ignored, double smoothing) {
  int64_t d = class_dim(x), classes = x.size(d);
  check_shapes(x, target);
  check_types(x, target, weight);
  Tensor logs = log_softmax(x, d, {});
  Tensor hard = nll(logs, target, weight, reduction, ignored);
  Tensor each = smooth_losses(logs, weight, d);
  Tensor at = reshape(to(target, DType::Int64), each.sizes()), skipped = eq(at, ignored);
  each = where(skipped, 0, each);
  Tensor soft = each;
  if (reduction == kSum) soft = sum_all(each, {});
  if (reduction == kMean) {
    Tensor counted = logical_not(skipped);
    Tensor total;
    if (weight.defined()) {
      Tensor safe = where(skipped, 0, at);
      Tensor used = index_select(weight, 0, reshape(safe, Dims{-1}));
      total = sum_all(where(reshape(skipped, Dims{-1}), 0, used), {});
    } else {
      total = sum_all(counted, {});
    }
    soft = sum_all(each, {}) / total;
  }
  return hard * (1 - smoothing) + soft * (smoothing / static_cast<double>(classes));
}

Tensor of_probabilities(const Tensor& x, const Tensor& target, const Tensor& weight,
                        int64_t reduction, double smoothing) {
  check_reduction(reduction);
  CHECK(target.is_floating(),
        "Expected floating point type for target with class probabilities, got ",
        label(target.dtype()));
  int64_t d = class_dim(x), classes = x.dim() ? x.size(d) : 1;
  CHECK(!weight.defined() || (weight.dim() == 1 && weight.numel() == classes),
        "cross_entropy: weight tensor should be defined either for all ", classes,
        " classes or no classes but got weight tensor of shape: ",
        weight.defined() ? to_string(weight.sizes()) : "");
  Tensor logs = log_softmax(x, d, {}), t = target;
  if (smoothing > 0) t = t * (1 - smoothing) + smoothing / static_cast<double>(classes);
  Tensor each = smooth_losses(logs * t, weight, d);
  if (reduction != kMean) return reduced_loss(each, reduction);
  return sum_all(each, {}) / (static_cast<double>(x.numel()) / static_cast<double>(classes));
}

}  // namespace

Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                int64_t ignore_index) {
  return nll(x, target, weight, reduction, ignore_index);
}

Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t reduction,
                     int64_t ignore_index, double label_smoothing) {
  CHECK(label_smoothing <= 1,
        "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  if (same(x.sizes(), target.sizes())) {
    CHECK(ignore_index < 0, "ignore_index is not supported for floating point target");
    return of_probabilities(x, target, weight, reduction, label_smoothing);
  }
  if (!x.is_floating()) fail_dtype("log_softmax_lastdim_kernel_impl", x.dtype());
  if (label_smoothing > 0)
    return smoothed(x, target, weight, reduction, ignore_index, label_smoothing);
  return fused(x, target, weight, reduction, ignore_index);
}

}  // namespace lampas::ops
