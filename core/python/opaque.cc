// Tensors whose elements a Python object keeps (sparse ones): a body on meta of the right shape and
// type, over a storage that owns the object. The tape asks Python to add and copy them; all other
// work is done by __torch_function__ of their class (lampas/sparse/).
#include "python/convert.h"
#include "python/types.h"
#include "tape/history.h"

namespace lampas::python {

PyTypeObject* opaque_type = nullptr;

namespace {

constexpr Device kMeta{DeviceType::Meta};
PyObject *add_function, *clone_function;

void forget_content(Storage* s) { Py_XDECREF(static_cast<PyObject*>(s->owner)); }

Tensor called(PyObject* function, const Tensor& a, const Tensor* b) {
  Object x(wrap(a)), y(b ? wrap(*b) : nullptr);
  Object made(checked(PyObject_CallFunctionObjArgs(function, x.get(), y.get(), nullptr)));
  return unwrap(made.get());
}

Storage& opaque_storage(PyObject* x) {
  const Tensor& t = unwrap(x);
  CHECK(tape::is_opaque(t), "the elements of this tensor are no Python object's");
  return *t.storage();
}

// (type, add, clone): the class of such tensors, a + b where one of both is such, a copy
PyObject* set_opaque(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* type;
    if (!PyArg_ParseTuple(args, "O!OO", &PyType_Type, &type, &add_function, &clone_function))
      throw PythonError();
    for (PyObject* kept : {type, add_function, clone_function}) Py_INCREF(kept);
    opaque_type = reinterpret_cast<PyTypeObject*>(type);
    tape::opaque_arithmetic = {
        [](const Tensor& a, const Tensor& b) { return called(add_function, a, &b); },
        [](const Tensor& a) { return called(clone_function, a, nullptr); }};
    Py_RETURN_NONE;
  });
}

// (content, size, dtype) -> a tensor with these elements
PyObject* make_opaque(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *content, *size, *dtype;
    if (!PyArg_ParseTuple(args, "OOO", &content, &size, &dtype)) throw PythonError();
    CHECK(opaque_type, "no class of opaque tensors has been set");
    Tensor x = empty(Arg<Dims>::get(size), to_dtype(dtype), kMeta);
    x->storage = Storage::borrow(nullptr, 0, kMeta, forget_content, Py_NewRef(content));
    x->storage->opaque = true;
    return wrap(x);
  });
}

PyObject* opaque_content(PyObject*, PyObject* x) {
  return guarded([&] { return Py_NewRef(static_cast<PyObject*>(opaque_storage(x).owner)); });
}

// (x, content, size): writes other elements into x
PyObject* write_opaque(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *x, *content, *size;
    if (!PyArg_ParseTuple(args, "OOO", &x, &content, &size)) throw PythonError();
    Storage& storage = opaque_storage(x);
    Tensor shaped = empty(Arg<Dims>::get(size), unwrap(x).dtype(), kMeta);
    const Tensor& t = unwrap(x);
    t->sizes = shaped->sizes;
    t->strides = shaped->strides;
    t->numel = shaped->numel;
    ++storage.version;
    Object before(static_cast<PyObject*>(std::exchange(storage.owner, Py_NewRef(content))));
    return Py_NewRef(x);
  });
}

PyMethodDef functions[] = {{"_set_opaque", set_opaque, METH_VARARGS, nullptr},
                           {"_make_opaque", make_opaque, METH_VARARGS, nullptr},
                           {"_opaque_content", opaque_content, METH_O, nullptr},
                           {"_write_opaque", write_opaque, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_opaque(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
