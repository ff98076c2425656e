// Reads the derivative texts of pointwise.def with tensors in the place of lanes.
#include "ops/derivatives.h"

#include <limits>

#include "ops/copy.h"

namespace lampas::ops {

using rows::NONE;
using rows::Row;

namespace texts {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
[[maybe_unused]] constexpr double Inf = std::numeric_limits<double>::infinity();

// A number parameter inside a text: arithmetic on it stays arithmetic on numbers.
class Number {
 public:
  Number() = default;
  Number(const Scalar& x) : value_(x.to<ComplexDouble>()) {}
  Number(ComplexDouble x) : value_(x) {}
  Number(double x) : value_(x) {}
  Number(int x) : value_(x) {}
  Scalar scalar() const { return value_.imag() == 0 ? Scalar(value_.real()) : Scalar(value_); }
  ComplexDouble value() const { return value_; }

 private:
  ComplexDouble value_ = 0;
};

// A tensor or a number, as the texts see x, y, g and the results of their words.
class Value {
 public:
  Value(Tensor x) : tensor_(std::move(x)) {}
  Value(const Number& x) : number_(x.scalar()) {}
  Value(double x) : number_(x) {}
  Value(int x) : number_(x) {}
  Value(bool x) : number_(x) {}
  Value(rows::None) {}
  bool is_tensor() const { return tensor_.defined(); }
  const Tensor& tensor() const { return tensor_; }
  const Scalar& number() const { return number_; }
  Operand operand() const { return is_tensor() ? Operand(tensor_) : Operand(number_); }

 private:
  Tensor tensor_;
  Scalar number_;
};

// A row as a word of a text: operands, then parameters. Numbers alone become 0-d tensors of the
// widest type, so that nothing is lost before they meet a tensor.
Value call(Row row, std::initializer_list<Value> words) {
  const rows::Info& info = rows::info(row);
  InlineVector<Value, 3> values(words);
  bool any = false;
  for (int i = 0; i < info.inputs; ++i) any |= values[static_cast<size_t>(i)].is_tensor();
  if (!any) values[0] = scalar_tensor(values[0].number(), DType::Double, {});
  SmallVector<Scalar, 6> params;
  for (size_t i = info.inputs; i < values.size(); ++i) params.push_back(values[i].number());
  const Operand operands[3] = {values[0].operand(),
                               info.inputs > 1 ? values[1].operand() : Operand(0),
                               info.inputs > 2 ? values[2].operand() : Operand(0)};
  return run(row, Operands(operands, info.inputs), Params(params.data(), params.size()));
}

#define ARITHMETIC(sign, row)                                                            \
  Value operator sign(const Value& a, const Value& b) { return call(Row::row, {a, b}); } \
  [[maybe_unused]] Number operator sign(const Number& a, const Number& b) {              \
    return a.value() sign b.value();                                                     \
  }
#define COMPARISON(sign, row)                                             \
  [[maybe_unused]] Value operator sign(const Value& a, const Value& b) {  \
    return call(Row::row, {a, b});                                        \
  }                                                                       \
  [[maybe_unused]] bool operator sign(const Number& a, const Number& b) { \
    return a.value().real() sign b.value().real();                        \
  }
ARITHMETIC(*, mul)
ARITHMETIC(/, div)
COMPARISON(<, lt)
COMPARISON(<=, le)
COMPARISON(>, gt)
COMPARISON(>=, ge)
COMPARISON(==, eq)
COMPARISON(!=, ne)
#undef ARITHMETIC
#undef COMPARISON
Value operator+(const Value& a, const Value& b) { return call(Row::add, {a, b, 1}); }
Value operator-(const Value& a, const Value& b) { return call(Row::sub, {a, b, 1}); }
[[maybe_unused]] Number operator+(const Number& a, const Number& b) {
  return a.value() + b.value();
}
[[maybe_unused]] Number operator-(const Number& a, const Number& b) {
  return a.value() - b.value();
}
[[maybe_unused]] Value operator-(const Value& a) { return call(Row::neg, {a}); }
[[maybe_unused]] Number operator-(const Number& a) { return -a.value(); }
[[maybe_unused]] Value operator&(const Value& a, const Value& b) {
  return call(Row::logical_and, {a, b});
}
[[maybe_unused]] Value operator|(const Value& a, const Value& b) {
  return call(Row::logical_or, {a, b});
}
[[maybe_unused]] Value operator!(const Value& a) { return call(Row::logical_not, {a}); }

#define UNARY(name, ...)                           \
  template <class... W>                            \
  [[maybe_unused]] Value name(const W&... words) { \
    return call(Row::name, {Value(words)...});     \
  }
#define BINARY UNARY
#define TERNARY UNARY
#include "ops/pointwise.def"

// A mask over parameters is a plain bool.
template <class A, class B>
[[maybe_unused]] Value where(bool mask, const A& a, const B& b) {
  return mask ? Value(a) : Value(b);
}
[[maybe_unused]] Value clamp(const Value& x, const Number& lo, const Number& hi) {
  return call(Row::clamp_scalars, {x, lo, hi});
}
[[maybe_unused]] Value min(const Value& a, const Value& b) { return call(Row::minimum, {a, b}); }
[[maybe_unused]] Value max(const Value& a, const Value& b) { return call(Row::maximum, {a, b}); }
[[maybe_unused]] Value conj(const Value& a) {
  return a.is_tensor() ? Value(ops::conj(a.tensor())) : a;
}
[[maybe_unused]] Value real(const Value& a) {
  return a.is_tensor() ? Value(ops::real(a.tensor())) : a;
}

// One row: its parameters by name, its operands by letter, and the text of the wanted derivative.
#define BIND(params)                                               \
  Number numbers[rows::count_names(#params) + 1];                  \
  for (size_t i = 0; i < given.size(); ++i) numbers[i] = given[i]; \
  LAMPAS_BIND(params, numbers)
#define LETTER(letter, i) [[maybe_unused]] const Value letter(inputs[i])

Value evaluate(Row row, int input, const Value& g, std::span<const Tensor> inputs, const Value& y,
               Params given) {
  switch (row) {
#define UNARY(name, node, rule, types, forms, params, signature, domain, result, dx) \
  case Row::name: {                                                                  \
    BIND(params);                                                                    \
    LETTER(x, 0);                                                                    \
    return dx;                                                                       \
  }
#define BINARY(name, node, rule, types, forms, params, signature, domain, result, da, db) \
  case Row::name: {                                                                       \
    BIND(params);                                                                         \
    LETTER(a, 0);                                                                         \
    LETTER(b, 1);                                                                         \
    return input == 0 ? Value(da) : Value(db);                                            \
  }
#define TERNARY(name, node, rule, types, forms, params, signature, domain, result, da, db, dc) \
  case Row::name: {                                                                            \
    BIND(params);                                                                              \
    LETTER(a, 0);                                                                              \
    LETTER(b, 1);                                                                              \
    LETTER(c, 2);                                                                              \
    return input == 0 ? Value(da) : input == 1 ? Value(db) : Value(dc);                        \
  }
#include "ops/pointwise.def"
  }
  return g;
}
#undef BIND
#undef LETTER

}  // namespace texts

Tensor derivative(Row row, int input, const Tensor& g, std::span<const Tensor> inputs,
                  const Tensor& y, Params params) {
  const rows::Info& info = rows::info(row);
  bool conjugate = info.has(rows::C) && g.is_complex();
  texts::Value dx = texts::evaluate(row, input, conjugate ? conj(g) : g, inputs, y, params);
  if (!dx.is_tensor()) return full(g.sizes(), dx.number(), g.dtype(), g.device());
  return conjugate ? conj(dx.tensor()) : dx.tensor();
}

}  // namespace lampas::ops
