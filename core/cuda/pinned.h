// Page-locked memory of the host, which devices read and write while the host goes on. Taking it
// from the driver costs as much as a synchronisation, so blocks are kept.
#pragma once
#include <cstddef>

#include "cuda/stream.h"
#include "runtime/ref.h"

namespace lampas {
struct Storage;
}

namespace lampas::cuda {

void* pinned_allocate(size_t bytes);  // 512-byte aligned; throws Error(DeviceMemory). bytes > 0
// Handed out again when the copies that were marked with `pinned_use` are done.
void pinned_release(void* memory);
void pinned_use(const void* anywhere_inside, Stream stream);
// Of ours, or of another library's.
bool is_pinned(const void* anywhere_inside);
void empty_pinned_cache();

Ref<Storage> pinned_storage(size_t bytes);
void resize_pinned(Storage* storage, size_t bytes);

struct PinnedStatistics {
  size_t blocks = 0, bytes = 0, blocks_in_use = 0, bytes_in_use = 0, peak_bytes = 0,
         peak_bytes_in_use = 0, from_driver = 0, to_driver = 0, taken = 0, returned = 0;
};
PinnedStatistics pinned_statistics();
void reset_pinned_peaks();

}  // namespace lampas::cuda
