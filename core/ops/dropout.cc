// Random regularisers with gradients: dropout and the randomised leaky ReLU.
#include "ops/arithmetic.h"
#include "ops/kernel.h"
#include "ops/primitives.h"
#include "ops/random.h"
#include "tape/tape.h"

namespace lampas::ops {
namespace {

// Values of x in the order of the memory of `like`, which is dense.
Tensor arranged(const Tensor& x, const Tensor& like) {
  if (x.strides() == like.strides()) return x;
  tape::NoGrad off;
  Tensor y = empty_strided(like.sizes(), like.strides(), x.dtype(), x.device());
  copy_values(y, x);
  return y;
}

void check_probability(double p) {
  CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
}

// --- on a GPU: one pass that draws and scales, and remembers a byte for each element ---

// x * scale where `kept`, else x * 0; its own derivative.
Tensor masked_scale(const Tensor& x, const Tensor& kept, double scale) {
  Tensor y = empty_like(x);
  cuda::masked_scale(cuda::On{}, y, arranged(x, y), arranged(kept, y), scale);
  if (tape::needs_grad(x)) {
    tape::record(y, "NativeDropoutBackwardBackward0", {x}, {kept},
                 [scale](const tape::Backward& b) -> Tensors {
                   return {masked_scale(b.g, b.saved(0), scale)};
                 });
  }
  return y;
}

// (y, kept); 0 < p < 1.
Tensors fused_dropout(const Tensor& x, double p) {
  Tensor y = empty_like(x), kept = empty_like(x, DType::Bool);
  cuda::dropout(cuda::On{}, y, kept, arranged(x, y), 1 - p, pick(nullptr, x));
  if (tape::needs_grad(x)) {
    tape::record(y, "NativeDropoutBackward0", {x}, {kept},
                 [scale = 1 / (1 - p)](const tape::Backward& b) -> Tensors {
                   return {masked_scale(b.g, b.saved(0), scale)};
                 });
  }
  return {y, kept};
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool train) {
  check_probability(p);
  if (p == 0 || !train || x.numel() == 0) return x;
  if (p == 1) return mul(x, zeros({}, x.dtype(), x.device()));
  CHECK(x.is_floating() || x.is_complex(),
        "result type Float can't be cast to the desired output type ", label(x.dtype()));
  if (x.device().is_cuda() && x.is_floating()) return fused_dropout(x, p)[0];
  Tensor noise = empty_like(x);
  KERNEL(dropout_noise, noise, 1 - p, pick(nullptr, x));
  return mul(x, noise);
}

Tensors native_dropout(const Tensor& x, double p, Optional<bool> train) {
  check_probability(p);
  if (!train.value_or(true)) {
    Tensor mask = ones(x.sizes(), DType::Bool, x.device());
    return {clone(x), mask};
  }
  if (x.device().is_cuda() && x.is_floating() && p > 0 && p < 1) return fused_dropout(x, p);
  Tensor noise = empty_like(x);
  if (p == 1)
    fill_values(noise, 0.0);
  else
    KERNEL(dropout_noise, noise, 1 - p, pick(nullptr, x));
  Tensor y, mask;
  {
    tape::NoGrad off;
    y = mul(x, noise);
    mask = to(noise, DType::Bool);
  }
  if (tape::needs_grad(x)) {
    tape::record(y, "NativeDropoutBackward0", {x}, {noise},
                 [](const tape::Backward& b) -> Tensors { return {b.g * b.saved(0)}; });
  }
  return {y, mask};
}

Tensor rrelu_with_noise(const Tensor& x, const Tensor& noise, double lower, double upper,
                        bool training, Generator* generator) {
  CHECK(lower <= upper, "Lower bound should be less than or equal to the upper bound");
  CHECK(noise.sizes() == x.sizes(),
        "noise tensor shape must match self tensor shape. Got self.shape = ", to_string(x.sizes()),
        " noise.shape = ", to_string(noise.sizes()));
  if (!training) return leaky_relu(x, (lower + upper) / 2);
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  Tensor slopes = noise.is_contiguous() ? noise : empty(x.sizes(), x.dtype(), x.device());
  KERNEL(rrelu, y, slopes, plain_contiguous(x), lower, upper, pick(generator, x));
  if (!slopes.is(noise)) copy_values(noise, slopes);
  bump_version(noise);
  if (tape::needs_grad(x)) {
    tape::record(y, "RreluWithNoiseBackward0", {x}, {slopes},
                 [](const tape::Backward& b) -> Tensors { return {b.g * b.saved(0)}; })
        ->piecewise = true;
  }
  return y;
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training, Generator* generator) {
  Tensor noise = empty(x.sizes(), x.dtype(), x.device());
  return rrelu_with_noise(x, noise, lower, upper, training, generator);
}

}  // namespace lampas::ops
