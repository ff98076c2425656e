// Device memory behind Storage: lent to runtime/, which stands below core/cuda.
#pragma once
#include "runtime/storage.h"

namespace lampas::cuda {

void lend_memory();  // when the core is loaded; nothing of CUDA is opened by it

// May there be a GPU? Asked of the system's files, without opening the driver; calls of operators
// look for arguments on a GPU only then.
bool possible();

// Between any two of host and devices, in order on the devices' current streams; waits where the
// host is one of them.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes);

}  // namespace lampas::cuda
