// Nodes are taken newest first. A consumer is always newer than what it consumed, so when a node
// comes up every gradient that will reach it has: no counting of dependencies is needed.
#include "tape/engine.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "runtime/reuse.h"
#include "tape/history.h"
#include "tape/hooks.h"

namespace lampas::tape {

const NodeWatch* node_watch = nullptr;
const StreamFollower* stream_follower = nullptr;

struct Pending : Reused<Pending> {
  Tensors grads;
};

namespace {

struct Newer {
  bool operator()(const Ref<Node>& a, const Ref<Node>& b) const {
    return a->sequence < b->sequence;
  }
};

struct Capture {
  Node* node;
  uint32_t slot;
  size_t input;
};

// One backward pass. Passes nest (a hook may start another) and run on several threads (a kernel
// gives the GIL away): the nodes' `pending` fields belong to the pass that came first, the others
// keep gradients in a map.
class Pass {
 public:
  explicit Pass(const Request& request)
      : request_(request), grad_before_(grad_enabled()), outer_(current_) {
    nested_ = fields_taken_.exchange(true);
    set_grad_enabled(request.create_graph);
    if (nested_) own_.emplace();
    current_ = this;
    if (follower_) [[unlikely]]
      follower_->begin();
  }
  ~Pass() {
    if (follower_) [[unlikely]]
      follower_->end();
    for (const Ref<Node>& node : heap_)
      if (!nested_ && node->pending) {
        delete node->pending;
        node->pending = nullptr;
      }
    current_ = outer_;
    if (!nested_) fields_taken_ = false;
    set_grad_enabled(grad_before_);
  }

  Tensors run();
  Node* node = nullptr;
  std::vector<std::function<void()>> callbacks;
  static Pass* current() { return current_; }

 private:
  void add(const Edge& edge, Tensor g);
  Tensors take(Node* node);
  void step(Node* node);
  void distribute(Node* node, Tensors& grads);
  void find_inputs();
  void find_needed();
  bool needed(Node* node) const { return !limited_ || needed_->count(node); }

  const Request& request_;
  const StreamFollower* follower_ = stream_follower;
  bool grad_before_, nested_ = false, limited_ = false;
  Pass* outer_;
  InlineVector<Ref<Node>, 16> heap_;
  std::optional<std::unordered_map<Node*, std::unique_ptr<Pending>>> own_;  // when nested
  std::optional<std::unordered_set<Node*>> needed_;                         // when limited
  std::vector<Capture> captures_;
  std::vector<Ref<Node>> held_;  // accumulators of the inputs stay alive
  Tensors results_;
  static thread_local Pass* current_;
  static std::atomic<bool> fields_taken_;
};
thread_local Pass* Pass::current_ = nullptr;
std::atomic<bool> Pass::fields_taken_ = false;

class Watched {
 public:
  Watched(const Node* node, bool whole, const Tensors& grads) : watch_(node_watch) {
    if (watch_) [[unlikely]]
      event_ = watch_->enter(node, whole, grads);
  }
  ~Watched() {
    if (watch_) [[unlikely]]
      watch_->leave(event_);
  }
  Watched(const Watched&) = delete;

 private:
  const NodeWatch* watch_;
  uint64_t event_ = 0;
};

Tensor checked(const char* name, size_t index, Tensor g, const Described& want) {
  if (g.sizes() != want.sizes || g.dtype() != want.dtype) {
    bool broadcast = g.dim() >= static_cast<int64_t>(want.sizes.size());
    for (size_t i = 0; broadcast && i < want.sizes.size(); ++i) {
      int64_t have = g.size(g.dim() - 1 - static_cast<int64_t>(i)),
              need = want.sizes[want.sizes.size() - 1 - i];
      broadcast = have == need || need == 1;
    }
    CHECK(broadcast, "Function ", name, " returned an invalid gradient at index ", index, " - got ",
          to_string(g.sizes()), " but expected shape compatible with ", to_string(want.sizes));
    g = arithmetic.fit(g, want.sizes, want.dtype);
  }
  return g;
}

void Pass::add(const Edge& edge, Tensor g) {
  Node* to = edge.node.get();
  Pending* pending;
  if (nested_) {
    auto& slot = (*own_)[to];
    if (!slot) {
      slot = std::make_unique<Pending>();
      heap_.push_back(edge.node);
      std::push_heap(heap_.begin(), heap_.end(), Newer());
    }
    pending = slot.get();
  } else {
    if (!to->pending) {
      to->pending = new Pending;
      heap_.push_back(edge.node);
      std::push_heap(heap_.begin(), heap_.end(), Newer());
    }
    pending = to->pending;
  }
  if (pending->grads.size() < to->outputs.size()) pending->grads.resize(to->outputs.size());
  Tensor& sum = pending->grads[edge.slot];
  sum = sum.defined() ? arithmetic.add(sum, g) : std::move(g);
}

Tensors Pass::take(Node* node) {
  Tensors grads;
  if (nested_) {
    grads = std::move((*own_)[node]->grads);
    own_->erase(node);
  } else {
    grads = std::move(node->pending->grads);
    delete node->pending;
    node->pending = nullptr;
  }
  return grads;
}

// Where gradients of request.inputs are caught on their way.
void Pass::find_inputs() {
  limited_ = !request_.inputs.empty();
  results_.resize(request_.inputs.size());
  for (size_t i = 0; i < request_.inputs.size(); ++i) {
    const Tensor& x = request_.inputs[i];
    CHECK(x.defined() && x->requires_grad,
          "One of the differentiated Tensors does not require grad");
    Edge edge = edge_of(x);
    captures_.push_back({edge.node.get(), edge.slot, i});
    held_.push_back(edge.node);
  }
}

// Only nodes that lead to a wanted input are run.
void Pass::find_needed() {
  if (!limited_) return;
  std::unordered_set<Node*>& needed = needed_.emplace();
  std::vector<Node*> all, stack;
  std::unordered_set<Node*> seen;
  for (const Ref<Node>& root : heap_)
    if (seen.insert(root.get()).second) stack.push_back(root.get());
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    all.push_back(n);
    for (const Edge& e : n->edges)
      if (e.node && seen.insert(e.node.get()).second) stack.push_back(e.node.get());
  }
  std::sort(all.begin(), all.end(), [](Node* a, Node* b) { return a->sequence < b->sequence; });
  for (const Capture& c : captures_) needed.insert(c.node);
  for (Node* n : all)
    for (const Edge& e : n->edges)
      if (e.node && needed.count(e.node.get())) {
        needed.insert(n);
        break;
      }
}

// What a piecewise node's gradient leaves on the tape: zeros for each of the node's inputs.
void link_zeros(const Node* node, Tensor& gradient) {
  auto formula = [](const Backward& b) -> Tensors {
    Tensors zeros;
    for (const Edge& edge : b.edges()) {
      zeros.push_back({});
      if (!edge.node) continue;
      const Described& d = edge.node->outputs[edge.slot];
      zeros[zeros.size() - 1] = arithmetic.zeros(d.sizes, d.dtype, d.device);
    }
    return zeros;
  };
  auto* link = new FormulaNode<decltype(formula)>(formula);
  Ref<Node> owner = Ref<Node>::adopt(link);
  link->name = "ZerosBackward0";
  link->edges = node->edges;
  attach(link, std::initializer_list<In>{});
  set_output(link, gradient);
}

void Pass::distribute(Node* node, Tensors& grads) {
  CHECK(grads.size() >= node->edges.size() || node->edges.empty(), "function ", node->name,
        " returned an incorrect number of gradients (expected ", node->edges.size(), ", got ",
        grads.size(), ")");
  for (size_t i = 0; i < node->edges.size(); ++i) {
    const Edge& edge = node->edges[i];
    if (!edge.node || !grads[i].defined() || !needed(edge.node.get())) continue;
    if (modes.anomaly && modes.anomaly_checks_nan && arithmetic.has_nan(grads[i]))
      fail("Function '", node->name, "' returned nan values in its ", i, "th output.");
    add(edge, checked(node->name, i, std::move(grads[i]), edge.node->outputs[edge.slot]));
  }
}

void Pass::step(Node* n) {
  node = n;
  if (follower_) [[unlikely]]
    follower_->before(n);
  Tensors grads = take(n);
  Watched whole(n, true, grads);
  if (Node::Extras* extras = n->extras.get()) {
    for (const auto& hook : std::vector(extras->output_hooks))
      if (grads[hook.output].defined())
        if (Tensor replaced = hook.call(grads[hook.output])) grads[hook.output] = replaced;
    for (const auto& hook : std::vector(extras->pre)) hook.call(grads);
    for (const auto& kept : extras->retained) {
      Tensor x{Ref<TensorImpl>(kept.tensor)};
      Tensor& grad = meta_of(x).grad;
      if (!grads[kept.output].defined()) continue;
      grad = grad.defined() ? arithmetic.add(grad, grads[kept.output])
                            : arithmetic.clone(grads[kept.output]);
    }
  }
  bool only_caught = false;
  for (const Capture& c : captures_) {
    if (c.node != n) continue;
    if (!request_.accumulate) {
      Tensor g = grads[c.slot];
      if (auto* leaf = dynamic_cast<AccumulateGrad*>(n))
        for (const Hook& hook : std::vector<Hook>(meta_of(leaf->leaf).hooks))
          if (g.defined())
            if (Tensor replaced = hook.call(g)) g = replaced;
      results_[c.input] = g;
      only_caught = n->edges.empty();
    } else if (!n->edges.empty()) {  // backward(inputs=[non-leaf]): its .grad is filled
      Tensor& grad = meta_of(request_.inputs[c.input]).grad;
      if (grads[c.slot].defined())
        grad =
            grad.defined() ? arithmetic.add(grad, grads[c.slot]) : arithmetic.clone(grads[c.slot]);
    }
  }
  if (only_caught) return;
  if (limited_) {
    bool further = n->edges.empty();
    for (const Edge& e : n->edges) further = further || (e.node && needed(e.node.get()));
    if (!further) return;
  }
  Tensors results = [&] {
    Watched own(n, false, grads);
    return n->apply(grads);
  }();
  if (n->piecewise && grad_enabled())
    for (Tensor& g : results)
      if (g.defined() && !g.requires_grad()) {
        if (g.is(grads[0])) g = arithmetic.clone(g);
        link_zeros(n, g);
      }
  if (n->extras)
    for (const auto& hook : std::vector(n->extras->post)) hook.call(results, grads);
  if (!request_.retain_graph) n->release();
  distribute(n, results);
}

Tensors Pass::run() {
  find_inputs();
  for (size_t i = 0; i < request_.roots.size(); ++i) {
    const Tensor& root = request_.roots[i];
    Edge edge = edge_of(root);
    CHECK(edge.node, "element ", i,
          " of tensors does not require grad and does not have a grad_fn");
    Tensor g = request_.grads[i].defined() ? request_.grads[i] : arithmetic.ones_like(root);
    add(edge, std::move(g));
  }
  find_needed();
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), Newer());
    Ref<Node> next = std::move(heap_.back());
    heap_.pop_back();
    if (needed(next.get())) {
      step(next.get());
    } else {
      take(next.get());
    }
  }
  for (size_t i = 0; i < callbacks.size(); ++i) callbacks[i]();
  return std::move(results_);
}

}  // namespace

Tensors backward(const Request& request) { return Pass(request).run(); }

Node* current_node() { return Pass::current() ? Pass::current()->node : nullptr; }

void queue_callback(std::function<void()> callback) {
  CHECK(Pass::current(), "Final callbacks can only be installed during backward pass.");
  Pass::current()->callbacks.push_back(std::move(callback));
}

}  // namespace lampas::tape
