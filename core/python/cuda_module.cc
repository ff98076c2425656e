// What `lampas.cuda` and its tests need of core/cuda. The namespace itself is Python's.
#include "cpu/pointwise.h"
#include "cuda/driver.h"
#include "cuda/fallback.h"
#include "cuda/libraries.h"
#include "cuda/pointwise_text.h"
#include "cuda/program.h"
#include "python/convert.h"
#include "python/types.h"

namespace lampas::python {

namespace {

cuda::Layout layout_of(const char* name) {
  return std::string_view(name) == "contiguous" ? cuda::Layout::Contiguous : cuda::Layout::Strided;
}

// _cuda_rows(dtype): every (row, which) with a kernel that computes in dtype; which: -1 forward.
PyObject* rows_of(PyObject*, PyObject* dtype) {
  return guarded([&]() -> PyObject* {
    DType lane = to_dtype(dtype);
    Object list(checked(PyList_New(0)));
    for (int i = 0; i < rows::count(); ++i)
      for (int which = -1; which < 3; ++which) {
        auto row = static_cast<rows::Row>(i);
        if (!cuda::has_kernel(row, which, lane)) continue;
        Object pair(checked(Py_BuildValue("si", rows::name(row), which)));
        PyList_Append(list.get(), pair.get());
      }
    return list.release();
  });
}

// _cuda_program([(row, which, dtype, layout), ...]) -> (text, [(kernel, operands, width), ...])
PyObject* program(PyObject*, PyObject* wanted) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(PyList_Check(wanted), Type, "_cuda_program expects a list");
    std::vector<cuda::KernelKey> keys;
    Object described(checked(PyList_New(0)));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(wanted); ++i) {
      const char *name, *layout;
      int which;
      PyObject* dtype;
      if (!PyArg_ParseTuple(PyList_GET_ITEM(wanted, i), "siOs", &name, &which, &dtype, &layout))
        throw PythonError();
      const rows::Row* row = rows::find(name);
      DType lane = to_dtype(dtype);
      CHECK(row && cuda::has_kernel(*row, which, lane), "no kernel of ", name, " in ",
            python_name(lane));
      keys.push_back(cuda::plain_key(*row, which, lane, layout_of(layout)));
      Object item(checked(Py_BuildValue("ssi", cuda::kernel_name(keys.back()).c_str(),
                                        cuda::operands_of(*row, which).c_str(),
                                        cuda::vector_width(keys.back()))));
      PyList_Append(described.get(), item.get());
    }
    return Py_BuildValue("sO", cuda::program_text(keys).c_str(), described.get());
  });
}

// _cuda_compile(text, architecture, name) -> bytes
PyObject* compile(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char *text, *architecture, *name;
    if (!PyArg_ParseTuple(args, "sss", &text, &architecture, &name)) throw PythonError();
    std::string code;
    PyThreadState* state = PyEval_SaveThread();
    try {
      code = cuda::compile(text, architecture, name);
    } catch (...) {
      PyEval_RestoreThread(state);
      throw;
    }
    PyEval_RestoreThread(state);
    return PyBytes_FromStringAndSize(code.data(), static_cast<Py_ssize_t>(code.size()));
  });
}

// _cpu_tile(row, which, dtype, [address, ...], [number, ...], n): the CPU's kernel of the same
// text.
PyObject* cpu_tile(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* name;
    int which;
    PyObject *dtype, *addresses, *numbers;
    long long n;
    if (!PyArg_ParseTuple(args, "siOO!O!L", &name, &which, &dtype, &PyList_Type, &addresses,
                          &PyList_Type, &numbers, &n))
      throw PythonError();
    const rows::Row* row = rows::find(name);
    CHECK(row, "no row ", name);
    DType lane = to_dtype(dtype);
    rows::Tile tile =
        which < 0 ? cpu::forward_tile(*row, lane) : cpu::backward_tile(*row, which, lane);
    CHECK(tile, "no kernel of ", name);
    void* operands[6] = {};
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(addresses) && i < 6; ++i)
      operands[i] = PyLong_AsVoidPtr(PyList_GET_ITEM(addresses, i));
    std::vector<Scalar> params;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(numbers); ++i)
      params.push_back(PyFloat_AsDouble(PyList_GET_ITEM(numbers, i)));
    if (PyErr_Occurred()) throw PythonError();
    if (n > 0) tile(operands, params.data(), n);
    Py_RETURN_NONE;
  });
}

// _cuda_architecture(major, minor): what kernels are compiled for on a GPU of that capability.
PyObject* architecture(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int major, minor;
    if (!PyArg_ParseTuple(args, "ii", &major, &minor)) throw PythonError();
    return PyUnicode_FromString(cuda::architecture_for(major, minor).c_str());
  });
}

PyObject* headers(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    Object dict(checked(PyDict_New()));
    for (int i = 0; i < cuda::kHeaderCount; ++i) {
      Object text(checked(PyUnicode_FromString(cuda::kHeaders[i].text)));
      PyDict_SetItemString(dict.get(), cuda::kHeaders[i].name, text.get());
    }
    return dict.release();
  });
}

PyObject* device_count(PyObject*, PyObject*) { return PyLong_FromLong(cuda::device_count()); }
PyObject* why_unavailable(PyObject*, PyObject*) {
  return PyUnicode_FromString(cuda::why_unavailable().c_str());
}

// _cuda_missing_library(name) -> what to install, or "" where it is there
PyObject* missing_library(PyObject*, PyObject* name) {
  return guarded([&]() -> PyObject* {
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) throw PythonError();
    return PyUnicode_FromString(cuda::missing_library(text).c_str());
  });
}

// _cuda_warn_of_fallback(name): composites that copy through the host say so too.
PyObject* warn_of_fallback(PyObject*, PyObject* name) {
  return guarded([&]() -> PyObject* {
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) throw PythonError();
    cuda::warn_of_fallback(text);
    Py_RETURN_NONE;
  });
}

PyObject* forget_fallbacks(PyObject*, PyObject*) {
  cuda::forget_fallbacks();
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"_cuda_forget_fallbacks", forget_fallbacks, METH_NOARGS, nullptr},
                           {"_cuda_warn_of_fallback", warn_of_fallback, METH_O, nullptr},
                           {"_cuda_rows", rows_of, METH_O, nullptr},
                           {"_cuda_program", program, METH_O, nullptr},
                           {"_cuda_compile", compile, METH_VARARGS, nullptr},
                           {"_cpu_tile", cpu_tile, METH_VARARGS, nullptr},
                           {"_cuda_architecture", architecture, METH_VARARGS, nullptr},
                           {"_cuda_headers", headers, METH_NOARGS, nullptr},
                           {"_cuda_missing_library", missing_library, METH_O, nullptr},
                           {"_cuda_device_count", device_count, METH_NOARGS, nullptr},
                           {"_cuda_why_unavailable", why_unavailable, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

// Where NVIDIA's wheels have put their libraries.
std::string wheel_folders() {
  PyGILState_STATE gil = PyGILState_Ensure();
  std::string folders;
  {
    Object module(PyImport_ImportModule("lampas._nvidia"));
    Object found(module ? PyObject_CallMethod(module.get(), "folders", nullptr) : nullptr);
    if (found)
      folders = PyUnicode_AsUTF8(found.get());
    else
      PyErr_Clear();
  }
  PyGILState_Release(gil);
  return folders;
}

}  // namespace

void add_cuda(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
  cuda::find_wheels = wheel_folders;
}

}  // namespace lampas::python
