// Devices, streams, events and memory of CUDA for lampas/cuda/_present.py. Streams are passed as a
// device and the driver's handle as a number.
#include "cuda/allocator.h"
#include "cuda/memory.h"
#include "python/convert.h"
#include "python/types.h"

namespace lampas::python {

namespace {

int device_of(PyObject* o) { return static_cast<int>(to_int(o)); }

cuda::Stream stream_of(PyObject* args) {
  int device;
  unsigned long long handle;
  if (!PyArg_ParseTuple(args, "iK", &device, &handle)) throw PythonError();
  return {device, reinterpret_cast<cuda::StreamHandle>(handle)};
}
PyObject* handle_of(cuda::Stream s) {
  return PyLong_FromUnsignedLongLong(reinterpret_cast<unsigned long long>(s.handle));
}
template <class F>
void without_gil(F&& f) {
  PyThreadState* state = PyEval_SaveThread();
  try {
    f();
  } catch (...) {
    PyEval_RestoreThread(state);
    throw;
  }
  PyEval_RestoreThread(state);
}

PyObject* current_device(PyObject*, PyObject*) { return PyLong_FromLong(cuda::current_device()); }
PyObject* set_device(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    cuda::set_current_device(device_of(o));
    Py_RETURN_NONE;
  });
}
PyObject* synchronize(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    int device = device_of(o);
    without_gil([&] { cuda::synchronize_device(device); });
    Py_RETURN_NONE;
  });
}
// (name, major, minor, total memory, multiprocessors, warp size, threads per multiprocessor)
PyObject* properties(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    const cuda::Properties& p = cuda::properties(device_of(o));
    return Py_BuildValue("siiniii", p.name.c_str(), p.major, p.minor,
                         static_cast<Py_ssize_t>(p.memory), p.multiprocessors, p.warp,
                         p.threads_per_multiprocessor);
  });
}
PyObject* memory_info(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    cuda::bind(device_of(o));
    size_t free = 0, total = 0;
    cuda::check(cuda::driver().cuMemGetInfo_v2(&free, &total), "mem_get_info");
    return Py_BuildValue("nn", static_cast<Py_ssize_t>(free), static_cast<Py_ssize_t>(total));
  });
}

// --- streams ---
PyObject* new_stream(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int device, priority;
    if (!PyArg_ParseTuple(args, "ii", &device, &priority)) throw PythonError();
    return handle_of(cuda::pooled_stream(device, priority));
  });
}
PyObject* current_stream(PyObject*, PyObject* o) {
  return guarded([&] { return handle_of(cuda::current_stream(device_of(o))); });
}
PyObject* set_stream(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    cuda::set_current_stream(stream_of(args));
    Py_RETURN_NONE;
  });
}
PyObject* stream_done(PyObject*, PyObject* args) {
  return guarded([&] { return PyBool_FromLong(cuda::is_done(stream_of(args))); });
}
PyObject* stream_synchronize(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    cuda::Stream s = stream_of(args);
    without_gil([&] { cuda::synchronize(s); });
    Py_RETURN_NONE;
  });
}
// (tensor, device, handle)
PyObject* record_stream(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* x;
    int device;
    unsigned long long handle;
    if (!PyArg_ParseTuple(args, "OiK", &x, &device, &handle)) throw PythonError();
    CHECK_KIND(is_tensor(x) && unwrap(x).device().is_cuda(), Type,
               "record_stream() takes a tensor on CUDA");
    auto* block = static_cast<cuda::Block*>(unwrap(x).storage()->owner);
    if (block) cuda::use_on(block, {device, reinterpret_cast<cuda::StreamHandle>(handle)});
    Py_RETURN_NONE;
  });
}

// --- events ---
constexpr const char* kEvent = "lampas.cuda.Event";
cuda::Event& event_of(PyObject* o) {
  auto* event = static_cast<cuda::Event*>(PyCapsule_GetPointer(o, kEvent));
  if (!event) throw PythonError();
  return *event;
}
PyObject* new_event(PyObject*, PyObject* timed) {
  return guarded([&] {
    return checked(PyCapsule_New(new cuda::Event(timed == Py_True), kEvent, [](PyObject* o) {
      delete static_cast<cuda::Event*>(PyCapsule_GetPointer(o, kEvent));
    }));
  });
}
// (event, "record" | "wait", device, handle)
PyObject* event_on_stream(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* event;
    const char* what;
    int device;
    unsigned long long handle;
    if (!PyArg_ParseTuple(args, "OsiK", &event, &what, &device, &handle)) throw PythonError();
    cuda::Stream s{device, reinterpret_cast<cuda::StreamHandle>(handle)};
    *what == 'r' ? event_of(event).record(s) : event_of(event).wait(s);
    Py_RETURN_NONE;
  });
}
PyObject* event_done(PyObject*, PyObject* event) {
  return guarded([&] { return PyBool_FromLong(event_of(event).is_done()); });
}
PyObject* event_synchronize(PyObject*, PyObject* event) {
  return guarded([&]() -> PyObject* {
    cuda::Event& e = event_of(event);
    without_gil([&] { e.synchronize(); });
    Py_RETURN_NONE;
  });
}
PyObject* event_elapsed(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *begin, *end;
    if (!PyArg_ParseTuple(args, "OO", &begin, &end)) throw PythonError();
    return PyFloat_FromDouble(event_of(begin).milliseconds_until(event_of(end)));
  });
}

// --- memory ---
PyObject* empty_cache(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    cuda::empty_cache();
    Py_RETURN_NONE;
  });
}
// {name: (current, peak, allocated, freed)} and the counts of failures
PyObject* statistics(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    cuda::Statistics s = cuda::statistics(device_of(o));
    Object dict(checked(PyDict_New()));
    auto put = [&](const char* name, const cuda::Statistic& x) {
      Object four(checked(Py_BuildValue("KKKK", static_cast<unsigned long long>(x.current),
                                        static_cast<unsigned long long>(x.peak),
                                        static_cast<unsigned long long>(x.allocated),
                                        static_cast<unsigned long long>(x.freed))));
      PyDict_SetItemString(dict.get(), name, four.get());
    };
    put("allocation", s.allocation);
    put("segment", s.segment);
    put("active", s.active);
    put("inactive_split", s.inactive_split);
    put("allocated_bytes", s.allocated_bytes);
    put("reserved_bytes", s.reserved_bytes);
    put("active_bytes", s.active_bytes);
    put("requested_bytes", s.requested_bytes);
    put("inactive_split_bytes", s.inactive_split_bytes);
    return Py_BuildValue("NKK", dict.release(), static_cast<unsigned long long>(s.retries),
                         static_cast<unsigned long long>(s.out_of_memory));
  });
}
PyObject* reset_statistics(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int device, peaks;
    if (!PyArg_ParseTuple(args, "ip", &device, &peaks)) throw PythonError();
    peaks ? cuda::reset_peaks(device) : cuda::reset_totals(device);
    Py_RETURN_NONE;
  });
}
PyObject* set_fraction(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    double fraction;
    int device;
    if (!PyArg_ParseTuple(args, "di", &fraction, &device)) throw PythonError();
    cuda::set_memory_fraction(fraction, device);
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_cuda_current_device", current_device, METH_NOARGS, nullptr},
                           {"_cuda_set_device", set_device, METH_O, nullptr},
                           {"_cuda_synchronize", synchronize, METH_O, nullptr},
                           {"_cuda_properties", properties, METH_O, nullptr},
                           {"_cuda_memory_info", memory_info, METH_O, nullptr},
                           {"_cuda_new_stream", new_stream, METH_VARARGS, nullptr},
                           {"_cuda_current_stream", current_stream, METH_O, nullptr},
                           {"_cuda_set_stream", set_stream, METH_VARARGS, nullptr},
                           {"_cuda_stream_done", stream_done, METH_VARARGS, nullptr},
                           {"_cuda_stream_synchronize", stream_synchronize, METH_VARARGS, nullptr},
                           {"_cuda_record_stream", record_stream, METH_VARARGS, nullptr},
                           {"_cuda_new_event", new_event, METH_O, nullptr},
                           {"_cuda_event_on_stream", event_on_stream, METH_VARARGS, nullptr},
                           {"_cuda_event_done", event_done, METH_O, nullptr},
                           {"_cuda_event_synchronize", event_synchronize, METH_O, nullptr},
                           {"_cuda_event_elapsed", event_elapsed, METH_VARARGS, nullptr},
                           {"_cuda_empty_cache", empty_cache, METH_NOARGS, nullptr},
                           {"_cuda_statistics", statistics, METH_O, nullptr},
                           {"_cuda_reset_statistics", reset_statistics, METH_VARARGS, nullptr},
                           {"_cuda_set_fraction", set_fraction, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_cuda_devices(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
