// Mixed precision on the CPU: operators with a policy take their floating arguments in the
// precision it names. Which operator has which policy is said in lampas/amp/policies.py.
#include "ops/copy.h"
#include "python/operator.h"

namespace lampas::python {

thread_local Autocast autocast;

namespace {

// float64 is never lowered, integers never touched.
bool takes_part(PyObject* o) {
  if (!is_tensor(o)) return false;
  const Tensor& x = unwrap(o);
  return x.device().is_cpu() && x.is_floating() && x.dtype() != DType::Double;
}

template <class F>
void each_tensor(PyObject* o, F&& f) {
  if (takes_part(o)) return f(o);
  if (!PyTuple_Check(o) && !PyList_Check(o)) return;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (PyObject* item = PySequence_Fast_GET_ITEM(o, i); takes_part(item)) f(item);
}

PyObject* converted(PyObject* o, DType dtype) {
  bool change = takes_part(o) && unwrap(o).dtype() != dtype;
  return change ? wrap(ops::to(unwrap(o), dtype)) : Py_NewRef(o);
}

}  // namespace

void cast_arguments(Precision precision, size_t count, PyObject** slots,
                    std::vector<Object>& keep) {
  DType dtype = precision == Precision::Lower ? autocast.lower : DType::Float;
  if (precision == Precision::Widest) {
    dtype = autocast.lower;
    for (size_t i = 0; i < count; ++i)
      each_tensor(slots[i], [&](PyObject* o) {
        if (unwrap(o).dtype() == DType::Float) dtype = DType::Float;
      });
  }
  for (size_t i = 0; i < count; ++i) {
    bool any = false;
    each_tensor(slots[i], [&](PyObject* o) { any |= unwrap(o).dtype() != dtype; });
    if (!any) continue;
    if (is_tensor(slots[i])) {
      keep.emplace_back(converted(slots[i], dtype));
    } else {
      Py_ssize_t n = PySequence_Fast_GET_SIZE(slots[i]);
      Object list(checked(PyTuple_New(n)));
      for (Py_ssize_t j = 0; j < n; ++j)
        PyTuple_SET_ITEM(list.get(), j, converted(PySequence_Fast_GET_ITEM(slots[i], j), dtype));
      keep.push_back(std::move(list));
    }
    slots[i] = keep.back().get();
  }
}

namespace {

// (enabled, dtype) -> the state before
PyObject* set_autocast(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int enabled;
    PyObject* dtype;
    if (!PyArg_ParseTuple(args, "pO", &enabled, &dtype)) throw PythonError();
    DType lower = to_dtype(dtype);
    Object before(Py_BuildValue("ON", autocast.enabled ? Py_True : Py_False, wrap(autocast.lower)));
    autocast = {enabled != 0, lower};
    return before.release();
  });
}
PyObject* autocast_enabled(PyObject*, PyObject*) { return PyBool_FromLong(autocast.enabled); }

// (operator, "lower" | "float32" | "widest")
PyObject* set_precision(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char *name, *precision;
    if (!PyArg_ParseTuple(args, "ss", &name, &precision)) throw PythonError();
    std::string_view wanted = precision;
    Operator* op = find_operator(name);
    CHECK_KIND(op, Value, "there is no operator ", name);
    CHECK_KIND(wanted == "lower" || wanted == "float32" || wanted == "widest", Value,
               "unknown precision ", wanted);
    op->precision = wanted == "lower"     ? Precision::Lower
                    : wanted == "float32" ? Precision::Float32
                                          : Precision::Widest;
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_set_autocast", set_autocast, METH_VARARGS, nullptr},
                           {"_autocast_enabled", autocast_enabled, METH_NOARGS, nullptr},
                           {"_set_precision", set_precision, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_autocast(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
