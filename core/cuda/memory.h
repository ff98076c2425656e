// Device memory behind Storage: lent to runtime/, which stands below core/cuda.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

void lend_memory();  // when the core is loaded; nothing of CUDA is opened by it

// May there be a GPU? Asked of the system's files, without opening the driver; calls of operators
// look for arguments on a GPU only then.
bool possible();

// The allocator's block of a storage on a device; null for memory that another library owns.
struct Block;
Block* block_of(const Storage& storage);

// Between any two of host and devices, in order on the devices' current streams. Waits where the
// host is one of them, unless it need not: small copies to a device go through page-locked memory;
// `non_blocking` and memory that is page-locked for devices do not wait either.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes,
                bool non_blocking = false);
// The same for tensors of any types and layouts; `from` broadcasts to the shape of `to`.
void copy_across(const Tensor& to, const Tensor& from, bool non_blocking);

}  // namespace lampas::cuda
