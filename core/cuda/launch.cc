// See launch.h.
#include "cuda/launch.h"

#include <cstdlib>

#include "cuda/failures.h"
#include "cuda/program.h"
#include "runtime/error.h"

namespace lampas::cuda {

Function load(const std::string& text, const std::string& name, int device, const char* what) {
  const Properties& p = properties(device);
  std::string code = compile(text, architecture_for(p.major, p.minor), what);
  bind(device);
  Uncaptured aside;
  Module module = nullptr;
  Function function = nullptr;
  check(driver().cuModuleLoadData(&module, code.c_str()), what);
  check(driver().cuModuleGetFunction(&function, module, name.c_str()), what);
  return function;
}

void launch(Function function, const Grid& grid, const void* arguments, int device,
            const char* what) {
  static const bool blocking = [] {
    const char* wish = std::getenv("CUDA_LAUNCH_BLOCKING");
    return wish && *wish == '1';
  }();
  check_failures(device);
  bind(device);
  Stream stream = current_stream(device);
  void* params[] = {const_cast<void*>(arguments)};  // the driver only reads them
  check(driver().cuLaunchKernel(function, grid.x, grid.y, grid.z, grid.threads, 1, 1, 0,
                                stream.handle, params, nullptr),
        what);
  if (!blocking) return;
  check(driver().cuStreamSynchronize(stream.handle), what);
  check_failures(device);
}

}  // namespace lampas::cuda
