// The tape: nodes, edges, saved tensors, and `record`, by which an operator leaves its gradient
// behind. The backward engine is in engine.h; in-place writes and views in history.h.
#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "runtime/reuse.h"
#include "runtime/tensor.h"

namespace lampas::tape {

struct Node;

// Where a gradient flows: into output `slot` of `node`, going backwards. Null node: nowhere.
struct Edge {
  Ref<Node> node;
  uint32_t slot = 0;
};

// What a node remembers of one of its outputs: enough to make zeros and to check a gradient.
struct Described {
  Dims sizes;
  DType dtype = DType::Float;
  Device device;
};

// A tensor kept for backward. An output of the node itself is kept without its history (else node
// and tensor would own each other); unpack() gives it back with the node as its grad_fn.
class Saved {
 public:
  Saved() = default;
  Saved(const Tensor& x, bool is_output);
  // Raises when x was changed in place since. `transposed`: PyTorch keeps x.t() where this tape
  // keeps x, and its message describes that view.
  Tensor unpack(Node* owner, bool transposed = false) const;
  void clear();
  void expire() { --version_; }  // what was kept had been written already: unpack() raises

 private:
  Tensor kept_;
  uint32_t version_ = 0;
  uint32_t output_ = 0;
  bool is_output_ = false;
  std::shared_ptr<void> packed_;  // what a saved_tensors_hooks pack hook returned
};

struct Node {
  uint32_t refs = 1;
  uint64_t sequence = 0;   // grows with creation: consumers are always newer than producers
  const char* name = "";   // "AddBackward0"; outlives the node
  bool piecewise = false;  // its gradient counts as depending on the inputs, with derivative zero
  InlineVector<Edge, 3> edges;  // one per input of the forward call
  InlineVector<Described, 1> outputs;
  void* object = nullptr;             // the Python object of this node, borrowed
  struct Pending* pending = nullptr;  // gradients gathered by the running backward pass
  struct Extras;                      // hooks, metadata, anomaly traceback: rare
  std::unique_ptr<Extras> extras;

  Node();
  virtual ~Node();
  // Gradients of the outputs in (undefined where none arrived); out: one per edge, undefined for
  // zero.
  virtual Tensors apply(const Tensors& grads) = 0;
  // At the last reference: true when the object stays, for a later graph.
  virtual bool rest() { return false; }
  virtual void release() {}  // drops saved tensors; called after backward without retain_graph
  static void destroy(Node* node);  // iterative: a chain of a million nodes must not recurse
};

// --- grad mode (per thread) ---
struct Modes {
  bool grad = true;
  bool inference = false;
  bool anomaly = false;
  bool anomaly_checks_nan = true;
};
// Every call reads it: without the call to __tls_get_addr that a shared library makes otherwise.
#if defined(__GLIBC__)
#define LAMPAS_STATIC_TLS [[gnu::tls_model("initial-exec")]]
#else
#define LAMPAS_STATIC_TLS
#endif
LAMPAS_STATIC_TLS extern constinit thread_local Modes modes;
inline bool grad_enabled() { return modes.grad; }
inline void set_grad_enabled(bool on) { modes.grad = on; }
inline bool inference_enabled() { return modes.inference; }
inline void set_inference_enabled(bool on) { modes.inference = on; }
class NoGrad {
 public:
  NoGrad() : before_(grad_enabled()) { set_grad_enabled(false); }
  ~NoGrad() { set_grad_enabled(before_); }
  NoGrad(const NoGrad&) = delete;

 private:
  bool before_;
};

inline bool wants_grad(const Tensor& x) { return x.defined() && x->requires_grad; }
// True when this call must leave a node behind.
template <class... Ts>
bool needs_grad(const Ts&... inputs) {
  return (wants_grad(inputs) || ...) && grad_enabled();
}
bool needs_grad(const Tensors& inputs);

// --- recording ---
struct In {
  const Tensor* x;
  In(const Tensor& x) : x(&x) {}
};
struct Keep {
  const Tensor* x;
  bool is_output;
  Keep(const Tensor& x, bool is_output = false) : x(&x), is_output(is_output) {}
};
inline Keep out(const Tensor& y) { return Keep(y, true); }  // marks a saved tensor as an output

// What a formula sees when backward reaches it.
class Backward {
 public:
  Backward(Node* node, const Tensors& grads, const InlineVector<Saved, 2>& saved)
      : g(grads[0]), grads(grads), node_(node), saved_(saved) {}
  const Tensor& g;       // gradient of output 0; may be undefined when there are several outputs
  const Tensors& grads;  // of every output, undefined where none arrived
  Tensor saved(int i) const { return saved_[i].unpack(node_); }
  Tensor saved_transposed(int i) const { return saved_[i].unpack(node_, true); }  // in messages
  bool needs(int i) const { return bool(node_->edges[i].node); }  // does input i want a gradient?
  const InlineVector<Edge, 3>& edges() const { return node_->edges; }
  Tensor grad_or_zeros(int i) const;  // gradient of output i, zeros where none arrived

 private:
  Node* node_;
  const InlineVector<Saved, 2>& saved_;
};

template <class F>
struct FormulaNode final : Node, Reused<FormulaNode<F>> {
  explicit FormulaNode(F formula) : formula(std::move(formula)) {}
  F formula;  // Tensors(const Backward&): one gradient per input
  InlineVector<Saved, 2> kept;
  bool released = false;
  Tensors apply(const Tensors& grads) override;
  void release() override {
    released = released || kept.size() > 0;  // a node that keeps nothing may run again
    kept.clear();
  }
};

Edge edge_of(const Tensor& x);  // null when x needs no gradient
// Sets the edges, then the sequence number: an edge may itself make a node, which must be older.
void attach(Node* node, std::initializer_list<In> inputs);
void attach(Node* node, const Tensors& inputs);
void set_output(Node* node, Tensor& y);          // y becomes the node's next output
void set_written(Ref<Node> node, Tensor& self);  // in-place: history.cc; handles views and leaves
[[noreturn]] void fail_released();
std::string operation(const Node* node);  // the node's name without "Backward0"

template <class F>
Tensors FormulaNode<F>::apply(const Tensors& grads) {
  if (released) fail_released();
  return formula(Backward(this, grads, kept));
}

// record(y, "ExpBackward0", {x}, {out(y)}, [](const Backward& b) -> Tensors { return {b.g *
// b.saved(0)}; }); Call it only under `if (needs_grad(...))`. The formula's own calls are recorded
// in turn when create_graph is on, which gives derivatives of every order. It captures numbers and
// shapes, never tensors: those go through `keep`, so that versions are checked and memory is freed.
// The node comes back for those that set a flag on it.
template <class Inputs, class F, class Place>
Node* record_with(const char* name, const Inputs& inputs, std::initializer_list<Keep> keep,
                  F formula, Place place) {
  auto* node = new FormulaNode<F>(std::move(formula));
  Ref<Node> owner = Ref<Node>::adopt(node);
  node->name = name;
  attach(node, inputs);
  place(owner);  // before saving: a saved output asks which output it is
  for (const Keep& k : keep) node->kept.push_back(Saved(*k.x, k.is_output));
  return node;
}

template <class F>
Node* record(Tensor& y, const char* name, std::initializer_list<In> inputs,
             std::initializer_list<Keep> keep, F formula) {
  return record_with(name, inputs, keep, std::move(formula),
                     [&](const Ref<Node>& node) { set_output(node.get(), y); });
}

// Several outputs; an undefined or non-differentiable (integral) output is skipped but keeps its
// slot.
template <class F>
Node* record(std::initializer_list<Tensor*> outputs, const char* name,
             std::initializer_list<In> inputs, std::initializer_list<Keep> keep, F formula) {
  return record_with(name, inputs, keep, std::move(formula), [&](const Ref<Node>& node) {
    for (Tensor* y : outputs) set_output(node.get(), *y);
  });
}

// A list of inputs (cat, stack, einsum ...).
template <class F>
Node* record(Tensor& y, const char* name, const Tensors& inputs, std::initializer_list<Keep> keep,
             F formula) {
  return record_with(name, inputs, keep, std::move(formula),
                     [&](const Ref<Node>& node) { set_output(node.get(), y); });
}

// In-place: self has been written (or is about to be); its history becomes this node. `keep` must
// hold what the formula needs of the old value by copy, or the new value as out(self).
template <class F>
Node* record_written(Tensor& self, const char* name, std::initializer_list<In> inputs,
                     std::initializer_list<Keep> keep, F formula) {
  return record_with(name, inputs, keep, std::move(formula),
                     [&](const Ref<Node>& node) { set_written(node, self); });
}

// --- what autograd remembers of a tensor ---
using TensorHook = std::function<Tensor(const Tensor&)>;  // undefined: keep the gradient as it is
struct Hook {
  int64_t id;
  TensorHook call;
};

// How a view came to be decides whether it may be written in place.
enum class ViewOrigin : uint8_t { Normal, NoGrad, Several, Inference, Function };

struct Meta {
  Tensor grad;
  Ref<Node> grad_fn;    // null for leaves
  uint32_t output = 0;  // which output of grad_fn this tensor is
  // The leaf's AccumulateGrad. While no graph holds it, it rests here without its leaf, owned.
  struct AccumulateGrad* accumulator = nullptr;
  bool retains_grad = false;
  // A view made under no_grad says that it requires grad because its base does, but leads nowhere.
  bool borrowed = false;
  ViewOrigin origin = ViewOrigin::Normal;
  uint32_t seen_version = 0;  // of the storage, when grad_fn was last made (views)
  Tensor base;                // of a view: the tensor that owns the memory
  std::vector<Hook> hooks;    // of a leaf
  std::vector<Hook> after_accumulate;
  ~Meta();
};
Meta& meta_of(const Tensor& x);      // made on first need
void forget(TensorImpl* dying);      // deletes its Meta
Ref<Node> grad_fn(const Tensor& x);  // brings a view's history up to date first
inline bool is_leaf(const Tensor& x) { return !x->meta || !x->meta->grad_fn; }
inline bool is_view(const Tensor& x) { return x->meta && x->meta->base.defined(); }

// Leaf gradients end here.
struct AccumulateGrad final : Node, Reused<AccumulateGrad> {
  explicit AccumulateGrad(const Tensor& leaf);
  ~AccumulateGrad() override;
  Tensors apply(const Tensors& grads) override;
  bool rest() override;
  Tensor leaf;
};

}  // namespace lampas::tape
