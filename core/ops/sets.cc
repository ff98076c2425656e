// Sets and histograms: unique, unique_consecutive, searchsorted, bucketize, isin, bincount, histc.
// Nothing here has a gradient except through index_select of the values.
#include "cpu/sets.h"

#include <cmath>

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/promotion.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

struct Groups {
  Tensor order, group, first, counts;
};

Groups group(const Tensor& rows, int64_t n, int64_t width, bool sorted) {
  Device device = rows.device();
  CHECK_KIND(!rows.is_meta(), NotImplemented,
             "unique needs data: the shape of its result depends on it");
  Groups g;
  if (sorted) {
    g.order = empty(Dims{n}, DType::Int64, device);
    KERNEL(order_rows, g.order, rows, n, width);
  }
  g.group = empty(Dims{n}, DType::Int64, device);
  int64_t runs = 0;
  if (n)
    runs = device.is_cuda() ? cuda::group_rows(cuda::On{}, g.group, rows, g.order, n, width)
                            : cpu::group_rows(g.group, rows, g.order, n, width);
  g.first = empty(Dims{runs}, DType::Int64, device);
  g.counts = empty(Dims{runs}, DType::Int64, device);
  KERNEL(describe_groups, g.first, g.counts, g.group, g.order);
  return g;
}

void check_unique(const Tensor& x) {
  CHECK_KIND(!x.is_complex(), NotImplemented, "\"unique\" not implemented for '", label(x.dtype()),
             "'");
}

std::tuple<Tensor, Tensor, Tensor> flat_unique(const Tensor& x, bool sorted, bool inverse,
                                               bool counts) {
  check_unique(x);
  tape::NoGrad off;
  Tensor flat = reshape(contiguous(x), Dims{x.numel()});
  Groups g = group(flat, x.numel(), 1, sorted);
  Tensor none = empty(Dims{0}, DType::Int64, x.device());
  return {index_select(flat, 0, g.first), inverse ? view(g.group, x.sizes()) : none,
          counts ? g.counts : none};
}

std::tuple<Tensor, Tensor, Tensor> unique_along(const Tensor& x, int64_t dim, bool sorted,
                                                bool inverse, bool counts) {
  check_unique(x);
  tape::NoGrad off;
  int64_t d = wrap_dim(dim, x.dim());
  Tensor none = empty(Dims{0}, DType::Int64, x.device());
  if (x.dim() == 0) {
    auto [values, group, sizes] = flat_unique(x, sorted, true, true);
    return {values, inverse ? reshape(group, Dims{1}) : none, counts ? sizes : none};
  }
  int64_t n = x.size(d);
  if (x.numel() == 0) {
    int64_t empties = 0;
    for (int64_t s : x.sizes()) empties += s == 0;
    CHECK(
        n == 0 && empties == 1,
        n == 0
            ? "unique_dim: expected only one dimension of size 0, got "
            : "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
        "");
    return {zeros_like(x), none, none};
  }
  Tensor rows = contiguous(movedim(x, Dims{d}, Dims{0}));
  Groups g = group(rows, n, x.numel() / n, sorted);
  // The layout of PyTorch's result: slices lie together.
  Tensor slices = movedim(index_select(rows, 0, g.first), Dims{0}, Dims{d});
  return {slices, inverse ? g.group : none, counts ? g.counts : none};
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> _unique2(const Tensor& x, bool, bool return_inverse,
                                            bool return_counts) {
  return flat_unique(x, true, return_inverse, return_counts);
}
std::tuple<Tensor, Tensor, Tensor> unique_dim(const Tensor& x, int64_t dim, bool,
                                              bool return_inverse, bool return_counts) {
  return unique_along(x, dim, true, return_inverse, return_counts);
}
std::tuple<Tensor, Tensor, Tensor> _unique_consecutive(const Tensor& x, bool return_inverse,
                                                       bool return_counts, Optional<int64_t> dim) {
  if (!dim) return flat_unique(x, false, return_inverse, return_counts);
  return unique_along(x, *dim, false, return_inverse, return_counts);
}

// --- sorted edges ---

namespace {

bool to_the_right(const char* op, bool right, const Optional<std::string>& side) {
  if (!side) return right;
  CHECK(*side == "left" || *side == "right", op, ": side can only be 'left' or 'right' but got ",
        *side);
  CHECK(*side == "right" || !right, op, ": side and right can't be set to opposites, got side of ",
        *side, " while right was True");
  return *side == "right";
}

Tensor places_in(const Tensor& edges, const Tensor& values, bool out_int32, bool right,
                 const Tensor& sorter) {
  DType common = promote(edges.dtype(), values.dtype());
  Tensor places = empty(values.sizes(), out_int32 ? DType::Int32 : DType::Int64, values.device());
  Tensor order = sorter.defined() ? contiguous(sorter) : Tensor();
  KERNEL(search, places, contiguous(to(edges, common)), contiguous(to(values, common)), order,
         right);
  return places;
}

}  // namespace

Tensor searchsorted(const Tensor& edges, const Tensor& values, bool out_int32, bool right,
                    const Optional<std::string>& side, const Tensor& sorter) {
  const char* op = "torch.searchsorted()";
  right = to_the_right(op, right, side);
  CHECK(edges.dim() > 0, op,
        ": input value can be a scalar only when boundaries tensor dimension is 1, "
        "but we got boundaries tensor dim(",
        edges.dim(), ") and input value's dim(", values.dim(), ") numel(", values.numel(), ")");
  CHECK(values.dim() > 0 || edges.dim() == 1, op,
        ": input value can be a scalar only when boundaries "
        "tensor dimension is 1, but we got boundaries tensor dim(",
        edges.dim(), ") and input value's dim(0) numel(1)");
  if (edges.dim() > 1) {
    bool fits = edges.dim() == values.dim();
    for (int64_t d = 0; fits && d + 1 < edges.dim(); ++d) fits = edges.size(d) == values.size(d);
    CHECK(fits, op,
          ": boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
          "tensor and input value tensor must match, but we got boundaries tensor ",
          to_string(edges.sizes()), " and input value tensor ", to_string(values.sizes()));
  }
  if (sorter.defined()) {
    CHECK(same(sorter.sizes(), edges.sizes()), op,
          ": boundary and sorter must have the same size, but got "
          "boundary tensor ",
          to_string(edges.sizes()), "and got sorter tensor ", to_string(sorter.sizes()));
    CHECK(sorter.dtype() == DType::Int64, op,
          ": sorter must be a tensor of long dtype but got dtype ", label(sorter.dtype()));
    if (sorter.numel() && !sorter.is_meta()) {
      int64_t low = item(min_all(sorter)).to<int64_t>(), high = item(max_all(sorter)).to<int64_t>();
      CHECK_KIND(low >= 0 && high < edges.size(edges.dim() - 1), Index, op,
                 ": sorter index out of range");
    }
  }
  return places_in(edges, values, out_int32, right, sorter);
}

Tensor searchsorted_number(const Tensor& edges, const Scalar& value, bool out_int32, bool right,
                           const Optional<std::string>& side, const Tensor& sorter) {
  DType dtype = result_type(edges, value);
  return searchsorted(edges, full({}, value, dtype, edges.device()), out_int32, right, side,
                      sorter);
}

Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool out_int32, bool right) {
  CHECK(boundaries.dim() == 1, "boundaries tensor must be 1 dimension, but got dim(",
        boundaries.dim(), ")");
  return places_in(boundaries, x, out_int32, right, {});
}
Tensor bucketize_number(const Scalar& x, const Tensor& boundaries, bool out_int32, bool right) {
  return bucketize(full({}, x, result_type(boundaries, x), boundaries.device()), boundaries,
                   out_int32, right);
}

// --- membership ---

Tensor isin(const Tensor& elements, const Tensor& test_elements, bool, bool invert) {
  CHECK(!elements.is_complex() && !test_elements.is_complex(),
        "Unsupported input type encountered for isin(): Complex");
  if (test_elements.numel() == 0)
    return full(elements.sizes(), invert, DType::Bool, elements.device());
  tape::NoGrad off;
  DType common = promote(elements.dtype(), test_elements.dtype());
  DType compared = common == DType::Bool ? DType::UInt8 : common;
  Tensor x = to(elements, compared), set = reshape(to(test_elements, compared), Dims{-1});
  Tensor sorted = std::get<0>(sort(set, 0, false, {}));
  Tensor last = full({}, int64_t{set.numel() - 1}, DType::Int64, x.device());
  Tensor at = minimum(places_in(sorted, x, false, false, {}), last);
  Tensor found = eq(x, reshape(index_select(sorted, 0, reshape(at, Dims{-1})), x.sizes()));
  return invert ? logical_not(found) : found;
}
Tensor isin_number(const Tensor& elements, const Scalar& test_element, bool assume_unique,
                   bool invert) {
  Tensor set = full({}, test_element, dtype_of_number(test_element), elements.device());
  return isin(elements, set, assume_unique, invert);
}
Tensor isin_of_number(const Scalar& element, const Tensor& test_elements, bool assume_unique,
                      bool invert) {
  Tensor x = full({}, element, dtype_of_number(element), test_elements.device());
  return isin(x, test_elements, assume_unique, invert);
}

// --- histograms ---

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  if (!is_integral(x.dtype())) fail_dtype("bincount_cpu", x.dtype());
  CHECK(minlength >= 0, "minlength should be >= 0");
  const char* only = "bincount only supports 1-d non-negative integral inputs.";
  CHECK(x.dim() == 1, only);
  bool weighted = weights.defined();
  CHECK(!weighted || (weights.dim() == 1 && weights.numel() == x.numel()),
        "weights should be 1-d and have the same length as input");
  DType type = !weighted                         ? DType::Int64
               : weights.dtype() == DType::Float ? DType::Float
                                                 : DType::Double;
  CHECK_KIND(!x.is_meta(), NotImplemented,
             "bincount needs data: the shape of its result depends on it");
  int64_t length = minlength;
  if (x.numel()) {
    CHECK(item(min_all(x)).to<int64_t>() >= 0, only);
    int64_t top = item(max_all(x)).to<int64_t>();
    CHECK(top < INT64_MAX, "bincount: value out of range");
    length = std::max(length, top + 1);
  }
  Tensor totals = zeros(Dims{length}, type, x.device());
  KERNEL(count_values, totals, contiguous(x), weighted ? contiguous(to(weights, type)) : Tensor());
  return totals;
}

Tensor histc(const Tensor& x, int64_t bins, const Scalar& min, const Scalar& max) {
  if (!x.is_floating()) fail_dtype("histogram_cpu", x.dtype());
  CHECK(bins > 0, "bins must be > 0");
  double low = min.real(), high = max.real();
  if (low == high && x.numel() && !x.is_meta()) {
    low = item(min_all(x)).real();
    high = item(max_all(x)).real();
  }
  if (low == high) low -= 1, high += 1;
  CHECK(std::isfinite(low) && std::isfinite(high), "torch.histc: range of [", low, ", ", high,
        "] is not finite");
  CHECK(low < high, "torch.histc: max must be larger than min");
  Tensor totals = empty(Dims{bins}, x.dtype(), x.device());
  KERNEL(count_bins, totals, contiguous(x), Tensor(), low, high);
  return totals;
}

}  // namespace lampas::ops
