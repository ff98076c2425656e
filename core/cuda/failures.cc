// See failures.h.
#include "cuda/failures.h"

#include <cstring>
#include <mutex>

#include "cuda/stream.h"
#include "runtime/error.h"

namespace lampas::cuda {

Failure* failures[kMostDevices] = {};

namespace {
constexpr unsigned kPortable = 1, kMapped = 2;

// With unified addresses (every 64-bit system) kernels know pinned memory by the host's address.
Failure* slot_of(int device) {
  static std::mutex guard;
  Failure*& slot = failures[device];
  if (slot) return slot;
  std::lock_guard<std::mutex> hold(guard);
  if (slot) return slot;
  Uncaptured aside;
  bind(device);
  void* made = nullptr;
  check(driver().cuMemHostAlloc(&made, sizeof(Failure), kPortable | kMapped),
        "making room for the errors of kernels");
  std::memset(made, 0, sizeof(Failure));
  return slot = static_cast<Failure*>(made);
}
}  // namespace

Report report_of(int device, const char* what, void (*raise)(int64_t, int64_t, int64_t),
                 int64_t dim, int64_t size) {
  return {slot_of(device), reinterpret_cast<uint64_t>(raise), reinterpret_cast<uint64_t>(what), dim,
          size};
}

void raise_failure(int device) {
  Failure* slot = failures[device];
  Failure f = *slot;
  slot->ready = 0;
  __atomic_store_n(&slot->claimed, 0, __ATOMIC_RELEASE);
  auto* what = reinterpret_cast<const char*>(f.what);
  try {
    reinterpret_cast<void (*)(int64_t, int64_t, int64_t)>(f.raise)(f.index, f.dim, f.size);
  } catch (const Error& e) {
    throw Error(e.kind, concat(e.what(), "\nThe kernel of ", what, " met index ", f.index,
                               " on cuda:", device,
                               ". Kernels run while Python goes on, so the call may be an earlier "
                               "one; with CUDA_LAUNCH_BLOCKING=1 it is the one that raises."));
  }
  fail("an index is out of range in ", what);
}

}  // namespace lampas::cuda
