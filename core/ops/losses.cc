// Losses of two tensors of one shape: a row of pointwise.def and a reduction, as one node. Classes
// are in cross_entropy.cc, margins and embeddings in margin_losses.cc.
#include "ops/losses.h"

#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/row_node.h"

namespace lampas::ops {

using rows::Row;

void check_reduction(int64_t reduction) {
  CHECK_KIND(reduction >= kNone && reduction <= kSum, Value, reduction,
             " is not a valid value for reduction");
}

Tensor reduced_loss(const Tensor& losses, int64_t reduction) {
  check_reduction(reduction);
  if (reduction == kMean) return mean_all(losses, {});
  return reduction == kSum ? sum_all(losses, {}) : losses;
}

namespace {

// A row and the mean or sum over it: hands the row's own node a gradient of the losses' shape.
struct LossNode final : tape::Node {
  Ref<tape::Node> row;
  Dims sizes;  // of the losses
  double divisor = 1;

  Tensors apply(const Tensors& grads) override {
    if (!grads[0].defined()) return Tensors(edges.size());
    Tensor g = divisor == 1 ? grads[0] : grads[0] / divisor;
    return row->apply({expand(g, sizes)});
  }
  void release() override { row->release(); }
};

Tensor loss(Row row, std::initializer_list<Operand> inputs, std::initializer_list<Scalar> params,
            int64_t reduction) {
  check_reduction(reduction);
  if (reduction == kNone) return run(row, inputs, params);
  Tensor each, y;
  {
    tape::NoGrad off;
    each = run(row, inputs, params);
    y = reduced_loss(each, reduction);
  }
  Tensors tensors;
  for (const Operand& input : inputs) tensors.push_back(input.tensor());
  if (!tape::needs_grad(tensors)) return y;
  auto* node = new LossNode;
  Ref<tape::Node> owner = Ref<tape::Node>::adopt(node);
  Operands operands(inputs.begin(), inputs.size());
  node->row = make_row_node(row, each.dtype(), operands, Params(params.begin(), params.size()));
  save_operands(node->row.get(), operands, nullptr, each);
  node->name = rows::info(row).node;
  node->sizes = each.sizes();
  if (reduction == kMean) node->divisor = static_cast<double>(each.numel());
  tape::attach(node, tensors);
  tape::set_output(node, y);
  return y;
}

void check_floating(const char* name, const Tensor& a, const Tensor& b) {
  if (!is_differentiable(a.dtype()) && !is_differentiable(b.dtype())) fail_dtype(name, a.dtype());
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, int64_t reduction) {
  check_floating("mse_cpu", x, target);
  return loss(Row::squared_difference, {x, target}, {}, reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, int64_t reduction) {
  return reduced_loss(abs(x - target), reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, int64_t reduction, double beta) {
  CHECK(beta >= 0, "smooth_l1_loss does not support negative values for beta.");
  if (beta == 0) return l1_loss(x, target, reduction);
  check_floating("smooth_l1_cpu", x, target);
  return loss(Row::smooth_l1, {x, target}, {beta}, reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, int64_t reduction, double delta) {
  CHECK(delta > 0, "huber_loss does not support non-positive values for delta.");
  check_floating("huber_cpu", x, target);
  return loss(Row::huber, {x, target}, {delta}, reduction);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& target, int64_t reduction) {
  CHECK(!tape::needs_grad(target),
        "The function 'soft_margin_loss' is not differentiable with respect to "
        "argument 'target'. This input cannot have requires_grad True.");
  return loss(Row::soft_margin, {x, target}, {}, reduction);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                            int64_t reduction) {
  CHECK(x.dtype() == target.dtype(), "Found dtype ", label(target.dtype()), " but expected ",
        label(x.dtype()));
  check_floating("binary_cross_entropy", x, target);
  if (x.numel() &&
      x.device().is_cuda()) {  // an assertion of the kernel's, as PyTorch's: no waiting
    tape::NoGrad off;
    cuda::check_probabilities(cuda::On{}, contiguous(x));
  } else if (x.numel() && !x.is_meta()) {
    tape::NoGrad off;
    Tensor inside = logical_and(ge(x, 0), le(x, 1));
    CHECK(truth(all(inside, {}, false)), "all elements of input should be between 0 and 1");
  }
  Row row = Row::cross_entropy_of_probability;
  if (!weight.defined()) return loss(row, {x, target}, {}, reduction);
  return reduced_loss(run(row, {x, target}, {}) * weight, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, int64_t reduction) {
  if (!weight.defined()) {
    if (!pos_weight.defined()) return loss(Row::cross_entropy_of_logit, {x, target}, {}, reduction);
    return loss(Row::cross_entropy_of_logit_weighted, {x, target, pos_weight}, {}, reduction);
  }
  Tensor each = pos_weight.defined()
                    ? run(Row::cross_entropy_of_logit_weighted, {x, target, pos_weight}, {})
                    : run(Row::cross_entropy_of_logit, {x, target}, {});
  return reduced_loss(each * weight, reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, int64_t reduction, bool log_target) {
  CHECK(!x.is_complex() && !target.is_complex(), "kl_div: only real tensors are supported");
  Row row = log_target ? Row::divergence_of_log : Row::divergence;
  return reduced_loss(run(row, {x, target}, {}), reduction);
}

}  // namespace lampas::ops
