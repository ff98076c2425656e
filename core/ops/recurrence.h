// One layer of a recurrent network in one direction as a single node.
#pragma once
#include "cpu/rnn.h"
#include "ops/primitives.h"

namespace lampas::ops {

struct Recurrence {
  RnnCell cell;
  bool reverse;
  const char* node;  // the name of the gradient node
  // The same layer composed of differentiable operators, for gradients of gradients. Takes and
  // returns what recurrence() does.
  Tensors (*composed)(const Tensors& inputs, bool reverse);
};

// inputs: what the input gives to the gates (T, B, G * H), h0 (B, H), c0 (B, H) or undefined, w_hh
// (G * H, H), bias_hh (G * H) or undefined. Returns y (T, B, H), the last h, the last c or
// undefined. Call it only where recurrence_fits().
Tensors recurrence(const Recurrence& r, const Tensors& inputs);

// Float or double, on a GPU also 16-bit floats; all of one type.
bool recurrence_fits(const Tensors& inputs);

}  // namespace lampas::ops
