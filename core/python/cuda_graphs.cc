// Graphs of a device's work and the pools of memory they own, for lampas/cuda/graphs.py.
#include "cuda/graph.h"
#include "cuda/memory.h"
#include "python/convert.h"
#include "python/types.h"

namespace lampas::python {

namespace {

constexpr const char* kGraph = "lampas.cuda.CUDAGraph";

cuda::Graph& graph_of(PyObject* o) {
  auto* graph = static_cast<cuda::Graph*>(PyCapsule_GetPointer(o, kGraph));
  if (!graph) throw PythonError();
  return *graph;
}

PyObject* new_graph(PyObject*, PyObject* keep) {
  return guarded([&] {
    return checked(PyCapsule_New(new cuda::Graph(keep == Py_True), kGraph, [](PyObject* o) {
      delete static_cast<cuda::Graph*>(PyCapsule_GetPointer(o, kGraph));
    }));
  });
}

// (graph, pool of graphs, pool of the user, mode)
PyObject* capture_begin(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* graph;
    unsigned long long of_graph, of_user;
    int mode;
    if (!PyArg_ParseTuple(args, "OKKi", &graph, &of_graph, &of_user, &mode)) throw PythonError();
    graph_of(graph).capture_begin({of_graph, of_user}, static_cast<cuda::CaptureMode>(mode));
    Py_RETURN_NONE;
  });
}

// -> whether anything was captured
PyObject* capture_end(PyObject*, PyObject* graph) {
  return guarded([&] {
    graph_of(graph).capture_end();
    return PyBool_FromLong(!graph_of(graph).empty());
  });
}
template <void (cuda::Graph::*F)()>
PyObject* call(PyObject*, PyObject* graph) {
  return guarded([&]() -> PyObject* {
    (graph_of(graph).*F)();
    Py_RETURN_NONE;
  });
}
PyObject* pair(cuda::PoolId id) {
  return Py_BuildValue("KK", static_cast<unsigned long long>(id.of_graph),
                       static_cast<unsigned long long>(id.of_user));
}
PyObject* pool(PyObject*, PyObject* graph) {
  return guarded([&] { return pair(graph_of(graph).pool()); });
}
PyObject* debug_dump(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* graph;
    const char* path;
    if (!PyArg_ParseTuple(args, "Os", &graph, &path)) throw PythonError();
    graph_of(graph).debug_dump(path);
    Py_RETURN_NONE;
  });
}

// --- pools ---
PyObject* new_pool(PyObject*, PyObject* by_user) {
  return guarded([&] { return pair(cuda::new_pool(by_user == Py_True)); });
}
// (device, pool of graphs, pool of the user, what): "begin", "end" or "leave"
PyObject* use_pool(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int device;
    unsigned long long of_graph, of_user;
    const char* what;
    if (!PyArg_ParseTuple(args, "iKKs", &device, &of_graph, &of_user, &what)) throw PythonError();
    cuda::PoolId id{of_graph, of_user};
    if (*what == 'b')
      cuda::begin_pool(device, id, false);
    else if (*what == 'e')
      cuda::end_pool(device, id);
    else
      cuda::leave_pool(device, id);
    Py_RETURN_NONE;
  });
}
PyObject* is_capturing(PyObject*, PyObject*) {
  return guarded([] { return PyBool_FromLong(cuda::is_current_stream_capturing()); });
}

PyMethodDef functions[] = {
    {"_cuda_new_graph", new_graph, METH_O, nullptr},
    {"_cuda_capture_begin", capture_begin, METH_VARARGS, nullptr},
    {"_cuda_capture_end", capture_end, METH_O, nullptr},
    {"_cuda_graph_instantiate", call<&cuda::Graph::instantiate>, METH_O, nullptr},
    {"_cuda_graph_replay", call<&cuda::Graph::replay>, METH_O, nullptr},
    {"_cuda_graph_reset", call<&cuda::Graph::reset>, METH_O, nullptr},
    {"_cuda_graph_debug", call<&cuda::Graph::enable_debug_mode>, METH_O, nullptr},
    {"_cuda_graph_pool", pool, METH_O, nullptr},
    {"_cuda_graph_dump", debug_dump, METH_VARARGS, nullptr},
    {"_cuda_new_pool", new_pool, METH_O, nullptr},
    {"_cuda_use_pool", use_pool, METH_VARARGS, nullptr},
    {"_cuda_is_capturing", is_capturing, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_cuda_graphs(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
