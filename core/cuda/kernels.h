// Which kernels a GPU has of its own: KERNEL (ops/kernel.h) takes the function of that name whose
// first parameter is On, and where there is none the CPU's, on copies (fallback.h).
#pragma once

namespace lampas::cuda {

struct On {};

}  // namespace lampas::cuda

#include "cuda/copy.h"
#include "cuda/random.h"
