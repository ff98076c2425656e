// The caching allocator of device memory: asking the driver costs a synchronisation, so segments
// are kept, cut into blocks, and blocks given back are joined with their free neighbours.
#pragma once
#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "cuda/statistics.h"
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

// --- pools of their own: a graph's memory must stay where the graph knows it ---
struct PoolId {
  uint64_t of_graph = 0, of_user = 0;  // both 0: the pools that all share
  friend auto operator<=>(const PoolId&, const PoolId&) = default;
};
PoolId new_pool(bool by_user);
// Until end_pool, what this thread allocates on the device comes from the pool: all of it, or what
// is allocated on streams that are captured. Every begin adds a user to the pool.
void begin_pool(int device, PoolId id, bool captured_only);
void end_pool(int device, PoolId id);
// One user less. Memory of a pool without users goes back to the driver when it is free.
void leave_pool(int device, PoolId id);
// Whether a capture takes memory from the device now, on whatever thread.
bool capture_underway(int device);

// --- what is known of it ---
Statistics statistics(int device);
void reset_peaks(int device);
void reset_totals(int device);

struct BlockInfo {
  size_t address, size, requested;
  const char* state;  // as memory_snapshot names them
};
struct SegmentInfo {
  size_t address, size;
  Stream stream;
  bool small;
  PoolId pool;
  std::vector<BlockInfo> blocks;
};
std::vector<SegmentInfo> snapshot(int device);

// --- limits ---
void set_memory_fraction(double fraction, int device);
double memory_fraction(int device);

}  // namespace lampas::cuda
