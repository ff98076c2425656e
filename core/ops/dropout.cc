// Random regularisers with gradients: dropout and the randomised leaky ReLU.
#include "ops/arithmetic.h"
#include "ops/primitives.h"
#include "ops/random.h"
#include "tape/tape.h"

namespace lampas::ops {
namespace {

void check_probability(double p) {
  CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool train) {
  check_probability(p);
  if (p == 0 || !train || x.numel() == 0) return x;
  if (p == 1) return mul(x, zeros({}, x.dtype(), x.device()));
  CHECK(x.is_floating() || x.is_complex(),
        "result type Float can't be cast to the desired output type ", label(x.dtype()));
  Tensor noise = empty_like(x);
  if (!on_meta(x)) {
    cpu::dropout_noise(run_of(noise), 1 - p, default_generator());
  }
  return mul(x, noise);
}

Tensors native_dropout(const Tensor& x, double p, Optional<bool> train) {
  check_probability(p);
  if (!train.value_or(true)) {
    Tensor mask = ones(x.sizes(), DType::Bool, x.device());
    return {clone(x), mask};
  }
  Tensor noise = empty_like(x);
  if (p == 1)
    fill_values(noise, 0.0);
  else if (!on_meta(x))
    cpu::dropout_noise(run_of(noise), 1 - p, default_generator());
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
  if (!on_meta(x)) {
    Tensor values = plain_contiguous(x);
    cpu::rrelu(run_of(y), slopes.raw(), values.raw(), lower, upper, pick(generator));
    if (!slopes.is(noise)) copy_values(noise, slopes);
  }
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
