// Operators that are written in Python, as callables without a frame of their own: they let others
// take the call over, run the function, and let a failed call be explained (ops/call_errors.py).
#include "python/override.h"
#include "python/profiler.h"
#include "python/types.h"

namespace lampas::python {

namespace {

struct PythonOperator {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* function;
  PyObject* explain;  // explain(args, kwargs) -> a better exception or None; null: none
  PyObject* module;   // where the operator is found by its name
  PyObject* dict;
};

PythonOperator* body(PyObject* self) { return reinterpret_cast<PythonOperator*>(self); }

// Puts the explained error in place of the one that is set, when there is a better one.
void explain_error(PyObject* explain, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  Object positional(checked(PyTuple_New(n))), kwargs(checked(PyDict_New()));
  for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
    PyDict_SetItem(kwargs.get(), PyTuple_GET_ITEM(names, i), args[n + i]);
  Object better(PyObject_CallFunctionObjArgs(explain, positional.get(), kwargs.get(), nullptr));
  if (!better || better.get() == Py_None) {
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return;
  }
  Object gone[] = {Object(type), Object(value), Object(traceback)};
  PyException_SetCause(better.get(), nullptr);  // "from None"
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(better.get())), better.get());
}

PyObject* offered(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&] { return taken_over(self, args, n, names); });
}

// After a failed call: an argument may be no tensor and yet take the call over; otherwise the
// error may be explained.
PyObject* recover(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyObject* taken = overriding.active ? nullptr : offered(self, args, n, names);
  if (taken || PyErr_Occurred()) {
    for (PyObject* part : {type, value, traceback}) Py_XDECREF(part);
    return taken;
  }
  PyErr_Restore(type, value, traceback);
  if (body(self)->explain) explain_error(body(self)->explain, args, n, names);
  return nullptr;
}

// linalg_norm for lampas.linalg's norm; the names of lampas and its other modules as they are.
std::string profile_name(PythonOperator* op) {
  Object name(checked(PyObject_GetAttrString(op->function, "__name__")));
  std::string text = PyUnicode_AsUTF8(name.get()), module = PyUnicode_AsUTF8(op->module);
  for (const char* space : {"linalg", "fft", "special"})
    if (module == concat("lampas.", space) && !text.starts_with(concat(space, "_")))
      return concat(space, "_", text);
  return text;
}
PyObject* profiled(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
  return guarded([&] {
    Py_ssize_t n = PyVectorcall_NARGS(flags) + (names ? PyTuple_GET_SIZE(names) : 0);
    Span span(profile_name(body(self)).c_str(), args, n);
    return PyObject_Vectorcall(body(self)->function, args, flags, names);
  });
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
  Py_ssize_t n = PyVectorcall_NARGS(flags);
  if (overriding.active) [[unlikely]] {
    PyObject* taken = offered(self, args, n, names);
    if (taken || PyErr_Occurred()) return taken;
  }
  PyObject* result = overriding.profiling
                         ? profiled(self, args, flags, names)
                         : PyObject_Vectorcall(body(self)->function, args, flags, names);
  if (!result &&
      (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_AttributeError)))
    return guarded([&] { return recover(self, args, n, names); });
  return result;
}

PyObject* bind(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, object);
}
PyObject* repr(PyObject* self) { return PyObject_Repr(body(self)->function); }

// What a function has (__code__, __defaults__, ...) is the wrapped one's.
PyObject* get_attribute(PyObject* self, PyObject* name) {
  PyObject* own = PyObject_GenericGetAttr(self, name);
  if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyErr_Clear();
  return PyObject_GetAttr(body(self)->function, name);
}
PyObject* get_wrapped(PyObject* self, void*) { return Py_NewRef(body(self)->function); }
PyObject* get_module(PyObject* self, void*) { return Py_NewRef(body(self)->module); }
PyObject* of_function(PyObject* self, void* name) {
  return PyObject_GetAttrString(body(self)->function, static_cast<const char*>(name));
}
PyObject* reduce(PyObject* self, PyObject*) {
  return PyObject_GetAttrString(body(self)->function, "__name__");
}

void dealloc(PyObject* self) {
  PythonOperator* op = body(self);
  PyTypeObject* type = Py_TYPE(self);
  for (PyObject* part : {op->function, op->explain, op->module, op->dict}) Py_XDECREF(part);
  type->tp_free(self);
  Py_DECREF(type);
}

char kName[] = "__name__", kQualname[] = "__qualname__", kDoc[] = "__doc__";
PyGetSetDef getset[] = {
    {"__name__", of_function, nullptr, nullptr, kName},
    {"__qualname__", of_function, nullptr, nullptr, kQualname},
    {"__doc__", of_function, nullptr, nullptr, kDoc},
    {"__module__", get_module, nullptr, nullptr, nullptr},
    {"__wrapped__", get_wrapped, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(PythonOperator, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(PythonOperator, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_descr_get, reinterpret_cast<void*>(bind)},
                       {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_members, members},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getset},
                       {0, nullptr}};
PyType_Spec spec = {"function", sizeof(PythonOperator), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR |
                        Py_TPFLAGS_DISALLOW_INSTANTIATION,
                    slots};
PyTypeObject* operator_type;

// (function, module, explain=None) -> a callable in its place
PyObject* python_operator(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *function, *module, *explain = Py_None;
    if (!PyArg_ParseTuple(args, "OU|O", &function, &module, &explain)) throw PythonError();
    CHECK_KIND(PyCallable_Check(function), Type, "expected a function, got ", type_name(function));
    PyObject* made = checked(operator_type->tp_alloc(operator_type, 0));
    PythonOperator* op = body(made);
    op->vectorcall = vectorcall;
    op->function = Py_NewRef(function);
    op->explain = explain == Py_None ? nullptr : Py_NewRef(explain);
    op->module = Py_NewRef(module);
    op->dict = nullptr;
    return made;
  });
}
PyMethodDef functions[] = {{"_python_operator", python_operator, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_python_operator(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
  operator_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

}  // namespace lampas::python
