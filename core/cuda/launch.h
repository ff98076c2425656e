// Kernels loaded into devices, and launching them on the current stream.
#pragma once
#include <string>

#include "cuda/stream.h"

namespace lampas::cuda {

// The kernel `name` of a program, compiled for the device and loaded. `what`: the operator, for
// errors.
Function load(const std::string& text, const std::string& name, int device, const char* what);

struct Grid {
  unsigned x = 1, y = 1, z = 1;  // blocks
  unsigned threads = 256;        // of a block, in one dimension
};

// `arguments`: the kernel's one struct. Waits for the kernel where CUDA_LAUNCH_BLOCKING=1.
void launch(Function function, const Grid& grid, const void* arguments, int device,
            const char* what);

}  // namespace lampas::cuda
