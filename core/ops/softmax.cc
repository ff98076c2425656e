// softmax and log_softmax, with their gradients as primitives of their own (which are
// differentiable too).
#include "cpu/softmax.h"

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

// dx = (g - sum(g y)) y, or g - exp(y) sum(g) for the logarithm.
Tensor softmax_gradient(const Tensor& g, const Tensor& y, int64_t d, bool log) {
  if (tape::grad_enabled()) {
    Dims dims{d};
    if (log) return g - exp(y) * sum(g, dims, true);
    Tensor gy = g * y;
    return gy - y * sum(gy, dims, true);
  }
  Tensor dx = empty(y.sizes(), y.dtype(), y.device());
  KERNEL(softmax_backward, dx, contiguous(g), contiguous(y), Lines(y, d), log);
  return dx;
}

Tensor run(const Tensor& input, int64_t dim, Optional<DType> dtype, bool log) {
  Tensor x = dtype ? to(input, *dtype) : input;
  int64_t d = wrap_dim(dim, x.dim());
  if (!x.is_floating()) {
    const char* name = d + 1 >= x.dim() && log ? "log_softmax_lastdim_kernel_impl"
                       : log                   ? "log_softmax_kernel_impl"
                       : d + 1 >= x.dim()      ? "softmax_lastdim_kernel_impl"
                                               : "softmax_kernel_impl";
    fail_dtype(name, x.dtype());
  }
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  KERNEL(softmax, y, contiguous(x), Lines(x, d), log);
  if (needs_grad(x)) {
    record(y, log ? "LogSoftmaxBackward0" : "SoftmaxBackward0", {x}, {tape::out(y)},
           [d, log](const Backward& b) -> Tensors {
             return {softmax_gradient(b.g, b.saved(0), d, log)};
           });
  }
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim, Optional<DType> dtype) {
  return run(x, dim, dtype, false);
}
Tensor log_softmax(const Tensor& x, int64_t dim, Optional<DType> dtype) {
  return run(x, dim, dtype, true);
}

}  // namespace lampas::ops
