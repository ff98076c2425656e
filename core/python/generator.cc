// The Generator type: a random stream as a Python object, and the default ones.
#include "runtime/generator.h"

#include "python/convert.h"
#include "python/generator.h"
#include "python/recording.h"

namespace lampas::python {
namespace {

struct GeneratorObject {
  PyObject_HEAD Generator* stream;
  bool owned;  // false for the default generator, which lives for ever
};
PyTypeObject* generator_type;

Generator& stream_of(PyObject* self) {
  recording_meets("a random generator is handled in Python");
  return *reinterpret_cast<GeneratorObject*>(self)->stream;
}

PyObject* make_generator(Generator* stream, bool owned) {
  auto* self = reinterpret_cast<GeneratorObject*>(generator_type->tp_alloc(generator_type, 0));
  if (!self) {
    if (owned) delete stream;
    return nullptr;
  }
  self->stream = stream;
  self->owned = owned;
  return reinterpret_cast<PyObject*>(self);
}

PyObject* generator_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject* where = Py_None;
    static const char* names[] = {"device", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Generator", const_cast<char**>(names),
                                     &where)) {
      throw PythonError();
    }
    Device device = where == Py_None ? Device{} : to_device(where);
    CHECK(!device.is_meta(), "META device type not an accelerator.");
    if (device.is_cuda())
      device = device_memory.resolve(device);
    else
      require_available(device);
    return make_generator(new Generator(kDefaultSeed, device), true);
  });
}

void generator_dealloc(PyObject* self) {
  auto* object = reinterpret_cast<GeneratorObject*>(self);
  if (object->owned) delete object->stream;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// A seed is any integer of 64 bits, signed or not.
uint64_t to_seed(PyObject* o) {
  CHECK(is_integer(o), "manual_seed expected a long, but got ", type_name(o));
  Object whole(checked(PyNumber_Index(o)));
  int overflow = 0;
  long long value = PyLong_AsLongLongAndOverflow(whole.get(), &overflow);
  if (!overflow) return static_cast<uint64_t>(value);
  unsigned long long wide = overflow > 0 ? PyLong_AsUnsignedLongLong(whole.get()) : ~0ull;
  if (overflow < 0 || (wide == ~0ull && PyErr_Occurred())) {
    PyErr_Clear();
    fail(ErrorKind::Value, "Overflow when unpacking long long");
  }
  return wide;
}

PyObject* generator_manual_seed(PyObject* self, PyObject* seed) {
  return guarded([&] {
    std::lock_guard lock(stream_of(self).mutex);
    stream_of(self).manual_seed(to_seed(seed));
    return Py_NewRef(self);
  });
}

PyObject* generator_seed(PyObject* self, PyObject*) {
  return guarded([&] {
    std::lock_guard lock(stream_of(self).mutex);
    return PyLong_FromUnsignedLongLong(stream_of(self).seed());
  });
}

PyObject* generator_initial_seed(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(stream_of(self).initial_seed());
}

PyObject* generator_get_state(PyObject* self, PyObject*) {
  return guarded([&] {
    auto size = static_cast<int64_t>(stream_of(self).state_bytes());
    Tensor state = empty(Span(&size, 1), DType::UInt8);
    std::lock_guard lock(stream_of(self).mutex);
    stream_of(self).get_state(state.data<uint8_t>());
    return wrap(state);
  });
}

PyObject* generator_set_state(PyObject* self, PyObject* given) {
  return guarded([&] {
    CHECK_KIND(is_tensor(given), Type, "expected a torch.ByteTensor, but got ", type_name(given));
    const Tensor& state = unwrap(given);
    CHECK_KIND(state.dtype() == DType::UInt8 && state.device().is_cpu(), Type,
               "RNG state must be a torch.ByteTensor");
    CHECK(state.is_contiguous(), "RNG state must be contiguous");
    std::lock_guard lock(stream_of(self).mutex);
    stream_of(self).set_state(state.data<uint8_t>(), static_cast<size_t>(state.numel()));
    return Py_NewRef(self);
  });
}

PyObject* generator_clone_state(PyObject* self, PyObject*) {
  return guarded([&] {
    std::lock_guard lock(stream_of(self).mutex);
    return make_generator(new Generator(stream_of(self)), true);
  });
}

PyObject* generator_get_offset(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Generator& g = stream_of(self);
    CHECK(!g.device().is_cpu(), "CPU Generator does not use offset");
    return PyLong_FromUnsignedLongLong(g.offset());
  });
}
PyObject* generator_set_offset(PyObject* self, PyObject* offset) {
  return guarded([&]() -> PyObject* {
    std::lock_guard lock(stream_of(self).mutex);
    stream_of(self).set_offset(to_seed(offset));
    return Py_NewRef(self);
  });
}

PyObject* generator_device(PyObject* self, void*) {
  return wrap(reinterpret_cast<GeneratorObject*>(self)->stream->device());
}

// Rebuilt as Generator(device), then __setstate__((seed, offset, state)).
PyObject* generator_reduce(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Generator& g = stream_of(self);
    Object device(checked(wrap(g.device())));
    Object state(checked(generator_get_state(self, nullptr)));
    Object offset(g.device().is_cpu() ? Py_NewRef(Py_None)
                                      : checked(PyLong_FromUnsignedLongLong(g.offset())));
    return Py_BuildValue("O(O)(KOO)", generator_type, device.get(),
                         static_cast<unsigned long long>(g.initial_seed()), offset.get(),
                         state.get());
  });
}

PyObject* generator_setstate(PyObject* self, PyObject* parts) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(PyTuple_Check(parts) && PyTuple_GET_SIZE(parts) == 3, Type,
               "Generator.__setstate__ expects (seed, offset, state)");
    Object done(checked(generator_set_state(self, PyTuple_GET_ITEM(parts, 2))));
    Py_RETURN_NONE;
  });
}

PyMethodDef methods[] = {
    {"manual_seed", generator_manual_seed, METH_O,
     "manual_seed(seed): starts the stream anew; returns self."},
    {"seed", generator_seed, METH_NOARGS,
     "seed(): a seed from the system's entropy, set and returned."},
    {"initial_seed", generator_initial_seed, METH_NOARGS, "initial_seed(): the seed last set."},
    {"get_state", generator_get_state, METH_NOARGS,
     "get_state(): a uint8 tensor of 5056 bytes; of 16 (seed, offset) on a GPU."},
    {"set_state", generator_set_state, METH_O,
     "set_state(state): continues where `state` was taken."},
    {"clone_state", generator_clone_state, METH_NOARGS,
     "clone_state(): a second generator at the same place."},
    {"graphsafe_get_state", generator_clone_state, METH_NOARGS, nullptr},
    {"get_offset", generator_get_offset, METH_NOARGS,
     "get_offset(): numbers that every stream of a GPU's generator has given."},
    {"set_offset", generator_set_offset, METH_O,
     "set_offset(offset): continues there, on a GPU; a multiple of 4."},
    {"__reduce__", generator_reduce, METH_NOARGS, nullptr},
    {"__setstate__", generator_setstate, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef getset[] = {
    {"device", generator_device, nullptr, "Where the stream is drawn.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(generator_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(generator_dealloc)},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_doc,
     const_cast<char*>("Generator(device='cpu'): a stream of random numbers of its own.")},
    {0, nullptr}};
PyType_Spec spec = {"torch._C.Generator", sizeof(GeneratorObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

// _cuda_default_generator(index)
PyObject* cuda_default_generator(PyObject*, PyObject* index) {
  return guarded([&]() -> PyObject* {
    Device device{DeviceType::CUDA, static_cast<int8_t>(to_int(index))};
    return make_generator(&default_generator(device_memory.resolve(device)), false);
  });
}
// _cuda_seed_all(seed): opens no driver
PyObject* cuda_seed_all(PyObject*, PyObject* seed) {
  return guarded([&]() -> PyObject* {
    seed_all_gpus(to_seed(seed));
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_cuda_default_generator", cuda_default_generator, METH_O, nullptr},
                           {"_cuda_seed_all", cuda_seed_all, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool is_generator(PyObject* o) { return PyObject_TypeCheck(o, generator_type); }

Generator* to_generator(PyObject* o) { return o == Py_None ? nullptr : &stream_of(o); }

void add_generator(PyObject* module) {
  generator_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  Object standard(checked(make_generator(&default_generator(), false)));
  if (PyModule_AddObjectRef(module, "Generator", reinterpret_cast<PyObject*>(generator_type)) < 0 ||
      PyModule_AddObjectRef(module, "default_generator", standard.get()) < 0 ||
      PyModule_AddFunctions(module, functions) < 0) {
    throw PythonError();
  }
}

}  // namespace lampas::python
