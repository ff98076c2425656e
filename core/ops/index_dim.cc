// Indexing along one dimension (index_select, index_add, index_copy, index_fill, index_reduce) and
// into all elements in a row (take, put).
#include <utility>

#include "ops/indexing.h"
#include "ops/pointwise.h"
#include "ops/scatter.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

constexpr cpu::Bounds kNamed{false, [](int64_t index, int64_t dim, int64_t size) {
                               fail("index ", index, " is out of bounds for dimension ", dim,
                                    " with size ", size);
                             }};
constexpr cpu::Bounds kCopied{false, [](int64_t index, int64_t dim, int64_t size) {
                                fail(ErrorKind::Index, "index_copy_(): index ", index,
                                     " is out of bounds for dimension ", dim, " with size ", size);
                              }};
constexpr cpu::Bounds kFilled{true, [](int64_t index, int64_t dim, int64_t size) {
                                fail(ErrorKind::Index, "index ", index,
                                     " is out of bounds for dimension ", dim, " with size ", size);
                              }};
constexpr cpu::Bounds kLinear{true, [](int64_t index, int64_t, int64_t size) {
                                fail(ErrorKind::Index, "out of range: tried to access index ",
                                     index, " on a tensor of ", size, " elements.");
                              }};

Scalar conj_of(const Scalar& x) {
  return x.is_complex() ? Scalar(std::conj(x.to<ComplexDouble>())) : x;
}

// A 0-d tensor seen as one of a single element.
Tensor at_least_1d(const Tensor& x) { return x.dim() ? x : view_of(x, Dims{1}, Dims{1}); }

bool is_index_type(const Tensor& index) {
  return index.dtype() == DType::Int64 || index.dtype() == DType::Int32;
}

// The checks that index_add and index_reduce share; `name` with its parentheses.
void check_source(const char* name, const Tensor& x, int64_t d, const Tensor& index,
                  const Tensor& source) {
  CHECK_KIND(index.dim() <= 1, Index, name,
             ": Index is supposed to be a vector, but got dim: ", index.dim(),
             " with type: ", label(index.dtype()), " and size: ", to_string(index.sizes()));
  CHECK(is_index_type(index), name,
        ": Expected dtype int32/int64 for index but got: ", label(index.dtype()));
  CHECK(x.dtype() == source.dtype(), name, ": self (", label(x.dtype()), ") and source (",
        label(source.dtype()), ") must have the same scalar type");
  int64_t length = source.dim() ? source.size(d < source.dim() ? d : 0) : 1;
  bool alike = x.dim() == source.dim();
  for (int64_t i = 0; alike && i < x.dim(); ++i) alike = i == d || x.size(i) == source.size(i);
  CHECK(alike,
        "source tensor shape must match self tensor shape, excluding the specified dimension. "
        "Got self.shape = ",
        to_string(x.sizes()), " source.shape = ", to_string(source.sizes()));
  CHECK(index.numel() == length, name, ": Number of indices (", index.numel(),
        ") should be equal to source.size(dim): (", length, "), for dim: ", d);
}

// Writes rows of `source` into y along dimension d.
void put_rows(Tensor& y, int64_t d, const Tensor& index, const Tensor& source, cpu::Bounds bounds,
              cpu::Combine combine, const char* name) {
  RowPlan rows = row_plan(y, d, index, source, bounds);
  Tensor target = plain(y), values = plain(source);
  KERNEL(index_put, target, values, rows.offsets, rows.plan, combine, name);
}

// index as a column that broadcasts along every dimension of `shape` but d: for the scatter family.
Tensor spread_index(const Tensor& index, Span shape, int64_t d) {
  if (shape.empty()) return reshape(index, Dims{});
  Dims sizes(shape.size(), 1);
  sizes[d] = index.numel();
  Dims wide(shape);
  wide[d] = index.numel();
  return expand(reshape(index, sizes), wide);
}

Tensor add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
           const Scalar& given, bool in_place) {
  int64_t d = wrap_dim(dim, x.dim());
  check_source("index_add_()", x, d, index, source);
  if (in_place) {
    check_internal_overlap(x);
    check_partial_overlap(x, source);
  }
  Scalar factor = is_integral(x.dtype()) ? Scalar(given.to<int64_t>()) : given;
  bool scaled = factor.to<ComplexDouble>() != ComplexDouble(1);
  if (scaled) check_value(factor, x.dtype());
  Tensor values = scaled ? to(mul(plain(source), factor), x.dtype()) : source;
  Target target(x, in_place, Layout::RowMajor);
  put_rows(target.y, d, wide_index(index), values, x.dim() > 1 ? kNamed : kInSelf,
           cpu::Combine::Add, x.dim() > 1 ? "scatter_gather_tensor_cpu" : "index_add_");
  return target.finish(
      "IndexAddBackward0", {x, source}, {index}, [d, factor, scaled](const Backward& b) -> Tensors {
        Tensors grads{b.g, Tensor()};
        if (!b.needs(1)) return grads;
        Tensor index = b.saved(0);
        Tensor g = b.g.dim() ? index_select(b.g, d, reshape(index, Dims{-1})) : b.g;
        grads[1] = scaled ? mul(g, conj_of(factor)) : g;
        return grads;
      });
}

Tensor copy_rows(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 bool in_place) {
  int64_t d = wrap_dim(dim, x.dim());
  CHECK_KIND(index.dim() <= 1, Index, "index_copy_(): Index should have dimension 1 or 0 (got ",
             index.dim(), ")");
  CHECK_KIND(source.dim() > 0 || index.numel() == 1, Index,
             "index_copy_(): When source is scalar, index should have one element (got ",
             index.numel(), ")");
  CHECK_KIND(
      source.dim() == x.dim() || source.dim() == 0 || x.dim() == 0, Index,
      "index_copy_(): When source and destination are not scalars, their dimensionality must "
      "match. Source dimensionality (",
      source.dim(), "), destination dimensionality (", x.dim(), ")");
  CHECK(index.dtype() == DType::Int64, "index_copy_(): Expected a long tensor for index, but got ",
        label(index.dtype()));
  CHECK(x.dtype() == source.dtype(),
        "index_copy_(): self and source expected to have the same dtype, "
        "but got (self) ",
        label(x.dtype()), " and (source) ", label(source.dtype()));
  Tensor values = at_least_1d(source);
  bool alike = values.dim() == std::max<int64_t>(x.dim(), 1);
  for (int64_t i = 0; alike && i < x.dim(); ++i) alike = i == d || x.size(i) == values.size(i);
  if (!alike) {
    std::string to, from;
    for (int64_t i = 0; i < x.dim(); ++i)
      if (i != d) to += concat(to.empty() ? "" : " ", x.size(i));
    for (int64_t i = 0; i < values.dim(); ++i)
      if (i != d) from += concat(from.empty() ? "" : " ", values.size(i));
    fail(
        "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice "
        "shape: ",
        to, " at dimension ", d, " and source slice shape: ", from, " at dimension ", d, ".");
  }
  CHECK_KIND(values.size(d) == index.numel(), Index, "index_copy_(): Number of indices (",
             index.numel(), ") should be equal to source.size(dim) (", values.size(d), ")");
  if (in_place) {
    check_internal_overlap(x);
    check_partial_overlap(x, source);
  }
  Target target(x, in_place, Layout::RowMajor);
  put_rows(target.y, d, index, values, kCopied, cpu::Combine::Assign, "index_copy");
  return target.finish("IndexCopyBackward0", {x, source}, {index},
                       [d, from = source.sizes()](const Backward& b) -> Tensors {
                         Tensor index = reshape(b.saved(0), Dims{-1});
                         Tensors grads(2);
                         if (b.needs(0)) grads[0] = index_fill(b.g, d, index, Scalar(0));
                         if (b.needs(1)) grads[1] = reshape(index_select(b.g, d, index), from);
                         return grads;
                       });
}

// Ones where `index` names a row of x along d, else zeros; broadcasts to x.
Tensor named_rows(const Tensor& x, int64_t d, const Tensor& index) {
  Dims shape(x.sizes().size(), 1);
  shape[d] = x.size(d);
  Tensor rows = zeros(Dims{x.size(d)}, x.dtype(), x.device());
  return reshape(index_fill(rows, 0, index, Scalar(1)), shape);
}

Tensor fill_rows(const char* node, const Tensor& x, int64_t dim, const Tensor& index,
                 const Tensor& value, bool in_place) {
  CHECK_KIND(index.dtype() == DType::Int64, Index,
             "index_fill_(): Expected dtype int64 for index.");
  CHECK(index.dim() <= 1, "Index has to be a vector/scalar");
  CHECK(x.is_complex() || !value.is_complex(),
        "index_fill_(): Converting complex Scalar to non-complex type is not supported");
  int64_t d = wrap_dim(dim, x.dim());
  Target target(x, in_place);
  Dims shape = at_least_1d(x).sizes();
  shape[d] = index.numel();
  Tensor values = plain_expand(to(plain(value), x.dtype()), shape);
  put_rows(target.y, d, index, values, kFilled, cpu::Combine::Assign, "index_fill");
  return target.finish(node, {x, value}, {index}, [d](const Backward& b) -> Tensors {
    Tensor index = reshape(b.saved(0), Dims{-1});
    Tensors grads(2);
    if (b.needs(0)) grads[0] = index_fill(b.g, d, index, Scalar(0));
    if (b.needs(1)) grads[1] = sum_to(b.g.dim() ? b.g * named_rows(b.g, d, index) : b.g, Dims{});
    return grads;
  });
}

}  // namespace

RowPlan row_plan(const Tensor& x, int64_t d, const Tensor& index, const Tensor& other,
                 cpu::Bounds bounds) {
  RowPlan rows;
  Tensor positions = at_least_1d(index);
  int64_t size = x.dim() ? x.size(d) : 1, stride = x.dim() ? x.stride(d) : 1;
  if (x.device().is_cuda()) {  // the kernel that moves the rows checks and multiplies
    require_device(x.device(), index);
    rows.offsets = contiguous(positions);
    rows.plan.raw = {bounds, size, stride, d};
  } else {
    rows.offsets = empty(Dims{index.numel()}, DType::Int64, x.device());
    KERNEL(index_offsets, rows.offsets, positions, size, stride, d, bounds, false);
  }
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (i == d) continue;
    rows.plan.sizes.push_back(x.size(i));
    rows.plan.x_strides.push_back(x.stride(i));
    rows.plan.y_strides.push_back(other.stride(i));
  }
  rows.plan.y_step = other.dim() ? other.stride(d) : 1;
  return rows;
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& at) {
  CHECK_KIND(at.dim() <= 1, Index, "index_select(): Index is supposed to be a vector");
  CHECK(is_index_type(at), "index_select(): Expected dtype int32 or int64 for index");
  CHECK(x.dim() > 0 || at.numel() == 1,
        "index_select(): Index to scalar can have only 1 value, got ", at.numel(), " value(s)");
  int64_t d = wrap_dim(dim, x.dim());
  CHECK(x.dim() == 0 || x.size(d) > 0 || at.numel() == 0,
        "index_select(): self indexing axis dim should be positive");
  Dims sizes = x.sizes();
  if (!sizes.empty()) sizes[d] = at.numel();
  Tensor y = empty(sizes, x.dtype(), x.device());
  RowPlan rows = row_plan(x, d, wide_index(at), y, kInSelf);
  KERNEL(index, y, x, rows.offsets, rows.plan);
  if (needs_grad(x))
    tape::record(y, "IndexSelectBackward0", {x}, {at},
                 [d, from = x.sizes()](const Backward& b) -> Tensors {
                   Tensor index = b.saved(0);
                   if (from.empty()) return {b.g};
                   return {index_add_(zeros(from, b.g.dtype(), b.g.device()), d,
                                      reshape(index, Dims{-1}), b.g, Scalar(1))};
                 });
  return y;
}

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
  return add(x, dim, index, source, alpha, false);
}
Tensor index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                  const Scalar& alpha) {
  return add(x, dim, index, source, alpha, true);
}

Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return copy_rows(x, dim, index, source, false);
}
Tensor index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return copy_rows(x, dim, index, source, true);
}

namespace {
Tensor fill_value(const Tensor& x, const Scalar& value) {
  CHECK(x.is_complex() || !value.is_complex(),
        "index_fill_(): Converting complex Scalar to non-complex type is not supported");
  check_value(value, x.dtype());
  return scalar_tensor(value, x.dtype(), x.device());
}
void check_fill_tensor(const Tensor& value) {
  CHECK(value.dim() == 0,
        "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ", value.dim(),
        " dimension(s).");
}
}  // namespace

Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return fill_rows("IndexFillBackward0", x, dim, index, fill_value(x, value), false);
}
Tensor index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return fill_rows("IndexFillBackward0", x, dim, index, fill_value(x, value), true);
}
Tensor index_fill_tensor(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  check_fill_tensor(value);
  return fill_rows("IndexFillBackward1", x, dim, index, value, false);
}
Tensor index_fill_tensor_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  check_fill_tensor(value);
  return fill_rows("IndexFillBackward1", x, dim, index, value, true);
}

// A reduction along one dimension is scatter_reduce with the index spread over the others.
namespace {
Tensor reduce_rows(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                   const std::string& reduce, bool include_self, bool in_place) {
  CHECK(reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin",
        "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ", reduce,
        ".");
  int64_t d = wrap_dim(dim, x.dim());
  check_source("index_reduce_()", x, d, index, source);
  bool unfit = x.is_complex() || (x.dtype() == DType::Bool && reduce != "prod");
  const char* kernel = !include_self && unfit ? "index_reduce_func_exclude_input_init"
                       : reduce == "amax"     ? "maximum_cpu"
                       : reduce == "amin"     ? "minimum_cpu"
                                              : "div_floor_cpu";
  CHECK_KIND(include_self || !unfit, NotImplemented, "\"", kernel, "\" not implemented for '",
             label(x.dtype()), "'");
  static bool told = false;
  if (warn && !std::exchange(told, true))
    warn("index_reduce() is in beta and the API may change at any time.");
  ScatterStyle style{"IndexReduceBackward0", kernel, kInSelf};
  return scatter_reduced(x, d, spread_index(wide_index(index), source.sizes(), d), source, reduce,
                         include_self, style, in_place);
}
}  // namespace

Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    const std::string& reduce, bool include_self) {
  return reduce_rows(x, dim, index, source, reduce, include_self, false);
}
Tensor index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                     const std::string& reduce, bool include_self) {
  return reduce_rows(x, dim, index, source, reduce, include_self, true);
}

// --- all elements in a row ---

Tensor take(const Tensor& x, const Tensor& at) {
  CHECK(at.dtype() == DType::Int64, "take(): Expected a long tensor for index, but got ",
        label(at.dtype()));
  CHECK_KIND(x.numel() > 0 || at.numel() == 0, Index, "take(): tried to take from an empty tensor");
  CHECK_KIND(x.dtype() != DType::UInt16 && x.dtype() != DType::UInt32 && x.dtype() != DType::UInt64,
             NotImplemented, "\"take_cpu\" not implemented for '", label(x.dtype()), "'");
  Tensor y = empty(at.sizes(), x.dtype(), x.device());
  Tensor offsets = empty(Dims{at.numel()}, DType::Int64, x.device());
  KERNEL(linear_offsets, offsets, at, x, kLinear);
  cpu::IndexPlan plan;
  plan.y_step = 1;
  KERNEL(index, y, x, offsets, plan);
  if (needs_grad(x))
    tape::record(y, "TakeBackward0", {x}, {at}, [from = x.sizes()](const Backward& b) -> Tensors {
      return {put_(zeros(from, b.g.dtype(), b.g.device()), b.saved(0), b.g, true)};
    });
  return y;
}

namespace {
Tensor put_elements(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate,
                    bool in_place) {
  CHECK(index.dtype() == DType::Int64, "put_(): Expected a long tensor for index, but got ",
        label(index.dtype()));
  CHECK(x.dtype() == source.dtype(),
        "put_(): self and source expected to have the same dtype, but got "
        "self.dtype = ",
        label(x.dtype()), " and source.dtype = ", label(source.dtype()));
  CHECK_KIND(source.numel() == index.numel(), Index,
             "put_(): Expected source and index to have the same "
             "number of elements, but got source.numel() = ",
             source.numel(), ", index.numel() = ", index.numel());
  CHECK_KIND(x.numel() > 0 || index.numel() == 0, Index, "put_(): cannot put into an empty tensor");
  if (in_place) {
    check_internal_overlap(x);
    check_partial_overlap(x, source);
    check_partial_overlap(x, index);
  }
  Target target(x, in_place);
  Tensor offsets = empty(Dims{index.numel()}, DType::Int64, x.device());
  KERNEL(linear_offsets, offsets, index, target.y, kLinear);
  cpu::IndexPlan plan;
  plan.y_step = 1;
  Tensor values = contiguous(plain(source)), written = plain(target.y);
  KERNEL(index_put, written, values, offsets, plan,
         accumulate ? cpu::Combine::Add : cpu::Combine::Assign, "put_");
  return target.finish(
      "PutBackward0", {x, source}, {index},
      [accumulate, from = source.sizes()](const Backward& b) -> Tensors {
        Tensor index = b.saved(0);
        Tensors grads(2);
        if (b.needs(0))
          grads[0] = accumulate
                         ? b.g
                         : put(b.g, index, zeros(index.sizes(), b.g.dtype(), b.g.device()), false);
        if (b.needs(1)) grads[1] = reshape(take(b.g, index), from);
        return grads;
      });
}
}  // namespace

Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  return put_elements(x, index, source, accumulate, false);
}
Tensor put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  return put_elements(x, index, source, accumulate, true);
}

}  // namespace lampas::ops
