// What a kernel does with an index that names nothing: it touches no memory, and the first such
// index is written where the host finds it (cuda/failures.h).
#pragma once
#include "cuda/device/standard.h"

namespace lampas::device {

struct Failure {  // memory of the host
  uint32_t claimed, ready;
  int64_t index, dim, size;
  uint64_t raise, what;
};
struct Report {
  Failure* slot;         // null: nothing is said
  uint64_t raise, what;  // for the host
  int64_t dim, size;
};

inline void report(const Report& r, int64_t index) {
  if (!r.slot || atomicCAS(&r.slot->claimed, 0u, 1u) != 0) return;
  r.slot->index = index;
  r.slot->dim = r.dim;
  r.slot->size = r.size;
  r.slot->raise = r.raise;
  r.slot->what = r.what;
  __threadfence_system();
  *static_cast<volatile uint32_t*>(&r.slot->ready) = 1;
}

// Index tensors as kernels read them: index[k] becomes an offset in elements.
struct Indices {
  const int64_t* at;
  int64_t stride;
  int64_t negatives;  // -size <= i < 0 counts from the end
  Report report;
};
// Negative: the index names nothing.
inline int64_t offset_of(const Indices& x, int64_t i) {
  int64_t size = x.report.size, j = i < 0 && x.negatives ? i + size : i;
  if (j >= 0 && j < size) return j * x.stride;
  report(x.report, i);
  return -1;
}

}  // namespace lampas::device
