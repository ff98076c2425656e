// Copies, conversions and fills as formulas and kernels' callers use them. The forms with Python's
// parameters are rows of primitives.def.
#pragma once
#include "runtime/tensor.h"

namespace lampas::ops {

Tensor clone(const Tensor& x, MemoryFormat format);
inline Tensor clone(const Tensor& x) { return clone(x, MemoryFormat::Preserve); }
Tensor contiguous(const Tensor& x, MemoryFormat format);
inline Tensor contiguous(const Tensor& x) {
  return x.is_contiguous() ? x : clone(x, MemoryFormat::Contiguous);
}
// x itself when nothing changes.
Tensor to(const Tensor& x, DType dtype);
Tensor to(const Tensor& x, Device device);
Tensor to(const Tensor& x, DType dtype, Device device, bool copy, MemoryFormat format);
// Values of any type and a shape that broadcasts; recorded.
void copy_(const Tensor& self, const Tensor& source);
void fill_(const Tensor& self, const Scalar& value);
void zero_(const Tensor& self);
// Values only: no history, no version.
void copy_values(const Tensor& to, const Tensor& from);
void fill_values(const Tensor& x, const Scalar& value);

// Sums what broadcasting from `sizes` to the shape of x has repeated.
Tensor sum_to(const Tensor& x, Span sizes);

Tensor conj(const Tensor& x);  // x itself when it is real
Tensor real(const Tensor& x);  // a view
Tensor imag(const Tensor& x);  // a view

// Raises "value cannot be converted to type uint8_t without overflow".
void check_value(const Scalar& value, DType dtype);

Tensor full(Span sizes, const Scalar& value, DType dtype, Device device = {});
Tensor zeros(Span sizes, DType dtype, Device device = {});
Tensor ones(Span sizes, DType dtype, Device device = {});
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor scalar_tensor(const Scalar& value, DType dtype, Device device = {});

}  // namespace lampas::ops
