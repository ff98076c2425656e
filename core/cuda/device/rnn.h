// The pointwise part of a step of a recurrent network: one thread an element of the hidden state.
// The formulas are those of cpu/simd/rnn.cc; the products come from outside.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

// Of StepArguments in cuda/rnn.cc. Rows of x, h, dx, dg hold the gates one after the other.
struct StepArguments {
  const void *x, *h, *bias;  // what the input and the last h give to the gates; bias may be null
  const void *h_before, *c_before;
  void *y, *c, *kept;
  const void* dy;  // may be null
  void *dh, *dc, *dx, *dg;
  int64_t rows, size;
};

// Which element of the state a thread has: the place in rows of one, three or four times its size.
struct StepPlace {
  int64_t row, unit, size;
  LAMPAS_INLINE int64_t one() const { return row * size + unit; }
  LAMPAS_INLINE int64_t of(int64_t gates, int64_t g) const {
    return (row * gates + g) * size + unit;
  }
};
LAMPAS_INLINE bool find_place(const StepArguments& a, StepPlace& p) {
  int64_t at = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  p.row = at / a.size, p.unit = at % a.size, p.size = a.size;
  return at < a.rows * a.size;
}

template <class T, class Acc>
struct Step {
  const StepArguments& a;
  StepPlace p;
  LAMPAS_INLINE static Acc read(const void* x, int64_t at) {
    return convert<Acc>(static_cast<const T*>(x)[at]);
  }
  LAMPAS_INLINE static void write(void* y, int64_t at, Acc value) {
    static_cast<T*>(y)[at] = convert<T>(value);
  }
  LAMPAS_INLINE Acc from_h(int64_t gates, int64_t g) const {
    Acc h = read(a.h, p.of(gates, g));
    return a.bias ? h + read(a.bias, g * p.size + p.unit) : h;
  }
  LAMPAS_INLINE Acc sum(int64_t gates, int64_t g) const {
    return read(a.x, p.of(gates, g)) + from_h(gates, g);
  }
  // The gradient of this h: through the later step and from outside.
  LAMPAS_INLINE Acc gradient() const {
    Acc dh = read(a.dh, p.one());
    return a.dy ? dh + read(a.dy, p.one()) : dh;
  }
};

template <class T, class Acc>
inline void lstm_step(const StepArguments& a) {
  Step<T, Acc> s{a, {}};
  if (!find_place(a, s.p)) return;
  Acc in = math::sigmoid(s.sum(4, 0)), forget = math::sigmoid(s.sum(4, 1)),
      cell = math::tanh(s.sum(4, 2)), out = math::sigmoid(s.sum(4, 3));
  Acc now = forget * s.read(a.c_before, s.p.one()) + in * cell;
  s.write(a.kept, s.p.of(4, 0), in);
  s.write(a.kept, s.p.of(4, 1), forget);
  s.write(a.kept, s.p.of(4, 2), cell);
  s.write(a.kept, s.p.of(4, 3), out);
  s.write(a.c, s.p.one(), now);
  s.write(a.y, s.p.one(), out * math::tanh(now));
}

template <class T, class Acc>
inline void lstm_gradient(const StepArguments& a) {
  Step<T, Acc> s{a, {}};
  if (!find_place(a, s.p)) return;
  Acc in = s.read(a.kept, s.p.of(4, 0)), forget = s.read(a.kept, s.p.of(4, 1)),
      cell = s.read(a.kept, s.p.of(4, 2)), out = s.read(a.kept, s.p.of(4, 3));
  Acc g = s.gradient(), wide = math::tanh(s.read(a.c, s.p.one()));
  Acc through = s.read(a.dc, s.p.one()) + g * out * (1 - wide * wide);
  s.write(a.dx, s.p.of(4, 0), through * cell * in * (1 - in));
  s.write(a.dx, s.p.of(4, 1), through * s.read(a.c_before, s.p.one()) * forget * (1 - forget));
  s.write(a.dx, s.p.of(4, 2), through * in * (1 - cell * cell));
  s.write(a.dx, s.p.of(4, 3), g * wide * out * (1 - out));
  s.write(a.dc, s.p.one(), through * forget);
  s.write(a.dh, s.p.one(), Acc(0));
}

template <class T, class Acc>
inline void gru_step(const StepArguments& a) {
  Step<T, Acc> s{a, {}};
  if (!find_place(a, s.p)) return;
  Acc reset = math::sigmoid(s.sum(3, 0)), update = math::sigmoid(s.sum(3, 1)),
      from_h = s.from_h(3, 2), fresh = math::tanh(s.read(a.x, s.p.of(3, 2)) + reset * from_h);
  s.write(a.kept, s.p.of(4, 0), reset);
  s.write(a.kept, s.p.of(4, 1), update);
  s.write(a.kept, s.p.of(4, 2), fresh);
  s.write(a.kept, s.p.of(4, 3), from_h);
  s.write(a.y, s.p.one(), (s.read(a.h_before, s.p.one()) - fresh) * update + fresh);
}

template <class T, class Acc>
inline void gru_gradient(const StepArguments& a) {
  Step<T, Acc> s{a, {}};
  if (!find_place(a, s.p)) return;
  Acc reset = s.read(a.kept, s.p.of(4, 0)), update = s.read(a.kept, s.p.of(4, 1)),
      fresh = s.read(a.kept, s.p.of(4, 2)), from_h = s.read(a.kept, s.p.of(4, 3));
  Acc g = s.gradient(), d_fresh = g * (1 - update) * (1 - fresh * fresh);
  Acc d_update = g * (s.read(a.h_before, s.p.one()) - fresh) * update * (1 - update);
  Acc d_reset = d_fresh * from_h * reset * (1 - reset);
  s.write(a.dx, s.p.of(3, 0), d_reset);
  s.write(a.dx, s.p.of(3, 1), d_update);
  s.write(a.dx, s.p.of(3, 2), d_fresh);
  s.write(a.dg, s.p.of(3, 0), d_reset);
  s.write(a.dg, s.p.of(3, 1), d_update);
  s.write(a.dg, s.p.of(3, 2), d_fresh * reset);
  s.write(a.dh, s.p.one(), g * update);
}

template <class T, class Acc, bool Tanh>
inline void simple_step(const StepArguments& a) {
  Step<T, Acc> s{a, {}};
  if (!find_place(a, s.p)) return;
  Acc sum = s.sum(1, 0), cut = sum < 0 ? Acc(0) : sum;
  s.write(a.y, s.p.one(), Tanh ? math::tanh(sum) : cut);
}

template <class T, class Acc, bool Tanh>
inline void simple_gradient(const StepArguments& a) {
  Step<T, Acc> s{a, {}};
  if (!find_place(a, s.p)) return;
  Acc g = s.gradient(), y = s.read(a.y, s.p.one()), kept = y > 0 ? g : Acc(0);
  s.write(a.dx, s.p.one(), Tanh ? g * (1 - y * y) : kept);
  s.write(a.dh, s.p.one(), Acc(0));
}

}  // namespace lampas::device
