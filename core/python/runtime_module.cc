// Threads, memory and defaults for Python.
#include "cpu/blas.h"
#include "cpu/isa.h"
#include "ops/pointwise.h"
#include "python/convert.h"
#include "python/types.h"
#include "runtime/allocator.h"
#include "runtime/parallel.h"

namespace lampas::python {

namespace {

PyObject* get_num_threads(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* set_threads(PyObject*, PyObject* n) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(is_integer(n), Type, "set_num_threads expects an int, but got ", type_name(n));
    int64_t count = to_int(n);
    CHECK(count > 0 && count < 4096, "set_num_threads expects a positive integer");
    set_num_threads(static_cast<int>(count));
    Py_RETURN_NONE;
  });
}
PyObject* get_default_dtype(PyObject*, PyObject*) { return wrap(default_dtype()); }
PyObject* set_default(PyObject*, PyObject* d) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(Py_TYPE(d) == dtype_type, Type,
               "invalid dtype object: only floating-point types are supported as the default type");
    set_default_dtype(to_dtype(d));
    Py_RETURN_NONE;
  });
}
PyObject* empty_cache(PyObject*, PyObject*) {
  memory::empty_cache();
  Py_RETURN_NONE;
}
PyObject* memory_stats(PyObject*, PyObject*) {
  return Py_BuildValue("{s:K,s:K}", "in_use",
                       static_cast<unsigned long long>(memory::bytes_in_use()), "cached",
                       static_cast<unsigned long long>(memory::bytes_cached()));
}
PyObject* check_device(PyObject*, PyObject* d) {
  return guarded([&]() -> PyObject* {
    require_available(to_device(d));
    Py_RETURN_NONE;
  });
}

// The instruction set whose kernels run.
PyObject* isa_name(PyObject*, PyObject*) {
  Isa chosen = isa();
  return PyUnicode_FromString(chosen == Isa::avx512 ? "avx512"
                              : chosen == Isa::avx2 ? "avx2"
                                                    : "baseline");
}

PyMethodDef functions[] = {{"_isa", isa_name, METH_NOARGS, nullptr},
                           {"get_num_threads", get_num_threads, METH_NOARGS, nullptr},
                           {"set_num_threads", set_threads, METH_O, nullptr},
                           {"get_default_dtype", get_default_dtype, METH_NOARGS, nullptr},
                           {"set_default_dtype", set_default, METH_O, nullptr},
                           {"_empty_cache", empty_cache, METH_NOARGS, nullptr},
                           {"_memory_stats", memory_stats, METH_NOARGS, nullptr},
                           {"_check_device", check_device, METH_O, nullptr},
                           {"_set_teacher", set_teacher, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

void* enter_long_work() { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; }
void leave_long_work(void* state) { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); }

// The package that brings OpenBLAS tells where it is; asked when the first matrix product needs it.
std::string openblas_path() {
  PyGILState_STATE gil = PyGILState_Ensure();
  std::string path;
  {
    Object module(PyImport_ImportModule("lampas._openblas"));
    Object found(module ? PyObject_CallMethod(module.get(), "path", nullptr) : nullptr);
    if (found)
      path = PyUnicode_AsUTF8(found.get());
    else
      PyErr_Clear();
  }
  PyGILState_Release(gil);
  return path;
}

}  // namespace

void add_runtime(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
  blas::find_library = openblas_path;
  ops::warn = [](const char* text) {
    if (PyErr_WarnEx(PyExc_UserWarning, text, 1) < 0) throw PythonError();
  };
  long_work = {enter_long_work, leave_long_work};
}

}  // namespace lampas::python
