// What PYTORCH_ALLOC_CONF (or PYTORCH_CUDA_ALLOC_CONF) asks of the allocator of device memory:
// "max_split_size_mb:128,expandable_segments:True".
#pragma once
#include <cstddef>
#include <string>

namespace lampas::cuda {

struct AllocatorOptions {
  size_t max_split_size = ~size_t{0};  // blocks from here on are not cut; all ones: any may be
  double fraction = 1;                 // of a device's memory, for the process
  std::string ignored;                 // options of PyTorch's that change nothing here
};
// Raises for an option that PyTorch does not know, and for a value that it refuses.
AllocatorOptions parse_options(const std::string& text);
// Those of the environment, read once; says once, as a warning, which are ignored.
const AllocatorOptions& options();
inline size_t max_split_size() { return options().max_split_size; }

}  // namespace lampas::cuda
