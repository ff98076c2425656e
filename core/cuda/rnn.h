// One layer of a recurrent network in one direction on a GPU: a product and a pointwise kernel for
// each step. Arrays and shapes are those of cpu/rnn.h, contiguous; undefined where those are null.
#pragma once
#include "cpu/rnn.h"
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;  // see kernels.h

struct RnnForward {
  Tensor x, h0, c0, w, bias, y, c, kept;
};
struct RnnBackward {
  Tensor dy, dh_last, dc_last, h0, c0, w, y, c, kept, dx, dg, dh0, dc0;
  bool first;  // whether dh0 and dc0 shall hold the gradients of h0 and c0 at last
  Tensor dw;
};
void rnn_forward(On, const cpu::RnnShape& s, const RnnForward& f);
void rnn_backward(On, const cpu::RnnShape& s, const RnnBackward& b);

}  // namespace lampas::cuda
