// See pointwise_text.h.
#include "cuda/pointwise_text.h"

#include <algorithm>

#include "cpu/pointwise.h"
#include "cuda/family.h"

namespace lampas::cuda {
namespace {

std::string inputs_of(const rows::Info& info) {
  return info.inputs == 1 ? "x" : info.inputs == 2 ? "ab" : "abc";
}

// "(alpha, beta)" as declarations over the array p.
std::string declare_params(const rows::Info& info) {
  std::string text, names = info.param_names;
  int nth = 0;
  for (size_t at = 0; at < names.size();) {
    size_t begin = names.find_first_not_of("(), ", at);
    if (begin == std::string::npos) break;
    size_t end = names.find_first_of(",) ", begin);
    text += concat("    [[maybe_unused]] const V& ", names.substr(begin, end - begin), " = p[",
                   nth++, "];\n");
    at = end;
  }
  return text;
}

// Select's first input is a mask, no lane.
bool is_condition(rows::Row row, char operand) {
  return rows::info(row).rule == rows::Rule::Select && operand == 'a';
}

const char* formula_of(rows::Row row, int which) {
  if (row == rows::Row::pow_scalar)
    return which < 0 ? "power(x, exponent)"
                     : "where(exponent == 0, 0, g * (exponent * power(x, exponent - 1)))";
  const rows::Info& info = rows::info(row);
  return which < 0 ? info.forward : info.derivative[which];
}

std::string formula_text(const KernelKey& key) {
  if (key.which == KernelKey::kCopy)
    return "struct Formula {\n  static constexpr int numbers = 0;\n"
           "  static inline auto f(V x, const V*) { return x; }\n};\n";
  const rows::Info& info = rows::info(key.row);
  std::string parameters;
  for (char operand : operands_of(key.row, key.which)) {
    bool condition = is_condition(key.row, operand);
    parameters += concat("[[maybe_unused]] ", condition ? "bool " : "V ", operand, ", ");
  }
  const char* text = formula_of(key.row, key.which);
  return concat("struct Formula {\n  static constexpr int numbers = ", int{info.params},
                ";\n  static inline auto f(", parameters, "[[maybe_unused]] const V* p) {\n",
                declare_params(info), "    return ", text, ";\n  }\n};\n");
}

std::string kernel_text(const KernelKey& key) {
  bool copies = key.which == KernelKey::kCopy;
  std::string operands = copies ? "x" : operands_of(key.row, key.which), ins;
  for (size_t i = 0; i < operands.size(); ++i) {
    bool condition = !copies && is_condition(key.row, operands[i]);
    ins += concat(", In<", i + 1, ", ", device_type(key.stored[i + 1]), ", ",
                  condition ? "bool" : "V", ">");
  }
  std::string name = kernel_name(key), loop = "strided_loop<Formula, V, ";
  std::string width;
  if (key.layout == Layout::Contiguous) {
    loop = "contiguous_loop<Formula, V, ";
    width = concat(", ", vector_width(key));
  }
  return concat("namespace in_", name, " {\nusing V = Lane<", device_type(key.lane), ", true>;\n",
                formula_text(key), "LAMPAS_KERNEL(", name, ", PointwiseArguments) {\n  ", loop,
                device_type(key.stored[0]), width, ins, ">(a);\n}\n}\n");
}

}  // namespace

std::string operands_of(rows::Row row, int which) {
  const rows::Info& info = rows::info(row);
  std::string inputs = inputs_of(info);
  if (which < 0) return inputs;
  std::string read;
  std::string_view text = info.derivative[which] ? info.derivative[which] : "";
  // As rows::mentions, at run time.
  auto mentions = [&](char name) {
    for (size_t i = 0; i < text.size(); ++i) {
      auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
      if (text[i] != name || (i && word(text[i - 1]))) continue;
      if (i + 1 == text.size() || !word(text[i + 1])) return true;
    }
    return false;
  };
  for (char name : "g" + inputs + "y")
    if (mentions(name)) read += name;
  return read;
}

bool has_kernel(rows::Row row, int which, DType lane) {
  if (which < 0) return cpu::forward_tile(row, lane) != nullptr;
  return which < rows::info(row).inputs && cpu::backward_tile(row, which, lane) != nullptr;
}

DType operand_lane(rows::Row row, char operand, DType lane) {
  return is_condition(row, operand) ? DType::Bool : lane;
}

DType result_lane(rows::Row row, int which, DType lane) {
  const rows::Info& info = rows::info(row);
  if (which >= 0) return lane;
  if (info.rule == rows::Rule::Compare || info.rule == rows::Rule::Logical) return DType::Bool;
  return info.has(rows::R) ? real_of(lane) : lane;
}

KernelKey plain_key(rows::Row row, int which, DType lane, Layout layout) {
  KernelKey key{row, static_cast<int8_t>(which), lane, layout};
  key.stored[key.count++] = result_lane(row, which, lane);
  for (char operand : operands_of(row, which))
    key.stored[key.count++] = operand_lane(row, operand, lane);
  return key;
}

const char* operator_of(const KernelKey& key) {
  return key.which == KernelKey::kCopy ? "copy_" : rows::name(key.row);
}

std::string kernel_name(const KernelKey& key) {
  std::string name = operator_of(key);
  if (key.which >= 0) name += concat("_d", inputs_of(rows::info(key.row))[key.which]);
  name += concat("_", python_name(key.lane));
  for (int i = 0; i < key.count; ++i)
    name += concat(i ? "" : "_of", "_", static_cast<int>(key.stored[i]));
  return name + (key.layout == Layout::Contiguous ? "_contiguous" : "_strided");
}

int vector_width(const KernelKey& key) {
  int64_t widest = 1;
  for (int i = 0; i < key.count; ++i) widest = std::max(widest, item_size(key.stored[i]));
  return static_cast<int>(std::max<int64_t>(1, 16 / widest));
}

std::string program_text(const std::vector<KernelKey>& keys) {
  std::string text =
      "#include \"cuda/device/standard.h\"\n#include \"cuda/device/pointwise.h\"\n"
      "namespace lampas::device {\n";
  for (const KernelKey& key : keys) text += kernel_text(key);
  return text + "}\n";
}

}  // namespace lampas::cuda
