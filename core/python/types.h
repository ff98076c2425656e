// What each file of the Python layer adds to the module `lampas._core`. Each raises PythonError on
// failure.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace lampas::python {

void add_small_types(PyObject* module);      // dtype, device, Size, memory_format, layout
void add_override(PyObject* module);         // __torch_function__: types and modes
void add_python_operator(PyObject* module);  // callables over Python functions
void add_tensor_type(PyObject* module);      // Tensor
void add_operators(PyObject* module);        // every primitive and row, as functions and methods
void add_autograd(PyObject* module);         // Node, grad modes, backward, Function support
void add_compiled(PyObject* module);         // recordings of functions and their replay
void add_exchange(PyObject* module);         // NumPy, buffers, storages, tensor(data)
void add_dlpack(PyObject* module);           // capsules of other libraries
void add_runtime(PyObject* module);          // threads, memory, defaults
void add_switches(PyObject* module);         // precision and determinism
void add_files(PyObject* module);            // reading, checksums and room for checkpoints
void add_opaque(PyObject* module);           // tensors whose elements a Python object keeps
void add_optim(PyObject* module);            // gathering for optimizer steps
void add_module_base(PyObject* module);      // what calls of nn.Module pass
void add_cuda(PyObject* module);             // programs for GPUs
void add_cuda_devices(PyObject* module);     // devices, streams and events of GPUs
void add_cuda_memory(PyObject* module);      // their memory, page-locked memory of the host
void add_cuda_graphs(PyObject* module);      // graphs of their work

}  // namespace lampas::python
