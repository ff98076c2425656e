// The pointwise rows as data: what the driver (ops/pointwise.cc), the kernels (cpu/pointwise.cc),
// the Python layer, the tests and the documentation read. The texts are in pointwise.def.
#pragma once
#include <string_view>

#include "runtime/scalar.h"

namespace lampas::rows {

// How a row's result type follows from its inputs (after promotion to a common type).
enum class Rule : uint8_t {
  Same,     // result type = common type (add, abs, maximum)
  Float,    // integers become the default float type first (exp, sin, div)
  Compare,  // result is bool (lt, isnan); inputs are compared in the common type
  Logical,  // inputs are read as truth values (their tiles are bool), result is bool
  Bits,     // integers and bool only (bitwise_and); result type = common type
  Numeric,  // as Same, but bool counts as int64 (square)
  Select,   // the first input stays bool, the result has the common type of the others (where)
};

// Lanes a row has kernels for, after the rule's conversion.
enum Types : uint8_t {
  F = 1,     // Float, Double
  I = 2,     // UInt8, Int8, Int16, Int32, Int64
  B = 4,     // Bool
  C = 8,     // ComplexFloat, ComplexDouble; the derivative is holomorphic: wrap it in conj
  CP = 16,   // complex too; the derivative text follows the conjugate convention as it stands
  R = 32,    // complex lanes write a result of the real type
  CF = 64,   // complex too, without a derivative
  PW = 128,  // the derivative reads inputs only in comparisons; its own derivative counts as zero
};

// Where a row appears in Python, as in primitives.def.
enum Form : uint8_t {
  FN = 1,
  METHOD = 2,
  INPLACE = 4,
  OUT = 8,
  PRIVATE = 16,
  ANY_NUMBER = 32,   // every operand may be a Python number
  LAST_NUMBER = 64,  // the last may
  ONE_NUMBER = 128,  // the first or the last may
  ALL = FN | METHOD | INPLACE | OUT
};

struct None {};  // the type of a derivative that does not exist
inline constexpr None NONE;
inline constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double Inf = std::numeric_limits<double>::infinity();

struct Info {
  const char* name = {};  // the operator's one name
  uint8_t inputs = {};    // tensor inputs: 1, 2 or 3
  uint8_t params = {};    // number parameters that follow (alpha, negative_slope, ...)
  Rule rule = {};
  uint8_t types = {};              // Types
  uint8_t forms = {};              // Form
  const char* signature = {};      // Python parameters with defaults, as in primitives.def
  const char* domain = {};         // "any", "positive", ...: what tests draw inputs from
  const char* param_names = {};    // "(alpha)": as the texts mention them
  const char* forward = {};        // text of y = f(...)
  const char* derivative[3] = {};  // text of the gradient per input; null: not differentiable
  bool saves_input[3] = {};        // does any derivative mention x / a, b / a, b, c
  bool saves_output = {};          // ... or y
  bool reads_input[3][3] = {};     // [derivative][input]: what that one derivative mentions
  bool reads_output[3] = {};
  const char* node = {};  // "ExpBackward0"

  bool has(Types t) const { return types & t; }
  bool complex() const { return types & (C | CP | CF); }
  bool differentiable(int input) const { return derivative[input] != nullptr; }
};

// A kernel over one tile: contiguous operands of one compute type, n elements, output first, then
// the inputs. Compare and Logical rows write bool; Logical rows also read it (compute type Bool),
// and Select reads it as first input. Backward: dx, g, inputs..., y (those not read may be null).
// The output may be one of the inputs (in place), but must not overlap one otherwise.
using Tile = void (*)(void* const* operands, const Scalar* params, int64_t n);

// One enumerator per row, in order of pointwise.def.
enum class Row : uint16_t {
#define UNARY(name, ...) name,
#define BINARY(name, ...) name,
#define TERNARY(name, ...) name,
#include "ops/pointwise.def"
};

inline constexpr int kRows = 0
#define UNARY(...) +1
#define BINARY(...) +1
#define TERNARY(...) +1
#include "ops/pointwise.def"
    ;

constexpr int count() { return kRows; }
const Info& info(Row row);
inline const char* name(Row row) { return info(row).name; }
const Row* find(std::string_view name);  // null when there is no such row

// A number parameter in the types kernels use. Not templates: see the hazard in cpu/isa.h.
void read(const Scalar& from, int64_t& to);
void read(const Scalar& from, double& to);
void read(const Scalar& from, double& re, double& im);

consteval bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
// Does the formula mention this name as a word of its own? Decides what the graph keeps alive.
consteval bool mentions(std::string_view text, std::string_view name) {
  for (size_t i = 0; i + name.size() <= text.size(); ++i) {
    if (text.substr(i, name.size()) != name) continue;
    bool begins = i == 0 || !is_word(text[i - 1]);
    bool ends = i + name.size() == text.size() || !is_word(text[i + name.size()]);
    if (begins && ends) return true;
  }
  return false;
}

// How many names a params column holds: count_names("(alpha, beta)") is 2.
consteval int count_names(std::string_view text) {
  int commas = 0;
  bool word = false;
  for (char c : text) {
    commas += c == ',';
    word |= c != '(' && c != ')' && c != ' ';
  }
  return word ? commas + 1 : 0;
}

// LAMPAS_BIND((alpha, beta), values) declares alpha = values[0], beta = values[1]. `values` is a
// C array of count_names(#params) + 1 elements; the last is padding: a binding cannot be empty.
#define LAMPAS_TRAIL(...) __VA_ARGS__ __VA_OPT__(, )
#define LAMPAS_BIND(params, values) \
  [[maybe_unused]] const auto& [LAMPAS_TRAIL params padding_] = values

}  // namespace lampas::rows
