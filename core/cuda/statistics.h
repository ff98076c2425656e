// What the allocator counts, under PyTorch's names.
#pragma once
#include <cstddef>

namespace lampas::cuda {

struct Statistic {
  size_t current = 0, peak = 0, allocated = 0, freed = 0;  // the last two: since the start
  void add(size_t n) {
    current += n;
    allocated += n;
    peak = current > peak ? current : peak;
  }
  void remove(size_t n) {
    current -= n;
    freed += n;
  }
};
struct ByPool {  // requests up to 1 MB are small
  Statistic all, large, small;
  void add(bool is_small, size_t n) {
    all.add(n);
    (is_small ? small : large).add(n);
  }
  void remove(bool is_small, size_t n) {
    all.remove(n);
    (is_small ? small : large).remove(n);
  }
};
struct Statistics {
  ByPool allocation, segment, active, inactive_split;  // counts
  ByPool allocated_bytes, reserved_bytes, active_bytes, requested_bytes, inactive_split_bytes;
  Statistic oversize_allocations, oversize_segments;  // beyond max_split_size
  size_t retries = 0, out_of_memory = 0, synchronized = 0, driver_allocations = 0, driver_frees = 0;
};

}  // namespace lampas::cuda
