// Operators that are another row with fixed numbers or a reshaped operand.
#include "ops/arithmetic.h"
#include "ops/primitives.h"

namespace lampas::ops {

Tensor relu6(const Tensor& x) {
  CHECK_KIND(x.dtype() != DType::Bool, Runtime, "Boolean inputs not supported for relu6");
  return hardtanh(x, 0, 6);
}

Tensor round_to(const Tensor& x, int64_t decimals) {
  if (decimals == 0) return round(x);
  CHECK_KIND(is_floating(x.dtype()), NotImplemented, "\"round_vml_cpu\" not implemented for '",
             label(x.dtype()), "'");
  return round_decimals(x, decimals);
}

// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
Tensor gelu_of(const Tensor& x, const std::string& approximate) {
  CHECK(approximate == "none" || approximate == "tanh",
        "approximate argument must be either none or tanh.");
  return approximate == "tanh" ? gelu_tanh(x) : gelu(x);
}

// Klambauer et al., "Self-Normalizing Neural Networks", 2017.
Tensor selu(const Tensor& x) {
  return elu(x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0);
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  CHECK(x.dtype() == weight.dtype(), "prelu: Type promoting not supported. Got ", label(x.dtype()),
        " and ", label(weight.dtype()));
  CHECK(weight.dim() <= 1,
        "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = ", weight.dim());
  if (weight.numel() == 1 && x.dim() <= 1)
    return prelu_kernel(x, x.dim() == 0 ? reshape(weight, Dims{}) : weight);
  int64_t channels = x.dim() > 1 ? x.size(1) : 1;
  CHECK(weight.numel() == 1 || x.dim() > 0, "Not allow zero-dim input tensor.");
  CHECK(weight.numel() == 1 || weight.numel() == channels,
        "Mismatch of parameter numbers and input channel size. Found parameter numbers = ",
        weight.numel(), " and channel size = ", channels, ".");
  Dims sizes(static_cast<size_t>(x.dim()), 1);
  if (weight.numel() > 1) sizes[1] = weight.numel();
  return prelu_kernel(x, reshape(weight, sizes));
}

}  // namespace lampas::ops
