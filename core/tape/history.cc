// When memory is written, the tensors that show it get a new past: the written tensor directly, a
// view through its base (a node that puts the view's gradient in its place inside the base's
// gradient).
#include "tape/history.h"

#include "tape/hooks.h"

namespace lampas::tape {

Arithmetic arithmetic;
OpaqueArithmetic opaque_arithmetic;

namespace {

// The place of a view inside its base.
struct Window {
  Dims sizes, strides;
  int64_t offset;
};

Window window_of(const Tensor& view) { return {view.sizes(), view.strides(), view.offset()}; }

// Gradient of a write into a window of the base: inside the window the writer's own gradient
// applies, outside of it the gradient passes through.
struct CopySlices final : Node {
  Described base;
  Dims base_strides;
  int64_t base_offset = 0;
  Window window;
  Ref<Node> writer;

  Tensors apply(const Tensors& grads) override {
    if (!writer) fail_released();
    Tensors results(edges.size());
    if (!grads[0].defined()) return results;
    Tensor whole = empty_strided(base.sizes, base_strides, base.dtype, base.device);
    arithmetic.copy_(whole, grads[0]);
    Tensor inside =
        arithmetic.as_strided(whole, window.sizes, window.strides, window.offset - base_offset);
    Tensors found = writer->apply({arithmetic.clone(inside)});
    if (edges[0].node) {
      if (found.size() && found[0].defined())
        arithmetic.copy_(inside, found[0]);
      else
        arithmetic.copy_(inside, arithmetic.zeros(window.sizes, base.dtype, base.device));
      results[0] = whole;
    }
    for (size_t i = 1; i < edges.size() && i < found.size(); ++i) results[i] = found[i];
    return results;
  }
  void release() override { writer.reset(); }
};

// A view whose base was written: its gradient is the base's, at the window.
struct AsStrided final : Node {
  Described base;
  Dims base_strides;
  int64_t base_offset = 0;
  Window window;

  Tensors apply(const Tensors& grads) override {
    if (!grads[0].defined()) return {Tensor()};
    Tensor whole = empty_strided(base.sizes, base_strides, base.dtype, base.device);
    arithmetic.copy_(whole, arithmetic.zeros({}, base.dtype, base.device));
    Tensor inside =
        arithmetic.as_strided(whole, window.sizes, window.strides, window.offset - base_offset);
    arithmetic.copy_(inside, grads[0]);
    return {whole};
  }
};

[[noreturn]] void fail_no_grad_view(const char* what) {
  fail("A view was created in no_grad mode and ", what,
       " modified inplace with grad mode enabled. Given that this use case is ambiguous and "
       "error-prone, it is forbidden. You can clarify your code by moving both the view and the "
       "inplace either both inside the no_grad block (if you don't want the inplace to be tracked) "
       "or both outside (if you want the inplace to be tracked).");
}

template <class N>
Ref<Node> window_node(const char* name, const Tensor& base, const Tensor& view) {
  auto* node = new N;
  Ref<Node> owner = Ref<Node>::adopt(node);
  node->name = name;
  node->base = {base.sizes(), base.dtype(), base.device()};
  node->base_strides = base.strides();
  node->base_offset = base.offset();
  node->window = window_of(view);
  return owner;
}

}  // namespace

Ref<Node> grad_fn(const Tensor& x) {
  Meta* meta = x->meta;
  if (!meta) return {};
  if (!meta->base.defined() || !meta->base->requires_grad ||
      meta->seen_version == x.storage()->version)
    return meta->grad_fn;
  if (meta->borrowed) fail_no_grad_view("its base or another view of its base has been");
  if (meta->base.dtype() != x.dtype() || !x->requires_grad) {
    if (meta->base.dtype() != x.dtype()) return meta->grad_fn;  // view(dtype) is not differentiable
  }
  Ref<Node> node = window_node<AsStrided>("AsStridedBackward0", meta->base, x);
  attach(node.get(), {meta->base});
  node->outputs.push_back({x.sizes(), x.dtype(), x.device()});
  meta->grad_fn = node;
  meta->output = 0;
  meta->seen_version = x.storage()->version;
  x->requires_grad = true;
  return node;
}

void mark_view(Tensor& y, const Tensor& x, ViewOrigin origin) {
  Meta& meta = meta_of(y);
  meta.base = is_view(x) ? x->meta->base : x;
  meta.seen_version = y.storage()->version;
  meta.origin = origin;
  if (origin == ViewOrigin::Normal) {
    if (is_view(x) && x->meta->origin != ViewOrigin::Normal)
      meta.origin = x->meta->origin;
    else if (!grad_enabled())
      meta.origin = inference_enabled() ? ViewOrigin::Inference : ViewOrigin::NoGrad;
  }
  bool unseen = !grad_enabled() && !inference_enabled();
  if (unseen && !y->requires_grad && meta.base->requires_grad && is_differentiable(y.dtype()))
    y->requires_grad = meta.borrowed = true;
}

void check_write(const Tensor& self) {
  if (!grad_enabled()) return;
  if (self->inference && !inference_enabled())
    fail(
        "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a "
        "clone to get a "
        "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for "
        "more details.");
  if (is_view(self)) {
    Meta& meta = *self->meta;
    if (meta.base->requires_grad && meta.origin == ViewOrigin::NoGrad)
      fail_no_grad_view("is being");
    if (meta.base->requires_grad && is_leaf(meta.base))
      fail("a view of a leaf Variable that requires grad is being used in an in-place operation.");
    if (meta.base->requires_grad && meta.origin == ViewOrigin::Several)
      fail("Output ", meta.output, " of ",
           meta.grad_fn ? operation(meta.grad_fn.get()) : "a function",
           " is a view and is being modified inplace. This view is the output of a function that "
           "returns multiple "
           "views. Such functions do not allow the output views to be modified inplace. You should "
           "replace the "
           "inplace operation by an out-of-place one.");
    if (meta.base->requires_grad && meta.origin == ViewOrigin::Function)
      fail("Output ", meta.output, " of ",
           meta.grad_fn ? operation(meta.grad_fn.get()) : "a function",
           " is a view and is being modified inplace. This view was created inside a custom "
           "Function (or because an "
           "input was returned as-is) and the autograd logic to handle view+inplace would override "
           "the custom "
           "backward associated with the custom Function, leading to incorrect gradients. This "
           "behavior is forbidden. "
           "You can fix this by cloning the output of the custom Function.");
  } else if (self->requires_grad && is_leaf(self)) {
    fail("a leaf Variable that requires grad is being used in an in-place operation.");
  }
}

void set_written(Ref<Node> node, Tensor& self) {
  if (!is_view(self)) {
    if (self->meta && self->meta->retains_grad) self->meta->retains_grad = false;
    node->outputs.clear();
    set_output(node.get(), self);
    return;
  }
  Tensor base = self->meta->base;
  node->outputs.clear();
  node->outputs.push_back({self.sizes(), self.dtype(), self.device()});
  Ref<Node> slices = window_node<CopySlices>("CopySlices", base, self);
  auto* copy = static_cast<CopySlices*>(slices.get());
  copy->writer = node;
  copy->edges.push_back(edge_of(base));
  for (size_t i = 1; i < node->edges.size(); ++i) copy->edges.push_back(node->edges[i]);
  // The base's edge must count as wanted by the writer even when only other inputs need gradients.
  copy->outputs.push_back({base.sizes(), base.dtype(), base.device()});
  Tensors none;
  InlineVector<Edge, 3> edges = std::move(copy->edges);
  attach(copy, none);  // numbers the node, after its edges were made
  copy->edges = std::move(edges);
  Meta& meta = meta_of(base);
  meta.grad_fn = slices;
  meta.output = 0;
  base->requires_grad = true;
  self->requires_grad = true;
  self->meta->grad_fn = node;  // replaced on next look: the version has moved on
  self->meta->output = 0;
  self->meta->seen_version = self.storage()->version - 1;
}

}  // namespace lampas::tape
