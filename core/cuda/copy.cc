// See copy.h.
#include "cuda/copy.h"

#include "cpu/copy.h"
#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "cuda/pointwise.h"
#include "ops/iterator.h"

namespace lampas::cuda {
namespace {

bool same_memory_order(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.sizes() == b.sizes() && a.is_contiguous() && b.is_contiguous();
}

void copy_here(const Tensor& to, const Tensor& from) {
  to.device().is_cpu() ? cpu::copy(to, from) : copy(On{}, to, from);
}

}  // namespace

void copy(On, const Tensor& to, const Tensor& from) {
  if (to.numel() == 0) return;
  if (same_memory_order(to, from))
    return copy_bytes(to.raw(), to.device(), from.raw(), from.device(),
                      static_cast<size_t>(to.numel() * to.item_size()));
  Plan plan;
  plan.add(to);
  plan.add(from);
  plan.finish(to.sizes());
  run_copy(plan, to.device().index);
}

void fill(On, const Tensor& x, const Scalar& value) {
  if (x.numel() == 0) return;
  Scalar number = value;
  Plan plan;
  plan.add(x);
  plan.add_number(&number, DType::Undefined);
  plan.finish(x.sizes());
  run_copy(plan, x.device().index);
}

// What travels is contiguous, of the target's type and the source's shape. The host may only go on
// where nothing of it is made for the journey.
void copy_across(const Tensor& to, const Tensor& from, bool non_blocking) {
  if (to.numel() == 0) return;
  Tensor sent = from, received = to;
  if (!from.is_contiguous() || from.dtype() != to.dtype()) {
    sent = empty(from.sizes(), to.dtype(), from.device());
    copy_here(sent, from);
  }
  if (!same_memory_order(to, sent)) received = empty(from.sizes(), to.dtype(), to.device());
  bool on = non_blocking && (sent.is(from) || from.device().is_cuda()) &&
            (received.is(to) || to.device().is_cuda());
  copy_bytes(received.raw(), to.device(), sent.raw(), from.device(),
             static_cast<size_t>(sent.numel() * sent.item_size()), on);
  if (!received.is(to)) copy_here(to, received);
}
void copy_across(const Tensor& to, const Tensor& from) { copy_across(to, from, false); }

}  // namespace lampas::cuda
