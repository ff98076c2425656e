// Mixed precision: operators with a policy take their floating arguments in the precision it names.
// Which operator has which policy on which kind of device is said in lampas/amp/policies.py.
#include "ops/copy.h"
#include "python/operator.h"

namespace lampas::python {

thread_local Autocast autocast;

namespace {

enum Kind { OnCpu, OnCuda, Elsewhere };

Kind kind_of(const Tensor& x) {
  return x.device().is_cpu() ? OnCpu : x.device().is_cuda() ? OnCuda : Elsewhere;
}

// float64 is never lowered, integers never touched.
bool takes_part(PyObject* o) {
  if (!is_tensor(o)) return false;
  const Tensor& x = unwrap(o);
  return x.is_floating() && x.dtype() != DType::Double;
}

template <class F>
void each_tensor(PyObject* o, F&& f) {
  if (takes_part(o)) return f(o);
  if (!PyTuple_Check(o) && !PyList_Check(o)) return;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (PyObject* item = PySequence_Fast_GET_ITEM(o, i); takes_part(item)) f(item);
}

// Of a call: a GPU's where a tensor lies on one.
Kind kind_of_call(size_t count, PyObject** slots) {
  Kind found = Elsewhere;
  for (size_t i = 0; i < count; ++i)
    each_tensor(slots[i], [&](PyObject* o) {
      Kind kind = kind_of(unwrap(o));
      if (kind != Elsewhere && found != OnCuda) found = kind;
    });
  return found;
}

PyObject* converted(PyObject* o, DType dtype) {
  bool change = takes_part(o) && unwrap(o).dtype() != dtype;
  return change ? wrap(ops::to(unwrap(o), dtype)) : Py_NewRef(o);
}

}  // namespace

void cast_arguments(const Operator& op, size_t count, PyObject** slots, std::vector<Object>& keep) {
  Kind kind = kind_of_call(count, slots);
  if (kind == Elsewhere || !autocast.on[kind]) return;
  Precision precision = op.precision[kind];
  if (precision == Precision::AsGiven) return;
  DType lower = autocast.lower[kind];
  DType dtype = precision == Precision::Float32 ? DType::Float : lower;
  if (precision == Precision::Widest)
    for (size_t i = 0; i < count; ++i)
      each_tensor(slots[i], [&](PyObject* o) {
        if (unwrap(o).dtype() == DType::Float) dtype = DType::Float;
      });
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

Kind to_kind(const char* name) {
  CHECK_KIND(std::string_view(name) == "cpu" || std::string_view(name) == "cuda", Value,
             "no autocast on ", name);
  return *name == 'c' && name[1] == 'p' ? OnCpu : OnCuda;
}

// (kind of device, enabled, dtype) -> the state before, of the same form
PyObject* set_autocast(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* name;
    int enabled;
    PyObject* dtype;
    if (!PyArg_ParseTuple(args, "spO", &name, &enabled, &dtype)) throw PythonError();
    DType lower = to_dtype(dtype);
    Kind kind = to_kind(name);
    Object before(Py_BuildValue("sON", name, autocast.on[kind] ? Py_True : Py_False,
                                wrap(autocast.lower[kind])));
    autocast.on[kind] = enabled != 0;
    autocast.lower[kind] = lower;
    autocast.enabled = autocast.on[OnCpu] || autocast.on[OnCuda];
    return before.release();
  });
}
PyObject* autocast_enabled(PyObject*, PyObject* name) {
  return guarded([&]() -> PyObject* {
    const char* kind = PyUnicode_AsUTF8(name);
    if (!kind) throw PythonError();
    return PyBool_FromLong(autocast.on[to_kind(kind)]);
  });
}

// (kind of device, operator, "lower" | "float32" | "widest")
PyObject* set_precision(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char *device, *name, *precision;
    if (!PyArg_ParseTuple(args, "sss", &device, &name, &precision)) throw PythonError();
    std::string_view wanted = precision;
    Operator* op = find_operator(name);
    CHECK_KIND(op, Value, "there is no operator ", name);
    CHECK_KIND(wanted == "lower" || wanted == "float32" || wanted == "widest", Value,
               "unknown precision ", wanted);
    op->precision[to_kind(device)] = wanted == "lower"     ? Precision::Lower
                                     : wanted == "float32" ? Precision::Float32
                                                           : Precision::Widest;
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_set_autocast", set_autocast, METH_VARARGS, nullptr},
                           {"_autocast_enabled", autocast_enabled, METH_O, nullptr},
                           {"_set_precision", set_precision, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_autocast(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
