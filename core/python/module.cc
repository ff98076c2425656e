// The extension module lampas._core.
#include "cuda/memory.h"
#include "python/generator.h"
#include "python/object.h"
#include "python/profiler.h"
#include "python/types.h"

namespace lampas::ops {
void set_up_tape();
}

namespace {

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "lampas._core",
                          "The C++ core of Lampas.",
                          -1,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__core() {
  using namespace lampas::python;
  return guarded([]() -> PyObject* {
    Object module(checked(PyModule_Create(&definition)));
    lampas::ops::set_up_tape();
    lampas::cuda::lend_memory();
    add_runtime(module.get());
    add_switches(module.get());
    add_files(module.get());
    add_small_types(module.get());
    add_override(module.get());
    add_python_operator(module.get());
    add_tensor_type(module.get());
    add_generator(module.get());
    add_exchange(module.get());
    add_dlpack(module.get());
    add_autograd(module.get());
    add_operators(module.get());
    add_optim(module.get());
    add_module_base(module.get());
    add_cuda(module.get());
    add_cuda_devices(module.get());
    add_cuda_memory(module.get());
    add_cuda_graphs(module.get());
    add_profiler(module.get());
    add_compiled(module.get());
    add_opaque(module.get());
    return module.release();
  });
}
