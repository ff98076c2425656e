// Largest and smallest elements along a dimension with their places: max, min, argmax, argmin.
#include "cpu/extremes.h"

#include "ops/choice.h"
#include "ops/copy.h"
#include "ops/kernel.h"

namespace lampas::ops {

namespace {

void check_not_empty(const Tensor& x, int64_t d, const char* name) {
  if (x.numel() == 0 && x.dim() > 0)
    CHECK_KIND(x.size(d) != 0, Index, name, "(): Expected reduction dim ", d,
               " to have non-zero size.");
}

std::tuple<Tensor, Tensor> along(const Tensor& x, int64_t dim, bool keepdim, bool largest) {
  Reduced r(x, dim, keepdim);
  int64_t d = wrap_dim(dim, x.dim());
  const char* name = largest ? "max" : "min";
  check_not_empty(x, d, name);
  if (x.is_complex()) fail_dtype(name, x.dtype());
  Tensor values = empty(r.result(), x.dtype(), x.device());
  Tensor indices = empty(r.result(), DType::Int64, x.device());
  KERNEL(extremes, indices, values, contiguous(x), Lines(x, d), largest);
  record_choice(values, largest ? "MaxBackward0" : "MinBackward0", x, indices, d, keepdim);
  return {values, indices};
}

Tensor place(const Tensor& x, Optional<int64_t> dim, bool keepdim, bool largest) {
  const char* name = largest ? "argmax" : "argmin";
  CHECK(!x.is_complex(), name, "(): does not support complex input");
  CHECK(x.dtype() != DType::Bool, name, "(): does not support bool input");
  if (!dim) {
    CHECK_KIND(x.numel() != 0, Index, name,
               "(): Expected reduction dim to be specified for input.numel() == 0.");
    Dims sizes;
    if (keepdim) sizes.resize(x.dim(), 1);
    Tensor indices = empty(sizes, DType::Int64, x.device());
    Lines whole;
    whole.n = x.numel();
    KERNEL(extremes, indices, Tensor(), contiguous(x), whole, largest);
    return indices;
  }
  int64_t d = wrap_dim(*dim, x.dim());
  check_not_empty(x, d, name);
  Tensor indices = empty(Reduced(x, *dim, keepdim).result(), DType::Int64, x.device());
  KERNEL(extremes, indices, Tensor(), contiguous(x), Lines(x, d), largest);
  return indices;
}

}  // namespace

std::tuple<Tensor, Tensor> max_dim(const Tensor& x, int64_t dim, bool keepdim) {
  return along(x, dim, keepdim, true);
}
std::tuple<Tensor, Tensor> min_dim(const Tensor& x, int64_t dim, bool keepdim) {
  return along(x, dim, keepdim, false);
}
Tensor argmax(const Tensor& x, Optional<int64_t> dim, bool keepdim) {
  return place(x, dim, keepdim, true);
}
Tensor argmin(const Tensor& x, Optional<int64_t> dim, bool keepdim) {
  return place(x, dim, keepdim, false);
}

}  // namespace lampas::ops
