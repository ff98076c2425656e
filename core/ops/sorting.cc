// Sorting and selecting along a dimension: sort, argsort, topk, kthvalue, median, mode. Sets
// (unique, isin, searchsorted, histograms) are in sets.cc.
#include "cpu/sorting.h"

#include "ops/choice.h"
#include "ops/copy.h"
#include "ops/kernel.h"

namespace lampas::ops {

namespace {

// The layout PyTorch gives the result of sort: the input's, when dense.
Tensor laid_out_like(const Tensor& y, const Tensor& x) {
  Tensor pattern = empty_like(x, y.dtype(), MemoryFormat::Preserve);
  if (same(pattern.strides(), y.strides())) return y;
  copy_values(pattern, y);
  return pattern;
}

struct Chosen {
  Tensor values, indices;
};

Chosen one_per_line(const Tensor& x, int64_t d, bool keepdim, const char* name) {
  if (x.numel() == 0 && x.dim() > 0)
    CHECK_KIND(x.size(d) != 0, Index, name, "(): Expected reduction dim ", d,
               " to have non-zero size.");
  Dims sizes = Reduced(x, d, keepdim).result();
  return {empty(sizes, x.dtype(), x.device()), empty(sizes, DType::Int64, x.device())};
}

std::tuple<Tensor, Tensor> median_along(const Tensor& x, int64_t dim, bool keepdim,
                                        bool ignore_nan) {
  int64_t d = wrap_dim(dim, x.dim());
  auto [values, indices] = one_per_line(x, d, keepdim, "median");
  KERNEL(median, indices, values, contiguous(x), Lines(x, d), ignore_nan);
  record_choice(values, ignore_nan ? "NanmedianBackward1" : "MedianBackward1", x, indices, d,
                keepdim);
  return {values, indices};
}

Tensor median_of_all(const Tensor& x, bool ignore_nan) {
  Tensor value = empty({}, x.dtype(), x.device()), index = empty({}, DType::Int64, x.device());
  if (x.numel() == 0) {
    if (x.is_floating())
      fill_values(value, std::numeric_limits<double>::quiet_NaN());
    else
      fill_values(value, x.dtype() == DType::Int64 ? INT64_MIN : int64_t{0});
    return value;
  }
  Lines whole;
  whole.n = x.numel();
  KERNEL(median, index, value, contiguous(x), whole, ignore_nan);
  if (tape::needs_grad(x)) {
    const char* node = ignore_nan ? "NanmedianBackward0" : "MedianBackward0";
    tape::record(value, node, {x}, {index},
                 [sizes = x.sizes(), n = x.numel()](const tape::Backward& b) -> Tensors {
                   Tensor flat = zeros(Dims{n}, b.g.dtype(), b.g.device());
                   Tensor at = reshape(b.saved(0), Dims{1});
                   return {reshape(scatter(flat, 0, at, reshape(b.g, Dims{1})), sizes)};
                 });
  }
  return value;
}

}  // namespace

std::tuple<Tensor, Tensor> sort(const Tensor& x, int64_t dim, bool descending,
                                Optional<bool> stable) {
  int64_t d = wrap_dim(dim, x.dim());
  CHECK(!x.is_complex(), " Sort does not support complex dtypes on CPU");
  Tensor values = empty(x.sizes(), x.dtype(), x.device());
  Tensor indices = empty(x.sizes(), DType::Int64, x.device());
  // Long vectors of integers go through a radix sort in PyTorch, which is stable.
  bool radix = is_integral(x.dtype(), false) && x.dim() == 1 && x.numel() >= 32768 && !descending;
  KERNEL(sort, indices, values, contiguous(x), Lines(x, d), descending,
         stable.value_or(false) || radix);
  values = laid_out_like(values, x);
  indices = laid_out_like(indices, x);
  record_choices(values, "SortBackward0", x, indices, d);
  return {values, indices};
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending, bool stable) {
  tape::NoGrad off;
  return std::get<1>(sort(x, dim, descending, stable));
}

Tensor msort(const Tensor& x) { return std::get<0>(sort(x, 0, false, {})); }

std::tuple<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t dim, bool largest,
                                bool sorted) {
  int64_t d = wrap_dim(dim, x.dim());
  CHECK(k >= 0 && k <= (x.dim() ? x.size(d) : 1), "selected index k out of range");
  CHECK(!x.is_complex(), "topk does not support complex dtypes on CPU");
  CHECK(x.dtype() != DType::Bool, "topk does not support bool dtypes on CPU");
  Dims sizes = x.sizes();
  if (x.dim())
    sizes[d] = k;
  else
    k = 1;
  Tensor values = empty(sizes, x.dtype(), x.device()),
         indices = empty(sizes, DType::Int64, x.device());
  KERNEL(topk, indices, values, contiguous(x), Lines(x, d), k, largest, sorted);
  record_choices(values, "TopkBackward0", x, indices, d);
  return {values, indices};
}

std::tuple<Tensor, Tensor> kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  int64_t d = wrap_dim(dim, x.dim());
  auto [values, indices] = one_per_line(x, d, keepdim, "kthvalue");
  CHECK(k >= 1 && k <= (x.dim() ? x.size(d) : 1),
        "kthvalue(): selected number k out of range for dimension ", d);
  KERNEL(kth, indices, values, contiguous(x), Lines(x, d), k - 1);
  record_choice(values, "KthvalueBackward0", x, indices, d, keepdim);
  return {values, indices};
}

Tensor median_all(const Tensor& x) { return median_of_all(x, false); }
Tensor nanmedian_all(const Tensor& x) { return median_of_all(x, true); }
std::tuple<Tensor, Tensor> median(const Tensor& x, int64_t dim, bool keepdim) {
  return median_along(x, dim, keepdim, false);
}
std::tuple<Tensor, Tensor> nanmedian(const Tensor& x, int64_t dim, bool keepdim) {
  return median_along(x, dim, keepdim, true);
}

std::tuple<Tensor, Tensor> mode(const Tensor& x, int64_t dim, bool keepdim) {
  int64_t d = wrap_dim(dim, x.dim());
  auto [values, indices] = one_per_line(x, d, keepdim, "mode");
  KERNEL(mode, indices, values, contiguous(x), Lines(x, d));
  record_choice(values, "ModeBackward0", x, indices, d, keepdim);
  return {values, indices};
}

}  // namespace lampas::ops
