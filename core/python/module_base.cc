// The part of nn.Module that every call of a network passes: calling a module, finding its
// parameters and submodules as attributes, walking over all parameters. What these do in full
// (hooks, errors, overridden walks) stands in Python, in nn/modules.
#include <unordered_set>

#include "python/object.h"
#include "python/types.h"

namespace lampas::python {

namespace {

// The Python side, handed over once by `_core._set_module_class`.
struct {
  PyObject* getattr;   // Module.__getattr__: full lookup and its error
  PyObject* any_hook;  // a list of one bool: whether a hook was ever registered
  PyObject* leaving;   // leaving(error, module, args): an exception passes a module
  PyObject* walks[3];  // Module's own methods that define which parameters a module has
} known;

PyObject* interned(const char* name) { return checked(PyUnicode_InternFromString(name)); }
struct {
  PyObject* forward = interned("forward");
  PyObject* hooked = interned("_call_with_hooks");
  PyObject* getattr = interned("__getattr__");
  PyObject* getattribute = interned("__getattribute__");
  PyObject* parameters = interned("_parameters");
  PyObject* tables[3] = {parameters, interned("_buffers"), interned("_modules")};
  PyObject* walks[3] = {interned("named_parameters"), interned("_named_members"),
                        interned("named_modules")};
}* names;

// An entry of a dict, borrowed; null where there is none or `table` is no dict.
PyObject* entry(PyObject* table, PyObject* name) {
  if (!table || !PyDict_Check(table)) return nullptr;
  PyObject* found = PyDict_GetItemWithError(table, name);
  if (!found && PyErr_Occurred()) throw PythonError();
  return found;
}

Object own_dict(PyObject* self) { return Object(checked(PyObject_GenericGetDict(self, nullptr))); }

// A class attribute counts first (it may be a descriptor), then the instance, then the tables.
PyObject* find_attribute(PyObject* self, PyObject* name) {
  if (_PyType_Lookup(Py_TYPE(self), name)) {
    PyObject* found = PyObject_GenericGetAttr(self, name);
    if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
    PyErr_Clear();
  } else {
    Object own = own_dict(self);
    if (PyObject* found = entry(own.get(), name)) return Py_NewRef(found);
    for (PyObject* table : names->tables)
      if (PyObject* found = entry(entry(own.get(), table), name)) return Py_NewRef(found);
  }
  return PyObject_CallFunctionObjArgs(known.getattr, self, name, nullptr);
}
PyObject* get_attribute(PyObject* self, PyObject* name) {
  return guarded([&] { return find_attribute(self, name); });
}

// `forward` as a function of the class, borrowed; null where it has to be looked up in full.
PyObject* plain_forward(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_getattro != get_attribute) return nullptr;
  PyObject* function = _PyType_Lookup(type, names->forward);
  if (!function || !PyFunction_Check(function)) return nullptr;
  return entry(own_dict(self).get(), names->forward) ? nullptr : function;
}

PyObject* call_forward(PyObject* self, PyObject* args, PyObject* kwargs) {
  constexpr Py_ssize_t kMost = 8;
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n < kMost && (!kwargs || PyDict_GET_SIZE(kwargs) == 0)) {
    if (Object function = Object::borrow(plain_forward(self))) {
      PyObject* given[kMost] = {self};
      std::copy_n(&PyTuple_GET_ITEM(args, 0), n, given + 1);
      return PyObject_Vectorcall(function.get(), given, n + 1, nullptr);
    }
  }
  Object method(checked(PyObject_GetAttr(self, names->forward)));
  return PyObject_Call(method.get(), args, kwargs);
}

PyObject* call_with_hooks(PyObject* self, PyObject* args, PyObject* kwargs) {
  Object none(kwargs ? nullptr : checked(PyDict_New()));
  return PyObject_CallMethodObjArgs(self, names->hooked, args, kwargs ? kwargs : none.get(),
                                    nullptr);
}

// Tells the pending exception which module it leaves.
void note_leaving(PyObject* self, PyObject* args) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  Object done(PyObject_CallFunctionObjArgs(known.leaving, value, self, args, nullptr));
  if (!done) PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

PyObject* call(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    bool hooks = PyList_GET_SIZE(known.any_hook) && PyList_GET_ITEM(known.any_hook, 0) == Py_True;
    PyObject* result =
        hooks ? call_with_hooks(self, args, kwargs) : call_forward(self, args, kwargs);
    if (!result && PyErr_ExceptionMatches(PyExc_Exception)) note_leaving(self, args);
    return result;
  });
}

struct Walk {
  PyObject* found;  // a list
  std::unordered_set<PyObject*> seen;

  // False where a module defines itself what its parameters are.
  bool over(PyObject* module);
};

bool plain_walks(PyTypeObject* type) {
  for (int i = 0; i < 3; ++i)
    if (_PyType_Lookup(type, names->walks[i]) != known.walks[i]) return false;
  return true;
}

bool Walk::over(PyObject* module) {
  if (!plain_walks(Py_TYPE(module))) return false;
  if (!seen.insert(module).second) return true;
  Object own = own_dict(module);
  PyObject *parameters = entry(own.get(), names->parameters), *key, *value;
  PyObject* modules = entry(own.get(), names->tables[2]);
  if (!parameters || !modules) return false;
  for (Py_ssize_t at = 0; PyDict_Next(parameters, &at, &key, &value);)
    if (value != Py_None && seen.insert(value).second && PyList_Append(found, value) < 0)
      throw PythonError();
  if (Py_EnterRecursiveCall(" while walking over the submodules of a module")) throw PythonError();
  bool complete = true;
  for (Py_ssize_t at = 0; complete && PyDict_Next(modules, &at, &key, &value);)
    complete = value == Py_None || over(value);
  Py_LeaveRecursiveCall();
  return complete;
}

// All parameters, each once, in order, as a list; None where a module overrides the walk.
PyObject* known_parameters(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Object found(checked(PyList_New(0)));
    Walk walk{found.get(), {}};
    return walk.over(self) ? found.release() : Py_NewRef(Py_None);
  });
}

// Lets a class use the lookup above, unless it has one of its own. A later change of the class's
// own lookup puts Python's dispatcher back.
void adopt(PyTypeObject* type) {
  PyObject* object_lookup = _PyType_Lookup(&PyBaseObject_Type, names->getattribute);
  if (_PyType_Lookup(type, names->getattr) != known.getattr ||
      _PyType_Lookup(type, names->getattribute) != object_lookup)
    return;
  type->tp_getattro = get_attribute;
  PyType_Modified(type);
}

PyTypeObject* base_type;

PyObject* init_subclass(PyObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    // super(ModuleBase, type).__init_subclass__(**kwargs)
    Object super(checked(PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PySuper_Type),
                                                      base_type, type, nullptr)));
    Object next(checked(PyObject_GetAttrString(super.get(), "__init_subclass__")));
    Object done(checked(PyObject_Call(next.get(), args, kwargs)));
    if (known.getattr) adopt(reinterpret_cast<PyTypeObject*>(type));
    return Py_NewRef(Py_None);
  });
}

// (Module, any_hook, leaving)
PyObject* set_module_class(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *type, *any_hook, *leaving;
    if (!PyArg_ParseTuple(args, "O!O!O", &PyType_Type, &type, &PyList_Type, &any_hook, &leaving))
      throw PythonError();
    auto* module_type = reinterpret_cast<PyTypeObject*>(type);
    CHECK_KIND(PyType_IsSubtype(module_type, base_type), Type, "expected a class over ModuleBase");
    known.getattr = Py_XNewRef(_PyType_Lookup(module_type, names->getattr));
    CHECK_KIND(known.getattr, Type, "expected a class with __getattr__");
    known.any_hook = Py_NewRef(any_hook);
    known.leaving = Py_NewRef(leaving);
    for (int i = 0; i < 3; ++i)
      known.walks[i] = Py_XNewRef(_PyType_Lookup(module_type, names->walks[i]));
    adopt(module_type);
    return Py_NewRef(Py_None);
  });
}

PyMethodDef methods[] = {
    {"__init_subclass__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(init_subclass)),
     METH_VARARGS | METH_KEYWORDS | METH_CLASS, nullptr},
    {"_known_parameters", known_parameters, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {
    {Py_tp_call, reinterpret_cast<void*>(call)}, {Py_tp_methods, methods}, {0, nullptr}};
PyType_Spec spec = {"lampas._core.ModuleBase", sizeof(PyObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
PyMethodDef functions[] = {{"_set_module_class", set_module_class, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_module_base(PyObject* module) {
  names = new std::remove_pointer_t<decltype(names)>;
  PyObject* type = checked(PyType_FromSpec(&spec));
  base_type = reinterpret_cast<PyTypeObject*>(type);
  if (PyModule_AddObjectRef(module, "ModuleBase", type) < 0 ||
      PyModule_AddFunctions(module, functions) < 0)
    throw PythonError();
}

}  // namespace lampas::python
