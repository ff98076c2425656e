// The pointwise part of a step of a recurrent network, some hidden units of the whole batch, by
// instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// How h (and c) follow from the gates. `gates` lie `size` elements apart, in PyTorch's order:
//   Lstm: input, forget, cell, output;  Gru: reset, update, new;  Tanh, Relu: one.
enum class RnnCell { Lstm, Gru, Tanh, Relu };

// What a step keeps for its gradient, in multiples of the hidden size.
constexpr int64_t rnn_gates(RnnCell cell) {
  return cell == RnnCell::Lstm ? 4 : cell == RnnCell::Gru ? 3 : 1;
}
constexpr int64_t rnn_kept(RnnCell cell) {
  return cell == RnnCell::Lstm || cell == RnnCell::Gru ? 4 : 0;
}

// Rows of x, h, dx, dg lie rnn_gates * size elements apart, those of kept rnn_kept * size, others
// size.
template <class T>
struct RnnGates {
  RnnCell cell;
  int64_t rows, size, count;  // sequences; distance of gates; hidden units of this call
  const T *x, *h;             // what the input and what the last h give to the gates, biases added
  const T *h_before, *c_before;
  T *y, *c;  // h and c of this step
  T* kept;   // Lstm: the four gates; Gru: reset, update, new, and h's part of new
};

template <class T>
struct RnnGatesGradient {
  RnnCell cell;
  int64_t rows, size, count;
  const T *dy, *kept, *h_before, *c_before, *y, *c;  // dy: may be null
  T* dh;  // in: of this h, through the later step; out: of the h before, but for what the gates
          // pass on
  T* dc;  // in: of this c; out: of the one before
  T *dx, *dg;  // of x and h above; the same memory unless the cell is a Gru
};

#define LAMPAS_RNN(isa)                                       \
  namespace isa {                                             \
  void rnn_gates(const RnnGates<float>& r);                   \
  void rnn_gates(const RnnGates<double>& r);                  \
  void rnn_gates_gradient(const RnnGatesGradient<float>& r);  \
  void rnn_gates_gradient(const RnnGatesGradient<double>& r); \
  }
LAMPAS_RNN(baseline)
LAMPAS_RNN(avx2)
LAMPAS_RNN(avx512)
#undef LAMPAS_RNN

}  // namespace lampas
