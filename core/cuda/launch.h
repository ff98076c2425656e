// Kernels loaded into devices, and launching them on the current stream.
#pragma once
#include <string>

#include "cuda/stream.h"

namespace lampas::cuda {

// The kernel `name` of a program, compiled for the device and loaded. `what`: the operator, for
// errors.
Function load(const std::string& text, const std::string& name, int device, const char* what);

// `blocks` blocks of `threads`; `arguments`: the kernel's one struct. Waits for it where
// CUDA_LAUNCH_BLOCKING=1.
void launch(Function function, unsigned blocks, unsigned threads, void* arguments, int device,
            const char* what);

}  // namespace lampas::cuda
