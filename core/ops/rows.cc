// The table of row descriptions, built from pointwise.def by the compiler. No kernels here.
#include "ops/rows.h"

#include <iterator>

namespace lampas::rows {
namespace {

struct Texts {
  const char* derivative[3];
};

consteval Info describe(Info info, std::string_view operands, Texts texts) {
  info.inputs = static_cast<uint8_t>(operands.size());
  info.params = static_cast<uint8_t>(count_names(info.param_names));
  for (int d = 0; d < info.inputs; ++d) {
    std::string_view text = texts.derivative[d];
    if (text == "NONE") continue;
    info.derivative[d] = texts.derivative[d];
    for (int i = 0; i < info.inputs; ++i) {
      info.reads_input[d][i] = mentions(text, operands.substr(i, 1));
      info.saves_input[i] |= info.reads_input[d][i];
    }
    info.reads_output[d] = mentions(text, "y");
    info.saves_output |= info.reads_output[d];
  }
  return info;
}

#define BASE(row, label, law, lanes, places, numbers, words, range, text)                 \
  Info {                                                                                  \
    .name = #row, .rule = Rule::law, .types = lanes, .forms = places, .signature = words, \
    .domain = #range, .param_names = #numbers, .forward = text, .node = label             \
  }
#define UNARY(name, node, rule, types, forms, params, signature, domain, y, dx) \
  describe(BASE(name, node, rule, types, forms, params, signature, domain, #y), "x", {{#dx}}),
#define BINARY(name, node, rule, types, forms, params, signature, domain, y, da, db) \
  describe(BASE(name, node, rule, types, forms, params, signature, domain, #y), "ab", {{#da, #db}}),
#define TERNARY(name, node, rule, types, forms, params, signature, domain, y, da, db, dc) \
  describe(BASE(name, node, rule, types, forms, params, signature, domain, #y), "abc",    \
           {{#da, #db, #dc}}),

constexpr Info kTable[] = {
#include "ops/pointwise.def"
};
#undef BASE

constexpr auto kOrder = [] {
  struct {
    Row rows[kRows];
  } order{};
  for (int i = 0; i < kRows; ++i) order.rows[i] = static_cast<Row>(i);
  return order;
}();

}  // namespace

void divided_by_zero() { fail("ZeroDivisionError"); }

void read(const Scalar& from, int64_t& to) { to = from.to<int64_t>(); }
void read(const Scalar& from, double& to) { to = from.real(); }
void read(const Scalar& from, double& re, double& im) {
  auto z = from.to<ComplexDouble>();
  re = z.real();
  im = z.imag();
}

const Info& info(Row row) { return kTable[static_cast<int>(row)]; }

const Row* find(std::string_view name) {
  for (int i = 0; i < kRows; ++i) {
    if (name == kTable[i].name) return &kOrder.rows[i];
  }
  return nullptr;
}

}  // namespace lampas::rows
