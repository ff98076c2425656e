// Makes every row and every primitive callable from Python. No operator is named here: the tables
// are.
#include "ops/primitives.h"
#include "ops/row_call.h"
#include "ops/rows.h"
#include "python/host_fallback.h"
#include "python/operator.h"
#include "python/recording.h"
#include "python/types.h"

namespace lampas::python {

namespace {

using rows::Row;

bool tensor_or_number(PyObject* o) { return is_tensor(o) || is_number(o); }
bool number_or_none(PyObject* o) { return o == Py_None || is_number(o); }

ops::RowArgs row_args(PyObject* const* slots, const rows::Info& info) {
  ops::RowArgs args;
  for (int i = 0; i < info.inputs; ++i) {
    if (is_tensor(slots[i])) {
      args.inputs[i] = unwrap(slots[i]);
    } else {
      args.is_scalar[i] = true;
      args.scalars[i] = to_scalar(slots[i]);
    }
  }
  for (int i = 0; i < info.params; ++i) {
    PyObject* o = slots[info.inputs + i];
    args.params[i] = o == Py_None ? Scalar(std::numeric_limits<double>::quiet_NaN()) : to_scalar(o);
  }
  return args;
}

Row row_of(const void* context) { return static_cast<Row>(reinterpret_cast<uintptr_t>(context)); }

PyObject* invoke_row(PyObject* const* slots, const void* context) {
  Row row = row_of(context);
  ops::RowArgs args = row_args(slots, rows::info(row));
  return wrap(ops::call(row, args, ops::Form::Function));
}
PyObject* invoke_row_inplace(PyObject* const* slots, const void* context) {
  Row row = row_of(context);
  ops::RowArgs args = row_args(slots, rows::info(row));
  ops::call(row, args, ops::Form::Inplace);
  return Py_NewRef(slots[0]);
}
PyObject* invoke_row_out(PyObject* const* slots, PyObject* out, const void* context) {
  Row row = row_of(context);
  const rows::Info& info = rows::info(row);
  CHECK_KIND(is_tensor(out), Type, info.name, "(): argument 'out' must be Tensor, not ",
             type_name(out));
  ops::RowArgs args = row_args(slots, info);
  args.out = unwrap(out);
  ops::call(row, args, ops::Form::Function);
  return Py_NewRef(out);
}

}  // namespace

bool row_of_call(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names,
                 rows::Row* row, ops::RowArgs* row_args_, PyObject** operands) {
  PyObject* slots[kMaxParams];
  Object keep;
  const Overload* overload = bound_overload(function, args, n, names, slots, &keep);
  if (!overload || overload->invoke != invoke_row) return false;
  *row = row_of(overload->context);
  *row_args_ = row_args(slots, rows::info(*row));
  for (int i = 0; i < rows::info(*row).inputs; ++i) operands[i] = slots[i];
  return true;
}

namespace {

bool may_be_number(const rows::Info& info, int input) {
  if (info.forms & rows::ANY_NUMBER) return info.rule != rows::Rule::Select || input > 0;
  bool last = input == info.inputs - 1;
  return (last && info.forms & (rows::LAST_NUMBER | rows::ONE_NUMBER)) ||
         (input == 0 && info.forms & rows::ONE_NUMBER);
}

// "y = exp(x); dx = g * y": the row's texts, over its operands' letters.
std::string formula_of(const rows::Info& info) {
  const char* letters = info.inputs == 1 ? "x" : "abc";
  std::string text = concat("y = ", info.forward);
  for (int i = 0; i < info.inputs; ++i)
    if (info.differentiable(i)) text += concat("\nd", letters[i], " = ", info.derivative[i]);
  return text;
}

// What tests and documentation iterate over: one dict per row, keys as in ops/rows.h.
PyObject* row_table(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    Object table(checked(PyList_New(0)));
    for (int i = 0; i < rows::count(); ++i) {
      const rows::Info& info = rows::info(static_cast<Row>(i));
      Object differentiable(checked(PyList_New(0)));
      for (int d = 0; d < info.inputs; ++d)
        PyList_Append(differentiable.get(), info.differentiable(d) ? Py_True : Py_False);
      Object row(checked(Py_BuildValue(
          "{s:s,s:i,s:i,s:s,s:s,s:s,s:s,s:i,s:i,s:O}", "name", info.name, "inputs",
          int{info.inputs}, "params", int{info.params}, "param_names", info.param_names,
          "signature", info.signature, "forward", info.forward, "domain", info.domain, "types",
          int{info.types}, "forms", int{info.forms}, "differentiable", differentiable.get())));
      PyList_Append(table.get(), row.get());
    }
    return table.release();
  });
}
PyMethodDef table_functions[] = {{"_rows", row_table, METH_NOARGS, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};

void define_row(Row row) {
  const rows::Info& info = rows::info(row);
  Operator& op = operator_named(info.name);
  op.forms |= info.forms;
  op.on_device = true;
  Overload overload{Signature::parse(info.name, info.signature), invoke_row,
                    reinterpret_cast<const void*>(static_cast<uintptr_t>(row)), invoke_row_inplace,
                    invoke_row_out};
  auto& params = overload.signature.params;
  CHECK(params.size() == static_cast<size_t>(info.inputs + info.params), "row ", info.name,
        ": the signature has ", params.size(), " parameters");
  for (int i = 0; i < static_cast<int>(params.size()); ++i) {
    bool input = i < info.inputs;
    params[i].accepts = !input                   ? number_or_none
                        : may_be_number(info, i) ? tensor_or_number
                                                 : is_tensor;
    params[i].type = input ? "Tensor" : "Number";
  }
  overload.formula = formula_of(info);
  overload.signature.one_tensor = info.forms & rows::ONE_NUMBER;
  op.overloads.push_back(std::move(overload));
}

void define_alias(const char* alias, const char* name) {
  const Operator& from = operator_named(name);
  CHECK(!from.overloads.empty(), "alias ", alias, ": there is no operator ", name);
  Operator& to = operator_named(alias);
  to.forms = from.forms;
  to.overloads = from.overloads;
  to.on_device = from.on_device;
}

}  // namespace

void add_operators(PyObject* module) {
  add_operator_type(module);
  add_autocast(module);
  if (PyModule_AddFunctions(module, table_functions) < 0) throw PythonError();
  for (int i = 0; i < rows::count(); ++i) define_row(static_cast<Row>(i));
#define PRIMITIVE(result, name, params, python, forms) define<&ops::name>(#name, python, forms);
#define OVERLOAD(result, name, spelled, params, python, forms) \
  define<&ops::name>(spelled, python, forms);
#include "ops/primitives.def"
#undef PRIMITIVE
#undef OVERLOAD
  mark_operators_on_device();
#define ALIAS(alias, name) define_alias(#alias, #name);
#include "ops/aliases.def"
#undef ALIAS
  publish(module);
}

}  // namespace lampas::python
