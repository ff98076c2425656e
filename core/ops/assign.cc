// See assign.h.
#include "ops/assign.h"

#include "ops/copy.h"
#include "ops/iterator.h"
#include "ops/out_types.h"
#include "ops/pointwise.h"
#include "ops/promotion.h"
#include "tape/history.h"

namespace lampas::ops {

namespace {

void check_cast(const char* op, DType from, DType to) {
  (void)op;
  CHECK(can_cast(from, to), "result type ", label(from),
        " can't be cast to the desired output type ", label(to));
}

}  // namespace

void assign_(const char* op, const Tensor& self, const Tensor& result) {
  if (self.is(result)) return;
  tape::check_write(self);
  check_cast(op, result.dtype(), self.dtype());
  CHECK(self.sizes() == result.sizes(), "output with shape ", to_string(self.sizes()),
        " doesn't match the broadcast shape ", to_string(result.sizes()));
  bool transplant = !tape::is_view(self) && self.dtype() == result.dtype() &&
                    tape::grad_enabled() && result->requires_grad;
  if (!transplant) return copy_(self, result);
  {
    tape::NoGrad off;
    copy_values(self, result);
    bump_version(self);
  }
  Ref<tape::Node> node = tape::grad_fn(result);
  if (!node) return copy_(self, result);
  tape::Meta& meta = tape::meta_of(self);
  meta.grad_fn = node;
  meta.output = result->meta->output;
  self->requires_grad = true;
}

Tensor before_write(const Tensor& self) {
  Tensor old;
  {
    tape::NoGrad off;
    old = tape::arithmetic.clone(self);
  }
  if (Ref<tape::Node> node = tape::grad_fn(self)) {
    tape::Meta& meta = tape::meta_of(old);
    meta.grad_fn = node;
    meta.output = self->meta->output;
    old->requires_grad = true;
  }
  return old;
}

void write_out(const char* op, const Tensor& out, const Tensor& result, int64_t which) {
  if (out.is(result)) return;
  CHECK(!(tape::grad_enabled() && (out->requires_grad || result->requires_grad)), op,
        "(): functions with out=... arguments don't support automatic "
        "differentiation, but one of the arguments requires grad.");
  CHECK(out.device() == result.device(),
        "Expected all tensors to be on the same device, but found at least two devices, ",
        to_string(result.device()), " and ", to_string(out.device()), "!");
  check_out_type(op, which, result.dtype(), out.dtype());
  check_cast(op, result.dtype(), out.dtype());
  if (out_must_be_apart(op)) check_internal_overlap(out);  // whatever its size will be
  Tensor target = out;
  resize_output(target, result.sizes());
  check_internal_overlap(out);
  tape::NoGrad off;
  copy_values(out, result);
  bump_version(out);
}

}  // namespace lampas::ops
