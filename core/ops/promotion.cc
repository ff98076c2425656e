// Promotion follows the order bool < integral < floating < complex; within a kind, the smallest
// type that holds both operands.
#include "ops/promotion.h"

namespace lampas {

namespace {

int kind(DType d) { return is_complex(d) ? 3 : is_floating(d) ? 2 : d == DType::Bool ? 0 : 1; }

bool is_wide_unsigned(DType d) {
  return d == DType::UInt16 || d == DType::UInt32 || d == DType::UInt64;
}

DType promote_integers(DType a, DType b) {
  bool mixed = (a == DType::UInt8) != (b == DType::UInt8);
  DType wider = item_size(a) >= item_size(b) ? a : b;
  return mixed && item_size(wider) == 1 ? DType::Int16 : wider;
}

DType promote_floats(DType a, DType b) {
  if (item_size(a) != item_size(b)) return item_size(a) > item_size(b) ? a : b;
  return DType::Float;  // float16 with bfloat16: neither holds the other
}

DType promote_complex(DType a, DType b) {
  bool integral = kind(a) < 2 || kind(b) < 2;
  if (integral) return kind(a) > kind(b) ? a : b;
  DType x = real_of(a), y = real_of(b);
  return complex_of(x == y ? x : promote_floats(x, y));
}

// The number's kind decides only when it is higher; a floating type keeps its width under a complex
// one.
DType outweigh(DType heavy, DType light) {
  if (heavy == DType::Undefined) return light;
  if (light == DType::Undefined || is_complex(heavy)) return heavy;
  if (is_floating(heavy)) {
    return is_complex(light) ? complex_of(heavy) : heavy;
  }
  return heavy == DType::Bool || kind(light) > 1 ? promote(heavy, light) : heavy;
}

}  // namespace

DType promote(DType a, DType b) {
  if (a == b) return a;
  CHECK((!is_wide_unsigned(a) || is_floating(b)) && (!is_wide_unsigned(b) || is_floating(a)),
        "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote ",
        label(a), " and ", label(b));
  int ka = kind(a), kb = kind(b);
  if (ka == 3 || kb == 3) return promote_complex(a, b);
  if (ka != kb) return ka > kb ? a : b;
  return ka == 2 ? promote_floats(a, b) : promote_integers(a, b);
}

bool can_cast(DType from, DType to) { return kind(from) <= kind(to); }

DType dtype_of_number(const Scalar& x) {
  switch (x.kind()) {
    case Scalar::Kind::Bool:
      return DType::Bool;
    case Scalar::Kind::Int:
      return DType::Int64;
    case Scalar::Kind::Float:
      return default_dtype();
    default:
      return complex_of(default_dtype());
  }
}

void ResultType::add_number(DType dtype) {
  if (is_complex(dtype))
    dtype = complex_of(default_dtype());
  else if (is_floating(dtype))
    dtype = default_dtype();
  merge(number_, dtype);
}

DType ResultType::result() const { return outweigh(dimensioned_, outweigh(zero_dim_, number_)); }

DType result_type(const Tensor& a, const Tensor& b) {
  ResultType type;
  type.add(a);
  type.add(b);
  return type.result();
}

DType result_type(const Tensor& a, const Scalar& b) {
  ResultType type;
  type.add(a);
  type.add(b);
  return type.result();
}

void fail_cast(DType from, DType to) {
  fail("result type ", label(from), " can't be cast to the desired output type ", label(to));
}

}  // namespace lampas
