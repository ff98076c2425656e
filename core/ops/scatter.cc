// gather, and the scatter family: one index per element along one dimension. Gradients of one are
// the other.
#include "ops/scatter.h"

#include "cpu/scatter.h"

namespace lampas::ops {

namespace {

using cpu::Combine;
using tape::Backward;
using tape::needs_grad;

constexpr cpu::Bounds kNamed{false, [](int64_t index, int64_t dim, int64_t size) {
                               fail("index ", index, " is out of bounds for dimension ", dim,
                                    " with size ", size);
                             }};

bool wide_unsigned(DType dtype) {
  return dtype == DType::UInt16 || dtype == DType::UInt32 || dtype == DType::UInt64;
}

void check_index_type(const char* name, const Tensor& index) {
  CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, name,
        "(): Expected dtype int32/int64 for index");
}

int64_t rank(const Tensor& x) { return std::max<int64_t>(x.dim(), 1); }
int64_t size_at(const Tensor& x, int64_t d) { return x.dim() ? x.size(d) : 1; }

// index may be smaller than x except along d, and no larger than source anywhere.
void check_scatter_shape(const Tensor& x, int64_t d, const Tensor& index, const Tensor* source) {
  if (index.numel() == 0) return;
  CHECK(rank(index) == rank(x),
        "Index tensor must have the same number of dimensions as self tensor");
  CHECK(!source || rank(*source) == rank(index),
        "Index tensor must have the same number of dimensions as src tensor");
  bool fits = true;
  for (int64_t i = 0; i < rank(index); ++i) {
    if (i != d) fits &= size_at(index, i) <= size_at(x, i);
    if (source) fits &= size_at(index, i) <= size_at(*source, i);
  }
  if (fits) return;
  if (!source)
    fail("Expected index ", to_string(index.sizes()), " to be no larger than self ",
         to_string(x.sizes()), " apart from dimension ", d);
  fail("Expected index ", to_string(index.sizes()), " to be no larger than self ",
       to_string(x.sizes()), " apart from dimension ", d, " and to be no larger size than src ",
       to_string(source->sizes()));
}

void check_scatter(const Tensor& x, int64_t d, const Tensor& index, const Tensor* source,
                   bool in_place) {
  if (index.numel() > 0) check_index_type("scatter", index);
  CHECK(!source || x.dtype() == source->dtype(),
        "scatter(): Expected self.dtype to be equal to src.dtype");
  check_scatter_shape(x, d, index, source);
  if (!in_place) return;
  check_internal_overlap(x);
  check_partial_overlap(x, index);
  if (source) check_partial_overlap(x, *source);
}

void run_scatter(Tensor& y, int64_t d, const Tensor& index, const Tensor& source, Combine combine,
                 const ScatterStyle& style) {
  if (index.numel() == 0) return;
  Tensor written = plain(y);
  KERNEL(scatter, written, d, index, source, combine, style.bounds, style.kernel);
}

// The gradient of a source that is larger than the index: zeros around what the index reached.
Tensor fit_source(const Tensor& g, Span sizes) {
  if (same(g.sizes(), sizes)) return g;
  if (g.sizes().size() != sizes.size()) return reshape(g, sizes);
  return place(g, sizes, contiguous_strides(sizes), 0);
}

// A number as source: one element seen in the shape of the index.
Tensor spread_number(const Tensor& x, const Tensor& index, const Scalar& value) {
  CHECK_KIND(!wide_unsigned(x.dtype()), NotImplemented,
             "\"scatter_gather_scalar_cpu\" not implemented for '", label(x.dtype()), "'");
  check_value(value, x.dtype());
  return plain_expand(scalar_tensor(value, x.dtype(), x.device()), index.sizes());
}

constexpr ScatterStyle kPlain{"ScatterBackward0", "scatter_gather_tensor_cpu", kNamed};

Tensor scatter_source(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                      bool in_place) {
  int64_t d = wrap_dim(dim, x.dim());
  check_scatter(x, d, index, &source, in_place);
  CHECK_KIND(!wide_unsigned(x.dtype()), NotImplemented,
             "\"scatter_gather_tensor_cpu\" not implemented for '", label(x.dtype()), "'");
  Target target(x, in_place, Layout::RowMajor);
  run_scatter(target.y, d, wide_index(index), source, Combine::Assign, kPlain);
  return target.finish("ScatterBackward0", {x, source}, {index},
                       [d, from = source.sizes()](const Backward& b) -> Tensors {
                         Tensors grads(2);
                         if (b.needs(0)) grads[0] = scatter_value(b.g, d, b.saved(0), Scalar(0));
                         if (b.needs(1)) grads[1] = fit_source(gather(b.g, d, b.saved(0)), from);
                         return grads;
                       });
}

Tensor scatter_number(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                      bool in_place) {
  int64_t d = wrap_dim(dim, x.dim());
  check_scatter(x, d, index, nullptr, in_place);
  Tensor source = spread_number(x, index, value);
  Target target(x, in_place, Layout::RowMajor);
  run_scatter(target.y, d, wide_index(index), source, Combine::Assign, kPlain);
  return target.finish("ScatterBackward1", {x}, {index}, [d](const Backward& b) -> Tensors {
    return {scatter_value(b.g, d, b.saved(0), Scalar(0))};
  });
}

Tensor scatter_sum(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                   bool in_place) {
  int64_t d = wrap_dim(dim, x.dim());
  check_scatter(x, d, index, &source, in_place);
  Target target(x, in_place, Layout::RowMajor);
  run_scatter(target.y, d, wide_index(index), source, Combine::Add,
              {"ScatterAddBackward0", "scatter_gather_tensor_cpu_reduce_add", kNamed});
  return target.finish("ScatterAddBackward0", {x, source}, {index},
                       [d, from = source.sizes()](const Backward& b) -> Tensors {
                         Tensors grads{b.g, Tensor()};
                         if (b.needs(1)) grads[1] = fit_source(gather(b.g, d, b.saved(0)), from);
                         return grads;
                       });
}

// scatter(..., reduce='add' | 'multiply'): the older form, without a gradient.
Tensor scatter_combined(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                        const std::string& reduce, const char* kernel, bool in_place) {
  CHECK(reduce == "add" || reduce == "multiply", "reduce argument must be either add or multiply.");
  int64_t d = wrap_dim(dim, x.dim());
  check_scatter(x, d, index, &source, in_place);
  Target target(x, in_place, Layout::RowMajor);
  run_scatter(target.y, d, wide_index(index), source,
              reduce == "add" ? Combine::Add : Combine::Multiply, {"", kernel, kNamed});
  return target.finish("NotImplemented", {x, source}, {}, [](const Backward&) -> Tensors {
    fail("derivative for aten::scatter is not implemented");
  });
}

// --- scatter_reduce: gradients ---

struct Reduced {
  int64_t d;
  bool include_self;
  Dims source_sizes;
};

// 1 where no index points, 0 where one does (as a mask of `like`'s type).
Tensor untouched(const Tensor& like, const Tensor& index, int64_t d) {
  return scatter_value(ones(like.sizes(), like.dtype(), like.device()), d, index, Scalar(0));
}

Tensor self_weight(const Tensor& like, const Tensor& index, const Reduced& r) {
  return r.include_self ? ones(like.sizes(), like.dtype(), like.device())
                        : untouched(like, index, r.d);
}

// How many values meet at each place.
Tensor meeting(const Tensor& like, const Tensor& index, const Reduced& r) {
  Tensor each = plain_expand(scalar_tensor(Scalar(1), like.dtype(), like.device()), index.sizes());
  return scatter_add(self_weight(like, index, r), r.d, index, each);
}

Tensors sum_gradients(const Backward& b, const Tensor& g, const Tensor& index, const Reduced& r) {
  Tensors grads(2);
  if (b.needs(0)) grads[0] = r.include_self ? g : g * untouched(g, index, r.d);
  if (b.needs(1)) grads[1] = fit_source(gather(g, r.d, index), r.source_sizes);
  return grads;
}

// What the index reached of a source larger than it.
Tensor reached(const Tensor& source, const Tensor& index) {
  if (same(source.sizes(), index.sizes()) || source.dim() != index.dim()) return source;
  Tensor part = source;
  for (int64_t d = 0; d < source.dim(); ++d) part = slice(part, d, 0, index.size(d), 1);
  return part;
}

// Ties share the gradient equally. As in PyTorch the old value counts among them even where
// include_self is false; its share is then lost.
Tensors extreme_gradients(const Backward& b, const Reduced& r) {
  Tensor x = b.saved(0), source = reached(b.saved(1), b.saved(2)), index = b.saved(2),
         y = b.saved(3);
  Tensor from_self = to(eq(plain(x), plain(y)), b.g.dtype());
  Tensor from_source = to(eq(plain(source), gather(plain(y), r.d, index)), b.g.dtype());
  Tensor owners = scatter_add(from_self, r.d, index, from_source);
  Tensor share = b.g / owners;
  Tensors grads(2);
  if (b.needs(0)) grads[0] = share * from_self * self_weight(b.g, index, r);
  if (b.needs(1)) grads[1] = fit_source(gather(share, r.d, index) * from_source, r.source_sizes);
  return grads;
}

// d(product)/d(v) is the product of the others: y / v, except that a single zero among the values
// gets the product of all others, and two zeros leave nothing. Zeros are replaced by 1 and counted.
Tensors product_gradients(const Backward& b, const Reduced& r) {
  Tensor x = b.saved(0), source = reached(b.saved(1), b.saved(2)), index = b.saved(2);
  DType dtype = b.g.dtype();
  Tensor self = self_weight(b.g, index, r);
  Tensor x_zero = to(eq(plain(x), 0), dtype), source_zero = to(eq(plain(source), 0), dtype);
  Tensor zeros_met = scatter_add(x_zero * self, r.d, index, source_zero);
  Tensor x_filled = x + x_zero, source_filled = source + source_zero;
  Tensor others = scatter_reduce(x_filled, r.d, index, source_filled, "prod", r.include_self);
  Tensor none = to(eq(zeros_met, 0), dtype), one = to(eq(zeros_met, 1), dtype);
  Tensor whole = b.g * conj(others);
  auto weight = [&](const Tensor& zero, const Tensor& none_here, const Tensor& one_here) {
    return none_here * (1.0 - zero) + one_here * zero;
  };
  Tensors grads(2);
  if (b.needs(0)) grads[0] = whole / conj(x_filled) * weight(x_zero, none, one) * self;
  if (b.needs(1))
    grads[1] =
        fit_source(gather(whole, r.d, index) / conj(source_filled) *
                       weight(source_zero, gather(none, r.d, index), gather(one, r.d, index)),
                   r.source_sizes);
  return grads;
}

// Where include_self is false, places that an index names begin at the neutral element.
Scalar neutral(Combine combine, DType dtype) {
  bool floating = is_floating(dtype);
  if (combine == Combine::Multiply) return Scalar(1);
  if (combine == Combine::Add) return Scalar(0);
  bool low = combine == Combine::Maximum;
  if (floating)
    return Scalar(low ? -std::numeric_limits<double>::infinity()
                      : std::numeric_limits<double>::infinity());
  Scalar limit;
  dispatch<RealsAndBool>(dtype, "scatter_reduce", [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_same_v<T, bool>)
      limit = Scalar(!low);
    else if constexpr (std::is_integral_v<T>)
      limit = Scalar(static_cast<int64_t>(low ? std::numeric_limits<T>::lowest()
                                              : std::numeric_limits<T>::max()));
  });
  return limit;
}

void divide_by_count(Tensor& y, const Tensor& index, const Reduced& r) {
  Tensor counts = meeting(
      zeros(y.sizes(), is_integral(y.dtype()) ? DType::Int64 : y.dtype(), y.device()), index, r);
  counts = counts + to(eq(counts, 0), counts.dtype());
  Tensor values = plain(y);
  copy_values(y, is_integral(y.dtype()) ? floor_divide(values, counts) : values / counts);
}

}  // namespace

Tensor scatter_reduced(const Tensor& x, int64_t d, const Tensor& index, const Tensor& source,
                       const std::string& reduce, bool include_self, const ScatterStyle& style,
                       bool in_place) {
  Combine combine = reduce == "prod"   ? Combine::Multiply
                    : reduce == "amax" ? Combine::Maximum
                    : reduce == "amin" ? Combine::Minimum
                                       : Combine::Add;
  bool mean = reduce == "mean", sum = reduce == "sum";
  if (mean)
    CHECK_KIND(x.dtype() != DType::Bool, NotImplemented, "\"", style.kernel,
               "\" not implemented for 'Bool'");
  if (in_place) {
    check_internal_overlap(x);
    check_partial_overlap(x, source);
  }
  bool recorded = needs_grad(x, source);
  // The old values, with their history, where they are about to be written over.
  Tensor kept_self = recorded && !sum && !mean && in_place ? clone(x) : x;
  Target target(x, in_place, Layout::RowMajor);
  if (index.numel() > 0) {
    if (combine == Combine::Maximum || combine == Combine::Minimum)
      CHECK_KIND(!is_complex(x.dtype()), NotImplemented, "\"", style.kernel,
                 "\" not implemented for '", label(x.dtype()), "'");
    if (!include_self) {
      Scalar start = neutral(combine, x.dtype());
      Tensor number = plain_expand(scalar_tensor(start, x.dtype(), x.device()), index.sizes());
      run_scatter(target.y, d, index, number, Combine::Assign, style);
    }
    run_scatter(target.y, d, index, source, combine, style);
  }
  Reduced r{d, include_self, source.sizes()};
  if (mean && index.numel() > 0 && !x.is_meta()) divide_by_count(target.y, index, r);
  if (!recorded) return target.y;
  if (sum)
    return target.finish(style.node, {x, source}, {index}, [r](const Backward& b) -> Tensors {
      return sum_gradients(b, b.g, b.saved(0), r);
    });
  if (mean)
    return target.finish(style.node, {x, source}, {index}, [r](const Backward& b) -> Tensors {
      Tensor index = b.saved(0);
      Tensor counts = meeting(b.g, index, r);
      return sum_gradients(b, b.g / (counts + to(eq(counts, 0), counts.dtype())), index, r);
    });
  if (combine == Combine::Multiply)
    return target.finish(style.node, {x, source}, {kept_self, source, index},
                         [r](const Backward& b) -> Tensors { return product_gradients(b, r); });
  return target.finish(style.node, {x, source}, {kept_self, source, index, tape::out(target.y)},
                       [r](const Backward& b) -> Tensors { return extreme_gradients(b, r); });
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  int64_t d = wrap_dim(dim, x.dim());
  if (index.numel() > 0) check_index_type("gather", index);
  if (index.numel() > 0) {
    CHECK(rank(index) == rank(x),
          "Index tensor must have the same number of dimensions as input tensor");
    for (int64_t i = 0; i < rank(index); ++i)
      CHECK(i == d || size_at(index, i) <= size_at(x, i), "Size does not match at dimension ", i,
            " expected index ", to_string(index.sizes()), " to be no larger than self ",
            to_string(x.sizes()), " apart from dimension ", d);
  }
  CHECK_KIND(!wide_unsigned(x.dtype()), NotImplemented,
             "\"scatter_gather_tensor_cpu\" not implemented for '", label(x.dtype()), "'");
  Tensor y = empty(index.sizes(), x.dtype(), x.device());
  Tensor wide = wide_index(index);
  KERNEL(gather, y, x, d, wide, kNamed);
  if (needs_grad(x))
    tape::record(
        y, "GatherBackward0", {x}, {index}, [d, from = x.sizes()](const Backward& b) -> Tensors {
          return {scatter_add_(zeros(from, b.g.dtype(), b.g.device()), d, b.saved(0), b.g)};
        });
  return y;
}

Tensor gather_sparse(const Tensor& x, int64_t dim, const Tensor& index, bool sparse_grad) {
  CHECK_KIND(!sparse_grad || !needs_grad(x), NotImplemented,
             "gather: sparse_grad=True needs sparse tensors, which do not exist here");
  return gather(x, dim, index);
}

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_source(x, dim, index, src, false);
}
Tensor scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_source(x, dim, index, src, true);
}
Tensor scatter_value(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return scatter_number(x, dim, index, value, false);
}
Tensor scatter_value_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return scatter_number(x, dim, index, value, true);
}
Tensor scatter_with(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                    const std::string& reduce) {
  return scatter_combined(x, dim, index, src, reduce, "scatter_gather_tensor_cpu_reduce_add",
                          false);
}
Tensor scatter_with_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                     const std::string& reduce) {
  return scatter_combined(x, dim, index, src, reduce, "scatter_gather_tensor_cpu_reduce_add", true);
}
Tensor scatter_value_with(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                          const std::string& reduce) {
  return scatter_combined(x, dim, index, spread_number(x, index, value), reduce,
                          "scatter_gather_scalar_cpu_reduce_add", false);
}
Tensor scatter_value_with_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                           const std::string& reduce) {
  return scatter_combined(x, dim, index, spread_number(x, index, value), reduce,
                          "scatter_gather_scalar_cpu_reduce_add", true);
}

Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_sum(x, dim, index, src, false);
}
Tensor scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_sum(x, dim, index, src, true);
}

namespace {
Tensor reduce_into(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                   const std::string& reduce, bool include_self, bool in_place) {
  static const std::pair<const char*, const char*> kernels[] = {
      {"sum", "scatter_gather_tensor_cpu_reduce_add"},
      {"prod", "scatter_gather_tensor_cpu_reduce_multiply"},
      {"mean", "scatter_gather_tensor_cpu_reduce_mean"},
      {"amax", "scatter_gather_tensor_cpu_reduce_amax"},
      {"amin", "scatter_gather_tensor_cpu_reduce_amin"}};
  for (auto [name, kernel] : kernels) {
    if (reduce != name) continue;
    int64_t d = wrap_dim(dim, x.dim());
    check_scatter(x, d, index, &src, in_place);
    return scatter_reduced(x, d, wide_index(index), src, reduce, include_self,
                           {"ScatterReduceBackward0", kernel, kNamed}, in_place);
  }
  fail("reduce argument must be either sum, prod, mean, amax or amin, got ", reduce);
}
}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                      const std::string& reduce, bool include_self) {
  return reduce_into(x, dim, index, src, reduce, include_self, false);
}
Tensor scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                       const std::string& reduce, bool include_self) {
  return reduce_into(x, dim, index, src, reduce, include_self, true);
}

}  // namespace lampas::ops
