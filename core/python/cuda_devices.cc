// Devices, streams and events of CUDA for lampas/cuda/_present.py. Streams are passed as a device
// and the driver's handle as a number. Memory is in cuda_memory.cc, graphs in cuda_graphs.cc.
#include "cuda/stream.h"
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
// {name: number or text}, as PyTorch's properties are named
PyObject* properties(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    const cuda::Properties& p = cuda::properties(device_of(o));
    return Py_BuildValue(
        "{sssisisKsisisisisisisisisisisisisisisisisi}", "name", p.name.c_str(), "major", p.major,
        "minor", p.minor, "total_memory", static_cast<unsigned long long>(p.memory),
        "multi_processor_count", p.multiprocessors, "warp_size", p.warp,
        "max_threads_per_multi_processor", p.threads_per_multiprocessor, "max_threads_per_block",
        p.threads_per_block, "regs_per_multiprocessor", p.registers_per_multiprocessor,
        "L2_cache_size", p.l2_cache, "is_integrated", p.integrated, "is_multi_gpu_board",
        p.multi_gpu_board, "shared_memory_per_block", p.shared_per_block,
        "shared_memory_per_block_optin", p.shared_per_block_optin,
        "shared_memory_per_multiprocessor", p.shared_per_multiprocessor, "clock_rate", p.clock_rate,
        "memory_clock_rate", p.memory_clock_rate, "memory_bus_width", p.memory_bus_width,
        "pci_bus_id", p.pci_bus, "pci_device_id", p.pci_device, "pci_domain_id", p.pci_domain);
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
PyObject* stream_priority(PyObject*, PyObject* args) {
  return guarded([&] { return PyLong_FromLong(cuda::priority_of(stream_of(args))); });
}
PyObject* priority_range(PyObject*, PyObject* o) {
  return guarded([&] {
    cuda::PriorityRange range = cuda::priority_range(device_of(o));
    return Py_BuildValue("ii", range.least, range.greatest);
  });
}
PyObject* stream_capturing(PyObject*, PyObject* args) {
  return guarded([&] { return PyBool_FromLong(cuda::is_capturing(stream_of(args))); });
}

// --- events ---
constexpr const char* kEvent = "lampas.cuda.Event";
cuda::Event& event_of(PyObject* o) {
  auto* event = static_cast<cuda::Event*>(PyCapsule_GetPointer(o, kEvent));
  if (!event) throw PythonError();
  return *event;
}
// (timed, blocking)
PyObject* new_event(PyObject*, PyObject* args) {
  return guarded([&] {
    int timed, blocking;
    if (!PyArg_ParseTuple(args, "pp", &timed, &blocking)) throw PythonError();
    return checked(PyCapsule_New(new cuda::Event(timed, blocking), kEvent, [](PyObject* o) {
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

// (device, handle), -1 and 0 before the first record
PyObject* event_handle(PyObject*, PyObject* event) {
  return guarded([&] {
    const cuda::Event& e = event_of(event);
    return Py_BuildValue("iK", e.device(), reinterpret_cast<unsigned long long>(e.handle()));
  });
}

PyObject* can_access_peer(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int device, peer;
    if (!PyArg_ParseTuple(args, "ii", &device, &peer)) throw PythonError();
    return PyBool_FromLong(cuda::can_access_peer(device, peer));
  });
}
PyObject* profile(PyObject*, PyObject* on) {
  return guarded([&]() -> PyObject* {
    const cuda::Driver& d = cuda::driver();
    cuda::bind(cuda::current_device());
    cuda::check(on == Py_True ? d.cuProfilerStart() : d.cuProfilerStop(), "cuda.profiler");
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {{"_cuda_current_device", current_device, METH_NOARGS, nullptr},
                           {"_cuda_set_device", set_device, METH_O, nullptr},
                           {"_cuda_synchronize", synchronize, METH_O, nullptr},
                           {"_cuda_properties", properties, METH_O, nullptr},
                           {"_cuda_new_stream", new_stream, METH_VARARGS, nullptr},
                           {"_cuda_current_stream", current_stream, METH_O, nullptr},
                           {"_cuda_set_stream", set_stream, METH_VARARGS, nullptr},
                           {"_cuda_stream_done", stream_done, METH_VARARGS, nullptr},
                           {"_cuda_stream_synchronize", stream_synchronize, METH_VARARGS, nullptr},
                           {"_cuda_new_event", new_event, METH_VARARGS, nullptr},
                           {"_cuda_event_on_stream", event_on_stream, METH_VARARGS, nullptr},
                           {"_cuda_event_done", event_done, METH_O, nullptr},
                           {"_cuda_event_synchronize", event_synchronize, METH_O, nullptr},
                           {"_cuda_event_elapsed", event_elapsed, METH_VARARGS, nullptr},
                           {"_cuda_event_handle", event_handle, METH_O, nullptr},
                           {"_cuda_stream_priority", stream_priority, METH_VARARGS, nullptr},
                           {"_cuda_priority_range", priority_range, METH_O, nullptr},
                           {"_cuda_stream_capturing", stream_capturing, METH_VARARGS, nullptr},
                           {"_cuda_can_access_peer", can_access_peer, METH_VARARGS, nullptr},
                           {"_cuda_profile", profile, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_cuda_devices(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
