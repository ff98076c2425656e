// Complex numbers seen as pairs of reals and back: views, conjugation, and making them from parts.
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/iterator.h"
#include "ops/primitives.h"
#include "tape/history.h"

namespace lampas::ops {

using tape::Backward;

namespace {

// The storage of x read as another type of another width, with one more or one fewer dimension.
Tensor reinterpret(const Tensor& x, DType dtype, Span sizes, Span strides, int64_t offset) {
  Tensor y = from_storage(x.storage(), dtype, sizes, strides, offset);
  y->untracked = x->untracked;
  y->inference = x->inference;
  return y;
}

Dims scaled(Span strides, int64_t factor) {
  Dims result(strides);
  for (int64_t& s : result) s *= factor;
  return result;
}

// Real or imaginary part as a view, and its gradient: the part alone, the other one zero.
Tensor part_of(const Tensor& x, int part) {
  Tensor y =
      reinterpret(x, real_of(x.dtype()), x.sizes(), scaled(x.strides(), 2), x.offset() * 2 + part);
  if (tape::needs_grad(x))
    tape::record(y, "SelectBackward0", {x}, {}, [part](const Backward& b) -> Tensors {
      Tensor zero = zeros_like(b.g);
      return {part == 0 ? complex(b.g, zero) : complex(zero, b.g)};
    });
  tape::mark_view(y, x);
  return y;
}

}  // namespace

Tensor angle_of(const Tensor& x) {
  if (!x.is_complex()) return angle_of_real(x);
  Tensor pairs = view_as_real(x);
  Tensor y = atan2(select(pairs, -1, 1), select(pairs, -1, 0));
  if (y->meta && y->meta->grad_fn) y->meta->grad_fn->name = "AngleBackward0";
  return y;
}

Tensor view_as_real(const Tensor& x) {
  CHECK(x.is_complex(), "view_as_real is only supported for complex tensors");
  Dims sizes = x.sizes(), strides = scaled(x.strides(), 2);
  sizes.push_back(2);
  strides.push_back(1);
  Tensor y = reinterpret(x, real_of(x.dtype()), sizes, strides, x.offset() * 2);
  if (tape::needs_grad(x))
    tape::record(y, "ViewAsRealBackward0", {x}, {},
                 [](const Backward& b) -> Tensors { return {view_as_complex(contiguous(b.g))}; });
  tape::mark_view(y, x);
  return y;
}

Tensor view_as_complex(const Tensor& x) {
  DType d = x.dtype();
  CHECK(d == DType::Float || d == DType::Double || d == DType::Half,
        "view_as_complex is only supported for half, float and double tensors, but got a tensor of "
        "scalar type: ",
        label(d));
  CHECK(x.dim() > 0, "Input tensor must have one or more dimensions");
  size_t last = x.sizes().size() - 1;
  CHECK(x.sizes()[last] == 2, "Tensor must have a last dimension of size 2");
  CHECK(x.strides()[last] == 1, "Tensor must have a last dimension with stride 1");
  Dims sizes = x.sizes(), strides;
  sizes.pop_back();
  for (size_t i = 0; i < last; ++i) {
    CHECK(x.strides()[i] % 2 == 0,
          "Tensor must have a stride divisible by 2 for all but last dimension");
    strides.push_back(x.strides()[i] / 2);
  }
  CHECK(x.offset() % 2 == 0, "Tensor must have a storage_offset divisible by 2");
  Tensor y = reinterpret(x, complex_of(d), sizes, strides, x.offset() / 2);
  if (tape::needs_grad(x))
    tape::record(y, "ViewAsComplexBackward0", {x}, {},
                 [](const Backward& b) -> Tensors { return {view_as_real(b.g)}; });
  tape::mark_view(y, x);
  return y;
}

Tensor real(const Tensor& x) { return x.is_complex() ? part_of(x, 0) : x; }

Tensor imag(const Tensor& x) {
  CHECK(x.is_complex(), "imag is not implemented for tensors with non-complex dtypes.");
  return part_of(x, 1);
}

Tensor conj(const Tensor& x) {
  if (!x.is_complex()) return x;
  Tensor y = empty_like(x);
  {
    tape::NoGrad off;
    copy_values(part_of(y, 0), part_of(x, 0));
    copy_values(part_of(y, 1), neg(part_of(x, 1)));
  }
  if (tape::needs_grad(x))
    tape::record(y, "ConjBackward0", {x}, {},
                 [](const Backward& b) -> Tensors { return {conj(b.g)}; });
  return y;
}

Tensor conj_of(const Tensor& x) { return conj(x); }
Tensor real_part(const Tensor& x) { return real(x); }
Tensor imaginary_part(const Tensor& x) { return imag(x); }

Tensor complex(const Tensor& re, const Tensor& im) {
  auto allowed = [](DType d) {
    return d == DType::Float || d == DType::Double || d == DType::Half;
  };
  CHECK(allowed(re.dtype()) && allowed(im.dtype()),
        "Expected both inputs to be Half, Float or Double tensors but got ", label(re.dtype()),
        " and ", label(im.dtype()));
  CHECK(re.dtype() == im.dtype(), "Expected object of scalar type ", label(re.dtype()),
        " but got scalar type ", label(im.dtype()), " for second argument");
  const Tensor* operands[] = {&re, &im};
  Tensor y = empty_result(broadcast(re.sizes(), im.sizes()), {operands, 2}, complex_of(re.dtype()),
                          re.device());
  {
    tape::NoGrad off;
    copy_values(part_of(y, 0), re);
    copy_values(part_of(y, 1), im);
  }
  Dims a = re.sizes(), b = im.sizes();
  if (tape::needs_grad(re, im))
    tape::record(y, "ComplexBackward0", {re, im}, {}, [a, b](const Backward& back) -> Tensors {
      return {back.needs(0) ? sum_to(real(back.g), a) : Tensor(),
              back.needs(1) ? sum_to(imag(back.g), b) : Tensor()};
    });
  return y;
}

Tensor polar(const Tensor& modulus, const Tensor& angle) {
  auto allowed = [](DType d) {
    return d == DType::Float || d == DType::Double || d == DType::Half;
  };
  CHECK(allowed(modulus.dtype()) && allowed(angle.dtype()),
        "Expected both inputs to be Half, Float or Double tensors but got ", label(modulus.dtype()),
        " and ", label(angle.dtype()));
  CHECK(modulus.dtype() == angle.dtype(), "Expected object of scalar type ", label(modulus.dtype()),
        " but got scalar type ", label(angle.dtype()), " for second argument");
  Tensor y;
  {
    tape::NoGrad off;
    y = ops::complex(modulus * ops::cos(angle), modulus * ops::sin(angle));
  }
  Dims a = modulus.sizes(), b = angle.sizes();
  // With y = r e^(i t): dy/dr = e^(i t), which is y's direction, and dy/dt = i y.
  if (tape::needs_grad(modulus, angle))
    tape::record(
        y, "PolarBackward0", {modulus, angle}, {tape::out(y), angle},
        [a, b](const Backward& back) -> Tensors {
          Tensor r, t;
          if (back.needs(0)) {
            Tensor angle = back.saved(1);
            r = sum_to(ops::real(back.g) * ops::cos(angle) + ops::imag(back.g) * ops::sin(angle),
                       a);
          }
          if (back.needs(1)) {
            Tensor y = back.saved(0);
            t = sum_to(ops::imag(back.g) * ops::real(y) - ops::real(back.g) * ops::imag(y), b);
          }
          return {r, t};
        });
  return y;
}

}  // namespace lampas::ops
