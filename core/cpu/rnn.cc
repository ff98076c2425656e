// Steps through time. The recurrent weights are packed once; each step is one hand-off to the pool,
// in which a piece owns some hidden units: their gates' products, then their pointwise part.
#include "cpu/rnn.h"

#include <algorithm>
#include <vector>

#include "cpu/gemm.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

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

}  // namespace

template <class T>
void rnn_forward(const RnnShape& s, const RnnForward<T>& f) {
  int64_t n = s.hidden, gates = rnn_gates(s.cell), wide = gates * n, kept = rnn_kept(s.cell) * n;
  std::vector<PackedRight<T>> weights;
  weights.reserve(static_cast<size_t>(gates));
  for (int64_t g = 0; g < gates; ++g) weights.emplace_back(turned(rows_of(f.w + g * n * n, n, n)));
  Scratch<T> from_h(s.batch * wide);
  int64_t grain = weights[0].grain(s.batch * gates);
  Walk walk{s};
  for (int64_t i = 0; i < s.steps; ++i) {
    int64_t line = walk.at(i) * s.batch;
    const T* before = walk.template state<const T>(f.h0, f.y, i);
    const T* c_before = f.c ? walk.template state<const T>(f.c0, f.c, i) : nullptr;
    PackedLeft<T> h(rows_of(before, s.batch, n));
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      for (int64_t g = 0; g < gates; ++g) {
        GemmEnd<T> finish;
        finish.col_bias = f.bias ? f.bias + g * n : nullptr;
        gemm(h, weights[static_cast<size_t>(g)], from_h.data() + g * n, wide, finish, begin, end);
      }
      for (int64_t b = 0; b < s.batch; ++b) {
        int64_t own = b * n + begin, to = (line + b) * n + begin;
        RnnRow<T> row{s.cell,
                      n,
                      end - begin,
                      f.x + (line + b) * wide + begin,
                      from_h.data() + b * wide + begin,
                      before + own,
                      c_before ? c_before + own : nullptr,
                      f.y + to,
                      f.c ? f.c + to : nullptr,
                      f.kept ? f.kept + (line + b) * kept + begin : nullptr};
        LAMPAS_BEST(rnn_row(row));
      }
    });
  }
}

template <class T>
void rnn_backward(const RnnShape& s, const RnnBackward<T>& b) {
  int64_t n = s.hidden, wide = rnn_gates(s.cell) * n, kept = rnn_kept(s.cell) * n;
  int64_t state = s.batch * n;
  PackedRight<T> weights(rows_of(b.w, wide, n));
  int64_t grain = weights.grain(s.batch);
  auto start = [state](const T* from, T* to) {
    from ? std::copy_n(from, state, to) : std::fill_n(to, state, T(0));
  };
  start(b.dh_last, b.dh0);
  if (b.dc0) start(b.dc_last, b.dc0);
  Walk walk{s};
  GemmEnd<T> onto;
  onto.add = true;
  for (int64_t i = s.steps - 1; i >= -1; --i) {
    // What the gates of the step after hand back to this h; then this step's own gates.
    bool last = i == s.steps - 1;
    const T* later = last ? nullptr : b.dg + walk.at(i + 1) * s.batch * wide;
    PackedLeft<T> through(rows_of(later, last ? 0 : s.batch, wide));
    parallel_for(n, grain, [&](int64_t begin, int64_t end) {
      if (!last) gemm(through, weights, b.dh0, n, onto, begin, end);
      if (i < 0) return;
      int64_t line = walk.at(i) * s.batch;
      const T* before = walk.template state<const T>(b.h0, b.y, i);
      const T* c_before = b.c ? walk.template state<const T>(b.c0, b.c, i) : nullptr;
      for (int64_t r = 0; r < s.batch; ++r) {
        int64_t own = r * n + begin, to = (line + r) * n + begin, at = (line + r) * wide + begin;
        RnnRowGradient<T> row{s.cell,
                              n,
                              end - begin,
                              b.dy ? b.dy + to : nullptr,
                              b.kept ? b.kept + (line + r) * kept + begin : nullptr,
                              before + own,
                              c_before ? c_before + own : nullptr,
                              b.y + to,
                              b.c ? b.c + to : nullptr,
                              b.dh0 + own,
                              b.dc0 ? b.dc0 + own : nullptr,
                              b.dx + at,
                              b.dg + at};
        LAMPAS_BEST(rnn_row_gradient(row));
      }
    });
  }
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
