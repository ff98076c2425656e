// Tensors from nothing: constants, ranges, and tensors like others. Random ones are in random.cc.
#include <cmath>

#include "cpu/ranges.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/pointwise.h"
#include "ops/primitives.h"
#include "ops/promotion.h"
#include "ops/reduce.h"

namespace lampas::ops {

namespace {

Tensor finish(Tensor y, bool requires_grad) {
  if (!requires_grad) return y;
  CHECK(is_differentiable(y.dtype()),
        "Only Tensors of floating point and complex dtype can require gradients");
  y->requires_grad = true;
  return y;
}

DType dtype_of_fill(const Scalar& value) { return dtype_of_number(value); }

}  // namespace

Tensor full(Span sizes, const Scalar& value, DType dtype, Device device) {
  Tensor y = empty(sizes, dtype, device);
  fill_values(y, value);
  return y;
}
Tensor zeros(Span sizes, DType dtype, Device device) { return full(sizes, 0, dtype, device); }
Tensor ones(Span sizes, DType dtype, Device device) { return full(sizes, 1, dtype, device); }
Tensor scalar_tensor(const Scalar& value, DType dtype, Device device) {
  return full({}, value, dtype, device);
}
Tensor zeros_like(const Tensor& x) {
  Tensor y = empty_like(x);
  fill_values(y, 0);
  return y;
}
Tensor ones_like(const Tensor& x) {
  Tensor y = empty_like(x);
  fill_values(y, 1);
  return y;
}

// --- the forms with Python's parameters ---

Tensor make_empty(Span sizes, Optional<DType> dtype, Optional<Device> device, bool requires_grad,
                  bool, Optional<MemoryFormat> format) {
  Device where = device.value_or(Device{});
  DType type = dtype.value_or(default_dtype());
  return finish(empty_format(sizes, type, where, format.value_or(MemoryFormat::Contiguous)),
                requires_grad);
}

Tensor make_empty_strided(Span sizes, Span strides, Optional<DType> dtype, Optional<Device> device,
                          bool requires_grad, bool) {
  return finish(
      empty_strided(sizes, strides, dtype.value_or(default_dtype()), device.value_or(Device{})),
      requires_grad);
}

Tensor make_zeros(Span sizes, Optional<DType> dtype, Optional<Device> device, bool requires_grad,
                  bool) {
  for (int64_t s : sizes) CHECK(s >= 0, "zeros: Dimension size must be non-negative.");
  return finish(zeros(sizes, dtype.value_or(default_dtype()), device.value_or(Device{})),
                requires_grad);
}

Tensor make_ones(Span sizes, Optional<DType> dtype, Optional<Device> device, bool requires_grad,
                 bool) {
  return finish(ones(sizes, dtype.value_or(default_dtype()), device.value_or(Device{})),
                requires_grad);
}

Tensor make_full(Span sizes, const Scalar& value, Optional<DType> dtype, Optional<Device> device,
                 bool requires_grad, bool) {
  DType type = dtype.value_or(dtype_of_fill(value));
  check_value(value, type);
  return finish(full(sizes, value, type, device.value_or(Device{})), requires_grad);
}

Tensor make_scalar(const Scalar& value, Optional<DType> dtype, Optional<Device> device,
                   bool requires_grad) {
  DType type = dtype.value_or(default_dtype());
  check_value(value, type);
  return finish(scalar_tensor(value, type, device.value_or(Device{})), requires_grad);
}

Tensor make_empty_like(const Tensor& x, Optional<DType> dtype, Optional<Device> device,
                       bool requires_grad, bool, Optional<MemoryFormat> format) {
  Tensor y = empty_like(x, dtype, format.value_or(MemoryFormat::Preserve));
  if (device && *device != y.device())
    y = empty_strided(y.sizes(), y.strides(), y.dtype(), *device);
  return finish(y, requires_grad);
}

Tensor make_full_like(const Tensor& x, const Scalar& value, Optional<DType> dtype,
                      Optional<Device> device, bool requires_grad, bool pin,
                      Optional<MemoryFormat> format) {
  Tensor y = make_empty_like(x, dtype, device, requires_grad, pin, format);
  check_value(value, y.dtype());
  fill_values(y, value);
  return y;
}

Tensor make_zeros_like(const Tensor& x, Optional<DType> dtype, Optional<Device> device,
                       bool requires_grad, bool pin, Optional<MemoryFormat> format) {
  return make_full_like(x, 0, dtype, device, requires_grad, pin, format);
}

Tensor make_ones_like(const Tensor& x, Optional<DType> dtype, Optional<Device> device,
                      bool requires_grad, bool pin, Optional<MemoryFormat> format) {
  return make_full_like(x, 1, dtype, device, requires_grad, pin, format);
}

Tensor new_empty(const Tensor& x, Span sizes, Optional<DType> dtype, Optional<Device> device,
                 bool requires_grad, bool) {
  return finish(empty(sizes, dtype.value_or(x.dtype()), device.value_or(x.device())),
                requires_grad);
}

Tensor new_full(const Tensor& x, Span sizes, const Scalar& value, Optional<DType> dtype,
                Optional<Device> device, bool requires_grad, bool pin) {
  Tensor y = new_empty(x, sizes, dtype, device, requires_grad, pin);
  check_value(value, y.dtype());
  fill_values(y, value);
  return y;
}

Tensor new_zeros(const Tensor& x, Span sizes, Optional<DType> dtype, Optional<Device> device,
                 bool requires_grad, bool pin) {
  return new_full(x, sizes, 0, dtype, device, requires_grad, pin);
}

Tensor new_ones(const Tensor& x, Span sizes, Optional<DType> dtype, Optional<Device> device,
                bool requires_grad, bool pin) {
  return new_full(x, sizes, 1, dtype, device, requires_grad, pin);
}

// --- ranges ---

namespace {

int64_t range_length(const Scalar& start, const Scalar& end, const Scalar& step) {
  if (start.is_integral() && end.is_integral() && step.is_integral()) {
    int64_t a = start.to<int64_t>(), b = end.to<int64_t>(), s = step.to<int64_t>();
    CHECK_KIND(s != 0, Value, "step must be nonzero");
    CHECK(s > 0 ? b >= a : b <= a, "upper bound and lower bound inconsistent with step sign");
    uint64_t reach = s > 0 ? static_cast<uint64_t>(b) - static_cast<uint64_t>(a)
                           : static_cast<uint64_t>(a) - static_cast<uint64_t>(b);
    uint64_t stride = s > 0 ? static_cast<uint64_t>(s) : uint64_t{0} - static_cast<uint64_t>(s);
    uint64_t length = reach / stride + (reach % stride != 0);
    CHECK(length <= static_cast<uint64_t>(INT64_MAX), "invalid size, possible overflow?");
    return static_cast<int64_t>(length);
  }
  double a = start.real(), b = end.real(), s = step.real();
  CHECK(s != 0, "step must be nonzero");
  CHECK(std::isfinite(a) && std::isfinite(b), "unsupported range: ", a, " -> ", b);
  CHECK(s > 0 ? b >= a : b <= a, "upper bound and lower bound inconsistent with step sign");
  double length = std::ceil((b - a) / s);
  CHECK(length >= 0 && length <= 9.2e18, "invalid size, possible overflow?");
  return static_cast<int64_t>(length);
}

DType range_dtype(const Scalar& start, const Scalar& end, const Scalar& step) {
  bool whole = start.is_integral() && end.is_integral() && step.is_integral();
  return whole ? DType::Int64 : default_dtype();
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, Optional<DType> dtype,
              Optional<Device> device, bool requires_grad, bool) {
  DType type = dtype.value_or(range_dtype(start, end, step));
  CHECK_KIND(type != DType::Bool && !is_complex(type), NotImplemented,
             "\"arange_cpu\" not implemented for '", label(type), "'");
  // int64 counts in whole numbers, whatever was given; the other types count in what was given.
  auto given = [&](const Scalar& x) { return type == DType::Int64 ? Scalar(x.to<int64_t>()) : x; };
  CHECK(step.real() != 0, "step must be nonzero");
  for (const Scalar& x : {start, end, step})
    CHECK(std::isfinite(x.real()), "unsupported range: ", start.real(), " -> ", end.real());
  Dims sizes{range_length(given(start), given(end), given(step))};
  Tensor y = empty(sizes, type, device.value_or(Device{}));
  KERNEL(arange, y, start, step);
  return finish(y, requires_grad);
}

Tensor arange_to(const Scalar& end, Optional<DType> dtype, Optional<Device> device,
                 bool requires_grad, bool pin) {
  return arange(end.is_integral() ? Scalar(0) : Scalar(0.0), end, 1, dtype, device, requires_grad,
                pin);
}

namespace {

DType space_dtype(const Scalar& start, const Scalar& end, Optional<DType> dtype) {
  bool complex = start.is_complex() || end.is_complex();
  if (!dtype) return complex ? complex_of(default_dtype()) : default_dtype();
  CHECK(!complex || is_complex(*dtype), "torch.linspace(): inferred dtype ",
        python_name(complex_of(default_dtype())), " can't be safely cast to passed dtype ",
        python_name(*dtype));
  return *dtype;
}

}  // namespace

Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, Optional<DType> dtype,
                Optional<Device> device, bool requires_grad, bool) {
  CHECK(steps >= 0, "number of steps must be non-negative");
  DType type = space_dtype(start, end, dtype);
  CHECK_KIND(type != DType::Bool, NotImplemented, "\"linspace_cpu\" not implemented for 'Bool'");
  Dims sizes{steps};
  Tensor y = empty(sizes, type, device.value_or(Device{}));
  KERNEL(linspace, y, start, end);
  return finish(y, requires_grad);
}

namespace {
void check_ends(const char* name, const Tensor& start, const Tensor& end) {
  CHECK(start.dim() == 0 && end.dim() == 0, name,
        " only supports 0-dimensional start and end tensors, but got start with ", start.dim(),
        " dimension(s) and end with ", end.dim(), " dimension(s).");
}
}  // namespace

Tensor linspace_between(const Tensor& start, const Tensor& end, int64_t steps,
                        Optional<DType> dtype, Optional<Device> device, bool requires_grad,
                        bool pin) {
  check_ends("linspace", start, end);
  return linspace(item(start), item(end), steps, dtype, device, requires_grad, pin);
}
Tensor logspace_between(const Tensor& start, const Tensor& end, int64_t steps, double base,
                        Optional<DType> dtype, Optional<Device> device, bool requires_grad,
                        bool pin) {
  check_ends("logspace", start, end);
  return logspace(item(start), item(end), steps, base, dtype, device, requires_grad, pin);
}

Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base,
                Optional<DType> dtype, Optional<Device> device, bool requires_grad, bool) {
  CHECK(steps >= 0, "number of steps must be non-negative");
  DType type = space_dtype(start, end, dtype);
  CHECK_KIND(type != DType::Bool, NotImplemented, "\"logspace_cpu\" not implemented for 'Bool'");
  Dims sizes{steps};
  Tensor y = empty(sizes, type, device.value_or(Device{}));
  KERNEL(logspace, y, start, end, base);
  return finish(y, requires_grad);
}

Tensor eye(int64_t n, Optional<int64_t> m, Optional<DType> dtype, Optional<Device> device,
           bool requires_grad, bool) {
  CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
  int64_t columns = m.value_or(n);
  CHECK(columns >= 0, "m must be greater or equal to 0, got ", columns);
  Dims sizes{n, columns};
  Tensor y = zeros(sizes, dtype.value_or(default_dtype()), device.value_or(Device{}));
  Dims length{std::min(n, columns)}, step{columns + 1};
  if (length[0] > 0) fill_values(view_of(y, length, step), 1);
  return finish(y, requires_grad);
}

}  // namespace lampas::ops
