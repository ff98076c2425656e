// Writing a finished result into a tensor that exists: what x.op_() and op(..., out=y) are made of
// when an operator has no form of its own for them.
#pragma once
#include "runtime/tensor.h"

namespace lampas::ops {

// self takes over the values and the gradient history of `result`. Shapes must agree; the type must
// be castable ("result type Float can't be cast to the desired output type Long").
void assign_(const char* op, const Tensor& self, const Tensor& result);
// The value that `self` has now, with its history, in memory of its own: an operator that is about
// to be written over self keeps this for its gradient.
Tensor before_write(const Tensor& self);

// As assign_, but `out` may have any shape: it is resized (with PyTorch's warning when it was not
// empty). Gradients do not flow into out=. `which` of the operator's outputs it is.
void write_out(const char* op, const Tensor& out, const Tensor& result, int64_t which = 0);

}  // namespace lampas::ops
