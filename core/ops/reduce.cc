// Reductions over any dims: the driver of the rows in reduce.def, with their gradients. Those that
// return indices are in extremes.cc, norms in norm.cc, variances in var.cc.
#include "ops/reduce.h"

#include "cpu/products.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/promotion.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

Reduced::Reduced(const Tensor& x, const Optional<Dims>& dims, bool keepdim)
    : keepdim(keepdim), sizes(x.sizes()) {
  if (!dims || dims->empty())
    mask = all_dim_bits(x.dim());
  else
    mask = dim_bits(*dims, x.dim());
}

Reduced::Reduced(const Tensor& x, int64_t dim, bool keepdim)
    : mask(dim_bits({&dim, 1}, x.dim())), keepdim(keepdim), sizes(x.sizes()) {}

Dims Reduced::kept() const {
  Dims kept = sizes;
  for (size_t d = 0; d < kept.size(); ++d)
    if (mask >> d & 1) kept[d] = 1;
  return kept;
}

Dims Reduced::result() const {
  if (keepdim) return kept();
  Dims left;
  for (size_t d = 0; d < sizes.size(); ++d)
    if (!(mask >> d & 1)) left.push_back(sizes[d]);
  return left;
}

Dims Reduced::dims() const {
  Dims gone;
  for (size_t d = 0; d < sizes.size(); ++d)
    if (mask >> d & 1) gone.push_back(static_cast<int64_t>(d));
  return gone;
}

int64_t Reduced::count() const {
  uint64_t n = 1;  // wraps for sizes that only meta has
  for (int64_t d : dims()) n *= static_cast<uint64_t>(sizes[d]);
  return static_cast<int64_t>(n);
}

Tensor Reduced::restore(const Tensor& y) const {
  if (keepdim || sizes.empty() || y.dim() == static_cast<int64_t>(sizes.size())) return y;
  Tensor z = y;
  for (int64_t d : dims()) z = unsqueeze(z, d);
  return z;
}

Tensor reduce_plain(Reduction row, const Tensor& x, const Reduced& r, double p,
                    const Tensor& centre) {
  Tensor y = empty(r.result(), result_of(row, x.dtype()), x.device());
  KERNEL(reduce, y, row, x, r.mask, centre, p);
  return y;
}

namespace {

// The gradient texts of reduce.def, as a function per row.
struct Derivative {
  const Reduced& r;
  double n, p;
  Tensor total(const Tensor& t) const { return r.mask ? sum(t, r.dims(), true) : t; }
  static Tensor masked(const Tensor& g, const Tensor& mask) { return where(mask, 0, g); }

#define NONE Tensor()
#define REDUCE(row, label, types, sum, centre, identity, map, combine, finish, dx)      \
  Tensor row##_text([[maybe_unused]] const Tensor& g, [[maybe_unused]] const Tensor& x, \
                    [[maybe_unused]] const Tensor& y) const {                           \
    return dx;                                                                          \
  }
#include "ops/reduce.def"
#undef NONE

  Tensor operator()(Reduction row, const Tensor& g, const Tensor& x, const Tensor& y) const {
    switch (row) {
#define REDUCE(name, ...) \
  case Reduction::name:   \
    return name##_text(g, x, y);
#include "ops/reduce.def"
    }
    return {};
  }
};

// Does a text mention this name as a word? Decides what the graph keeps alive.
constexpr bool mentions(std::string_view text, char name) {
  auto word = [](char c) { return (c | 32) >= 'a' && (c | 32) <= 'z' ? true : c == '_'; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != name || (i && word(text[i - 1]))) continue;
    if (i + 1 == text.size() || !word(text[i + 1])) return true;
  }
  return false;
}

std::string_view derivative_text(Reduction row) {
  switch (row) {
#define REDUCE(name, label, types, sum, centre, identity, map, combine, finish, dx) \
  case Reduction::name:                                                             \
    return #dx;
#include "ops/reduce.def"
  }
  return "NONE";
}

}  // namespace

// Records the row's own gradient text for y = row(x).
void record_reduction(Tensor& y, Reduction row, const char* node, const Tensor& x, const Reduced& r,
                      double p) {
  std::string_view text = derivative_text(row);
  bool keeps_x = mentions(text, 'x'), keeps_y = mentions(text, 'y');
  auto formula = [=](const Backward& b) -> Tensors {
    Tensor g = r.restore(b.g), x, y;
    if (keeps_x) x = b.saved(0);
    if (keeps_y) y = r.restore(b.saved(keeps_x));
    return {expand(Derivative{r, static_cast<double>(r.count()), p}(row, g, x, y), r.sizes)};
  };
  if (keeps_x && keeps_y)
    record(y, node, {x}, {x, tape::out(y)}, formula);
  else if (keeps_x)
    record(y, node, {x}, {x}, formula);
  else if (keeps_y)
    record(y, node, {x}, {tape::out(y)}, formula);
  else
    record(y, node, {x}, {}, formula);
}

namespace {

Tensor reduce_row(Reduction row, const char* node, const Tensor& x, const Reduced& r) {
  Tensor y = reduce_plain(row, x, r);
  if (needs_grad(x)) record_reduction(y, row, node, x, r, 0);
  return y;
}

Tensor cast(const Tensor& x, Optional<DType> dtype) {
  return dtype && *dtype != x.dtype() ? to(x, *dtype) : x;
}

// dtype= of sum and prod: integers are summed in int64 whatever their width, then narrowed.
Tensor total(Reduction row, const char* node, const Tensor& x, const Reduced& r,
             Optional<DType> dtype) {
  if (!dtype) return reduce_row(row, node, x, r);
  return cast(reduce_row(row, node, cast(x, dtype), r), dtype);
}

void check_mean(const Tensor& x, Optional<DType> dtype) {
  DType type = dtype.value_or(x.dtype());
  CHECK(is_floating(type) || is_complex(type), "mean(): could not infer output dtype. ",
        dtype ? "Optional" : "Input",
        " dtype must be either a floating point or complex dtype. Got: ", label(type));
}

void check_nansum(const Tensor& x) {
  CHECK(!x.is_complex(), "nansum on CPU does not support complex inputs");
}

const Optional<Dims> all_dims;

}  // namespace

Tensor sum(const Tensor& x, Span dims, bool keepdim) { return sum(x, Dims(dims), keepdim, {}); }

Tensor sum_all(const Tensor& x, Optional<DType> dtype) {
  return total(Reduction::sum, "SumBackward0", x, Reduced(x, all_dims, false), dtype);
}
Tensor sum(const Tensor& x, Optional<Dims> dim, bool keepdim, Optional<DType> dtype) {
  return total(Reduction::sum, "SumBackward1", x, Reduced(x, dim, keepdim), dtype);
}

Tensor nansum(const Tensor& x, Optional<Dims> dim, bool keepdim, Optional<DType> dtype) {
  check_nansum(x);
  return total(Reduction::nansum, "NansumBackward0", x, Reduced(x, dim, keepdim), dtype);
}

Tensor mean_all(const Tensor& x, Optional<DType> dtype) {
  check_mean(x, dtype);
  return reduce_row(Reduction::mean, "MeanBackward0", cast(x, dtype), Reduced(x, all_dims, false));
}
Tensor mean(const Tensor& x, Optional<Dims> dim, bool keepdim, Optional<DType> dtype) {
  check_mean(x, dtype);
  return reduce_row(Reduction::mean, "MeanBackward1", cast(x, dtype), Reduced(x, dim, keepdim));
}

Tensor sum_to(const Tensor& x, Span sizes) {
  if (same(x.sizes(), sizes)) return x;
  int64_t extra = x.dim() - static_cast<int64_t>(sizes.size());
  Dims leading, ones;
  for (int64_t d = 0; d < extra; ++d) leading.push_back(d);
  for (int64_t d = extra; d < x.dim(); ++d)
    if (sizes[d - extra] == 1 && x.size(d) != 1) ones.push_back(d);
  Tensor y = x;
  if (!ones.empty()) y = sum(y, ones, true);
  if (extra) y = sum(y, leading, false);
  return y;
}

Scalar item(const Tensor& x) {
  tape::NoGrad off;
  Tensor here = to(x, Device{DeviceType::CPU});
  return dispatch<Everything>(here.dtype(), "item", [&](auto tag) -> Scalar {
    using T = decltype(tag);
    T value = *here.data<T>();
    if constexpr (is_complex_v<T>)
      return Scalar(convert<ComplexDouble>(value));
    else if constexpr (is_floating_v<T>)
      return Scalar(convert<double>(value));
    else if constexpr (std::is_same_v<T, bool>)
      return Scalar(value);
    else if constexpr (std::is_same_v<T, uint64_t>)
      return Scalar::unsigned_int(value);
    else
      return Scalar(static_cast<int64_t>(value));
  });
}
bool truth(const Tensor& x) { return item(x).to<bool>(); }

// --- products ---

namespace {

// Every element's product of the others along dimension d. With create_graph the quadratic way,
// which has every derivative: row i of an (n, n) matrix is the line with a one at place i.
Tensor others(const Tensor& x, int64_t d) {
  int64_t n = x.size(d);
  Tensor line = transpose(x, d, -1);
  if (!tape::grad_enabled()) {
    Tensor flat = contiguous(line), y = empty_like(flat);
    KERNEL(product_of_others, y, flat, n);
    return transpose(y, d, -1);
  }
  Dims sizes(line.sizes());
  sizes.insert(sizes.size() - 1, n);
  Tensor diagonal = empty(Dims{n, n}, DType::Bool, x.device());
  KERNEL(fill_diagonal_mask, diagonal);
  Tensor rows = where(diagonal, 1, expand(unsqueeze(line, -2), sizes));
  return transpose(prod(rows, -1, false, {}), d, -1);
}

bool has_zero(const Tensor& x) {
  Tensor nonzero = reduce_plain(Reduction::all, x, Reduced(x, all_dims, false));
  return !nonzero.is_meta() && !truth(nonzero);
}

Tensor record_prod(Tensor y, const char* node, const Tensor& x, const Reduced& r, int64_t dim) {
  if (!needs_grad(x)) return y;
  record(y, node, {x}, {x, tape::out(y)}, [=](const Backward& b) -> Tensors {
    Tensor x = b.saved(0), g = r.restore(b.g);
    if (x.dim() == 0) return {b.g};
    if (!has_zero(x)) {
      Tensor z = r.restore(b.saved(1)) / x;
      return {g * (x.is_complex() ? conj(z) : z)};
    }
    bool whole = dim < 0;
    Tensor z = whole ? view(others(reshape(x, Dims{x.numel()}), 0), r.sizes) : others(x, dim);
    return {g * (x.is_complex() ? conj(z) : z)};
  });
  return y;
}

}  // namespace

Tensor prod_all(const Tensor& x, Optional<DType> dtype) {
  Tensor input = cast(x, dtype);
  Reduced r(x, all_dims, false);
  return cast(record_prod(reduce_plain(Reduction::prod, input, r), "ProdBackward0", input, r, -1),
              dtype);
}
Tensor prod(const Tensor& x, int64_t dim, bool keepdim, Optional<DType> dtype) {
  Tensor input = cast(x, dtype);
  Reduced r(x, dim, keepdim);
  Tensor y = reduce_plain(Reduction::prod, input, r);
  return cast(record_prod(y, "ProdBackward1", input, r, wrap_dim(dim, x.dim())), dtype);
}

// --- truth ---

namespace {

// any and all take dim=[] literally: nothing is reduced.
Tensor truths(Reduction row, const Tensor& x, const Optional<Dims>& dim, bool keepdim) {
  Reduced r(x, dim, keepdim);
  if (dim && dim->empty()) r.mask = 0;
  return reduce_plain(row, x, r);
}

}  // namespace

Tensor any(const Tensor& x, Optional<Dims> dim, bool keepdim) {
  return truths(Reduction::any, x, dim, keepdim);
}
Tensor all(const Tensor& x, Optional<Dims> dim, bool keepdim) {
  return truths(Reduction::all, x, dim, keepdim);
}
Tensor count_nonzero(const Tensor& x, Optional<Dims> dim) {
  return reduce_plain(Reduction::count_nonzero, x, Reduced(x, dim, false));
}

// --- amax, amin ---

namespace {

void check_not_empty(const Tensor& x, const Reduced& r, bool whole, const std::string& name) {
  if (x.numel() != 0) return;
  CHECK(
      !whole, name,
      ": Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
      "with the 'dim' argument.");
  for (int64_t d : r.dims())
    CHECK_KIND(x.size(d) != 0, Index, name, ": Expected reduction dim ", d,
               " to have non-zero size.");
}

Tensor extreme(Reduction row, const char* name, const char* node, const Tensor& x,
               const Optional<Dims>& dim, bool keepdim) {
  Reduced r(x, dim, keepdim);
  check_not_empty(x, r, !dim || dim->empty(), concat(name, "()"));
  return reduce_row(row, node, x, r);
}

}  // namespace

Tensor amax(const Tensor& x, Optional<Dims> dim, bool keepdim) {
  return extreme(Reduction::amax, "amax", "AmaxBackward0", x, dim, keepdim);
}
Tensor amin(const Tensor& x, Optional<Dims> dim, bool keepdim) {
  return extreme(Reduction::amin, "amin", "AminBackward0", x, dim, keepdim);
}
Tensor hash_tensor(const Tensor& x, Optional<Dims> dim, bool keepdim, int64_t mode) {
  CHECK(mode == 0, "Unknown hash_tensor mode: ", mode);
  Reduced r(x, dim, keepdim);
  check_not_empty(x, r, !dim || dim->empty(), "hash_tensor");
  return reduce_plain(Reduction::hash, x, r);
}
Tensor max_all(const Tensor& x) {
  if (x.is_complex()) fail_dtype("max_all", x.dtype());
  return extreme(Reduction::amax, "max", "MaxBackward1", x, {}, false);
}
Tensor min_all(const Tensor& x) {
  if (x.is_complex()) fail_dtype("min_all", x.dtype());
  return extreme(Reduction::amin, "min", "MinBackward1", x, {}, false);
}
Tensor max_other(const Tensor& x, const Tensor& other) { return maximum(x, other); }
Tensor min_other(const Tensor& x, const Tensor& other) { return minimum(x, other); }

std::tuple<Tensor, Tensor> aminmax(const Tensor& x, Optional<int64_t> dim, bool keepdim) {
  if (!dim)
    CHECK(x.numel() > 0,
          "aminmax(): cannot compute aminmax over an empty dimension as the operation "
          "has no identity.");
  Reduced r = dim ? Reduced(x, *dim, keepdim) : Reduced(x, all_dims, keepdim);
  if (dim && x.dim())
    CHECK_KIND(r.count() != 0, Index, "aminmax: Expected reduction dim ", wrap_dim(*dim, x.dim()),
               " to have non-zero size.");
  Tensor low = reduce_plain(Reduction::amin, x, r), high = reduce_plain(Reduction::amax, x, r);
  if (needs_grad(x)) {
    record({&low, &high}, "AminmaxBackward0", {x}, {x, tape::out(low), tape::out(high)},
           [r](const Backward& b) -> Tensors {
             Tensor x = b.saved(0), dx;
             for (int i = 0; i < 2; ++i) {
               if (!b.grads[i].defined()) continue;
               Tensor at = eq(x, r.restore(b.saved(1 + i)));
               Tensor part = r.restore(b.grads[i]) * at / sum(at, r.dims(), true);
               dx = dx.defined() ? dx + part : part;
             }
             return {dx};
           });
  }
  return {low, high};
}

Tensor logsumexp(const Tensor& x, Span dim, bool keepdim) {
  if (is_integral(x.dtype(), true)) return logsumexp(to(x, default_dtype()), dim, keepdim);
  Reduced r(x, Dims(dim), keepdim);
  if (x.is_complex()) {
    Tensor finite;
    {
      tape::NoGrad off;
      Tensor top = amax(real(x), r.dims(), true);
      finite = where(eq(abs(top), std::numeric_limits<double>::infinity()), 0, top);
    }
    Tensor y = log(sum(exp(x - finite), r.dims(), true)) + finite;
    return keepdim ? y : reshape(y, r.result());
  }
  Tensor top;
  if (r.count() == 0) {
    top = full(r.result(), 0.0, x.dtype(), x.device());
  } else {
    top = reduce_plain(Reduction::amax, x, r);
    tape::NoGrad off;
    top = where(eq(abs(top), std::numeric_limits<double>::infinity()), 0, top);
  }
  Tensor y = reduce_plain(Reduction::logsumexp, x, r, 0, top);
  if (needs_grad(x)) record_reduction(y, Reduction::logsumexp, "LogsumexpBackward0", x, r, 0);
  return y;
}

}  // namespace lampas::ops
