// The buffer protocol both ways, NumPy, storages, and the constructors built on them.
#include "python/exchange.h"

#include <cstring>
#include <vector>

#include "cuda/memory.h"
#include "ops/primitives.h"
#include "ops/type_spelling.h"
#include "python/autograd.h"
#include "python/convert.h"
#include "python/recording.h"
#include "python/types.h"
#include "tape/history.h"

namespace lampas::python {

namespace {

const char* format_of(DType d) {
  switch (d) {
    case DType::Bool:
      return "?";
    case DType::UInt8:
      return "B";
    case DType::Int8:
      return "b";
    case DType::Int16:
      return "h";
    case DType::Int32:
      return "i";
    case DType::Int64:
      return sizeof(long) == 8 ? "l" : "q";
    case DType::UInt16:
      return "H";
    case DType::UInt32:
      return "I";
    case DType::UInt64:
      return sizeof(long) == 8 ? "L" : "Q";
    case DType::Half:
      return "e";
    case DType::Float:
      return "f";
    case DType::Double:
      return "d";
    case DType::ComplexFloat:
      return "Zf";
    case DType::ComplexDouble:
      return "Zd";
    default:
      return nullptr;
  }
}

Optional<DType> type_of_format(const char* f, Py_ssize_t size) {
  if (!f) return DType::UInt8;
  if (*f == '@' || *f == '=' || *f == '<') ++f;
  if (*f == '>' || *f == '!') return {};
  std::string_view s = f;
  if (s == "?") return DType::Bool;
  if (s == "e") return DType::Half;
  if (s == "f") return DType::Float;
  if (s == "d") return DType::Double;
  if (s == "Zf") return DType::ComplexFloat;
  if (s == "Zd") return DType::ComplexDouble;
  bool is_signed = s == "b" || s == "h" || s == "i" || s == "l" || s == "q";
  bool is_unsigned = s == "B" || s == "H" || s == "I" || s == "L" || s == "Q";
  if (!is_signed && !is_unsigned) return {};
  switch (size) {
    case 1:
      return is_signed ? DType::Int8 : DType::UInt8;
    case 2:
      return is_signed ? DType::Int16 : DType::UInt16;
    case 4:
      return is_signed ? DType::Int32 : DType::UInt32;
    case 8:
      return is_signed ? DType::Int64 : DType::UInt64;
    default:
      return {};
  }
}

void release_buffer(Storage* s) {
  auto* view = static_cast<Py_buffer*>(s->owner);
  PyGILState_STATE gil = PyGILState_Ensure();
  PyBuffer_Release(view);
  PyGILState_Release(gil);
  delete view;
}

alignas(64) char nothing[64];  // what empty tensors point at when an address is asked for

PyObject* numpy_type_error(PyObject* array) {
  Object dtype(PyObject_GetAttrString(array, "dtype"));
  Object type(dtype ? PyObject_GetAttrString(dtype.get(), "type") : nullptr);
  Object name(type ? PyObject_GetAttrString(type.get(), "__name__") : nullptr);
  PyErr_Clear();
  return PyErr_Format(
      PyExc_TypeError,
      "can't convert np.ndarray of type numpy.%s. The only supported types are: float64, float32, "
      "float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, "
      "and bool.",
      name ? PyUnicode_AsUTF8(name.get()) : "object_");
}

PyObject* from_numpy(PyObject*, PyObject* array) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(
        !is_tensor(array) && PyObject_CheckBuffer(array) && PyObject_HasAttrString(array, "dtype"),
        Type, "expected np.ndarray (got ", Py_TYPE(array)->tp_name, ")");
    return wrap(from_buffer(array, true));
  });
}

// frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False)
PyObject* frombuffer(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *buffer, *dtype = nullptr;
    long long count = -1, offset = 0;
    int grad = 0;
    static const char* names[] = {"buffer", "dtype", "count", "offset", "requires_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OLLp", const_cast<char**>(names), &buffer,
                                     &dtype, &count, &offset, &grad))
      throw PythonError();
    CHECK_KIND(dtype && is_dtype(dtype), Type, "frombuffer(): missing required argument: 'dtype'");
    DType type = to_dtype(dtype);
    int64_t item = item_size(type);
    auto* view = new Py_buffer;
    if (PyObject_GetBuffer(buffer, view, PyBUF_WRITABLE) < 0) {
      PyErr_Clear();
      if (PyObject_GetBuffer(buffer, view, PyBUF_SIMPLE) < 0) {
        delete view;
        PyErr_Clear();
        fail(ErrorKind::Value, "object does not implement Python buffer protocol.");
      }
    }
    Ref<Storage> storage =
        Storage::borrow(view->buf, static_cast<size_t>(view->len), {}, release_buffer, view);
    int64_t length = view->len;
    CHECK_KIND(length > 0 && count != 0, Value, "both buffer length (", length, ") and count (",
               count, ") must not be 0");
    CHECK_KIND(offset >= 0 && offset < length, Value, "offset (", offset,
               " bytes) must be non-negative and no greater than buffer length (", length,
               " bytes) minus 1");
    CHECK_KIND(count > 0 || (length - offset) % item == 0, Value, "buffer length (",
               length - offset, " bytes) after offset (", offset,
               " bytes) must be a multiple of element size (", item, ")");
    int64_t n = count < 0 ? (length - offset) / item : count;
    CHECK_KIND(n <= (length - offset) / item, Value, "requested buffer length (", n, " * ", item,
               " bytes) after offset (", offset,
               " bytes) must not be greater than actual buffer length (", length, " bytes)");
    storage->data = static_cast<char*>(storage->data) + offset;
    storage->bytes = static_cast<size_t>(length - offset);
    Tensor x = from_storage(storage, type, Dims{n}, Dims{1}, 0);
    if (grad) set_requires_grad(x, true);
    return wrap(x);
  });
}

PyObject* make_tensor(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *data, *dtype = Py_None;
    if (!PyArg_ParseTuple(args, "O|O", &data, &dtype)) throw PythonError();
    if (PyObject* made =
            recorded_function("_make_tensor", &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args)))
      return made;
    return wrap(from_data(data, Arg<Optional<DType>>::get(dtype)));
  });
}

// ---- UntypedStorage ----

struct StorageObject {
  PyObject_HEAD Storage* storage;
};
PyTypeObject* storage_type;
Storage* storage_of(PyObject* o) { return reinterpret_cast<StorageObject*>(o)->storage; }

void storage_dealloc(PyObject* self) {
  Ref<Storage> dying = Ref<Storage>::adopt(storage_of(self));
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* storage_nbytes(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(storage_of(self)->bytes);
}
PyObject* storage_ptr(PyObject* self, PyObject*) {
  return PyLong_FromVoidPtr(storage_of(self)->data);
}
Py_ssize_t storage_len(PyObject* self) { return static_cast<Py_ssize_t>(storage_of(self)->bytes); }
PyObject* storage_device(PyObject* self, void*) {
  return guarded([&] { return wrap(storage_of(self)->device); });
}
PyObject* storage_resize(PyObject* self, PyObject* n) {
  return guarded([&]() -> PyObject* {
    int64_t bytes = to_int(n);
    CHECK(bytes >= 0, "storage size must be non-negative, got ", bytes);
    storage_of(self)->resize(static_cast<size_t>(bytes));
    return Py_NewRef(self);
  });
}
// What a view of a tensor or a storage holds on to.
struct View {
  Pinned memory;
  std::vector<Py_ssize_t> layout;  // sizes, strides
};

int storage_buffer(PyObject* self, Py_buffer* view, int flags) {
  Storage* s = storage_of(self);
  if (!s->device.is_cpu()) {
    PyErr_SetString(PyExc_BufferError, "only CPU storages have a buffer");
    return -1;
  }
  int failed = PyBuffer_FillInfo(view, self, s->data ? s->data : nothing,
                                 static_cast<Py_ssize_t>(s->bytes), 0, flags);
  if (!failed) view->internal = new View{Pinned(Ref<Storage>(s)), {}};
  return failed;
}
PyObject* storage_new(PyTypeObject*, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject* size = nullptr;
    if (!PyArg_ParseTuple(args, "|O", &size)) throw PythonError();
    int64_t n = size ? to_int(size) : 0;
    CHECK(n >= 0, "storage size must be non-negative, got ", n);
    return wrap_storage(Storage::allocate(static_cast<size_t>(n), {}));
  });
}
int64_t place(const Storage* s, PyObject* index) {
  int64_t i = to_int(index), n = static_cast<int64_t>(s->bytes);
  CHECK_KIND(i >= -n && i < n, Index, "index ", i, " out of range for storage of size ", n);
  return i < 0 ? i + n : i;
}
PyObject* storage_get(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    if (PySlice_Check(key)) {
      Object view(checked(PyMemoryView_FromObject(self)));
      Object part(checked(PyObject_GetItem(view.get(), key)));
      return PySequence_List(part.get());
    }
    Storage* s = storage_of(self);
    return PyLong_FromLong(static_cast<unsigned char*>(s->data)[place(s, key)]);
  });
}
int storage_set(PyObject* self, PyObject* key, PyObject* value) {
  return guarded(
      [&] {
        CHECK_KIND(value, Type, "storages do not support deleting items");
        Storage* s = storage_of(self);
        static_cast<unsigned char*>(s->data)[place(s, key)] =
            static_cast<unsigned char>(to_int(value));
        return 0;
      },
      -1);
}

PyMethodDef storage_methods[] = {{"nbytes", storage_nbytes, METH_NOARGS, nullptr},
                                 {"size", storage_nbytes, METH_NOARGS, nullptr},
                                 {"data_ptr", storage_ptr, METH_NOARGS, nullptr},
                                 {"resize_", storage_resize, METH_O, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};
PyGetSetDef storage_getset[] = {{"device", storage_device, nullptr, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot storage_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(storage_dealloc)},
                               {Py_tp_new, reinterpret_cast<void*>(storage_new)},
                               {Py_tp_methods, storage_methods},
                               {Py_tp_getset, storage_getset},
                               {Py_mp_length, reinterpret_cast<void*>(storage_len)},
                               {Py_mp_subscript, reinterpret_cast<void*>(storage_get)},
                               {Py_mp_ass_subscript, reinterpret_cast<void*>(storage_set)},
                               {Py_bf_getbuffer, reinterpret_cast<void*>(storage_buffer)},
                               {Py_bf_releasebuffer, reinterpret_cast<void*>(release_view)},
                               {0, nullptr}};
PyType_Spec storage_spec = {"torch.UntypedStorage", sizeof(StorageObject), 0, Py_TPFLAGS_DEFAULT,
                            storage_slots};

PyObject* untyped_storage(PyObject*, PyObject* x) {
  recording_meets("a storage is looked at");
  return guarded([&] { return wrap_storage(unwrap(x).storage()); });
}

// (storage, dtype, offset, size, stride): a tensor over a storage, bounds checked.
PyObject* tensor_from_storage(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *storage, *dtype, *offset, *size, *stride;
    if (!PyArg_ParseTuple(args, "OOOOO", &storage, &dtype, &offset, &size, &stride))
      throw PythonError();
    CHECK_KIND(Py_TYPE(storage) == storage_type, Type, "expected a torch.UntypedStorage, got ",
               type_name(storage));
    CHECK_KIND(Arg<Dims>::accepts(size) && Arg<Dims>::accepts(stride) && is_dtype(dtype), Type,
               "sizes and strides must be tuples of ints");
    Dims sizes = Arg<Dims>::get(size), strides = Arg<Dims>::get(stride);
    for (int64_t s : strides) CHECK(s >= 0, "negative strides are not supported");
    return wrap(from_storage(Ref<Storage>(storage_of(storage)), to_dtype(dtype), sizes, strides,
                             to_int(offset)));
  });
}
// set_(): x shows another storage from now on.
PyObject* set_storage(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *self, *other;
    if (!PyArg_ParseTuple(args, "OO", &self, &other)) throw PythonError();
    recording_meets("a storage is exchanged");
    const Tensor &x = unwrap(self), &y = unwrap(other);
    CHECK(x.dtype() == y.dtype(), "Could not set tensor of type ", ops::type_spelling(y.dtype()),
          " to a tensor of type ", ops::type_spelling(x.dtype()));
    tape::check_write(x);
    x->storage = y->storage;
    x->sizes = y->sizes;
    x->strides = y->strides;
    x->offset = y->offset;
    refresh(x.get());
    return Py_NewRef(self);
  });
}

PyObject* to_list_(PyObject*, PyObject* x) {
  recording_meets("tolist() or printing gives values to Python");
  return guarded([&] { return to_list(unwrap(x)); });
}
// A tensor over the same memory without history.
PyObject* detach(PyObject*, PyObject* x) {
  return guarded([&] {
    if (PyObject* made = recorded_function("_detach", &x, 1)) return made;
    return wrap(alias_of(unwrap(x)));
  });
}
PyObject* copy_storage(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(Py_TYPE(o) == storage_type, Type, "expected a torch.UntypedStorage, got ",
               type_name(o));
    Storage* from = storage_of(o);
    Ref<Storage> to = Storage::allocate(from->bytes, from->device);
    if (from->bytes && from->device.is_cpu()) std::memcpy(to->data, from->data, from->bytes);
    if (from->bytes && from->device.is_cuda())
      cuda::copy_bytes(to->data, to->device, from->data, from->device, from->bytes);
    return wrap_storage(std::move(to));
  });
}

PyMethodDef functions[] = {
    {"_to_list", to_list_, METH_O, nullptr},
    {"_detach", detach, METH_O, nullptr},
    {"_copy_storage", copy_storage, METH_O, nullptr},
    {"from_numpy", from_numpy, METH_O, nullptr},
    {"frombuffer", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(frombuffer)),
     METH_VARARGS | METH_KEYWORDS, nullptr},
    {"_make_tensor", make_tensor, METH_VARARGS, nullptr},
    {"_untyped_storage", untyped_storage, METH_O, nullptr},
    {"_tensor_from_storage", tensor_from_storage, METH_VARARGS, nullptr},
    {"_set_storage", set_storage, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

Tensor from_buffer(PyObject* object, bool writable) {
  auto* view = new Py_buffer;
  int failed = writable ? PyObject_GetBuffer(object, view, PyBUF_FULL) : -1;
  if (failed) {
    PyErr_Clear();
    failed = PyObject_GetBuffer(object, view, PyBUF_FULL_RO);
  }
  if (failed) {
    delete view;
    PyErr_Clear();
    numpy_type_error(object);
    throw PythonError();
  }
  Optional<DType> dtype = type_of_format(view->format, view->itemsize);
  Dims sizes, strides;
  bool odd = false, negative = false;
  for (int i = 0; i < view->ndim; ++i) {
    sizes.push_back(view->shape[i]);
    odd = odd || view->strides[i] % view->itemsize;
    negative = negative || view->strides[i] < 0;
    strides.push_back(view->strides[i] / view->itemsize);
  }
  if (!dtype || odd || negative) {
    PyBuffer_Release(view);
    delete view;
    if (!dtype) {
      numpy_type_error(object);
      throw PythonError();
    }
    if (negative)
      fail(ErrorKind::Value,
           "At least one stride in the given numpy array is negative, and tensors with negative "
           "strides are not currently "
           "supported. (You can probably work around this by making a copy of your array  with "
           "array.copy().) ");
    fail(ErrorKind::Value,
         "given numpy array strides not a multiple of the element byte size. Copy the numpy array "
         "to reallocate the memory.");
  }
  size_t bytes = checked_bytes(sizes, strides, 0, view->itemsize);
  Ref<Storage> storage = Storage::borrow(view->buf, bytes, {}, release_buffer, view);
  return from_storage(storage, *dtype, sizes, strides, 0);
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  recording_meets("numpy() or a buffer gives values to Python");
  const Tensor& x = unwrap(self);
  const char* format = format_of(x.dtype());
  if (!x.device().is_cpu() || !format || x->requires_grad) {
    PyErr_SetString(PyExc_BufferError,
                    "this tensor has no buffer: it is not on the CPU, requires grad, or has a type "
                    "without one");
    return -1;
  }
  if (!x.is_contiguous() && (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
    PyErr_SetString(PyExc_BufferError, "the tensor is not contiguous");
    return -1;
  }
  auto n = static_cast<size_t>(x.dim());
  auto* shown = new View{Pinned(x.storage()), std::vector<Py_ssize_t>(2 * n + 1)};
  Py_ssize_t* layout = shown->layout.data();
  for (size_t i = 0; i < n; ++i) {
    layout[i] = static_cast<Py_ssize_t>(x.size(static_cast<int64_t>(i)));
    layout[n + i] = static_cast<Py_ssize_t>(x.stride(static_cast<int64_t>(i)) * x.item_size());
  }
  view->obj = Py_NewRef(self);
  view->buf = x.numel() ? x.raw() : nothing;
  view->len = static_cast<Py_ssize_t>(x.numel() * x.item_size());
  view->itemsize = static_cast<Py_ssize_t>(x.item_size());
  view->readonly = 0;
  view->ndim = static_cast<int>(n);
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
  view->shape = flags & PyBUF_ND ? layout : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout + n : nullptr;
  view->suboffsets = nullptr;
  view->internal = shown;
  return 0;
}

void release_view(PyObject*, Py_buffer* view) { delete static_cast<View*>(view->internal); }

PyObject* wrap_storage(Ref<Storage> storage) {
  auto* o = reinterpret_cast<StorageObject*>(checked(storage_type->tp_alloc(storage_type, 0)));
  o->storage = storage.release();
  return reinterpret_cast<PyObject*>(o);
}

// Tensor(), Tensor(2, 3), Tensor([1, 2]), Tensor(other): the constructor older scripts use.
PyObject* construct_tensor(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  DType dtype = default_dtype();
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (kwargs && PyDict_Size(kwargs) > 0) {
    PyObject* device = PyDict_GetItemString(kwargs, "device");
    CHECK_KIND(device && PyDict_Size(kwargs) == 1, Type,
               "new() received an unexpected keyword argument");
    if (device != Py_None) require_available(to_device(device));
  }
  Tensor x;
  PyObject* first = n ? PyTuple_GET_ITEM(args, 0) : nullptr;
  if (n == 0)
    x = empty(Dims{0}, dtype);
  else if (n == 1 && is_tensor(first)) {
    x = alias_of(unwrap(first));
    if (type == tensor_type && x.dtype() != dtype)
      fail(ErrorKind::Type, "expected TensorOptions(dtype=", python_name(dtype),
           ") but got a tensor of ", python_name(x.dtype()));
  } else if (n == 1 && Py_TYPE(first) == storage_type) {
    auto count = static_cast<int64_t>(storage_of(first)->bytes) / item_size(dtype);
    x = from_storage(Ref<Storage>(storage_of(first)), dtype, Dims{count}, Dims{1}, 0);
  } else if (is_integer(first) || Py_TYPE(first) == size_type) {
    Dims sizes;
    if (n == 1 && !is_integer(first))
      sizes = Arg<Dims>::get(first);
    else
      for (Py_ssize_t i = 0; i < n; ++i) {
        PyObject* s = PyTuple_GET_ITEM(args, i);
        CHECK_KIND(is_integer(s), Type, "new(): argument ", i + 1, " must be int, not ",
                   type_name(s));
        sizes.push_back(to_int(s));
      }
    x = empty(sizes, dtype);
  } else {
    CHECK_KIND(n == 1, Type, "new() received an invalid combination of arguments");
    CHECK_KIND(!PyFloat_Check(first) && !PyUnicode_Check(first), Type,
               "new(): data must be a sequence (got ", type_name(first), ")");
    x = from_data(first, dtype);
  }
  return type == tensor_type ? wrap(x) : wrap_as(type, x);
}

void add_exchange(PyObject* module) {
  storage_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&storage_spec)));
  PyModule_AddObjectRef(module, "UntypedStorage", reinterpret_cast<PyObject*>(storage_type));
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
