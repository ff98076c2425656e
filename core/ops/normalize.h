// What the normalisations share: their types of parameters, and their gradient as differentiable
// operators.
#pragma once
#include "cpu/normalize.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

// None arrives as an empty optional.
inline Tensor given(const Optional<Tensor>& x) { return x.value_or(Tensor()); }

// Where the gradient of a parameter of `type` is summed: the CPU's kernels add to doubles, those of
// a GPU write it as it will be. `any`: whether a kernel will run.
inline Tensor parameter_sums(Span sizes, DType type, Device device, bool any) {
  if (device.is_cuda() && any) return empty(sizes, type, device);
  return zeros(sizes, DType::Double, device);
}

inline DType compute_dtype(DType dtype) { return is_reduced(dtype) ? DType::Float : dtype; }

// 16-bit inputs may come with float parameters; all other types must agree.
inline bool is_mixed(const Tensor& x, std::initializer_list<const Tensor*> parameters) {
  bool mixed = false;
  DType first = DType::Undefined;
  for (const Tensor* p : parameters) {
    if (!p->defined()) continue;
    if (first == DType::Undefined) first = p->dtype();
    if (p->dtype() != x.dtype()) mixed = true;
  }
  if (!mixed) return false;
  CHECK(is_reduced(x.dtype()) || first == DType::Float,
        "mixed dtype (CPU): expect parameter to have scalar type of Float");
  CHECK(is_reduced(x.dtype()), "mixed dtype (CPU): all inputs must share same datatype.");
  for (const Tensor* p : parameters)
    CHECK(!p->defined() || p->dtype() == DType::Float,
          "mixed dtype (CPU): expect parameter to have scalar type of Float");
  return true;
}

// How y = (x - mean) * rstd * w + b is differentiated when the gradient must be differentiable
// itself. x and g have a shape in which the statistics range over `dims`, and w broadcasts.
struct NormGradient {
  Dims dims;  // of one statistic
  double eps = 0;
  bool centred = true;  // false: the mean is zero

  struct Results {
    Tensor dx, scaled;  // scaled: g * (x - mean) * rstd, whose sums are dw
  };
  Results operator()(const Tensor& g, const Tensor& x, const Tensor& w) const {
    auto mean_of = [&](const Tensor& t) { return mean(t, dims, true, {}); };
    Tensor d = centred ? x - mean_of(x) : x;
    Tensor r = rsqrt(mean_of(d * d) + eps), h = d * r;
    Tensor gw = w.defined() ? g * w : g;
    Tensor inner = centred ? gw - mean_of(gw) : gw;
    return {r * (inner - h * mean_of(gw * h)), g * h};
  }
};

}  // namespace lampas::ops
