// See memory.h.
#include "cuda/memory.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "cuda/allocator.h"
#include "cuda/backward_streams.h"
#include "cuda/graph_random.h"
#include "cuda/pinned.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

void free_block(Storage* s) {
  if (s->owner) release(static_cast<Block*>(s->owner));
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
  if (s->device.is_cpu()) return resize_pinned(s, bytes);
  Block* old = block_of(*s);
  void* data = s->data;
  place(s, bytes);
  size_t common = bytes < s->bytes ? bytes : s->bytes;
  if (common) copy_bytes(s->data, s->device, data, s->device, common);
  if (old) release(old);
}

Address address(const void* p) { return reinterpret_cast<Address>(p); }

constexpr size_t kStaged = size_t{1}
                           << 20;  // up to here a copy of the copy is cheaper than to wait
constexpr const char* kWhat = "copy_";

// The driver takes ordinary memory at once, unless the device reads it by itself.
void copy_to_device(void* to, const void* from, size_t bytes, Stream stream, bool non_blocking) {
  const Driver& d = driver();
  bool pinned = non_blocking && is_pinned(from);
  if (!pinned && bytes <= kStaged && !is_capturing(stream)) {
    void* between = pinned_allocate(bytes);
    std::memcpy(between, from, bytes);
    Result r = d.cuMemcpyHtoDAsync_v2(address(to), between, bytes, stream.handle);
    pinned_use(between, stream);
    pinned_release(between);
    return check(r, kWhat);
  }
  check(d.cuMemcpyHtoDAsync_v2(address(to), from, bytes, stream.handle), kWhat);
  if (pinned) return pinned_use(from, stream);
  if (!non_blocking || properties(stream.device).reads_pageable) synchronize(stream);
}

void copy_to_host(void* to, const void* from, size_t bytes, Stream stream, bool non_blocking) {
  check(driver().cuMemcpyDtoHAsync_v2(to, address(from), bytes, stream.handle), kWhat);
  if (non_blocking && is_pinned(to)) return pinned_use(to, stream);
  synchronize(stream);
}

// The source must be ready, and stay until it has been read.
void copy_between(void* to, int to_device, const void* from, int from_device, size_t bytes,
                  Stream stream) {
  Event ready(false), read(false);
  Stream other = current_stream(from_device);
  enable_peer_access(to_device, from_device);
  ready.record(other);
  ready.wait(stream);
  bind(to_device);
  check(driver().cuMemcpyPeerAsync(address(to), context_of(to_device), address(from),
                                   context_of(from_device), bytes, stream.handle),
        kWhat);
  read.record(stream);
  read.wait(other);
}

}  // namespace

Block* block_of(const Storage& s) {
  return s.free == free_block ? static_cast<Block*>(s.owner) : nullptr;
}

void lend_memory() {
  device_memory = {resolve, place, resize};
  follow_streams();
  draw_in_graphs();
}

bool possible() {
  static const bool answer = std::getenv("LAMPAS_CUDA_DRIVER") ||
                             access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0;
  return answer;
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes,
                bool non_blocking) {
  int device = to_device.is_cuda() ? to_device.index : from_device.index;
  bind(device);
  Stream stream = current_stream(device);
  if (from_device.is_cpu()) return copy_to_device(to, from, bytes, stream, non_blocking);
  if (to_device.is_cpu()) return copy_to_host(to, from, bytes, stream, non_blocking);
  if (!(to_device == from_device))
    return copy_between(to, device, from, from_device.index, bytes, stream);
  check(driver().cuMemcpyDtoDAsync_v2(address(to), address(from), bytes, stream.handle), kWhat);
}

}  // namespace lampas::cuda
