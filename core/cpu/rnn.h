// One layer of a recurrent network in one direction, over all its steps. What the input gives to
// the gates is a product over all steps at once and comes from outside.
#pragma once
#include "cpu/simd/rnn.h"

namespace lampas::cpu {

// G: rnn_gates(cell). All arrays are contiguous.
struct RnnShape {
  RnnCell cell;
  bool reverse;  // from the last step to the first
  int64_t steps, batch, hidden;
};

template <class T>
struct RnnForward {
  const T *x, *h0, *c0;  // (steps, batch, G * hidden), (batch, hidden) twice; c0 of an Lstm only
  const T *w, *bias;     // (G * hidden, hidden), (G * hidden) or null
  T *y, *c;              // (steps, batch, hidden): h and c of every step
  T* kept;               // (steps, batch, rnn_kept(cell) * hidden)
};

template <class T>
struct RnnBackward {
  const T *dy, *dh_last, *dc_last;  // may be null
  const T *h0, *c0, *w, *y, *c, *kept;
  T* dx;         // (steps, batch, G * hidden)
  T* dg;         // the same of what h gives to the gates; dx itself unless the cell is a Gru
  T *dh0, *dc0;  // working memory; dc0 of an Lstm only
  bool first;    // whether they shall hold the gradients of h0 and c0 at last
  T* dw;         // may be null
};

template <class T>
void rnn_forward(const RnnShape& s, const RnnForward<T>& f);
template <class T>
void rnn_backward(const RnnShape& s, const RnnBackward<T>& b);

}  // namespace lampas::cpu
