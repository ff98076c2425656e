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

// The node whose gradient is being computed, or null; and a callback to run when the pass ends.
Node* current_node();
void queue_callback(std::function<void()> callback);

}  // namespace lampas::tape
