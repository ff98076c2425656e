// Connectionist temporal classification: shapes and lengths of ctc_loss.
#include "cpu/ctc.h"

#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/losses.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;

namespace {

// What a formula keeps of a call besides its tensors.
struct Batch {
  Dims input_lengths, target_lengths, starts;
  int64_t blank;
  bool zero_infinity;
  cpu::CtcBatch view() const {
    return {input_lengths.data(), target_lengths.data(), starts.data(), blank};
  }
};

void check_lengths(const Tensor& logs, const Batch& b, const Tensor& targets) {
  int64_t steps = logs.size(0), samples = logs.size(1), classes = logs.size(2);
  const char* where = " (while checking arguments for ctc_loss_cpu)";
  CHECK(b.blank >= 0 && b.blank < classes, "blank must be in label range");
  CHECK(static_cast<int64_t>(b.input_lengths.size()) == samples,
        "input_lengths must be of size batch_size");
  CHECK(static_cast<int64_t>(b.target_lengths.size()) == samples,
        "target_lengths must be of size batch_size");
  int64_t total = 0, longest = 0;
  for (int64_t n = 0; n < samples; ++n) {
    CHECK(b.input_lengths[n] >= 0,
          "Expected input_lengths to have value at least 0, but got value ", b.input_lengths[n],
          where);
    CHECK(b.input_lengths[n] <= steps, "Expected input_lengths to have value at most ", steps,
          ", but got value ", b.input_lengths[n], where);
    CHECK(b.target_lengths[n] >= 0,
          "Expected target_lengths to have value at least 0, but got value ", b.target_lengths[n],
          where);
    total += b.target_lengths[n];
    longest = std::max(longest, b.target_lengths[n]);
  }
  if (targets.dim() == 1) {
    CHECK(targets.size(0) == total, "Expected tensor to have size ", total,
          " at dimension 0, but got size ", targets.size(0), " for argument #2 'targets'", where);
  } else {
    CHECK(targets.dim() == 2 && targets.size(0) == samples, "Expected tensor to have size ",
          samples, " at dimension 0, but got size ", targets.dim() ? targets.size(0) : 0,
          " for argument #2 'targets'", where);
    CHECK(targets.size(1) >= longest, "Expected tensor to have size at least ", longest,
          " at dimension 1, but got size ", targets.size(1), " for argument #2 'targets'", where);
  }
}

void check_labels(const Tensor& targets, const Batch& b, int64_t classes) {
  const int64_t* labels = targets.data<int64_t>();
  for (size_t n = 0; n < b.starts.size(); ++n) {
    for (int64_t i = 0; i < b.target_lengths[n]; ++i) {
      int64_t label = labels[b.starts[n] + i];
      CHECK(label >= 0 && label < classes, "ctc_loss: target ", label, " is out of range for ",
            classes, " classes");
    }
  }
}

Tensor losses_of(const Tensor& input, const Tensor& given, Batch b) {
  CHECK(given.dtype() == DType::Int64 || given.dtype() == DType::Int32,
        "Expected tensor for argument #2 'targets' to have one of the following scalar types: "
        "Long, Int");
  if (input.dtype() != DType::Float && input.dtype() != DType::Double)
    fail_dtype("ctc_loss_cpu", input.dtype());
  check_lengths(input, b, given);
  Tensor targets = contiguous(to(given, DType::Int64)), logs = contiguous(input);
  int64_t at = 0;
  for (size_t n = 0; n < b.target_lengths.size(); ++n) {
    b.starts.push_back(given.dim() == 1 ? at : static_cast<int64_t>(n) * given.size(1));
    at += b.target_lengths[n];
  }
  Tensor losses = empty(Dims{logs.size(1)}, logs.dtype(), logs.device());
  if (logs.is_meta()) return losses;
  if (logs.device().is_cpu()) check_labels(targets, b, logs.size(2));
  KERNEL(ctc_losses, losses, logs, targets, b.view());
  if (!tape::needs_grad(logs)) return losses;
  tape::record(losses, "CtcLossBackward0", {logs}, {logs, targets, tape::out(losses)},
               [b](const Backward& t) -> Tensors {
                 Tensor logs = t.saved(0), dx;
                 {
                   tape::NoGrad off;
                   dx = empty(logs.sizes(), logs.dtype(), logs.device());
                   KERNEL(ctc_gradient, dx, contiguous(t.g), contiguous(t.saved(2)), logs,
                          t.saved(1), b.view(), b.zero_infinity);
                 }
                 if (tape::needs_grad(t.g, logs)) {
                   tape::record(dx, "CtcLossBackwardBackward0", {t.g, logs}, {},
                                [](const Backward&) -> Tensors {
                                  fail(
                                      ErrorKind::Runtime,
                                      "derivative for aten::_ctc_loss_backward is not implemented");
                                });
                 }
                 return {dx};
               });
  return losses;
}

Dims lengths_in(const Tensor& x) {
  CHECK(is_integral(x.dtype()), "input_lengths and target_lengths must be integral");
  Tensor flat = contiguous(to(to(x, DType::Int64), Device{}));
  CHECK(!x.is_meta(), "ctc_loss: lengths have no data on the meta device");
  return Dims(Span(flat.data<int64_t>(), static_cast<size_t>(flat.numel())));
}

}  // namespace

Tensor ctc_loss_lengths(const Tensor& logs, const Tensor& targets, Span input_lengths,
                        Span target_lengths, int64_t blank, int64_t reduction, bool zero_infinity) {
  check_reduction(reduction);
  CHECK(logs.dim() == 3 || logs.dim() == 2, "log_probs must have two or three dimensions, got ",
        logs.dim());
  bool batched = logs.dim() == 3;
  Tensor batch = batched ? logs : unsqueeze(logs, 1);
  Tensor labels = !batched && targets.dim() == 0 ? unsqueeze(targets, 0) : targets;
  Batch b{Dims(input_lengths), Dims(target_lengths), {}, blank, zero_infinity};
  Tensor each = losses_of(batch, labels, b);
  if (zero_infinity) each = where(eq(each, std::numeric_limits<double>::infinity()), 0, each);
  if (reduction == kMean) {
    Tensor divisor = empty(each.sizes(), each.dtype(), Device{});
    for (size_t n = 0; n < target_lengths.size(); ++n) {
      Tensor one = select(divisor, 0, static_cast<int64_t>(n));
      fill_values(one, std::max<int64_t>(target_lengths[n], 1));
    }
    return mean_all(each / to(divisor, each.device()), {});
  }
  if (reduction == kSum) return sum_all(each, {});
  return batched ? each : squeeze(each, 0);
}

Tensor ctc_loss(const Tensor& logs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank, int64_t reduction,
                bool zero_infinity) {
  return ctc_loss_lengths(logs, targets, lengths_in(input_lengths), lengths_in(target_lengths),
                          blank, reduction, zero_infinity);
}

}  // namespace lampas::ops
