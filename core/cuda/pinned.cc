// Blocks come in powers of two and are never cut. The memory is portable: pinned for every device.
#include "cuda/pinned.h"

#include <bit>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/allocator.h"
#include "runtime/error.h"
#include "runtime/storage.h"

namespace lampas::cuda {
namespace {

constexpr size_t kSmallest = 512;
constexpr unsigned kPortable = 1;
constexpr int kMemoryType = 2;  // an attribute of an address
constexpr unsigned kHost = 1;   // its value for page-locked memory

struct HostBlock {
  char* memory = nullptr;
  size_t size = 0;
  bool taken = true;
  std::vector<Stream> users;
  int waits = 0;  // copies that have not come to their end
};

struct Pending {
  std::unique_ptr<Event> event;
  HostBlock* block;
};

struct HostMemory {
  std::mutex guard;
  std::map<const char*, std::unique_ptr<HostBlock>> blocks;  // by address
  std::map<size_t, std::vector<HostBlock*>> free;            // by size
  std::deque<Pending> pending;
  std::vector<HostBlock*> deferred;  // given up during a capture
  PinnedStatistics s;
};
HostMemory& memory() {
  static auto* one = new HostMemory;
  return *one;
}

HostBlock* block_at(HostMemory& m, const void* inside) {
  auto* at = static_cast<const char*>(inside);
  auto after = m.blocks.upper_bound(at);
  if (after == m.blocks.begin()) return nullptr;
  HostBlock* b = (--after)->second.get();
  return at < b->memory + b->size ? b : nullptr;
}

bool any_capture() {
  for (int device = 0; device < device_count(); ++device)
    if (capture_underway(device)) return true;
  return false;
}

void mark_uses(HostMemory& m, HostBlock* b) {
  for (Stream user : b->users) {
    auto event = std::make_unique<Event>(false);
    try {
      event->record(user);
    } catch (const Error&) {  // after a failed kernel or at the program's end: nothing runs
      continue;
    }
    m.pending.push_back({std::move(event), b});
    ++b->waits;
  }
  b->users.clear();
  if (!b->waits) m.free[b->size].push_back(b);
}

void take_back(HostMemory& m, bool wait) {
  if ((m.pending.empty() && m.deferred.empty()) || any_capture()) return;
  for (HostBlock* b : m.deferred) mark_uses(m, b);
  m.deferred.clear();
  size_t kept = 0;
  for (Pending& p : m.pending) {
    if (wait)
      p.event->synchronize();
    else if (!p.event->is_done()) {
      if (&m.pending[kept] != &p) m.pending[kept] = std::move(p);
      ++kept;
      continue;
    }
    if (--p.block->waits == 0) m.free[p.block->size].push_back(p.block);
  }
  m.pending.resize(kept);
}

void return_blocks(HostMemory& m) {
  take_back(m, true);
  if (any_capture()) return;
  bind(current_device());
  for (auto& [size, list] : m.free) {
    for (HostBlock* b : list) {
      check(driver().cuMemFreeHost(b->memory), "giving page-locked memory back");
      --m.s.blocks;
      m.s.bytes -= size;
      ++m.s.to_driver;
      m.blocks.erase(b->memory);
    }
    list.clear();
  }
}

HostBlock* from_driver(HostMemory& m, size_t size) {
  void* made = nullptr;
  bind(current_device());
  Uncaptured aside;
  Result r = driver().cuMemHostAlloc(&made, size, kPortable);
  if (r == kOutOfMemory) return nullptr;
  check(r, "allocating page-locked memory");
  auto block = std::make_unique<HostBlock>();
  block->memory = static_cast<char*>(made);
  block->size = size;
  HostBlock* b = block.get();
  m.blocks[b->memory] = std::move(block);
  ++m.s.blocks;
  ++m.s.from_driver;
  m.s.bytes += size;
  m.s.peak_bytes = std::max(m.s.peak_bytes, m.s.bytes);
  return b;
}

void free_storage(Storage* s) {
  if (s->data) pinned_release(s->data);
}

}  // namespace

void* pinned_allocate(size_t bytes) {
  HostMemory& m = memory();
  std::lock_guard<std::mutex> hold(m.guard);
  take_back(m, false);
  size_t size = std::bit_ceil(std::max(bytes, kSmallest));
  std::vector<HostBlock*>& list = m.free[size];
  HostBlock* b = nullptr;
  if (!list.empty()) {
    b = list.back();
    list.pop_back();
  } else if (!(b = from_driver(m, size))) {
    return_blocks(m);
    b = from_driver(m, size);
  }
  CHECK_KIND(b, DeviceMemory, "CUDA error: out of memory\nwhile ", size,
             " bytes of page-locked host memory were asked for");
  b->taken = true;
  ++m.s.taken;
  ++m.s.blocks_in_use;
  m.s.bytes_in_use += size;
  m.s.peak_bytes_in_use = std::max(m.s.peak_bytes_in_use, m.s.bytes_in_use);
  return b->memory;
}

void pinned_release(void* at) {
  HostMemory& m = memory();
  std::lock_guard<std::mutex> hold(m.guard);
  HostBlock* b = block_at(m, at);
  b->taken = false;
  ++m.s.returned;
  --m.s.blocks_in_use;
  m.s.bytes_in_use -= b->size;
  if (!b->users.empty() && any_capture())
    m.deferred.push_back(b);
  else
    mark_uses(m, b);
}

void pinned_use(const void* inside, Stream stream) {
  HostMemory& m = memory();
  std::lock_guard<std::mutex> hold(m.guard);
  HostBlock* b = block_at(m, inside);
  if (!b) return;  // another library's: its owner has to keep it
  for (Stream user : b->users)
    if (user == stream) return;
  b->users.push_back(stream);
}

bool is_pinned(const void* inside) {
  if (!inside || device_count() == 0) return false;
  {
    HostMemory& m = memory();
    std::lock_guard<std::mutex> hold(m.guard);
    if (block_at(m, inside)) return true;
  }
  unsigned kind = 0;
  bind(current_device());
  Uncaptured aside;
  auto address = reinterpret_cast<Address>(inside);
  return driver().cuPointerGetAttribute(&kind, kMemoryType, address) == 0 && kind == kHost;
}

void empty_pinned_cache() {
  HostMemory& m = memory();
  std::lock_guard<std::mutex> hold(m.guard);
  return_blocks(m);
}

Ref<Storage> pinned_storage(size_t bytes) {
  void* data = bytes ? pinned_allocate(bytes) : nullptr;
  Ref<Storage> made = Storage::borrow(data, bytes, Device{}, free_storage, nullptr);
  made->resizable = true;
  return made;
}

void resize_pinned(Storage* s, size_t bytes) {
  void* old = s->data;
  s->data = bytes ? pinned_allocate(bytes) : nullptr;
  size_t common = std::min(bytes, s->bytes);
  if (common) std::memcpy(s->data, old, common);
  if (old) pinned_release(old);
}

PinnedStatistics pinned_statistics() {
  HostMemory& m = memory();
  std::lock_guard<std::mutex> hold(m.guard);
  return m.s;
}
void reset_pinned_peaks() {
  HostMemory& m = memory();
  std::lock_guard<std::mutex> hold(m.guard);
  m.s.peak_bytes = m.s.bytes;
  m.s.peak_bytes_in_use = m.s.bytes_in_use;
}

}  // namespace lampas::cuda
