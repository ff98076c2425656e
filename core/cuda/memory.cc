// See memory.h.
#include "cuda/memory.h"

#include <unistd.h>

#include <cstdlib>

#include "cuda/allocator.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

Block* block_of(Storage* s) { return static_cast<Block*>(s->owner); }

void free_block(Storage* s) {
  if (s->owner) release(block_of(s));
}

Device resolve(Device device) {
  if (device.index < 0) device.index = static_cast<int8_t>(current_device());
  properties(device.index);  // raises where there is no such device
  return device;
}

void place(Storage* s, size_t bytes) {
  Block* block = bytes ? allocate(bytes, s->device.index) : nullptr;
  s->owner = block;
  s->data = block ? address_of(block) : nullptr;
  s->free = free_block;
}

void resize(Storage* s, size_t bytes) {
  Block* old = block_of(s);
  void* data = s->data;
  place(s, bytes);
  size_t common = bytes < s->bytes ? bytes : s->bytes;
  if (common) copy_bytes(s->data, s->device, data, s->device, common);
  if (old) release(old);
}

Address address(const void* p) { return reinterpret_cast<Address>(p); }

}  // namespace

void lend_memory() { device_memory = {resolve, place, resize}; }

bool possible() {
  static const bool answer = std::getenv("LAMPAS_CUDA_DRIVER") ||
                             access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0;
  return answer;
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  const Driver& d = driver();
  int device = to_device.is_cuda() ? to_device.index : from_device.index;
  bind(device);
  Stream stream = current_stream(device);
  const char* what = "copy_";
  if (from_device.is_cpu())
    check(d.cuMemcpyHtoDAsync_v2(address(to), from, bytes, stream.handle), what);
  else if (to_device.is_cpu())
    check(d.cuMemcpyDtoHAsync_v2(to, address(from), bytes, stream.handle), what);
  else if (to_device == from_device)
    return check(d.cuMemcpyDtoDAsync_v2(address(to), address(from), bytes, stream.handle), what);
  else {
    // The source must be ready, and stay until it has been read.
    Event ready(false), read(false);
    Stream other = current_stream(from_device.index);
    ready.record(other);
    ready.wait(stream);
    bind(device);
    check(d.cuMemcpyPeerAsync(address(to), context_of(to_device.index), address(from),
                              context_of(from_device.index), bytes, stream.handle),
          what);
    read.record(stream);
    return read.wait(other);
  }
  synchronize(stream);
}

}  // namespace lampas::cuda
