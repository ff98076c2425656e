// masked_fill, masked_select, masked_scatter.
#include "cpu/masked.h"

#include "cpu/indexing.h"
#include "ops/modify.h"
#include "ops/type_spelling.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

// `mask` in the shape that x has after broadcasting; in place that must be x's own.
Tensor fit_mask(const Tensor& x, const Tensor& mask, bool in_place) {
  Dims sizes = broadcast(mask.sizes(), x.sizes());
  CHECK(!in_place || sizes == x.sizes(), "output with shape ", to_string(x.sizes()),
        " doesn't match the broadcast shape ", to_string(sizes));
  return plain_expand(mask, sizes);
}

// What to write: x, or a copy of it in the shape of the mask.
Tensor wide_copy(const Tensor& x, Span sizes) {
  Tensor y = empty(sizes, x.dtype(), x.device());
  copy_values(y, x);
  return y;
}

template <class F>
void leave(Tensor& y, bool in_place, const char* node, std::initializer_list<tape::In> inputs,
           const Tensor& mask, F formula) {
  if (in_place)
    tape::record_written(y, node, inputs, {mask}, formula);
  else
    tape::record(y, node, inputs, {mask}, formula);
}

Tensor fill(const Tensor& x, const Tensor& mask, const Tensor& value, bool in_place) {
  CHECK(mask.dtype() == DType::Bool,
        "masked_fill_ only supports boolean masks, but got mask with dtype ",
        type_spelling(mask.dtype()));
  CHECK_KIND(item_size(x.dtype()) && x.dtype() != DType::UInt16 && x.dtype() != DType::UInt32 &&
                 x.dtype() != DType::UInt64,
             NotImplemented, "\"masked_fill\" not implemented for '", label(x.dtype()), "'");
  Tensor wide = fit_mask(x, mask, in_place), y = x;
  if (in_place) {
    tape::check_write(x);
    check_partial_overlap(x, mask);
    bump_version(x);
  } else {
    y = wide_copy(x, wide.sizes());
  }
  Tensor written = plain(y);
  KERNEL(masked_fill, written, wide, value);
  return y;
}

}  // namespace

Tensor masked_fill_scalar(const Tensor& x, const Tensor& mask, const Scalar& value, bool in_place) {
  CHECK(mask.dtype() == DType::Bool,
        "masked_fill_ only supports boolean masks, but got mask with dtype ",
        type_spelling(mask.dtype()));
  check_value(value, x.dtype());
  Tensor y = fill(x, mask, scalar_tensor(value, x.dtype(), x.device()), in_place);
  if (needs_grad(x))
    leave(y, in_place, "MaskedFillBackward0", {x}, mask,
          [from = x.sizes()](const Backward& b) -> Tensors {
            return {sum_to(masked_fill(b.g, b.saved(0), Scalar(0)), from)};
          });
  return y;
}

Tensor masked_fill_value(const Tensor& x, const Tensor& mask, const Tensor& value, bool in_place) {
  CHECK(value.dim() == 0,
        "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
        value.dim(), " dimension(s).");
  if (!needs_grad(value) && value.device().is_cpu() && x.dtype() != value.dtype())
    dispatch<Everything>(value.dtype(), "masked_fill", [&](auto tag) {
      using T = decltype(tag);
      T v = *value.data<T>();
      if constexpr (is_complex_v<T>)
        check_value(Scalar(convert<ComplexDouble>(v)), x.dtype());
      else if constexpr (std::is_integral_v<T>)
        check_value(Scalar(static_cast<int64_t>(v)), x.dtype());
      else
        check_value(Scalar(static_cast<double>(v)), x.dtype());
    });
  Tensor y = fill(x, mask, to(plain(value), x.dtype()), in_place);
  if (needs_grad(x, value))
    leave(y, in_place, "MaskedFillBackward1", {x, value}, mask,
          [from = x.sizes(), dtype = value.dtype()](const Backward& b) -> Tensors {
            Tensors grads(2);
            Tensor mask = b.saved(0);
            if (b.needs(0)) grads[0] = sum_to(masked_fill(b.g, mask, Scalar(0)), from);
            if (b.needs(1)) grads[1] = to(sum_to(b.g * to(mask, b.g.dtype()), Dims{}), dtype);
            return grads;
          });
  return y;
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value) {
  return masked_fill_scalar(x, mask, value, false);
}
Tensor masked_fill_(const Tensor& x, const Tensor& mask, const Scalar& value) {
  return masked_fill_scalar(x, mask, value, true);
}
Tensor masked_fill_tensor(const Tensor& x, const Tensor& mask, const Tensor& value) {
  return masked_fill_value(x, mask, value, false);
}
Tensor masked_fill_tensor_(const Tensor& x, const Tensor& mask, const Tensor& value) {
  return masked_fill_value(x, mask, value, true);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  CHECK(mask.dtype() == DType::Bool, "masked_select: expected BoolTensor for mask");
  Dims sizes = broadcast(mask.sizes(), x.sizes());
  Tensor wide = plain_expand(mask, sizes), values = plain_expand(x, sizes);
  CHECK_KIND(!wide.is_meta(), NotImplemented,
             "masked_select() needs the values of its mask: it cannot run on the meta device");
  Tensor y;
  if (wide.device().is_cuda()) {
    require_device(wide.device(), values);
    y = cuda::masked_select(cuda::On{}, values, wide);
  } else {
    require_available(wide.device());
    y = empty(Dims{cpu::count_nonzero(wide)}, x.dtype(), x.device());
    KERNEL(masked_select, y, values, wide);
  }
  if (needs_grad(x))
    tape::record(
        y, "MaskedSelectBackward0", {x}, {mask},
        [from = x.sizes(), sizes](const Backward& b) -> Tensors {
          return {sum_to(masked_scatter_(zeros(sizes, b.g.dtype(), b.g.device()), b.saved(0), b.g),
                         from)};
        });
  return y;
}

namespace {
Tensor scatter_masked(const Tensor& x, const Tensor& mask, const Tensor& source, bool in_place) {
  CHECK(x.dtype() == source.dtype(),
        "masked_scatter: expected self and source to have same dtypes but got", label(x.dtype()),
        " and ", label(source.dtype()));
  CHECK(mask.dtype() == DType::Bool,
        "masked_scatter_ only supports boolean masks, but got mask with dtype ",
        label(mask.dtype()));
  Tensor wide = fit_mask(x, mask, in_place), y = x;
  if (in_place) {
    tape::check_write(x);
    check_internal_overlap(x);
    bump_version(x);
  } else {
    y = wide_copy(x, wide.sizes());
  }
  Tensor written = plain(y), values = contiguous(plain(source));
  if (in_place && values.storage() == y.storage()) values = clone(values);
  KERNEL(masked_scatter, written, wide, values);
  if (needs_grad(x, source))
    leave(y, in_place, "MaskedScatterBackward0", {x, source}, mask,
          [from = x.sizes(), to = source.sizes()](const Backward& b) -> Tensors {
            Tensors grads(2);
            Tensor mask = b.saved(0);
            if (b.needs(0)) grads[0] = sum_to(masked_fill(b.g, mask, Scalar(0)), from);
            if (b.needs(1)) {
              Tensor used = masked_select(b.g, mask);
              grads[1] = reshape(place(used, Dims{checked_numel(to)}, Dims{1}, 0), to);
            }
            return grads;
          });
  return y;
}
}  // namespace

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  return scatter_masked(x, mask, source, false);
}
Tensor masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
  return scatter_masked(x, mask, source, true);
}

}  // namespace lampas::ops
