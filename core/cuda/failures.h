// Indices that name nothing, found by kernels while the host is elsewhere. A kernel touches no
// memory through them and writes the first one down in memory of the host; it is raised, in the
// CPU's words, by the next launch or wait on that device.
#pragma once
#include "cpu/indexing.h"

namespace lampas::cuda {

// Failure and Report of device/failures.h.
struct Failure {
  uint32_t claimed, ready;
  int64_t index, dim, size;
  uint64_t raise, what;
};
struct Report {
  Failure* slot = nullptr;
  uint64_t raise = 0, what = 0;
  int64_t dim = 0, size = 0;
};

// `what` outlives the kernel: a literal.
Report report_of(int device, const char* what, void (*raise)(int64_t, int64_t, int64_t),
                 int64_t dim, int64_t size);

inline constexpr int kMostDevices = 128;
extern Failure* failures[kMostDevices];  // null where none can have happened
[[noreturn]] void raise_failure(int device);
inline void check_failures(int device) {
  Failure* f = failures[device];
  if (f && __atomic_load_n(&f->ready, __ATOMIC_ACQUIRE)) raise_failure(device);
}

}  // namespace lampas::cuda
