// See rnn.h. The pointwise kernels: cuda/device/rnn.h.
#include "cuda/rnn.h"

#include "cuda/family.h"
#include "cuda/kernels.h"
#include "cuda/matmul.h"
#include "ops/copy.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

using cpu::RnnShape;

// StepArguments of cuda/device/rnn.h.
struct StepArguments {
  const void *x, *h, *bias;
  const void *h_before, *c_before;
  void *y, *c, *kept;
  const void* dy;
  void *dh, *dc, *dx, *dg;
  int64_t rows, size;
};

constexpr const char* kWhat = "rnn";

const char* cell_name(RnnCell cell) {
  return cell == RnnCell::Lstm ? "lstm" : cell == RnnCell::Gru ? "gru" : "simple";
}

// The steps of one call.
class Walk {
 public:
  Walk(const RnnShape& s, const Tensor& w)
      : s_(s), dtype_(w.dtype()), device_(w.device().index), item_(w.item_size()) {
    wide_ = rnn_gates(s.cell) * s.hidden;
    kept_ = rnn_kept(s.cell) * s.hidden;
  }
  int64_t wide() const { return wide_; }
  int64_t kept() const { return kept_; }
  int64_t at(int64_t i) const { return s_.reverse ? s_.steps - 1 - i : i; }
  // Rows of step i of x (steps, batch, columns); null where x is undefined.
  void* line(const Tensor& x, int64_t i, int64_t columns) const {
    return x.defined() ? static_cast<char*>(x.raw()) + at(i) * s_.batch * columns * item_ : nullptr;
  }
  void* before(const Tensor& first, const Tensor& all, int64_t i) const {
    if (!first.defined()) return nullptr;
    return i == 0 ? first.raw() : line(all, i - 1, s_.hidden);
  }
  // c (m, n) = a @ b + beta * c.
  void multiply(int64_t m, int64_t n, int64_t k, Strided a, Strided b, void* c, double beta) const {
    cuda::multiply({dtype_, device_, 1, m, n, k, a, b, {c, n, 1, 0}, nullptr, 1, beta, kWhat});
  }
  void launch(const char* step, StepArguments a) const {
    a.rows = s_.batch, a.size = s_.hidden;
    const char* kind = s_.cell == RnnCell::Tanh ? ", true>" : ", false>";
    bool simple = s_.cell == RnnCell::Tanh || s_.cell == RnnCell::Relu;
    run_family({"rnn", "StepArguments",
                concat(cell_name(s_.cell), step, "<", device_type(dtype_), ", ",
                       accumulator(dtype_), simple ? kind : ">")},
               &a, {.x = blocks_for(a.rows * a.size, 256)}, device_, kWhat);
  }

 private:
  const RnnShape& s_;
  DType dtype_;
  int device_;
  int64_t item_, wide_, kept_;
};

void start(const Tensor& from, const Tensor& to) {
  if (!to.defined()) return;
  from.defined() ? ops::copy_values(to, from) : ops::fill_values(to, Scalar(0));
}

Strided rows(void* data, int64_t columns) { return {data, columns, 1, 0}; }
Strided turned(void* data, int64_t columns) { return {data, 1, columns, 0}; }

}  // namespace

void rnn_forward(On, const RnnShape& s, const RnnForward& f) {
  Walk walk(s, f.w);
  int64_t n = s.hidden, wide = walk.wide();
  Tensor from_h = empty(Dims{s.batch, wide}, f.w.dtype(), f.w.device());
  StepArguments a{};
  a.h = from_h.raw();
  a.bias = f.bias.defined() ? f.bias.raw() : nullptr;
  for (int64_t i = 0; i < s.steps; ++i) {
    void* before = walk.before(f.h0, f.y, i);
    walk.multiply(s.batch, wide, n, rows(before, n), turned(f.w.raw(), n), from_h.raw(), 0);
    a.x = walk.line(f.x, i, wide);
    a.h_before = before;
    a.c_before = walk.before(f.c0, f.c, i);
    a.y = walk.line(f.y, i, n), a.c = walk.line(f.c, i, n);
    a.kept = walk.line(f.kept, i, walk.kept());
    walk.launch("_step", a);
  }
}

void rnn_backward(On, const RnnShape& s, const RnnBackward& b) {
  Walk walk(s, b.w);
  int64_t n = s.hidden, wide = walk.wide();
  start(b.dh_last, b.dh0), start(b.dc_last, b.dc0);
  // What the gates of the step behind pass on to dh.
  auto pass_on = [&](int64_t i) {
    walk.multiply(s.batch, n, wide, rows(walk.line(b.dg, i, wide), wide), rows(b.w.raw(), n),
                  b.dh0.raw(), 1);
  };
  StepArguments a{};
  a.dh = b.dh0.raw();
  a.dc = b.dc0.defined() ? b.dc0.raw() : nullptr;
  for (int64_t i = s.steps - 1; i >= 0; --i) {
    if (i + 1 < s.steps) pass_on(i + 1);
    a.dy = walk.line(b.dy, i, n);
    a.h_before = walk.before(b.h0, b.y, i), a.c_before = walk.before(b.c0, b.c, i);
    a.y = walk.line(b.y, i, n), a.c = walk.line(b.c, i, n);
    a.kept = walk.line(b.kept, i, walk.kept());
    a.dx = walk.line(b.dx, i, wide), a.dg = walk.line(b.dg, i, wide);
    walk.launch("_gradient", a);
  }
  if (b.first) pass_on(0);
  if (!b.dw.defined()) return;
  // dw = sum over steps of dg^T @ (h before): all but the first step at once, then that one.
  int64_t many = (s.steps - 1) * s.batch;
  int64_t ahead = s.reverse ? 0 : 1, behind = s.reverse ? 1 : 0;  // in steps as memory has them
  auto step = [&](const Tensor& x, int64_t t, int64_t columns) {
    return static_cast<char*>(x.raw()) + t * s.batch * columns * b.w.item_size();
  };
  if (many)
    walk.multiply(wide, n, many, turned(step(b.dg, ahead, wide), wide),
                  rows(step(b.y, behind, n), n), b.dw.raw(), 0);
  walk.multiply(wide, n, s.batch, turned(walk.line(b.dg, 0, wide), wide), rows(b.h0.raw(), n),
                b.dw.raw(), many ? 1 : 0);
}

}  // namespace lampas::cuda
