// Memory of devices, and page-locked memory of the host, for lampas/cuda/_memory.py.
#include "cuda/allocator.h"
#include "cuda/allocator_options.h"
#include "cuda/memory.h"
#include "cuda/pinned.h"
#include "python/convert.h"
#include "python/pinning.h"
#include "python/types.h"

namespace lampas::python {

namespace {

using Unsigned = unsigned long long;

int device_of(PyObject* o) { return static_cast<int>(to_int(o)); }

PyObject* memory_info(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    cuda::bind(device_of(o));
    size_t free = 0, total = 0;
    cuda::check(cuda::driver().cuMemGetInfo_v2(&free, &total), "mem_get_info");
    return Py_BuildValue("nn", static_cast<Py_ssize_t>(free), static_cast<Py_ssize_t>(total));
  });
}

// (tensor, device, handle)
PyObject* record_stream(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* x;
    int device;
    Unsigned handle;
    if (!PyArg_ParseTuple(args, "OiK", &x, &device, &handle)) throw PythonError();
    CHECK_KIND(is_tensor(x) && unwrap(x).device().is_cuda(), Type,
               "record_stream() takes a tensor on CUDA");
    const Ref<Storage>& storage = unwrap(x).storage();
    if (cuda::Block* block = cuda::block_of(*storage))
      cuda::use_on(block, {device, reinterpret_cast<cuda::StreamHandle>(handle)});
    Py_RETURN_NONE;
  });
}

PyObject* empty_cache(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    cuda::empty_cache();
    Py_RETURN_NONE;
  });
}

Object four(const cuda::Statistic& x) {
  return Object(
      checked(Py_BuildValue("KKKK", static_cast<Unsigned>(x.current), static_cast<Unsigned>(x.peak),
                            static_cast<Unsigned>(x.allocated), static_cast<Unsigned>(x.freed))));
}
// {name: (all, large, small)} or {name: one}, of (current, peak, allocated, freed); and counts
PyObject* statistics(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    cuda::Statistics s = cuda::statistics(device_of(o));
    Object kinds(checked(PyDict_New()));
    auto put = [&](const char* name, const cuda::ByPool& x) {
      Object three(
          checked(PyTuple_Pack(3, four(x.all).get(), four(x.large).get(), four(x.small).get())));
      PyDict_SetItemString(kinds.get(), name, three.get());
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
    PyDict_SetItemString(kinds.get(), "oversize_allocations", four(s.oversize_allocations).get());
    PyDict_SetItemString(kinds.get(), "oversize_segments", four(s.oversize_segments).get());
    auto number = [](size_t n) { return static_cast<Unsigned>(n); };
    size_t largest = cuda::max_split_size();
    return Py_BuildValue("N{sKsKsKsKsKsL}", kinds.release(), "num_alloc_retries", number(s.retries),
                         "num_ooms", number(s.out_of_memory), "num_sync_all_streams",
                         number(s.synchronized), "num_device_alloc", number(s.driver_allocations),
                         "num_device_free", number(s.driver_frees), "max_split_size",
                         largest == ~size_t{0} ? -1LL : static_cast<long long>(largest));
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
// [(address, size, stream, small, (pool, pool), [(address, size, requested, state), ...]), ...]
PyObject* snapshot(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    Object list(checked(PyList_New(0)));
    for (const cuda::SegmentInfo& s : cuda::snapshot(device_of(o))) {
      Object blocks(checked(PyList_New(0)));
      for (const cuda::BlockInfo& b : s.blocks) {
        Object block(checked(Py_BuildValue("KKKs", Unsigned{b.address}, Unsigned{b.size},
                                           Unsigned{b.requested}, b.state)));
        PyList_Append(blocks.get(), block.get());
      }
      Object segment(checked(Py_BuildValue("KKKN(KK)N", Unsigned{s.address}, Unsigned{s.size},
                                           reinterpret_cast<Unsigned>(s.stream.handle),
                                           PyBool_FromLong(s.small), Unsigned{s.pool.of_graph},
                                           Unsigned{s.pool.of_user}, blocks.release())));
      PyList_Append(list.get(), segment.get());
    }
    return list.release();
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
PyObject* get_fraction(PyObject*, PyObject* o) {
  return guarded([&] { return PyFloat_FromDouble(cuda::memory_fraction(device_of(o))); });
}
// The text of the environment's variable -> the options that are ignored.
PyObject* parse_options(PyObject*, PyObject* text) {
  return guarded([&]() -> PyObject* {
    cuda::AllocatorOptions o = cuda::parse_options(Arg<std::string>::get(text));
    return PyUnicode_FromString(o.ignored.c_str());
  });
}

// --- page-locked memory of the host ---
PyObject* pin(PyObject*, PyObject* x) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(is_tensor(x), Type, "pin_memory() takes a tensor");
    Tensor y = pin_memory(unwrap(x));
    return y.is(unwrap(x)) ? Py_NewRef(x) : wrap(y);
  });
}
PyObject* pinned(PyObject*, PyObject* x) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(is_tensor(x), Type, "is_pinned() takes a tensor");
    const Tensor& t = unwrap(x);
    bool host = t.device().is_cpu() && t.storage() && !t.storage()->opaque;
    return PyBool_FromLong(host && cuda::device_count() && cuda::is_pinned(t.storage()->data));
  });
}
PyObject* empty_host_cache(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    cuda::empty_pinned_cache();
    Py_RETURN_NONE;
  });
}
PyObject* host_statistics(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    cuda::PinnedStatistics s = cuda::pinned_statistics();
    auto number = [](size_t n) { return static_cast<Unsigned>(n); };
    return Py_BuildValue("{sKsKsKsKsKsKsKsKsKsK}", "blocks", number(s.blocks), "bytes",
                         number(s.bytes), "blocks_in_use", number(s.blocks_in_use), "bytes_in_use",
                         number(s.bytes_in_use), "peak_bytes", number(s.peak_bytes),
                         "peak_bytes_in_use", number(s.peak_bytes_in_use), "from_driver",
                         number(s.from_driver), "to_driver", number(s.to_driver), "taken",
                         number(s.taken), "returned", number(s.returned));
  });
}
PyObject* reset_host_peaks(PyObject*, PyObject*) {
  cuda::reset_pinned_peaks();
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"_cuda_memory_info", memory_info, METH_O, nullptr},
                           {"_cuda_record_stream", record_stream, METH_VARARGS, nullptr},
                           {"_cuda_empty_cache", empty_cache, METH_NOARGS, nullptr},
                           {"_cuda_statistics", statistics, METH_O, nullptr},
                           {"_cuda_reset_statistics", reset_statistics, METH_VARARGS, nullptr},
                           {"_cuda_snapshot", snapshot, METH_O, nullptr},
                           {"_cuda_set_fraction", set_fraction, METH_VARARGS, nullptr},
                           {"_cuda_get_fraction", get_fraction, METH_O, nullptr},
                           {"_cuda_parse_options", parse_options, METH_O, nullptr},
                           {"_cuda_pin_memory", pin, METH_O, nullptr},
                           {"_cuda_is_pinned", pinned, METH_O, nullptr},
                           {"_cuda_empty_host_cache", empty_host_cache, METH_NOARGS, nullptr},
                           {"_cuda_host_statistics", host_statistics, METH_NOARGS, nullptr},
                           {"_cuda_reset_host_peaks", reset_host_peaks, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_cuda_memory(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
