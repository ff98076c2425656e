// Nodes, saved tensors and what a tensor remembers. The engine is in engine.cc.
#include "tape/tape.h"

#include "tape/engine.h"

#include "runtime/reuse.h"
#include "tape/history.h"
#include "tape/hooks.h"

namespace lampas::tape {

LAMPAS_STATIC_TLS constinit thread_local Modes modes;
std::string (*script_position)() = nullptr;

namespace {
uint64_t sequence_counter = 0;
std::vector<Node*> dying;
bool draining = false;

void finish(Node* node) {
  node->sequence = ++sequence_counter;
  if (modes.anomaly && script_position) extras_of(node).trace = script_position();
}
}  // namespace

uint64_t newest_sequence() { return sequence_counter; }

Node::Node() = default;
Node::~Node() = default;

void Node::destroy(Node* node) {
  if (node->rest()) return;
  dying.push_back(node);
  if (draining) return;
  draining = true;
  while (!dying.empty()) {
    Node* next = dying.back();
    dying.pop_back();
    delete next;  // its edges and saved tensors come back here, onto the list
  }
  draining = false;
}

bool needs_grad(const Tensors& inputs) {
  if (!grad_enabled()) return false;
  for (const Tensor& x : inputs)
    if (wants_grad(x)) return true;
  return false;
}

Edge edge_of(const Tensor& x) {
  if (!wants_grad(x)) return {};
  if (x->meta && x->meta->borrowed && !x->meta->grad_fn) return {};
  if (Ref<Node> node = grad_fn(x)) return {std::move(node), x->meta->output};
  Meta& meta = meta_of(x);
  if (AccumulateGrad* known = meta.accumulator) {
    if (!known->leaf.defined()) {  // it rested
      known->leaf = x;
      known->outputs[0] = {x.sizes(), x.dtype(), x.device()};
      finish(known);
    }
    return {Ref<Node>(known), 0};
  }
  meta.accumulator = new AccumulateGrad(x);
  return {Ref<Node>::adopt(meta.accumulator), 0};
}

void attach(Node* node, std::initializer_list<In> inputs) {
  node->edges.reserve(inputs.size());
  for (const In& in : inputs) node->edges.push_back(edge_of(*in.x));
  finish(node);
}

void attach(Node* node, const Tensors& inputs) {
  node->edges.reserve(inputs.size());
  for (const Tensor& x : inputs) node->edges.push_back(edge_of(x));
  finish(node);
}

void set_output(Node* node, Tensor& y) {
  uint32_t slot = static_cast<uint32_t>(node->outputs.size());
  node->outputs.push_back({});
  if (!y.defined()) return;
  Described& d = node->outputs[slot];
  d = {y.sizes(), y.dtype(), y.device()};
  if (!is_differentiable(y.dtype())) return;
  Meta& meta = meta_of(y);
  meta.grad_fn = Ref<Node>(node);
  meta.output = slot;
  y->requires_grad = true;
}

// "Exp" for "ExpBackward0".
std::string operation(const Node* node) {
  std::string name = node->name;
  size_t end = name.rfind("Backward");
  return end == std::string::npos || end == 0 ? name : name.substr(0, end);
}

void fail_released() {
  fail(
      "Trying to backward through the graph a second time (or directly access saved tensors after "
      "they have "
      "already been freed). Saved intermediate values of the graph are freed when you call "
      ".backward() or "
      "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a "
      "second time or if "
      "you need to access saved tensors after calling backward.");
}

Tensor Backward::grad_or_zeros(int i) const {
  if (grads[i].defined()) return grads[i];
  const Described& d = node_->outputs[i];
  return arithmetic.zeros(d.sizes, d.dtype, d.device);
}

Meta& meta_of(const Tensor& x) {
  if (!x->meta) x->meta = ::new (Reuse<Meta>::take()) Meta;
  return *x->meta;
}

Meta::~Meta() = default;

void forget(TensorImpl* dying) {
  Meta* meta = dying->meta;
  if (meta->retains_grad && meta->grad_fn && meta->grad_fn->extras)
    std::erase_if(meta->grad_fn->extras->retained,
                  [&](const auto& entry) { return entry.tensor == dying; });
  delete meta->accumulator;  // resting: it would hold the leaf otherwise
  meta->~Meta();
  Reuse<Meta>::give(meta);
}

// --- saved tensors ---

namespace {
struct Packed {  // what a pack hook returned, with the hooks that understand it
  std::shared_ptr<SavedHooks> hooks;
  std::shared_ptr<void> what;
  Edge edge;  // of the tensor that was packed: what comes back gets its place on the tape
};
}  // namespace

Saved::Saved(const Tensor& x, bool is_output) {
  if (!x.defined()) return;
  CHECK(!x->inference,
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
        "inference mode in computation tracked by autograd. To work around this, you can make a "
        "clone to get a "
        "normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
        "`torch.inference_mode()`.");
  version_ = x.storage()->version;
  is_output_ = is_output;
  if (is_output_) output_ = x->meta ? x->meta->output : 0;
  if (!saved_hooks().empty()) {
    std::shared_ptr<SavedHooks> hooks = saved_hooks().back();
    NoGrad off;
    Edge edge = is_output_ ? Edge() : edge_of(x);
    packed_ = std::make_shared<Packed>(
        Packed{hooks, hooks->pack(is_output_ ? alias_of(x) : x), std::move(edge)});
    return;
  }
  kept_ = is_output_ ? alias_of(x) : x;
}

Tensor Saved::unpack(Node* owner, bool transposed) const {
  if (packed_) {
    auto* packed = static_cast<Packed*>(packed_.get());
    Tensor y = alias_of(packed->hooks->unpack(packed->what));
    Edge edge = is_output_ ? Edge{Ref<Node>(owner), output_} : packed->edge;
    if (edge.node && is_differentiable(y.dtype())) {
      Meta& meta = meta_of(y);
      meta.grad_fn = edge.node;
      meta.output = edge.slot;
      y->requires_grad = true;
    }
    return y;
  }
  if (!kept_.defined()) return {};
  uint32_t now = kept_.storage()->version;
  if (now != version_) {
    std::string hint = modes.anomaly ? "Hint: the backtrace further above shows the operation that "
                                       "failed to compute its gradient. The variable in "
                                       "question was changed in there or anywhere later. Good luck!"
                                     : "Hint: enable anomaly detection to find the operation that "
                                       "failed to compute its gradient, with "
                                       "torch.autograd.set_detect_anomaly(True, check_nan=False).";
    Dims sizes = kept_.sizes();
    if (transposed) std::swap(sizes[0], sizes[1]);
    std::string which = concat("[torch.", label(kept_.dtype()), "Tensor ", to_string(sizes), "]");
    std::string origin;
    if (transposed)
      origin = ", which is output 0 of AsStrided,";
    else if (is_output_)
      origin = concat(", which is output ", output_, " of ", operation(owner), ",");
    else if (kept_->meta && kept_->meta->grad_fn)
      origin = concat(", which is output ", kept_->meta->output, " of ",
                      operation(kept_->meta->grad_fn.get()), ",");
    fail(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: ",
        which, origin, " is at version ", now, "; expected version ", version_, " instead. ", hint);
  }
  if (!is_output_) return kept_;
  Tensor y = alias_of(kept_);
  if (is_differentiable(y.dtype()) && owner) {
    Meta& meta = meta_of(y);
    meta.grad_fn = Ref<Node>(owner);
    meta.output = output_;
    y->requires_grad = true;
  }
  return y;
}

void Saved::clear() {
  kept_ = Tensor();
  packed_.reset();
}

// --- hooks ---

std::vector<std::shared_ptr<SavedHooks>>& saved_hooks() {
  static thread_local std::vector<std::shared_ptr<SavedHooks>> stack;
  return stack;
}

Node::Extras& extras_of(Node* node) {
  if (!node->extras) node->extras = std::make_unique<Node::Extras>();
  return *node->extras;
}

int64_t next_hook_id() {
  static int64_t id = 0;
  return id++;
}

int64_t register_hook(const Tensor& x, TensorHook hook) {
  CHECK(x->requires_grad, "cannot register a hook on a tensor that doesn't require gradient");
  int64_t id = next_hook_id();
  if (Ref<Node> node = grad_fn(x))
    extras_of(node.get()).output_hooks.push_back({id, x->meta->output, std::move(hook)});
  else
    meta_of(x).hooks.push_back({id, std::move(hook)});
  return id;
}

int64_t register_after_accumulate(const Tensor& x, TensorHook hook) {
  CHECK(x->requires_grad, "cannot register a hook on a tensor that doesn't require gradient");
  CHECK(is_leaf(x), "post accumulate grad hooks cannot be registered on non-leaf tensors");
  int64_t id = next_hook_id();
  meta_of(x).after_accumulate.push_back({id, std::move(hook)});
  return id;
}

template <class List>
static void drop(List& list, int64_t id) {
  std::erase_if(list, [id](const auto& entry) { return entry.id == id; });
}

void remove_hook(Node* node, int64_t id) {
  if (!node->extras) return;
  drop(node->extras->output_hooks, id);
  drop(node->extras->pre, id);
  drop(node->extras->post, id);
}

void remove_hook(const Tensor& x, int64_t id) {
  if (!x->meta) return;
  drop(x->meta->hooks, id);
  drop(x->meta->after_accumulate, id);
  if (x->meta->grad_fn) remove_hook(x->meta->grad_fn.get(), id);
}

void retain_grad(const Tensor& x) {
  CHECK(x->requires_grad, "can't retain_grad on Tensor that has requires_grad=False");
  Ref<Node> node = grad_fn(x);
  if (!node || x->meta->retains_grad) return;
  x->meta->retains_grad = true;
  extras_of(node.get()).retained.push_back({x->meta->output, x.get()});
}

// --- leaves ---

AccumulateGrad::AccumulateGrad(const Tensor& x) : leaf(x) {
  name = "AccumulateGrad";
  outputs.push_back({x.sizes(), x.dtype(), x.device()});
  finish(this);
}

AccumulateGrad::~AccumulateGrad() {
  if (leaf.defined() && leaf->meta && leaf->meta->accumulator == this)
    leaf->meta->accumulator = nullptr;
}

bool AccumulateGrad::rest() {
  if (extras || leaf->refs == 1 || !leaf->meta || leaf->meta->accumulator != this) return false;
  leaf = Tensor();
  return true;
}

Tensors AccumulateGrad::apply(const Tensors& grads) {
  Tensor g = grads[0];
  Meta& meta = meta_of(leaf);
  if (!meta.hooks.empty())  // a hook may remove itself: walk over a copy
    for (const Hook& hook : std::vector<Hook>(meta.hooks))
      if (Tensor replaced = hook.call(g)) g = replaced;
  if (!g.defined() || !leaf->requires_grad) return {};
  if (!meta.grad.defined()) {
    // Taken over when nobody else holds it; a view or a tensor of other layout is copied.
    bool ours = !grad_enabled() && g->refs <= 2 && g.storage()->refs == 1 && g.is_contiguous() &&
                !g->requires_grad;
    if (ours)
      meta.grad = g;
    else if (grad_enabled())
      meta.grad = arithmetic.clone(g);
    else {
      NoGrad off;
      meta.grad = arithmetic.clone(g);
    }
  } else if (grad_enabled()) {
    meta.grad = arithmetic.add(meta.grad, g);
  } else {
    arithmetic.add_(meta.grad, g);
  }
  if (!meta.after_accumulate.empty())
    for (const Hook& hook : std::vector<Hook>(meta.after_accumulate)) hook.call(leaf);
  return {};
}

}  // namespace lampas::tape
