// Recurrent networks: layers over whole and packed sequences, and single cells. Whole sequences
// run by recurrence.h, the rest is composed of linear layers and rows, which bring the gradients.
// Source: S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", 1997; K. Cho et al., "Learning
// Phrase Representations using RNN Encoder-Decoder", 2014; H. Sak et al. (projections), 2014.
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/primitives.h"
#include "ops/recurrence.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

// The parameters of one layer in one direction; undefined where there are none.
struct Weights {
  Tensor ih, hh, bias_ih, bias_hh, hr;
};

// h, and c for an LSTM.
struct State {
  Tensor h, c;
};

Optional<Tensor> maybe(const Tensor& x) {
  return x.defined() ? Optional<Tensor>(x) : Optional<Tensor>();
}

struct Lstm {
  static constexpr int64_t gates = 4;
  static constexpr RnnCell cell = RnnCell::Lstm;
  static constexpr const char* node = "MkldnnRnnLayerBackward0";
  static State step(const Tensor& from_input, const State& s, const Weights& w) {
    Tensors gate = chunk(from_input + linear(s.h, w.hh, maybe(w.bias_hh)), gates, 1);
    Tensor c = sigmoid(gate[1]) * s.c + sigmoid(gate[0]) * tanh(gate[2]);
    Tensor h = sigmoid(gate[3]) * tanh(c);
    return {w.hr.defined() ? linear(h, w.hr, {}) : h, c};
  }
};

struct Gru {
  static constexpr int64_t gates = 3;
  static constexpr RnnCell cell = RnnCell::Gru;
  static constexpr const char* node = "StackBackward0";
  static State step(const Tensor& from_input, const State& s, const Weights& w) {
    Tensors x = chunk(from_input, gates, 1),
            h = chunk(linear(s.h, w.hh, maybe(w.bias_hh)), gates, 1);
    Tensor reset = sigmoid(x[0] + h[0]), update = sigmoid(x[1] + h[1]);
    Tensor fresh = tanh(x[2] + reset * h[2]);
    return {(s.h - fresh) * update + fresh, {}};
  }
};

struct Tanh {
  static constexpr int64_t gates = 1;
  static constexpr RnnCell cell = RnnCell::Tanh;
  static constexpr const char* node = "StackBackward0";
  static State step(const Tensor& from_input, const State& s, const Weights& w) {
    return {tanh(from_input + linear(s.h, w.hh, maybe(w.bias_hh))), {}};
  }
};

struct Relu {
  static constexpr int64_t gates = 1;
  static constexpr RnnCell cell = RnnCell::Relu;
  static constexpr const char* node = "StackBackward0";
  static State step(const Tensor& from_input, const State& s, const Weights& w) {
    return {relu(from_input + linear(s.h, w.hh, maybe(w.bias_hh))), {}};
  }
};

// A batch of sequences: equally long (T, B, *), or packed (sum of sizes, *) with sizes that never
// grow.
struct Sequence {
  Tensor data;
  Dims sizes;  // batch size at every step; empty: not packed

  int64_t steps() const {
    return sizes.empty() ? data.size(0) : static_cast<int64_t>(sizes.size());
  }
  Tensors parts(const Tensor& x) const {
    return sizes.empty() ? unbind(x, 0) : split_with_sizes(x, sizes, 0);
  }
  Tensor joined(const Tensors& steps) const {
    return sizes.empty() ? stack(steps, 0) : cat(steps, 0);
  }
};

Tensor rows(const Tensor& x, int64_t start, int64_t count) {
  return !x.defined() || (start == 0 && count == x.size(0)) ? x : narrow(x, 0, start, count);
}

// Steps through time; `s` becomes the final state, in the order of the batch.
template <class Cell>
Tensor forwards(const Sequence& sequence, const Tensor& from_input, State& s, const Weights& w) {
  Tensors steps = sequence.parts(from_input), outputs, ended_h, ended_c;
  State all = s;
  for (const Tensor& x : steps) {
    int64_t size = x.size(0), before = all.h.size(0);
    if (size < before) {  // the sequences at the end of the batch are over
      ended_h.push_back(rows(all.h, size, before - size));
      if (all.c.defined()) ended_c.push_back(rows(all.c, size, before - size));
      all = {rows(all.h, 0, size), rows(all.c, 0, size)};
    }
    all = Cell::step(x, all, w);
    outputs.push_back(all.h);
  }
  auto whole = [](const Tensor& last, const Tensors& ended) {
    if (ended.empty()) return last;
    Tensors parts{last};
    for (size_t i = ended.size(); i-- > 0;) parts.push_back(ended[i]);
    return cat(parts, 0);
  };
  s = {whole(all.h, ended_h), all.c.defined() ? whole(all.c, ended_c) : all.c};
  return sequence.joined(outputs);
}

template <class Cell>
Tensor backwards(const Sequence& sequence, const Tensor& from_input, State& s, const Weights& w) {
  Tensors steps = sequence.parts(from_input), outputs(steps.size());
  State all;
  for (size_t t = steps.size(); t-- > 0;) {
    int64_t size = steps[t].size(0), before = all.h.defined() ? all.h.size(0) : 0;
    auto grown = [&](const Tensor& running, const Tensor& start) {
      if (before == 0) return rows(start, 0, size);
      if (!start.defined() || size == before) return running;
      return cat(Tensors{running, rows(start, before, size - before)}, 0);
    };
    all = {grown(all.h, s.h), grown(all.c, s.c)};
    all = Cell::step(steps[t], all, w);
    outputs[t] = all.h;
  }
  s = all;
  return sequence.joined(outputs);
}

// Both directions, composed of operators; recurrence.h runs whole layers where it can.
template <class Cell>
Tensors composed(const Tensors& in, bool reverse) {
  Sequence sequence{in[0], {}};
  State s{in[1], in[2]};
  Weights w{{}, in[3], {}, in[4], {}};
  Tensor y =
      reverse ? backwards<Cell>(sequence, in[0], s, w) : forwards<Cell>(sequence, in[0], s, w);
  return {y, s.h, s.c};
}

template <class Cell>
Tensor through_time(const Sequence& sequence, const Tensor& from_input, State& s, const Weights& w,
                    bool reverse) {
  Tensors inputs{from_input, s.h, s.c, w.hh, w.bias_hh};
  if (sequence.sizes.empty() && !w.hr.defined() && recurrence_fits(inputs)) {
    Tensors out = recurrence({Cell::cell, reverse, Cell::node, composed<Cell>}, inputs);
    s = {out[1], out[2]};
    return out[0];
  }
  return reverse ? backwards<Cell>(sequence, from_input, s, w)
                 : forwards<Cell>(sequence, from_input, s, w);
}

// What one call is made of, apart from its tensors.
struct Network {
  bool has_biases;
  int64_t layers;
  double dropout;
  bool train, bidirectional;

  int64_t directions() const { return bidirectional ? 2 : 1; }

  Weights weights(const Tensors& params, int64_t index, bool projected) const {
    int64_t each = (has_biases ? 4 : 2) + (projected ? 1 : 0);
    CHECK(static_cast<int64_t>(params.size()) == each * layers * directions(),
          "got an incorrect number of RNN parameters");
    const Tensor* p = params.begin() + index * each;
    Weights w{p[0], p[1], {}, {}, {}};
    if (has_biases) w.bias_ih = p[2], w.bias_hh = p[3];
    if (projected) w.hr = p[each - 1];
    return w;
  }
};

void check_weights(const Weights& w, int64_t gates, const State& s) {
  for (const Tensor* x : {&w.ih, &w.hh})
    CHECK(x->defined() && x->dim() == 2 && x->size(0) % gates == 0,
          "rnn: expected a weight matrix of ", gates, " gates");
  CHECK(s.h.dim() == 2 && w.hh.size(1) == s.h.size(1), "rnn: expected hidden size ", w.hh.size(1),
        ", got ", to_string(s.h.sizes()));
}

// Runs all layers; h0 and c0 are (layers * directions, batch, size).
template <class Cell>
Triple run(Sequence sequence, const Tensor& h0, const Tensor& c0, const Tensors& params,
           const Network& net) {
  CHECK(sequence.steps() > 0, "Expected sequence length to be larger than 0 in RNN");
  CHECK(h0.dim() == 3 && h0.size(0) == net.layers * net.directions(),
        "rnn: expected hidden state (", net.layers * net.directions(), ", batch, size), got ",
        to_string(h0.sizes()));
  bool projected = c0.defined() && h0.size(2) != c0.size(c0.dim() - 1);
  Tensors hs = unbind(h0, 0), cs = c0.defined() ? unbind(c0, 0) : Tensors(hs.size()), last_h,
          last_c;
  int64_t index = 0;
  for (int64_t layer = 0; layer < net.layers; ++layer) {
    Tensors outputs;
    for (int64_t d = 0; d < net.directions(); ++d, ++index) {
      Weights w = net.weights(params, index, projected);
      State s{hs[static_cast<size_t>(index)], cs[static_cast<size_t>(index)]};
      check_weights(w, Cell::gates, s);
      Tensor from_input = linear(sequence.data, w.ih, maybe(w.bias_ih));
      outputs.push_back(through_time<Cell>(sequence, from_input, s, w, d == 1));
      last_h.push_back(s.h);
      if (s.c.defined()) last_c.push_back(s.c);
    }
    sequence.data = net.bidirectional ? cat(outputs, -1) : outputs[0];
    if (net.dropout != 0 && net.train && layer + 1 < net.layers)
      sequence.data = dropout(sequence.data, net.dropout, true);
  }
  return {sequence.data, stack(last_h, 0), last_c.empty() ? Tensor() : stack(last_c, 0)};
}

template <class Cell>
Triple run_whole(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensors& params,
                 const Network& net, bool batch_first) {
  CHECK(x.dim() == 3, "rnn: expected input with 3 dimensions, got ", x.dim());
  Sequence sequence{batch_first ? transpose(x, 0, 1) : x, {}};
  auto [y, h, c] = run<Cell>(sequence, h0, c0, params, net);
  return {batch_first ? transpose(y, 0, 1) : y, h, c};
}

Sequence packed(const Tensor& data, const Tensor& batch_sizes) {
  CHECK(batch_sizes.dim() == 1 && batch_sizes.dtype() == DType::Int64 &&
            batch_sizes.device().is_cpu(),
        "batch_sizes tensor should be a 1-D int64 tensor on the CPU");
  Sequence s{data, {}};
  int64_t total = 0;
  for (int64_t t = 0; t < batch_sizes.size(0); ++t) {
    int64_t size = batch_sizes.data<int64_t>()[t * batch_sizes.stride(0)];
    CHECK(size > 0 && (t == 0 || size <= s.sizes.back()),
          "batch_sizes must be positive and must not grow");
    s.sizes.push_back(size);
    total += size;
  }
  CHECK(!s.sizes.empty() && data.dim() == 2 && data.size(0) == total,
        "rnn: data does not have the length that batch_sizes tell");
  return s;
}

void check_packed_state(const Tensor& h, const Sequence& s) {
  CHECK(h.dim() == 3 && h.size(1) == s.sizes[0], "rnn: expected a hidden state of batch size ",
        s.sizes[0], ", got ", to_string(h.sizes()));
}

void check_pair(const Tensors& hx) {
  CHECK(hx.size() == 2 && hx[0].defined() && hx[1].defined(), "lstm expects two hidden states");
  CHECK(hx[0].dim() == hx[1].dim(), "lstm expects two hidden states of one dimensionality");
}

void check_cell(const Tensor& x, const Tensor& h, const Tensor& w_ih, const Tensor& w_hh,
                int64_t gates, int64_t which = 0) {
  CHECK(x.dim() == 2 && h.dim() == 2 && w_ih.dim() == 2 && w_hh.dim() == 2,
        "rnn cell: expected matrices");
  CHECK(w_ih.size(0) % gates == 0 && w_hh.size(0) == w_ih.size(0), "rnn cell: expected weights of ",
        gates, " gates");
  CHECK(x.size(1) == w_ih.size(1), "input has inconsistent input_size: got ", x.size(1),
        " expected ", w_ih.size(1));
  CHECK(x.size(0) == h.size(0), "Input batch size ", x.size(0), " doesn't match hidden", which,
        " batch size ", h.size(0));
  CHECK(h.size(1) == w_hh.size(1), "hidden", which, " has inconsistent hidden_size: got ",
        h.size(1), ", expected ", w_hh.size(1));
}

}  // namespace

Triple lstm(const Tensor& x, const Tensors& hx, const Tensors& params, bool has_biases,
            int64_t num_layers, double dropout, bool train, bool bidirectional, bool batch_first) {
  check_pair(hx);
  return run_whole<Lstm>(x, hx[0], hx[1], params,
                         {has_biases, num_layers, dropout, train, bidirectional}, batch_first);
}

Triple lstm_packed(const Tensor& data, const Tensor& batch_sizes, const Tensors& hx,
                   const Tensors& params, bool has_biases, int64_t num_layers, double dropout,
                   bool train, bool bidirectional) {
  check_pair(hx);
  Sequence sequence = packed(data, batch_sizes);
  for (const Tensor& h : hx) check_packed_state(h, sequence);
  return run<Lstm>(sequence, hx[0], hx[1], params,
                   {has_biases, num_layers, dropout, train, bidirectional});
}

Pair lstm_cell(const Tensor& x, const Tensors& hx, const Tensor& w_ih, const Tensor& w_hh,
               const Tensor& b_ih, const Tensor& b_hh) {
  check_pair(hx);
  check_cell(x, hx[0], w_ih, w_hh, Lstm::gates);
  CHECK(
      hx[1].dim() == 2 && hx[1].size(0) == x.size(0) && hx[1].size(1) * Lstm::gates == w_hh.size(0),
      "hidden1 has inconsistent hidden_size: got ", hx[1].size(hx[1].dim() - 1), ", expected ",
      w_hh.size(0) / Lstm::gates);
  State s = Lstm::step(linear(x, w_ih, maybe(b_ih)), {hx[0], hx[1]}, {w_ih, w_hh, b_ih, b_hh, {}});
  return {s.h, s.c};
}

#define RECURRENT(name, Cell)                                                                     \
  Pair name(const Tensor& x, const Tensor& hx, const Tensors& params, bool has_biases,            \
            int64_t num_layers, double dropout, bool train, bool bidirectional,                   \
            bool batch_first) {                                                                   \
    auto [y, h, c] = run_whole<Cell>(                                                             \
        x, hx, {}, params, {has_biases, num_layers, dropout, train, bidirectional}, batch_first); \
    return {y, h};                                                                                \
  }                                                                                               \
  Pair name##_packed(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx,             \
                     const Tensors& params, bool has_biases, int64_t num_layers, double dropout,  \
                     bool train, bool bidirectional) {                                            \
    Sequence sequence = packed(data, batch_sizes);                                                \
    check_packed_state(hx, sequence);                                                             \
    auto [y, h, c] = run<Cell>(sequence, hx, {}, params,                                          \
                               {has_biases, num_layers, dropout, train, bidirectional});          \
    return {y, h};                                                                                \
  }                                                                                               \
  Tensor name##_cell(const Tensor& x, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh,   \
                     const Tensor& b_ih, const Tensor& b_hh) {                                    \
    check_cell(x, hx, w_ih, w_hh, Cell::gates);                                                   \
    return Cell::step(linear(x, w_ih, maybe(b_ih)), {hx, {}}, {w_ih, w_hh, b_ih, b_hh, {}}).h;    \
  }
RECURRENT(gru, Gru)
RECURRENT(rnn_tanh, Tanh)
RECURRENT(rnn_relu, Relu)
#undef RECURRENT

}  // namespace lampas::ops
