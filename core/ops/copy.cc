// clone, contiguous, to, copy_, fill_. Complex views are in complex.cc, factories in factories.cc.
#include "ops/copy.h"

#include <cmath>
#include <limits>

#include "cpu/copy.h"
#include "cuda/memory.h"
#include "cuda/pinned.h"
#include "ops/iterator.h"
#include "ops/kernel.h"
#include "ops/primitives.h"
#include "ops/promotion.h"
#include "tape/history.h"

namespace lampas::ops {

using tape::Backward;

namespace {

// The number's C++ type as PyTorch's message spells it.
const char* cpp_name(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
      return "uint8_t";
    case DType::Int8:
      return "int8_t";
    case DType::Int16:
      return "int16_t";
    case DType::Int32:
      return "int";
    case DType::Int64:
      return "int64_t";
    case DType::UInt16:
      return "uint16_t";
    case DType::UInt32:
      return "uint32_t";
    case DType::UInt64:
      return "uint64_t";
    case DType::Half:
      return "c10::Half";
    case DType::BFloat16:
      return "c10::BFloat16";
    case DType::Float:
      return "float";
    case DType::Double:
      return "double";
    case DType::ComplexHalf:
      return "c10::complex<c10::Half>";
    case DType::ComplexFloat:
      return "c10::complex<float>";
    case DType::ComplexDouble:
      return "c10::complex<double>";
    default:
      return "bool";
  }
}

double largest(DType dtype) {
  switch (dtype) {
    case DType::Half:
    case DType::ComplexHalf:
      return 65504;
    case DType::BFloat16:
      return 3.3895313892515355e38;
    case DType::Float:
    case DType::ComplexFloat:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

bool fits_integer(const Scalar& value, DType dtype) {
  int bits = static_cast<int>(item_size(dtype) * 8);
  double top = std::ldexp(1.0, is_unsigned(dtype) ? bits : bits - 1);
  if (value.is_integral() && bits < 64) {
    int64_t v = value.to<int64_t>();
    int64_t limit = static_cast<int64_t>(top);
    return v < limit && (v >= -limit || (is_unsigned(dtype) && v > -limit));
  }
  if (value.is_integral()) return dtype != DType::Int64 || !value.is_unsigned();
  double v = value.real();
  return v >= -top && v < top;  // false for NaN
}

// Gradient for the source of a copy: summed, of its own type, on its own device.
Tensor back_to(const Tensor& g, Span sizes, DType dtype, Device device) {
  Tensor fit = sum_to(g, sizes);
  if (fit.is_complex() && !is_complex(dtype)) fit = real(fit);
  return to(fit, dtype, device, false, MemoryFormat::Preserve);
}

void record_conversion(const Tensor& x, Tensor& y, const char* name) {
  DType dtype = x.dtype();
  Device device = x.device();
  tape::record(y, name, {x}, {}, [dtype, device](const Backward& b) -> Tensors {
    return {back_to(b.g, b.g.sizes(), dtype, device)};
  });
}

}  // namespace

void check_value(const Scalar& value, DType dtype) {
  if (dtype == DType::Bool) return;
  bool fits = true;
  if (is_integral(dtype)) {
    fits = fits_integer(value, dtype);
  } else if (!value.is_integral()) {
    double v = std::abs(value.real());
    fits = !(v > largest(dtype)) || std::isinf(v);
  }
  if (value.is_complex() && !is_complex(dtype)) fits &= value.to<ComplexDouble>().imag() == 0;
  CHECK(fits, "value cannot be converted to type ", cpp_name(dtype), " without overflow");
}

static void copy_values(const Tensor& to, const Tensor& from, bool non_blocking) {
  if (to.is_meta()) return;
  CHECK_KIND(!from.is_meta(), NotImplemented, "Cannot copy out of meta tensor; no data!");
  if (to.device() != from.device()) return cuda::copy_across(to, from, non_blocking);
  KERNEL(copy, to, from);
}
void copy_values(const Tensor& to, const Tensor& from) { copy_values(to, from, false); }

void fill_values(const Tensor& x, const Scalar& value) { KERNEL(fill, x, value); }

Tensor clone(const Tensor& x, MemoryFormat format) {
  Tensor y = empty_like(x, {}, format);
  if (!x.is_meta()) copy_values(y, x);
  if (tape::needs_grad(x))
    tape::record(y, "CloneBackward0", {x}, {}, [](const Backward& b) -> Tensors { return {b.g}; });
  return y;
}

Tensor clone_as(const Tensor& x, Optional<MemoryFormat> format) {
  return clone(x, format.value_or(MemoryFormat::Preserve));
}

Tensor contiguous(const Tensor& x, MemoryFormat format) {
  if (format == MemoryFormat::Preserve || x.is_contiguous(format)) return x;
  return clone(x, format);
}

Tensor contiguous_as(const Tensor& x, Optional<MemoryFormat> format) {
  return contiguous(x, format.value_or(MemoryFormat::Contiguous));
}

// The strides of empty_like(x, format).
static Dims strides_like(const Tensor& x, MemoryFormat format) {
  if (format != MemoryFormat::Preserve) return format_strides(x.sizes(), format);
  return is_dense(x.sizes(), x.strides()) ? x.strides() : dense_strides(x.sizes(), x.strides());
}

// Page-locked where a device writes it while the host goes on.
static Tensor empty_there(Span sizes, Span strides, DType dtype, Device device, bool pinned) {
  if (!pinned) return empty_strided(sizes, strides, dtype, device);
  size_t bytes = checked_bytes(sizes, strides, 0, item_size(dtype));
  return from_storage(cuda::pinned_storage(bytes), dtype, sizes, strides, 0);
}

static Tensor moved(const Tensor& x, DType dtype, Device device, bool copy, MemoryFormat format,
                    bool non_blocking) {
  bool stays = format == MemoryFormat::Preserve || x.is_contiguous(format);
  if (device.is_cuda() && device.index < 0) device = device_memory.resolve(device);
  if (!copy && stays && x.dtype() == dtype && x.device() == device) return x;
  bool pinned = non_blocking && x.device().is_cuda() && device.is_cpu();
  Tensor y = device == x.device()
                 ? empty_like(x, dtype, format)
                 : empty_there(x.sizes(), strides_like(x, format), dtype, device, pinned);
  if (!y.is_meta()) copy_values(y, x, non_blocking);
  if (tape::needs_grad(x) && is_differentiable(dtype)) record_conversion(x, y, "ToCopyBackward0");
  return y;
}
Tensor to(const Tensor& x, DType dtype, Device device, bool copy, MemoryFormat format) {
  return moved(x, dtype, device, copy, format, false);
}

Tensor to(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : to(x, dtype, x.device(), false, MemoryFormat::Preserve);
}
Tensor to(const Tensor& x, Device device) {
  return to(x, x.dtype(), device, false, MemoryFormat::Preserve);
}

Tensor to_dtype(const Tensor& x, DType dtype, bool, bool copy, Optional<MemoryFormat> format) {
  return to(x, dtype, x.device(), copy, format.value_or(MemoryFormat::Preserve));
}
Tensor to_device(const Tensor& x, Optional<Device> device, Optional<DType> dtype, bool non_blocking,
                 bool copy, Optional<MemoryFormat> format) {
  return moved(x, dtype.value_or(x.dtype()), device.value_or(x.device()), copy,
               format.value_or(MemoryFormat::Preserve), non_blocking);
}
Tensor to_other(const Tensor& x, const Tensor& other, bool non_blocking, bool copy,
                Optional<MemoryFormat> format) {
  return moved(x, other.dtype(), other.device(), copy, format.value_or(MemoryFormat::Preserve),
               non_blocking);
}
Tensor type_as(const Tensor& x, const Tensor& other) {
  return to(x, other.dtype(), other.device(), false, MemoryFormat::Preserve);
}

#define CONVERSION(name, type)                                  \
  Tensor name(const Tensor& x, Optional<MemoryFormat> format) { \
    return to_dtype(x, DType::type, false, false, format);      \
  }
CONVERSION(to_float, Float)
CONVERSION(to_double, Double)
CONVERSION(to_half, Half)
CONVERSION(to_bfloat16, BFloat16)
CONVERSION(to_long, Int64)
CONVERSION(to_int, Int32)
CONVERSION(to_short, Int16)
CONVERSION(to_char, Int8)
CONVERSION(to_byte, UInt8)
CONVERSION(to_bool, Bool)
CONVERSION(to_chalf, ComplexHalf)
CONVERSION(to_cfloat, ComplexFloat)
CONVERSION(to_cdouble, ComplexDouble)
#undef CONVERSION

static void copy_recorded(const Tensor& self, const Tensor& source, bool non_blocking) {
  if (self.is(source)) return;
  Dims sizes = broadcast(self.sizes(), source.sizes());
  CHECK(sizes == self.sizes(), "output with shape ", to_string(self.sizes()),
        " doesn't match the broadcast shape ", to_string(sizes));
  tape::check_write(self);
  check_internal_overlap(self);
  check_partial_overlap(self, source);
  copy_values(self, source, non_blocking);
  bump_version(self);
  if (!tape::needs_grad(self, source) || !is_differentiable(self.dtype())) return;
  Tensor written = self;
  Dims from = source.sizes();
  DType dtype = source.dtype();
  Device device = source.device();
  tape::record_written(written, "CopyBackwards", {self, source}, {},
                       [from, dtype, device](const Backward& b) -> Tensors {
                         Tensor rest = b.needs(0) ? zeros_like(b.g) : Tensor();
                         if (!b.needs(1)) return {rest, Tensor()};
                         return {rest, back_to(b.g, from, dtype, device)};
                       });
}

void copy_(const Tensor& self, const Tensor& source) { copy_recorded(self, source, false); }

Tensor copy_from(const Tensor& self, const Tensor& source, bool non_blocking) {
  copy_recorded(self, source, non_blocking);
  return self;
}

namespace {

void fill_recorded(const Tensor& self, const Scalar& value, const char* node) {
  tape::check_write(self);
  check_internal_overlap(self);
  check_value(value, self.dtype());
  fill_values(self, value);
  bump_version(self);
  if (!tape::needs_grad(self) || !is_differentiable(self.dtype())) return;
  Tensor written = self;
  tape::record_written(written, node, {self}, {},
                       [](const Backward& b) -> Tensors { return {zeros_like(b.g)}; });
}

}  // namespace

void fill_(const Tensor& self, const Scalar& value) { fill_recorded(self, value, "FillBackward2"); }
void zero_(const Tensor& self) { fill_recorded(self, 0, "ZeroBackward0"); }

Tensor fill_number(const Tensor& self, const Scalar& value) {
  fill_(self, value);
  return self;
}

Tensor zeroed(const Tensor& self) {
  zero_(self);
  return self;
}

Tensor fill_tensor(const Tensor& self, const Tensor& value) {
  CHECK(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ",
        value.dim(), " dimensions.");
  tape::check_write(self);
  check_internal_overlap(self);
  copy_values(self, value);
  bump_version(self);
  if (!tape::needs_grad(self, value) || !is_differentiable(self.dtype())) return self;
  Tensor written = self;
  DType dtype = value.dtype();
  Device device = value.device();
  tape::record_written(written, "FillBackward3", {self, value}, {},
                       [dtype, device](const Backward& b) -> Tensors {
                         Tensor rest = b.needs(0) ? zeros_like(b.g) : Tensor();
                         return {rest, b.needs(1) ? back_to(b.g, {}, dtype, device) : Tensor()};
                       });
  return self;
}

Tensor sum_to_size(const Tensor& x, Span size) {
  bool fits = static_cast<int64_t>(size.size()) <= x.dim();
  for (size_t i = 0; fits && i < size.size(); ++i) {
    int64_t from = x.size(x.dim() - static_cast<int64_t>(size.size() - i));
    fits = size[i] == from || size[i] == 1;
  }
  CHECK(fits, "size {", to_string(size), "} is not expandable to size {", to_string(x.sizes()),
        "}.");
  return size.empty() ? sum(x, {}, false, {}) : sum_to(x, size);
}

}  // namespace lampas::ops
