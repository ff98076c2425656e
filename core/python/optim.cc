// What an optimizer needs of a parameter group, gathered or cleared in one call.
#include "python/object.h"
#include "python/types.h"

namespace lampas::python {

namespace {

// state[param][name], borrowed; null where there is none. No entry is made in a defaultdict.
PyObject* lookup(PyObject* table, PyObject* key) {
  if (!table || !PyDict_Check(table)) return nullptr;
  PyObject* found = PyDict_GetItemWithError(table, key);
  if (!found && PyErr_Occurred()) throw PythonError();
  return found;
}

void append(PyObject* list, PyObject* item) {
  if (PyList_Append(list, item) < 0) throw PythonError();
}

// optim_gather(params, state, names) -> (complete, params, grads, one list per name): the
// parameters that have a gradient, in order, and their states. A state that is missing is None, and
// `complete` False.
PyObject* optim_gather(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(n == 3 && PyList_Check(args[0]) && PyDict_Check(args[1]) && PyTuple_Check(args[2]),
               Type, "optim_gather expects a list, a dict and a tuple");
    PyObject *params = args[0], *state = args[1], *names = args[2];
    Py_ssize_t columns = PyTuple_GET_SIZE(names);
    Object result(checked(PyTuple_New(3 + columns)));
    for (Py_ssize_t i = 1; i < 3 + columns; ++i)
      PyTuple_SET_ITEM(result.get(), i, checked(PyList_New(0)));
    bool complete = true;
    // The list may change while it is walked: hashing a parameter can run Python code.
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(params); ++i) {
      Object param = Object::borrow(PyList_GET_ITEM(params, i));
      CHECK_KIND(is_tensor(param.get()), Type,
                 "optimizer can only optimize Tensors, but one of the params is ",
                 type_name(param.get()));
      const tape::Meta* meta = unwrap(param.get())->meta;
      if (!meta || !meta->grad) continue;
      append(PyTuple_GET_ITEM(result.get(), 1), param.get());
      append(PyTuple_GET_ITEM(result.get(), 2), Object(checked(wrap(meta->grad))).get());
      if (!columns) continue;
      Object entry = Object::borrow(lookup(state, param.get()));
      for (Py_ssize_t c = 0; c < columns; ++c) {
        PyObject* value = lookup(entry.get(), PyTuple_GET_ITEM(names, c));
        if (!value) value = Py_None;
        complete &= value != Py_None;
        append(PyTuple_GET_ITEM(result.get(), 3 + c), value);
      }
    }
    PyTuple_SET_ITEM(result.get(), 0, PyBool_FromLong(complete));
    return result.release();
  });
}

// Sets the gradient of each of a list of parameters to None.
PyObject* drop_gradients(PyObject*, PyObject* params) {
  return guarded([&]() -> PyObject* {
    static PyObject* const grad = checked(PyUnicode_InternFromString("grad"));
    CHECK_KIND(PyList_Check(params), Type, "drop_gradients expects a list");
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(params); ++i) {
      Object param = Object::borrow(PyList_GET_ITEM(params, i));
      const tape::Meta* meta = unwrap(param.get())->meta;
      if (meta && meta->grad && PyObject_SetAttr(param.get(), grad, Py_None) < 0)
        throw PythonError();
    }
    return Py_NewRef(Py_None);
  });
}

PyMethodDef functions[] = {
    {"drop_gradients", drop_gradients, METH_O, nullptr},
    {"optim_gather", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(optim_gather)),
     METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_optim(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
