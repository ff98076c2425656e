// The backward pass: walks the tape on the calling thread.
#pragma once
#include "tape/tape.h"

namespace lampas::tape {

struct Request {
  Tensors roots, grads;  // grads[i] undefined: 1 for a scalar root
  bool retain_graph = false;
  bool create_graph = false;
  bool accumulate = true;  // into leaves' .grad; else gradients of `inputs` are returned
  bool allow_unused = false;
  Tensors inputs;  // empty: all leaves
};

// Gradients of request.inputs when !accumulate (undefined for unused ones), else nothing.
Tensors backward(const Request& request);

// Told of the work of each node while a profile runs: of all that comes with it (`whole`: hooks,
// summing) and of its own formula. Null otherwise.
struct NodeWatch {
  uint64_t (*enter)(const Node* node, bool whole, const Tensors& grads);  // -> for leave
  void (*leave)(uint64_t event);
};
extern const NodeWatch* node_watch;

// Puts each node's work on the streams of its forward call (cuda/backward_streams.cc). Null while
// every device has only used its default stream.
struct StreamFollower {
  void (*begin)();
  void (*before)(const Node* node);
  void (*end)();
};
extern const StreamFollower* stream_follower;
uint64_t newest_sequence();  // of all nodes so far

// The node whose gradient is being computed, or null; and a callback to run when the pass ends.
Node* current_node();
void queue_callback(std::function<void()> callback);

}  // namespace lampas::tape
