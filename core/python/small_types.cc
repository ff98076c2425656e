// dtype, device, Size, memory_format and layout: the small immutable types of the API.
#include <array>
#include <cmath>

#include "python/object.h"
#include "python/types.h"

namespace lampas::python {

PyTypeObject *dtype_type, *device_type, *size_type, *token_type;

namespace {

// ---- dtype ----
struct DTypeObject {
  PyObject_HEAD DType dtype;
};
std::array<PyObject*, kDTypes> dtypes;

DType of(PyObject* self) { return reinterpret_cast<DTypeObject*>(self)->dtype; }

PyObject* dtype_repr(PyObject* self) {
  return PyUnicode_FromFormat("torch.%s", std::string(python_name(of(self))).c_str());
}
// Pickled as a call of lampas._core._rebuild: the types say that they live in `torch`, which may be
// another package on the side that reads.
PyObject* rebuild_call(const char* kind, PyObject* argument) {
  Object core(PyImport_ImportModule("lampas._core"));
  Object function(core ? PyObject_GetAttrString(core.get(), "_rebuild") : nullptr);
  if (!function || !argument) {
    Py_XDECREF(argument);
    return nullptr;
  }
  return Py_BuildValue("O(sN)", function.get(), kind, argument);
}
PyObject* dtype_reduce(PyObject* self, PyObject*) {
  return rebuild_call("name", PyUnicode_FromString(std::string(python_name(of(self))).c_str()));
}
PyObject* dtype_floating(PyObject* self, void*) { return PyBool_FromLong(is_floating(of(self))); }
PyObject* dtype_complex(PyObject* self, void*) { return PyBool_FromLong(is_complex(of(self))); }
PyObject* dtype_signed(PyObject* self, void*) {
  return PyBool_FromLong(of(self) != DType::Bool && !is_unsigned(of(self)));
}
PyObject* dtype_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(item_size(of(self))); }
PyObject* dtype_to_real(PyObject* self, PyObject*) { return wrap(real_of(of(self))); }
PyObject* dtype_to_complex(PyObject* self, PyObject*) { return wrap(complex_of(of(self))); }

PyMethodDef dtype_methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
                               {"to_real", dtype_to_real, METH_NOARGS, nullptr},
                               {"to_complex", dtype_to_complex, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};
PyGetSetDef dtype_getset[] = {{"is_floating_point", dtype_floating, nullptr, nullptr, nullptr},
                              {"is_complex", dtype_complex, nullptr, nullptr, nullptr},
                              {"is_signed", dtype_signed, nullptr, nullptr, nullptr},
                              {"itemsize", dtype_itemsize, nullptr, nullptr, nullptr},
                              {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot dtype_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(dtype_repr)},
                             {Py_tp_methods, dtype_methods},
                             {Py_tp_getset, dtype_getset},
                             {0, nullptr}};
PyType_Spec dtype_spec = {"torch.dtype", sizeof(DTypeObject), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, dtype_slots};

// ---- device ----
struct DeviceObject {
  PyObject_HEAD Device device;
};
Device where(PyObject* self) { return reinterpret_cast<DeviceObject*>(self)->device; }
std::string device_name(Device d) { return to_string(Device{d.type}); }

PyObject* device_repr(PyObject* self) {
  Device d = where(self);
  if (d.index < 0) return PyUnicode_FromFormat("device(type='%s')", device_name(d).c_str());
  return PyUnicode_FromFormat("device(type='%s', index=%d)", device_name(d).c_str(), int{d.index});
}
PyObject* device_str(PyObject* self) {
  return PyUnicode_FromString(to_string(where(self)).c_str());
}
PyObject* device_kind(PyObject* self, void*) {
  return PyUnicode_FromString(device_name(where(self)).c_str());
}
PyObject* device_index(PyObject* self, void*) {
  if (where(self).index < 0) Py_RETURN_NONE;
  return PyLong_FromLong(where(self).index);
}
Py_hash_t device_hash(PyObject* self) {
  return (static_cast<int>(where(self).type) << 8) + where(self).index + 1;
}
PyObject* device_compare(PyObject* a, PyObject* b, int op) {
  if (Py_TYPE(b) != device_type || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((where(a) == where(b)) == (op == Py_EQ));
}
PyObject* device_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *type = nullptr, *index = nullptr;
    static const char* names[] = {"device", "index", nullptr};
    static const char* other[] = {"type", "index", nullptr};
    bool by_type = kwargs && PyDict_GetItemString(kwargs, "type");
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O",
                                     const_cast<char**>(by_type ? other : names), &type, &index))
      throw PythonError();
    if (!is_device(type))
      fail(ErrorKind::Type, "device(): argument 'device' must be str, int or device, not ",
           type_name(type));
    Device device = to_device(type);
    if (index && index != Py_None) {
      CHECK(device.index < 0,
            "type (string) must not include an index because index was passed explicitly: ",
            to_string(device));
      int64_t i = to_int(index);
      CHECK(i >= 0 && i < 128, "Device index must be between 0 and 127, got ", i);
      device.index = static_cast<int8_t>(i);
    }
    return wrap(device);
  });
}
PyObject* device_reduce(PyObject* self, PyObject*) {
  return rebuild_call("device", PyUnicode_FromString(to_string(where(self)).c_str()));
}
// `with torch.device(...)`: the Python layer supplies what entering and leaving do.
PyObject* device_enter(PyObject* self, PyObject*) {
  Object module(PyImport_ImportModule("lampas.ops.creation"));
  if (!module) return nullptr;
  return PyObject_CallMethod(module.get(), "_enter_device", "O", self);
}
PyObject* device_exit(PyObject* self, PyObject*) {
  Object module(PyImport_ImportModule("lampas.ops.creation"));
  if (!module) return nullptr;
  return PyObject_CallMethod(module.get(), "_leave_device", "O", self);
}
PyMethodDef device_methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr},
                                {"__enter__", device_enter, METH_NOARGS, nullptr},
                                {"__exit__", device_exit, METH_VARARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};
PyGetSetDef device_getset[] = {{"type", device_kind, nullptr, nullptr, nullptr},
                               {"index", device_index, nullptr, nullptr, nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot device_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(device_repr)},
                              {Py_tp_str, reinterpret_cast<void*>(device_str)},
                              {Py_tp_hash, reinterpret_cast<void*>(device_hash)},
                              {Py_tp_richcompare, reinterpret_cast<void*>(device_compare)},
                              {Py_tp_new, reinterpret_cast<void*>(device_new)},
                              {Py_tp_methods, device_methods},
                              {Py_tp_getset, device_getset},
                              {0, nullptr}};
PyType_Spec device_spec = {"torch.device", sizeof(DeviceObject), 0, Py_TPFLAGS_DEFAULT,
                           device_slots};

// ---- Size: a tuple of ints that stays a Size under slicing, + and * ----
PyObject* size_from(PyObject* tuple) {
  if (!tuple) return nullptr;
  Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* size = size_type->tp_alloc(size_type, n);
  if (size)
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* item = PyTuple_GET_ITEM(tuple, i);
      Py_INCREF(item);
      PyTuple_SET_ITEM(size, i, item);
    }
  Py_DECREF(tuple);
  return size;
}
PyObject* size_new(PyTypeObject*, PyObject* args, PyObject*) {
  PyObject* given = nullptr;
  if (!PyArg_ParseTuple(args, "|O", &given)) return nullptr;
  Object items(given ? PySequence_Tuple(given) : PyTuple_New(0));
  if (!items) return nullptr;
  Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  Object ints(PyTuple_New(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(items.get(), i);
    if (!PyIndex_Check(item))
      return PyErr_Format(PyExc_TypeError,
                          "torch.Size() takes an iterable of 'int' (item %zd is '%s')", i,
                          Py_TYPE(item)->tp_name);
    PyObject* whole = PyNumber_Index(item);
    if (!whole) return nullptr;
    PyTuple_SET_ITEM(ints.get(), i, whole);
  }
  return size_from(ints.release());
}
PyObject* size_repr(PyObject* self) {
  Object list(PySequence_List(self));
  return list ? PyUnicode_FromFormat("torch.Size(%R)", list.get()) : nullptr;
}
PyObject* size_numel(PyObject* self, PyObject*) {
  int64_t n = 1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i)
    n *= PyLong_AsLongLong(PyTuple_GET_ITEM(self, i));
  return PyLong_FromLongLong(n);
}
PyObject* size_reduce(PyObject* self, PyObject*) {
  return rebuild_call("size", PyTuple_GetSlice(self, 0, PyTuple_GET_SIZE(self)));
}
PyObject* size_subscript(PyObject* self, PyObject* key) {
  PyObject* found = PyTuple_Type.tp_as_mapping->mp_subscript(self, key);
  return found && PySlice_Check(key) ? size_from(found) : found;
}
PyObject* size_concat(PyObject* self, PyObject* other) {
  if (!PyTuple_Check(other))
    return PyErr_Format(PyExc_TypeError, "can only concatenate tuple (not \"%s\") to torch.Size",
                        Py_TYPE(other)->tp_name);
  return size_from(PyTuple_Type.tp_as_sequence->sq_concat(self, other));
}
PyObject* size_repeat(PyObject* self, Py_ssize_t n) {
  return size_from(PyTuple_Type.tp_as_sequence->sq_repeat(self, n));
}
PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, nullptr},
                              {"__reduce__", size_reduce, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

// ---- memory_format, layout: named constants ----
struct TokenObject {
  PyObject_HEAD const char* name;
  int kind, value;
};
std::array<PyObject*, 4> formats;
PyObject* token_repr(PyObject* self) {
  return PyUnicode_FromFormat("torch.%s", reinterpret_cast<TokenObject*>(self)->name);
}
PyObject* token_reduce(PyObject* self, PyObject*) {
  return rebuild_call("name", PyUnicode_FromString(reinterpret_cast<TokenObject*>(self)->name));
}
PyMethodDef token_methods[] = {{"__reduce__", token_reduce, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot token_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(token_repr)},
                             {Py_tp_methods, token_methods},
                             {0, nullptr}};
PyType_Spec format_spec = {"torch.memory_format", sizeof(TokenObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, token_slots};
PyType_Spec layout_spec = {"torch.layout", sizeof(TokenObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, token_slots};

PyObject* token(PyTypeObject* type, const char* name, int value) {
  auto* t = reinterpret_cast<TokenObject*>(checked(type->tp_alloc(type, 0)));
  t->name = name;
  t->value = value;
  return reinterpret_cast<PyObject*>(t);
}

PyTypeObject* make_type(PyType_Spec* spec, PyTypeObject* base = nullptr) {
  Object bases(base ? PyTuple_Pack(1, base) : nullptr);
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(spec, bases.get())));
}

PyObject* rebuild(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* kind;
    PyObject* what;
    if (!PyArg_ParseTuple(args, "sO", &kind, &what)) throw PythonError();
    std::string_view k = kind;
    if (k == "device") return wrap(to_device(what));
    if (k == "size")
      return checked(
          PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(size_type), what, nullptr));
    CHECK_KIND(k == "name" && PyUnicode_Check(what), Value, "_rebuild: unknown kind ", kind);
    Object core(checked(PyImport_ImportModule("lampas._core")));
    Object found(checked(PyObject_GetAttr(core.get(), what)));
    CHECK_KIND(Py_TYPE(found.get()) == dtype_type || Py_TYPE(found.get())->tp_repr == token_repr,
               Value, "_rebuild: not a dtype, format or layout");
    return found.release();
  });
}
PyMethodDef small_functions[] = {{"_rebuild", rebuild, METH_VARARGS, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* wrap(DType dtype) {
  PyObject* o = dtypes[static_cast<size_t>(dtype)];
  Py_INCREF(o);
  return o;
}
bool is_dtype(PyObject* o) {
  return Py_TYPE(o) == dtype_type || o == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
         o == reinterpret_cast<PyObject*>(&PyLong_Type) ||
         o == reinterpret_cast<PyObject*>(&PyBool_Type) ||
         o == reinterpret_cast<PyObject*>(&PyComplex_Type);
}
DType to_dtype(PyObject* o) {
  if (Py_TYPE(o) == dtype_type) return of(o);
  if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::Double;
  if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::Bool;
  if (o == reinterpret_cast<PyObject*>(&PyComplex_Type)) return DType::ComplexDouble;
  return DType::Int64;
}

PyObject* wrap(Device device) {
  auto* d = reinterpret_cast<DeviceObject*>(checked(device_type->tp_alloc(device_type, 0)));
  d->device = device;
  return reinterpret_cast<PyObject*>(d);
}
bool is_device(PyObject* o) {
  return Py_TYPE(o) == device_type || PyUnicode_Check(o) || (PyLong_Check(o) && !PyBool_Check(o));
}
Device to_device(PyObject* o) {
  if (Py_TYPE(o) == device_type) return where(o);
  if (PyLong_Check(o)) {
    int64_t i = to_int(o);
    CHECK(i >= 0 && i < 128, "Device index must be between 0 and 127, got ", i);
    return {DeviceType::CUDA, static_cast<int8_t>(i)};
  }
  const char* text = PyUnicode_AsUTF8(o);
  if (!text) throw PythonError();
  return parse_device(text);
}

PyObject* wrap_size(Span sizes) {
  PyObject* size = checked(size_type->tp_alloc(size_type, static_cast<Py_ssize_t>(sizes.size())));
  for (size_t i = 0; i < sizes.size(); ++i)
    PyTuple_SET_ITEM(size, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(sizes[i]));
  return size;
}

bool is_memory_format(PyObject* o) { return Py_TYPE(o) == token_type; }
MemoryFormat to_memory_format(PyObject* o) {
  return static_cast<MemoryFormat>(reinterpret_cast<TokenObject*>(o)->value);
}
PyObject* wrap(MemoryFormat format) {
  PyObject* o = formats[static_cast<size_t>(format)];
  Py_INCREF(o);
  return o;
}

void add_small_types(PyObject* module) {
  if (PyModule_AddFunctions(module, small_functions) < 0) throw PythonError();
  dtype_type = make_type(&dtype_spec);
  device_type = make_type(&device_spec);
  static PyType_Slot size_slots[] = {{Py_tp_new, reinterpret_cast<void*>(size_new)},
                                     {Py_tp_repr, reinterpret_cast<void*>(size_repr)},
                                     {Py_tp_methods, size_methods},
                                     {Py_mp_subscript, reinterpret_cast<void*>(size_subscript)},
                                     {Py_sq_concat, reinterpret_cast<void*>(size_concat)},
                                     {Py_sq_repeat, reinterpret_cast<void*>(size_repeat)},
                                     {0, nullptr}};
  static PyType_Spec size_spec = {"torch.Size", 0, 0, Py_TPFLAGS_DEFAULT, size_slots};
  size_type = make_type(&size_spec, &PyTuple_Type);
  token_type = make_type(&format_spec);
  PyTypeObject* layout_type = make_type(&layout_spec);

  for (int i = 0; i < kDTypes; ++i) {
    auto* d = reinterpret_cast<DTypeObject*>(checked(dtype_type->tp_alloc(dtype_type, 0)));
    d->dtype = static_cast<DType>(i);
    dtypes[static_cast<size_t>(i)] = reinterpret_cast<PyObject*>(d);
    PyModule_AddObjectRef(module, std::string(python_name(d->dtype)).c_str(),
                          reinterpret_cast<PyObject*>(d));
  }
  struct Other {
    const char* name;
    DType dtype;
  };
  for (Other o : {Other{"float", DType::Float},
                  {"double", DType::Double},
                  {"half", DType::Half},
                  {"short", DType::Int16},
                  {"int", DType::Int32},
                  {"long", DType::Int64},
                  {"chalf", DType::ComplexHalf},
                  {"cfloat", DType::ComplexFloat},
                  {"cdouble", DType::ComplexDouble}})
    PyModule_AddObjectRef(module, o.name, dtypes[static_cast<size_t>(o.dtype)]);

  const char* format_names[] = {"contiguous_format", "preserve_format", "channels_last",
                                "channels_last_3d"};
  for (int i = 0; i < 4; ++i) {
    formats[static_cast<size_t>(i)] = token(token_type, format_names[i], i);
    PyModule_AddObjectRef(module, format_names[i], formats[static_cast<size_t>(i)]);
  }
  const char* layouts[] = {"strided",    "sparse_coo", "sparse_csr", "sparse_csc",
                           "sparse_bsr", "sparse_bsc", "_mkldnn",    "jagged"};
  for (int i = 0; i < 8; ++i) {
    Object t(token(layout_type, layouts[i], i));
    PyModule_AddObjectRef(module, layouts[i], t.get());
  }
  PyModule_AddObjectRef(module, "dtype", reinterpret_cast<PyObject*>(dtype_type));
  PyModule_AddObjectRef(module, "device", reinterpret_cast<PyObject*>(device_type));
  PyModule_AddObjectRef(module, "Size", reinterpret_cast<PyObject*>(size_type));
  PyModule_AddObjectRef(module, "memory_format", reinterpret_cast<PyObject*>(token_type));
  PyModule_AddObjectRef(module, "layout", reinterpret_cast<PyObject*>(layout_type));
}

}  // namespace lampas::python
