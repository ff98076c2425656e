// The caching allocator of device memory: asking the driver costs a synchronisation, so segments
// are kept, cut into blocks, and blocks given back are joined with their free neighbours.
#pragma once
#include <cstddef>

#include "cuda/stream.h"

namespace lampas::cuda {

struct Block;

// On the current stream of the device; throws Error(DeviceMemory) with PyTorch's text. bytes > 0.
Block* allocate(size_t bytes, int device);
void* address_of(const Block* block);
// The memory may be handed out again on the block's stream at once, to others when the streams that
// used it have come this far.
void release(Block* block);
void use_on(Block* block, Stream stream);  // Tensor.record_stream
void empty_cache();

struct Statistic {
  size_t current = 0, peak = 0, allocated = 0, freed = 0;  // the last two: since the start
  void add(size_t n);
  void remove(size_t n);
};
struct Statistics {
  Statistic allocation, segment, active, inactive_split;  // counts
  Statistic allocated_bytes, reserved_bytes, active_bytes, requested_bytes, inactive_split_bytes;
  size_t retries = 0, out_of_memory = 0;
};
Statistics statistics(int device);
void reset_peaks(int device);
void reset_totals(int device);
void set_memory_fraction(double fraction, int device);

}  // namespace lampas::cuda
