// Rows as C++: a function per row, made from pointwise.def, and the operators that formulas are
// written in.
#pragma once
#include "ops/pointwise.h"

namespace lampas::ops {

// exp(x), add(a, b), add(a, b, alpha): operands first (tensors or numbers), then parameters; those
// left out at the end take the default of the row's signature.
#define UNARY(name, ...)                                   \
  template <class... P>                                    \
  Tensor name(const Operand& x, const P&... params) {      \
    return run(rows::Row::name, {x}, {Scalar(params)...}); \
  }
#define BINARY(name, ...)                                               \
  template <class... P>                                                 \
  Tensor name(const Operand& a, const Operand& b, const P&... params) { \
    return run(rows::Row::name, {a, b}, {Scalar(params)...});           \
  }
#define TERNARY(name, ...)                                                                \
  template <class... P>                                                                   \
  Tensor name(const Operand& a, const Operand& b, const Operand& c, const P&... params) { \
    return run(rows::Row::name, {a, b, c}, {Scalar(params)...});                          \
  }
#include "ops/pointwise.def"

}  // namespace lampas::ops

namespace lampas {

#define OPERATOR(sign, row)                                                                \
  inline Tensor operator sign(const Tensor& a, const Tensor& b) { return ops::row(a, b); } \
  inline Tensor operator sign(const Tensor& a, double b) { return ops::row(a, b); }        \
  inline Tensor operator sign(double a, const Tensor& b) { return ops::row(a, b); }
OPERATOR(+, add)
OPERATOR(-, sub)
OPERATOR(*, mul)
OPERATOR(/, div)
#undef OPERATOR
inline Tensor operator-(const Tensor& a) { return ops::neg(a); }

}  // namespace lampas
