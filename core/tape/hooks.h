// What only few nodes carry: hooks, retained gradients, Python metadata, anomaly traces.
#pragma once
#include "tape/tape.h"

namespace lampas::tape {

// Sees (and may replace) all gradients of a node.
using NodeHook = std::function<bool(Tensors&)>;  // before: gradients of the outputs
using NodePostHook =
    std::function<bool(Tensors&, const Tensors&)>;  // after: (of the inputs, of the outputs)

struct Node::Extras {
  struct OutputHook {
    int64_t id;
    uint32_t output;
    TensorHook call;
  };
  struct Pre {
    int64_t id;
    NodeHook call;
  };
  struct Post {
    int64_t id;
    NodePostHook call;
  };
  struct Retained {
    uint32_t output;
    TensorImpl* tensor;
  };  // not owned: the tensor takes itself out
  std::vector<OutputHook> output_hooks;
  std::vector<Retained> retained;
  std::vector<Pre> pre;
  std::vector<Post> post;
  std::shared_ptr<void> metadata;  // a Python dict
  std::string trace;               // where the forward call was, in anomaly mode
  std::string own_name;            // storage for names made at run time
};

Node::Extras& extras_of(Node* node);
int64_t next_hook_id();
int64_t register_hook(const Tensor& x, TensorHook hook);
int64_t register_after_accumulate(const Tensor& x, TensorHook hook);
void remove_hook(const Tensor& x, int64_t id);
void remove_hook(Node* node, int64_t id);
void retain_grad(const Tensor& x);

// saved_tensors_hooks: packs on saving, unpacks on use; a stack per thread.
struct SavedHooks {
  std::function<std::shared_ptr<void>(const Tensor&)> pack;
  std::function<Tensor(const std::shared_ptr<void>&)> unpack;
};
std::vector<std::shared_ptr<SavedHooks>>& saved_hooks();

// Set by the Python layer: describes where in the script we are (anomaly mode).
extern std::string (*script_position)();

}  // namespace lampas::tape
