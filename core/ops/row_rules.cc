// Exceptions by operator live in the tables below; everything else about a row is in pointwise.def.
#include "ops/row_rules.h"

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "cpu/pointwise.h"

namespace lampas::ops {

using rows::Row;

namespace {

using Check = void (*)(Operands inputs, Params params, DType promoted);

bool is_bool(const Operand& x) {
  return x.is_tensor() ? x.tensor().dtype() == DType::Bool : x.number().is_bool();
}

void check_alpha(Operands, Params params, DType promoted) {
  const Scalar& alpha = params[0];
  CHECK(!alpha.is_bool() || promoted == DType::Bool,
        "Boolean alpha only supported for Boolean results.");
  CHECK(is_differentiable(promoted) || alpha.is_integral(),
        "For integral input tensors, argument alpha must not be a floating point number.");
  CHECK(is_complex(promoted) || !alpha.is_complex(),
        "For non-complex input tensors, argument alpha must not be a complex number.");
}

void check_subtraction(Operands inputs, Params params, DType promoted) {
  bool a = is_bool(inputs[0]), b = is_bool(inputs[1]);
  CHECK(!a || !b,
        "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
        "`logical_xor()` operator instead.");
  CHECK(!a && !b,
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  check_alpha(inputs, params, promoted);
}

void check_negation(Operands, Params, DType promoted) {
  CHECK(promoted != DType::Bool,
        "Negation, the `-` operator, on a bool tensor is not supported. If you are "
        "trying to invert a mask, use the `~` or `logical_not()` operator instead.");
}

void check_power(Operands inputs, Params, DType promoted) {
  bool negative = !inputs[1].is_tensor() && inputs[1].number().is_integral() &&
                  inputs[1].number().to<int64_t>() < 0;
  CHECK(!negative || !is_integral(promoted, true),
        "Integers to negative integer powers are not allowed.");
}

void check_condition(Operands inputs, Params, DType) {
  if (!inputs[0].is_tensor()) return;
  DType d = inputs[0].tensor().dtype();
  CHECK(d == DType::Bool || d == DType::UInt8,
        "where expected condition to be a boolean tensor, but got a tensor with dtype ", label(d));
}

void check_lambda(Operands, Params params, DType promoted) {
  double most = promoted == DType::Double ? std::numeric_limits<double>::max()
                : promoted == DType::Half ? 65504
                                          : std::numeric_limits<float>::max();
  CHECK(params[0].real() >= 0 && params[0].real() <= most, "lambda must be in range [0, ", most,
        "] for input dtype ", label(promoted), ", but found ", params[0].real());
}

void check_limits(Operands inputs, Params params, DType promoted) {
  CHECK(promoted != DType::Bool, "Bool inputs not supported for hardtanh");
  bool is_unsigned = inputs[0].tensor().dtype() == DType::UInt8;
  CHECK(!is_unsigned || (params[0].real() >= 0 && params[1].real() >= 0),
        "cannot do hardtanh on an unsigned type with negative limits");
}

void check_quantization(Operands, Params params, DType) {
  double zero_point = params[1].real(), lo = params[2].real(), hi = params[3].real();
  CHECK(lo <= hi, "`quant_min` should be less than or         equal to `quant_max`.");
  CHECK(zero_point >= lo && zero_point <= hi,
        "`zero_point` must be between `quant_min` and `quant_max`.");
}

// Operators that refuse a kind of type, every one in its own words.
struct Refusal {
  const char* row;
  bool (*refused)(DType);
  const char* text;
};
bool is_bool_type(DType d) { return d == DType::Bool; }
bool is_whole(DType d) { return is_integral(d, true); }
constexpr Refusal kRefusals[] = {
    {"maximum", is_complex, "maximum not implemented for complex tensors."},
    {"minimum", is_complex, "minimum not implemented for complex tensors."},
    {"fmax", is_complex, "fmax not implemented for complex tensors."},
    {"fmin", is_complex, "fmin not implemented for complex tensors."},
    {"heaviside", is_complex, "heaviside is not yet implemented for complex tensors."},
    {"deg2rad", is_complex, "deg2rad is not supported for complex tensors."},
    {"rad2deg", is_complex, "rad2deg is not supported for complex tensors."},
    {"isposinf", is_complex, "isposinf does not support complex inputs."},
    {"isneginf", is_complex, "isneginf does not support complex inputs."},
    {"relu", is_bool_type, "Boolean inputs not supported for relu"},
    {"addcdiv", is_whole,
     "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will "
     "perform a true division of tensor1 and tensor2. The historic addcdiv behavior can be "
     "implemented as (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer "
     "inputs and as (input + value * tensor1 / tensor2) for float inputs. The future addcdiv "
     "behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all "
     "dtypes."}};

struct Named {
  const char* row;
  Check check;
};
constexpr Named kChecks[] = {{"add", check_alpha},
                             {"sub", check_subtraction},
                             {"rsub", check_subtraction},
                             {"neg", check_negation},
                             {"pow", check_power},
                             {"where", check_condition},
                             {"softshrink", check_lambda},
                             {"hardtanh", check_limits},
                             {"fake_quantize_per_tensor_affine", check_quantization}};

// Operators whose node has another name when an operand is a number, and then no edge for it. Null:
// as the row says.
struct Variants {
  const char *row, *tensors, *number_second, *number_first;
};
constexpr Variants kVariants[] = {
    {"pow", "PowBackward1", "PowBackward0", "PowBackward2"},
    {"remainder", "RemainderBackward1", "RemainderBackward0", "RemainderBackward1"},
    {"fmod", "FmodBackward1", "FmodBackward0", "FmodBackward1"},
    {"xlogy", "XlogyBackward0", "XlogyBackward2", "XlogyBackward1"},
    {"xlog1py", "SpecialXlog1PyBackward0", "SpecialXlog1PyBackward2", "SpecialXlog1PyBackward1"},
    {"copysign", "CopysignBackward0", "CopysignBackward1", "CopysignBackward0"},
    {"rsub", "RsubBackward0", "RsubBackward1", "RsubBackward1"},
    {"sub", "SubBackward0", nullptr, "RsubBackward1"},
};

struct Entry {
  Check check = nullptr;
  const Refusal* refusal = nullptr;
  const Variants* variants = nullptr;
  std::vector<Scalar> defaults;
};

// "input, other, *, alpha=1" -> 1 for the word `alpha`.
Scalar parse_default(std::string_view signature, std::string_view name) {
  for (size_t at = 0; (at = signature.find(name, at)) != signature.npos; at += name.size()) {
    size_t equals = at + name.size();
    bool begins = at == 0 || signature[at - 1] == ' ';
    if (!begins || equals >= signature.size() || signature[equals] != '=') continue;
    std::string text(signature.substr(equals + 1));
    text = text.substr(0, text.find(','));
    if (text == "None") break;
    if (text == "True" || text == "False") return Scalar(text == "True");
    if (text.find_first_of(".e") != text.npos) return Scalar(std::strtod(text.c_str(), nullptr));
    return Scalar(static_cast<int64_t>(std::strtoll(text.c_str(), nullptr, 10)));
  }
  return Scalar(std::numeric_limits<double>::quiet_NaN());
}

std::vector<Scalar> parse_defaults(const rows::Info& info) {
  std::vector<Scalar> defaults;
  std::string_view names = info.param_names;
  for (size_t at = 0; static_cast<int>(defaults.size()) < info.params;) {
    size_t begin = names.find_first_not_of("(, ", at), end = names.find_first_of(",) ", begin);
    defaults.push_back(parse_default(info.signature, names.substr(begin, end - begin)));
    at = end;
  }
  return defaults;
}

const Entry& entry_of(Row row) {
  static const std::vector<Entry> table = [] {
    std::vector<Entry> entries(rows::kRows);
    for (int i = 0; i < rows::kRows; ++i) {
      const rows::Info& info = rows::info(static_cast<Row>(i));
      entries[i].defaults = parse_defaults(info);
      for (const Named& n : kChecks)
        if (n.row == std::string_view(info.name)) entries[i].check = n.check;
      for (const Refusal& r : kRefusals)
        if (r.row == std::string_view(info.name)) entries[i].refusal = &r;
      for (const Variants& v : kVariants)
        if (v.row == std::string_view(info.name)) entries[i].variants = &v;
    }
    return entries;
  }();
  return table[static_cast<size_t>(row)];
}

}  // namespace

rows::Tile kernel_of(Row row, DType lane, DType common) {
  rows::Tile tile = cpu::forward_tile(row, lane);
  if (!tile) fail_dtype((std::string(rows::name(row)) + "_cpu").c_str(), common);
  return tile;
}

Scalar default_param(Row row, int param) {
  return entry_of(row).defaults[static_cast<size_t>(param)];
}

void check_rules(Row row, Operands inputs, Params params, DType promoted) {
  const Entry& entry = entry_of(row);
  if (entry.check) entry.check(inputs, params, promoted);
  if (entry.refusal) CHECK(!entry.refusal->refused(promoted), entry.refusal->text);
}

bool has_number_form(Row row) { return row == Row::pow || row == Row::lerp; }

Row number_form(Row row, const Scalar& number) {
  if (row == Row::lerp) return Row::lerp_scalar;
  bool two = !number.is_complex() && number.real() == 2;
  return two ? Row::square : Row::pow_scalar;
}

NodeName node_name(Row row, Operands inputs) {
  const Variants* v = entry_of(row).variants;
  const char* name = nullptr;
  if (v) {
    name = !inputs[0].is_tensor()  ? v->number_first
           : inputs[1].is_tensor() ? v->tensors
                                   : v->number_second;
  }
  return name ? NodeName{name, false} : NodeName{rows::info(row).node, true};
}

}  // namespace lampas::ops
