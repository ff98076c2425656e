// See recurrence.h. Kernels: cpu/rnn.h.
#include "ops/recurrence.h"

#include <array>

#include "cuda/kernels.h"
#include "cuda/rnn.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "tape/engine.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

using cpu::RnnShape;
using tape::Backward;

enum Input { X, H0, C0, W, Bias };

template <class T>
T* raw(const Tensor& x) {
  return x.defined() ? static_cast<T*>(x.raw()) : nullptr;
}

template <class F>
void by_type(DType dtype, F body) {
  dtype == DType::Float ? body(float()) : body(double());
}

Tensor kept_contiguous(const Tensor& x) { return x.defined() ? contiguous(x) : x; }

// Gradients that can be differentiated: the layer is run again with operators on the tape. Views
// stand for the inputs, so that nothing before this layer is reached.
Tensors composed_gradients(const Recurrence& r, const Backward& b) {
  Tensors inputs, wanted;
  for (int i = X; i <= Bias; ++i) {
    Tensor x = b.saved(i);
    if (x.defined() && b.needs(i)) {
      x = view(x, x.sizes());
      wanted.push_back(x);
    }
    inputs.push_back(x);
  }
  Tensors outputs = r.composed(inputs, r.reverse);
  tape::Request request;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (b.grads[i].defined()) {
      request.roots.push_back(outputs[i]);
      request.grads.push_back(b.grads[i]);
    }
  request.retain_graph = request.create_graph = true;
  request.accumulate = false;
  request.inputs = wanted;
  Tensors found = tape::backward(request), result(5);
  for (size_t i = 0, at = 0; i < 5; ++i)
    if (inputs[i].defined() && b.needs(static_cast<int>(i))) result[i] = found[at++];
  return result;
}

Tensors gradients(const RnnShape& s, const Backward& b) {
  Tensor h0 = b.saved(H0), c0 = b.saved(C0), w = b.saved(W), y = b.saved(5), c = b.saved(6),
         kept = b.saved(7);
  Tensor dy = kept_contiguous(b.grads[0]), dh = kept_contiguous(b.grads[1]),
         dc = kept_contiguous(b.grads[2]);
  Dims wide{s.steps, s.batch, w.size(0)};
  auto fresh = [&](const Dims& sizes) { return empty(sizes, w.dtype(), w.device()); };
  Tensor dx = fresh(wide), dg = s.cell == RnnCell::Gru ? fresh(wide) : dx, dh0 = fresh(h0.sizes()),
         dc0 = c0.defined() ? fresh(c0.sizes()) : Tensor(),
         dw = b.needs(W) ? fresh(w.sizes()) : Tensor(), dbias;
  bool first = b.needs(H0) || b.needs(C0);
  if (w.device().is_cuda())
    cuda::rnn_backward(cuda::On{}, s,
                       {dy, dh, dc, h0, c0, w, y, c, kept, dx, dg, dh0, dc0, first, dw});
  else
    by_type(w.dtype(), [&](auto tag) {
      using T = decltype(tag);
      cpu::rnn_backward<T>(s, {raw<T>(dy), raw<T>(dh), raw<T>(dc), raw<T>(h0), raw<T>(c0),
                               raw<T>(w), raw<T>(y), raw<T>(c), raw<T>(kept), raw<T>(dx),
                               raw<T>(dg), raw<T>(dh0), raw<T>(dc0), first, raw<T>(dw)});
    });
  if (b.needs(Bias)) dbias = sum_to(view(dg, Dims{s.steps * s.batch, w.size(0)}), Dims{w.size(0)});
  if (!b.needs(H0)) dh0 = {};
  if (!b.needs(C0)) dc0 = {};
  return {dx, dh0, dc0, dw, dbias};
}

}  // namespace

bool recurrence_fits(const Tensors& inputs) {
  DType type = inputs[X].dtype();
  Device device = inputs[X].device();
  bool fits = (type == DType::Float || type == DType::Double)
                  ? device.is_cpu() || device.is_cuda()
                  : is_reduced(type) && device.is_cuda();
  for (const Tensor& x : inputs)
    if (x.defined()) fits = fits && x.dtype() == type && x.device() == device;
  int64_t hidden = inputs[W].size(1);
  return fits && inputs[X].dim() == 3 && inputs[X].size(1) > 0 && hidden > 0 &&
         inputs[W].size(0) == inputs[X].size(2) && inputs[X].size(2) % hidden == 0 &&
         inputs[H0].sizes() == Dims{inputs[X].size(1), hidden} &&
         (!inputs[C0].defined() || inputs[C0].sizes() == inputs[H0].sizes());
}

Tensors recurrence(const Recurrence& r, const Tensors& inputs) {
  std::array<Tensor, 5> in;
  {
    tape::NoGrad off;
    for (size_t i = 0; i < in.size(); ++i) in[i] = kept_contiguous(inputs[i]);
  }
  const Tensor& w = in[W];
  RnnShape s{r.cell, r.reverse, in[X].size(0), in[X].size(1), w.size(1)};
  auto fresh = [&](const Dims& sizes) { return empty(sizes, w.dtype(), w.device()); };
  Dims all{s.steps, s.batch, s.hidden};
  Tensor y = fresh(all), c = in[C0].defined() ? fresh(all) : Tensor(), kept;
  if (int64_t width = rnn_kept(s.cell)) kept = fresh(Dims{s.steps, s.batch, width * s.hidden});
  if (w.device().is_cuda())
    cuda::rnn_forward(cuda::On{}, s, {in[X], in[H0], in[C0], w, in[Bias], y, c, kept});
  else
    by_type(w.dtype(), [&](auto tag) {
      using T = decltype(tag);
      cpu::rnn_forward<T>(s, {raw<T>(in[X]), raw<T>(in[H0]), raw<T>(in[C0]), raw<T>(w),
                              raw<T>(in[Bias]), raw<T>(y), raw<T>(c), raw<T>(kept)});
    });
  Tensor last_h, last_c;
  {
    tape::NoGrad off;
    int64_t last = s.reverse ? 0 : s.steps - 1;
    last_h = clone(select(y, 0, last), {});
    if (c.defined()) last_c = clone(select(c, 0, last), {});
  }
  if (tape::needs_grad(inputs))
    tape::record({&y, &last_h, &last_c}, r.node,
                 {inputs[X], inputs[H0], inputs[C0], inputs[W], inputs[Bias]},
                 {in[X], in[H0], in[C0], w, in[Bias], tape::out(y), c, kept},
                 [r, s](const Backward& b) -> Tensors {
                   return tape::grad_enabled() ? composed_gradients(r, b) : gradients(s, b);
                 });
  return {y, last_h, last_c};
}

}  // namespace lampas::ops
