// See out_types.h.
#include "ops/out_types.h"

#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ops/type_spelling.h"

namespace lampas::ops {

namespace {

constexpr int64_t kEvery = -1;

// In a text %r and %o are the C++ names of the result's type and of the one given, %R and %O their
// labels.
struct Rule {
  int64_t output;
  const char* operators;
  const char* text;
};
constexpr Rule kRules[] = {
    {kEvery,
     "mm bmm addmm addmv baddbmm linear matrix_vector cross diag max min argmax argmin aminmax "
     "softmax log_softmax avg_pool2d avg_pool3d topk sort msort qr svd lu_solve lu_unpack "
     "triangular_solve gather take_along_dim index_copy index_add index_reduce scatter scatter_add "
     "scatter_reduce slice_scatter renorm tril triu norm vector_norm det cholesky cholesky_ex eigh "
     "eigvalsh ldl_factor ldl_factor_ex ldl_solve slogdet lu lu_factor lu_factor_ex inv inv_ex "
     "solve solve_ex svdvals isin",
     "Expected out tensor to have dtype %r, but got %o instead"},
    {kEvery,
     "abs ceil conj_physical frac floor softshrink hardshrink gelu neg round sign sgn trunc "
     "softplus bitwise_not",
     "Found dtype %O but expected %R"},
    {kEvery, "dot vdot matmul", "result dtype %O does not match input dtype %R"},
    {kEvery, "mv", "addmv input tensors must have the same dtype, but got %O, %R, and %R"},
    {kEvery, "addbmm", "self and mat2 must have the same dtype, but got %O and %R"},
    {kEvery, "complex polar",
     "Expected object of scalar type %R but got scalar type %O for argument 'out'"},
    {kEvery, "cummax cummin diff logcumsumexp", "expected scalar_type %R but found %O"},
    {kEvery, "logsigmoid solve_triangular", "expected scalar type %R but found %O"},
    {kEvery, "amax amin",
     "Expected the dtype for input and out to match, but got %R for input's dtype and %O for out's "
     "dtype."},
    {kEvery, "quantile nanquantile",
     "quantile() out tensor must be same dtype as the input tensor"},
    {kEvery, "inner tensordot",
     "tensordot: Expected the output tensor to have dtype %R, but got an output tensor with dtype "
     "%O"},
    {kEvery, "matrix_norm", "linalg.matrix_norm expected out tensor dtype %R but got: %O"},
    {kEvery, "vecdot", "linalg.vecdot: Expected out of dtype%R but found %O"},
    {kEvery, "multi_dot", "multi_dot(): expected out tensor to have dtype %r but got %o"},
    {kEvery, "masked_select", "masked_select(): self and result must have the same scalar type"},
    {kEvery, "index_select", "index_select(): self and result must have the same scalar type"},
    {kEvery, "take",
     "take(): self and out expected to have the same dtype, but got self.dtype = %R and out.dtype "
     "= %O"},
    {kEvery, "where", "Expected out type to be %R but got %O"},
    {kEvery, "nonzero",
     "nonzero: Expected out tensor to have scalar type %R but got scalar type%O"},
    {kEvery, "nan_to_num", "nan_to_num: dtype of out: %O should be same as input: %R"},
    {kEvery, "signbit isposinf isneginf", "%n does not support non-boolean outputs."},
    {kEvery, "searchsorted bucketize",
     "torch.searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or "
     "Long(int64) depending on whether out_int32 flag is True, but we got output tensor's dtype %O "
     "and out_int32 flag is %f"},
    {kEvery, "histc",
     "torch.histogram: input tensor and hist tensor should have the same dtype, but got input %r "
     "and hist %o"},
    {kEvery, "narrow_copy",
     "Expected self.dtype() == output.dtype() to be true, but got false.  (Could this error "
     "message be improved?  If so, please report an enhancement request to PyTorch.)"},
    {kEvery, "ormqr",
     "torch.ormqr: Expected input and result to have the same dtype, but input has dtype%R and "
     "result has dtype %O"},
    {0, "kthvalue", "output values must be of same type as input"},
    {1, "kthvalue", "output indices must be of scalar type Long"},
    {0, "median nanmedian",
     "Expected tensor for 'values' to have the same type as tensor for argument #2 'self'; but "
     "type torch.%OTensor does not equal torch.%RTensor (while checking arguments for median)"},
    {1, "median nanmedian",
     "Expected tensor for argument #1 'indices' to have scalar type Long; but got torch.%OTensor "
     "instead "
     "(while checking arguments for median)"},
    {0, "mode", "expected scalar type '%R' but got '%O' for values output"},
    {1, "mode", "expected scalar type '%R' but got '%O' for indices output"},
    {0, "frexp", "torch.frexp() expects mantissa to have dtype %r but got %o"},
    {1, "frexp", "torch.frexp() expects exponent to have int dtype but got %o"},
};
constexpr const char* kApart =
    "cat concat concatenate take kthvalue median gather index_select masked_select";

template <class F>
void each_word(std::string_view words, F f) {
  while (!words.empty()) {
    size_t end = std::min(words.find(' '), words.size());
    f(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

const std::vector<const Rule*>* rules_of(std::string_view op) {
  static const auto table = [] {
    std::unordered_map<std::string_view, std::vector<const Rule*>> table;
    for (const Rule& rule : kRules)
      each_word(rule.operators, [&](std::string_view name) { table[name].push_back(&rule); });
    return table;
  }();
  auto found = table.find(op);
  return found == table.end() ? nullptr : &found->second;
}

std::string filled(const char* text, std::string_view op, DType result, DType out) {
  std::string filled;
  for (const char* c = text; *c; ++c) {
    if (*c != '%') {
      filled += *c;
      continue;
    }
    switch (*++c) {
      case 'r':
        filled += type_spelling(result);
        break;
      case 'o':
        filled += type_spelling(out);
        break;
      case 'R':
        filled += label(result);
        break;
      case 'O':
        filled += label(out);
        break;
      case 'f':
        filled += result == DType::Int32 ? "True" : "False";
        break;
      default:
        filled += op;
    }
  }
  return filled;
}

// Private operators of a composite carry its name after an underscore: _linalg_inv.
std::string_view public_name(std::string_view op) {
  if (op.starts_with("_")) op.remove_prefix(1);
  if (op.starts_with("linalg_")) op.remove_prefix(7);
  return op;
}

}  // namespace

void check_out_type(const char* op, int64_t which, DType result, DType out) {
  if (result == out) return;
  std::string_view name = public_name(op);
  const auto* rules = rules_of(name);
  if (!rules) return;
  for (const Rule* rule : *rules)
    if (rule->output == kEvery || rule->output == which)
      fail(filled(rule->text, name, result, out));
}

bool out_must_be_apart(const char* op) {
  static const auto names = [] {
    std::unordered_set<std::string_view> names;
    each_word(kApart, [&](std::string_view name) { names.insert(name); });
    return names;
  }();
  return names.contains(op);
}

}  // namespace lampas::ops
