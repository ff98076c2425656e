// Steps through time. The recurrent weights are packed once, and all steps are one hand-off to the
// pool. A piece of a step owns some hidden units: their gates' products, then their pointwise part,
// whose result it packs for the step after.
#include "cpu/rnn.h"

#include <algorithm>
#include <vector>

#include "cpu/division.h"
#include "cpu/gemm.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kPieceFlops = 1 << 21;  // worth a meeting of the threads

// Positions of the step that is taken as number `i`, and of the one before it.
struct Walk {
  const RnnShape& s;
  int64_t at(int64_t i) const { return s.reverse ? s.steps - 1 - i : i; }
  template <class T>
  T* state(T* first, T* all, int64_t i) const {  // before step i
    return i == 0 ? first : all + at(i - 1) * s.batch * s.hidden;
  }
};

template <class T>
Strided<T> rows_of(const T* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, cols, 1};
}

// The rows of y, dg, ... that belong to the columns [begin, end) of step `line`.
template <class T>
Strided<T> columns(const T* data, int64_t rows, int64_t wide, int64_t begin, int64_t end) {
  return {data + begin, rows, end - begin, wide, 1};
}

}  // namespace

template <class T>
void rnn_forward(const RnnShape& s, const RnnForward<T>& f) {
  int64_t n = s.hidden, gates = rnn_gates(s.cell), wide = gates * n, kept = rnn_kept(s.cell) * n;
  std::vector<PackedRight<T>> weights;
  weights.reserve(static_cast<size_t>(gates));
  for (int64_t g = 0; g < gates; ++g) weights.emplace_back(turned(rows_of(f.w + g * n * n, n, n)));
  Scratch<T> from_h(s.batch * wide);
  PackedLeft<T> h[2] = {{s.batch, n}, {s.batch, n}};  // a step reads one and fills the other
  h[0].put(rows_of(f.h0, s.batch, n), 0);
  int64_t grain = weights[0].grain(s.batch * gates, kPieceFlops);
  Walk walk{s};
  parallel_steps(s.steps, ceil_div(n, grain), [&](int64_t i, int64_t piece) {
    int64_t begin = piece * grain, end = std::min(n, begin + grain), line = walk.at(i) * s.batch;
    const T* before = walk.template state<const T>(f.h0, f.y, i);
    const T* c_before = f.c ? walk.template state<const T>(f.c0, f.c, i) : nullptr;
    for (int64_t g = 0; g < gates; ++g) {
      GemmEnd<T> finish;
      finish.col_bias = f.bias ? f.bias + g * n : nullptr;
      gemm(h[i % 2], weights[static_cast<size_t>(g)], from_h.data() + g * n, wide, finish, begin,
           end);
    }
    LAMPAS_BEST(rnn_gates(RnnGates<T>{
        s.cell, s.batch, n, end - begin, f.x + line * wide + begin, from_h.data() + begin,
        before + begin, c_before ? c_before + begin : nullptr, f.y + line * n + begin,
        f.c ? f.c + line * n + begin : nullptr, f.kept ? f.kept + line * kept + begin : nullptr}));
    if (i + 1 < s.steps)
      h[(i + 1) % 2].put(columns<T>(f.y + line * n, s.batch, n, begin, end), begin);
  });
}

template <class T>
void rnn_backward(const RnnShape& s, const RnnBackward<T>& b) {
  int64_t n = s.hidden, gates = rnn_gates(s.cell), wide = gates * n, kept = rnn_kept(s.cell) * n;
  int64_t state = s.batch * n;
  PackedRight<T> weights(rows_of(b.w, wide, n));
  auto start = [state](const T* from, T* to) {
    from ? std::copy_n(from, state, to) : std::fill_n(to, state, T(0));
  };
  start(b.dh_last, b.dh0);
  if (b.dc0) start(b.dc_last, b.dc0);
  PackedLeft<T> later[2] = {{s.batch, wide}, {s.batch, wide}};  // dg: as h above
  int64_t grain = weights.grain(s.batch, kPieceFlops);
  Walk walk{s};
  GemmEnd<T> onto;
  onto.add = true;
  // What the gates of the step after hand back to this h; then this step's own gates. One round
  // more for the first state.
  parallel_steps(
      s.steps + (b.first ? 1 : 0), ceil_div(n, grain), [&](int64_t round, int64_t piece) {
        int64_t begin = piece * grain, end = std::min(n, begin + grain), i = s.steps - 1 - round;
        if (round > 0) gemm(later[round % 2], weights, b.dh0, n, onto, begin, end);
        if (i < 0) return;
        int64_t line = walk.at(i) * s.batch;
        const T* before = walk.template state<const T>(b.h0, b.y, i);
        const T* c_before = b.c ? walk.template state<const T>(b.c0, b.c, i) : nullptr;
        LAMPAS_BEST(rnn_gates_gradient(RnnGatesGradient<T>{
            s.cell, s.batch, n, end - begin, b.dy ? b.dy + line * n + begin : nullptr,
            b.kept ? b.kept + line * kept + begin : nullptr, before + begin,
            c_before ? c_before + begin : nullptr, b.y + line * n + begin,
            b.c ? b.c + line * n + begin : nullptr, b.dh0 + begin, b.dc0 ? b.dc0 + begin : nullptr,
            b.dx + line * wide + begin, b.dg + line * wide + begin}));
        if (round + 1 == s.steps + (b.first ? 1 : 0)) return;
        for (int64_t g = 0; g < gates; ++g)
          later[(round + 1) % 2].put(
              columns<T>(b.dg + line * wide, s.batch, wide, g * n + begin, g * n + end),
              g * n + begin);
      });
  if (!b.dw) return;
  // dw = sum over steps of dg^T @ (h before): all but the first step at once, then that one.
  int64_t many = (s.steps - 1) * s.batch, first = walk.at(0) * s.batch;
  const T* dg = b.dg + (s.reverse ? 0 : s.batch * wide);
  const T* h = b.y + (s.reverse ? state : 0);
  gemm(turned(rows_of(dg, many, wide)), rows_of(h, many, n), b.dw, n);
  gemm(turned(rows_of<T>(b.dg + first * wide, s.batch, wide)), rows_of(b.h0, s.batch, n), b.dw, n,
       onto);
}

template void rnn_forward(const RnnShape&, const RnnForward<float>&);
template void rnn_forward(const RnnShape&, const RnnForward<double>&);
template void rnn_backward(const RnnShape&, const RnnBackward<float>&);
template void rnn_backward(const RnnShape&, const RnnBackward<double>&);

}  // namespace lampas::cpu
