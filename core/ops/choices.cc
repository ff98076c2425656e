// Operators that choose among rows by their arguments: division with rounding, clamp, float_power.
#include <cmath>

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/primitives.h"
#include "ops/promotion.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

Tensor div_by(const Operand& a, const Operand& b, const Optional<std::string>& mode) {
  if (!mode) return div(a, b);
  if (*mode == "floor") return div_floor(a, b);
  CHECK(*mode == "trunc",
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *mode,
        "'");
  return div_trunc(a, b);
}

// x in the type in which it is compared with the limits.
Tensor widened(const Tensor& x, const Optional<Scalar>& lo, const Optional<Scalar>& hi) {
  CHECK_KIND(!x.is_complex(), NotImplemented, "clamp is not supported for complex types");
  ResultType type;
  type.add(x);
  if (lo) type.add(*lo);
  if (hi) type.add(*hi);
  DType dtype = type.result();
  CHECK_KIND(!is_complex(dtype), NotImplemented, "clamp is not supported for complex types");
  return to(x, dtype);
}

// One-sided limits leave the node of the two-sided operator.
Tensor named(Tensor y, const char* name) {
  if (y->meta && y->meta->grad_fn) y->meta->grad_fn->name = name;
  return y;
}

DType power_dtype(DType promoted) {
  return is_complex(promoted) ? DType::ComplexDouble : DType::Double;
}

void check_base(const Tensor& self, DType needed) {
  CHECK(self.dtype() == needed, "the base given to float_power_ has dtype ", label(self.dtype()),
        " but the operation's result requires dtype ", label(needed));
}

}  // namespace

Tensor div_tensor(const Tensor& x, const Tensor& other, Optional<std::string> mode) {
  return div_by(x, other, mode);
}
Tensor div_number(const Tensor& x, const Scalar& other, Optional<std::string> mode) {
  return div_by(x, other, mode);
}

Tensor clamp_numbers(const Tensor& x, Optional<Scalar> min, Optional<Scalar> max) {
  CHECK(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
  Tensor wide = widened(x, min, max);
  for (const Optional<Scalar>& limit : {min, max})
    if (limit && limit->is_floating() && std::isnan(limit->real())) return maximum(wide, *limit);
  if (!max) return named(clamp_min_scalar(wide, *min), "ClampBackward1");
  if (!min) return named(clamp_max_scalar(wide, *max), "ClampBackward1");
  return clamp_scalars(wide, *min, *max);
}

Tensor clamp_limits(const Tensor& x, Optional<Tensor> min, Optional<Tensor> max) {
  bool low = min && min->defined(), high = max && max->defined();
  CHECK(low || high, "torch.clamp: At least one of 'min' or 'max' must not be None");
  if (!high) return named(clamp_min_tensor(x, *min), "ClampBackward0");
  if (!low) return named(clamp_max_tensor(x, *max), "ClampBackward0");
  return clamp_tensors(x, *min, *max);
}

Tensor clamp_min_number(const Tensor& x, const Scalar& min) {
  return clamp_min_scalar(widened(x, min, {}), min);
}
Tensor clamp_max_number(const Tensor& x, const Scalar& max) {
  return clamp_max_scalar(widened(x, {}, max), max);
}
Tensor clamp_min_limit(const Tensor& x, const Tensor& min) { return clamp_min_tensor(x, min); }
Tensor clamp_max_limit(const Tensor& x, const Tensor& max) { return clamp_max_tensor(x, max); }

Tensor float_power_tensors(const Tensor& x, const Tensor& exponent) {
  DType dtype = power_dtype(result_type(x, exponent));
  return pow(to(x, dtype), to(exponent, dtype));
}
Tensor float_power_number(const Tensor& x, const Scalar& exponent) {
  return pow(to(x, power_dtype(result_type(x, exponent))), exponent);
}
Tensor float_power_tensors_(const Tensor& self, const Tensor& exponent) {
  check_base(self, power_dtype(result_type(self, exponent)));
  const Operand operands[] = {self, exponent};
  run_inplace(rows::Row::pow, operands, {});
  return self;
}
Tensor float_power_number_(const Tensor& self, const Scalar& exponent) {
  check_base(self, power_dtype(result_type(self, exponent)));
  const Operand operands[] = {self, exponent};
  run_inplace(rows::Row::pow, operands, {});
  return self;
}
Tensor float_power_of_number(const Scalar& x, const Tensor& exponent) {
  return pow(x, to(exponent, power_dtype(result_type(exponent, x))));
}

}  // namespace lampas::ops
