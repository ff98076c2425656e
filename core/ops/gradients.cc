// All gradients of a model in one call: their common norm, scaling them, and unscaling them after a
// scaled loss. Nothing here is recorded; the steps of optimizers are in optim.cc.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/tensor_lists.h"
#include "ops/copy.h"
#include "ops/kernel.h"
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

// Lists of one dtype and device each, so that kernels take them whole.
std::vector<Tensors> sorted_out(const Tensors& tensors) {
  std::vector<Tensors> lists;
  for (const Tensor& x : tensors) {
    auto found = std::find_if(lists.begin(), lists.end(), [&](const Tensors& list) {
      return list[0].dtype() == x.dtype() && list[0].device() == x.device();
    });
    if (found == lists.end())
      lists.push_back({x});
    else
      found->push_back(x);
  }
  return lists;
}

// A number in `like`'s device memory where it is on a GPU.
bool lies_beside(const Tensor& number, const Tensor& like) {
  return number.device() == like.device() && number.dtype() == DType::Float && number.numel() == 1;
}

bool is_finite(const Tensor& x) {
  // The largest magnitude is infinite or NaN where any is.
  return x.numel() == 0 ||
         std::isfinite(item(linalg_vector_norm(x, INFINITY, {}, false, {})).real());
}

}  // namespace

Tensor total_norm(const Tensors& tensors, double p) {
  tape::NoGrad off;
  // An empty tensor has no greatest element: the composition says so. For p = 0 it counts tensors.
  bool defined = p > 0 && !std::isinf(p);
  defined = defined || std::all_of(tensors.begin(), tensors.end(),
                                   [](const Tensor& x) { return x.numel() > 0; });
  if (defined && p != 0 && cuda::takes_list(tensors)) return cuda::total_norm(tensors, p);
  Tensors norms;
  for (const Tensor& x : tensors)
    norms.push_back(to(linalg_vector_norm(x, p, {}, false, {}), tensors[0].device()));
  return linalg_vector_norm(stack(norms, 0), p, {}, false, {});
}

void scale_all_(const Tensors& tensors, const Tensor& factor) {
  tape::NoGrad off;
  for (const Tensors& list : sorted_out(tensors)) {
    Tensor own = to(factor, list[0].device());
    if (cuda::takes_list(list)) {
      bool wide = list[0].dtype() == DType::Double;
      cuda::scale_list(list, 1, to(own, wide ? DType::Double : DType::Float), {});
      continue;
    }
    for (const Tensor& x : list) scale_(x, own);
  }
}

// Multiplies by `factor`; `found` becomes 1 if an element is infinite or NaN.
void _amp_foreach_non_finite_check_and_unscale_(const Tensors& tensors, const Tensor& found,
                                                const Tensor& factor) {
  tape::NoGrad off;
  CHECK(factor.numel() == 1, "inv_scale must be a 1-element tensor.");
  CHECK(found.numel() == 1, "found_inf must be a 1-element tensor.");
  CHECK(factor.dtype() == DType::Float, "inv_scale must be a float tensor.");
  CHECK(found.dtype() == DType::Float, "found_inf must be a float tensor.");
  for (const Tensors& list : sorted_out(tensors)) {
    if (cuda::takes_list(list) && lies_beside(found, list[0]) && lies_beside(factor, list[0])) {
      cuda::scale_list(list, 1, factor, found);
      bump_version(found);
      continue;
    }
    for (const Tensor& x : list) {
      if (!is_finite(x)) fill_(found, Scalar(1.0));
      scale_(x, to(factor, x.device()));
    }
  }
}

Tensor _amp_update_scale_(const Tensor& scale, const Tensor& good_steps, const Tensor& found,
                          double growth, double backoff, int64_t interval) {
  tape::NoGrad off;
  CHECK(good_steps.numel() == 1, "growth_tracker must be a 1-element tensor.");
  CHECK(scale.numel() == 1, "current_scale must be a 1-element tensor.");
  CHECK(found.numel() == 1, "found_inf must be a 1-element tensor.");
  CHECK(good_steps.dtype() == DType::Int32, "growth_tracker must be an int tensor.");
  CHECK(scale.dtype() == DType::Float, "current_scale must be a float tensor.");
  CHECK(found.dtype() == DType::Float, "found_inf must be a float tensor.");
  for (const Tensor& x : {good_steps, found}) require_device(scale.device(), x);
  if (scale.device().is_cuda()) {
    cuda::update_scale(scale, good_steps, found, growth, backoff, interval);
    return scale;
  }
  double now = item(scale).real();
  int64_t good = item(good_steps).to<int64_t>() + 1;
  if (item(found).real() != 0) {
    now *= backoff, good = 0;
  } else if (good == interval) {
    if (std::isfinite(static_cast<float>(now * growth))) now *= growth;
    good = 0;
  }
  fill_(scale, Scalar(now));
  fill_(good_steps, Scalar(good));
  return scale;
}

}  // namespace lampas::ops
