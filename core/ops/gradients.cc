// All gradients of a model in one call: their common norm, scaling them, and unscaling them after a
// scaled loss. Nothing here is recorded; the steps of optimizers are in optim.cc.
#include <cmath>

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/primitives.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

void scale_(const Tensor& x, const Operand& factor) {
  Operand operands[] = {x, factor};
  run_inplace(rows::Row::mul, operands, {});
}

}  // namespace

Tensor total_norm(const Tensors& tensors, double p) {
  tape::NoGrad off;
  Tensors norms;
  for (const Tensor& x : tensors)
    norms.push_back(to(linalg_vector_norm(x, p, {}, false, {}), tensors[0].device()));
  return linalg_vector_norm(stack(norms, 0), p, {}, false, {});
}

void scale_all_(const Tensors& tensors, const Tensor& factor) {
  tape::NoGrad off;
  for (const Tensor& x : tensors) scale_(x, to(factor, x.device()));
}

bool unscale_all_(const Tensors& tensors, double factor) {
  tape::NoGrad off;
  bool finite = true;
  for (const Tensor& x : tensors) {
    // The largest magnitude is infinite or NaN where any is.
    if (finite && x.numel())
      finite = std::isfinite(item(linalg_vector_norm(x, INFINITY, {}, false, {})).real());
    scale_(x, Scalar(factor));
  }
  return finite;
}

}  // namespace lampas::ops
