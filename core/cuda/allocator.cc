// Sizes are rounded to 512 bytes. Requests up to 1 MB come from segments of 2 MB, up to 10 MB from
// segments of 20 MB, larger ones get a segment of their own, rounded to 2 MB: PyTorch's classes, so
// that programs which look at the numbers see the same ones. A block belongs to the stream it was
// made on.
//
// While a stream is captured, the driver may not be asked whether events have come, nor take memory
// back: what would need that waits until the capture has ended.
#include "cuda/allocator.h"

#include <atomic>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "cuda/allocator_options.h"
#include "runtime/error.h"

namespace lampas::cuda {

namespace {
struct Pool;
}

struct Block {
  Address address = 0;
  size_t size = 0, requested = 0;
  Stream stream;
  Pool* pool = nullptr;
  bool taken = false;
  Block *previous = nullptr, *next = nullptr;  // neighbours in the segment
  std::vector<Stream> users;                   // other streams that work on it
  int waits = 0;                               // events that have not come yet, or not been made
};

namespace {

constexpr size_t kStep = 512, kSmall = size_t{1} << 20, kSmallSegment = size_t{2} << 20,
                 kMedium = size_t{10} << 20, kMediumSegment = size_t{20} << 20,
                 kLargeStep = size_t{2} << 20;

size_t rounded(size_t bytes, size_t step) { return (bytes + step - 1) / step * step; }
size_t segment_size(size_t size) {
  if (size <= kSmall) return kSmallSegment;
  return size < kMedium ? kMediumSegment : rounded(size, kLargeStep);
}

struct BySize {
  bool operator()(const Block* a, const Block* b) const {
    if (a->stream.handle != b->stream.handle) return a->stream.handle < b->stream.handle;
    if (a->size != b->size) return a->size < b->size;
    return a->address < b->address;
  }
};

struct Group;
struct Pool {
  Group* group;
  bool small;
  std::set<Block*, BySize> free;
};
// The pools that all share, or those of graphs.
struct Group {
  PoolId id;
  Pool small{this, true, {}}, large{this, false, {}};
  int users = 0;
  size_t segments = 0;
  Group() = default;
  Group(const Group&) = delete;
};

struct Pending {
  std::unique_ptr<Event> event;
  Block* block;
};
// Who allocates from a pool of his own now.
struct Diversion {
  Group* group;
  std::thread::id thread;
  bool captured_only;
};

struct DeviceMemory {
  std::recursive_mutex guard;
  Group shared;
  std::map<PoolId, std::unique_ptr<Group>> groups;
  std::vector<Diversion> diversions;
  std::atomic<int> captures{0};
  std::map<Address, Block*> segments;  // the first block of each
  std::deque<Pending> pending;
  std::vector<Block*> deferred;  // given up during a capture while other streams use them
  Statistics s;
  size_t limit = 0;  // bytes; 0: none
  double fraction = 1;
};

DeviceMemory& memory_of(int device) {
  static auto* all = new std::deque<DeviceMemory>(static_cast<size_t>(device_count()));
  properties(device);  // raises for what is no device
  return (*all)[static_cast<size_t>(device)];
}

bool is_split(const Block* b) { return b->previous || b->next; }

void keep(DeviceMemory& m, Block* b) {
  b->pool->free.insert(b);
  if (!is_split(b)) return;
  m.s.inactive_split.add(b->pool->small, 1);
  m.s.inactive_split_bytes.add(b->pool->small, b->size);
}
void unkeep(DeviceMemory& m, Block* b) {
  b->pool->free.erase(b);
  if (!is_split(b)) return;
  m.s.inactive_split.remove(b->pool->small, 1);
  m.s.inactive_split_bytes.remove(b->pool->small, b->size);
}

bool is_free(const Block* b) { return b && !b->taken && !b->waits; }

void swallow_next(Block* b) {
  Block* gone = b->next;
  b->next = gone->next;
  if (b->next) b->next->previous = b;
  b->size += gone->size;
  delete gone;
}

// The first block of a segment stays the same object.
void give(DeviceMemory& m, Block* b) {
  m.s.active.remove(b->pool->small, 1);
  m.s.active_bytes.remove(b->pool->small, b->size);
  if (is_free(b->previous)) {
    b = b->previous;
    unkeep(m, b);
    swallow_next(b);
  }
  if (is_free(b->next)) {
    unkeep(m, b->next);
    swallow_next(b);
  }
  keep(m, b);
}

// Events of the streams that use a block which was given up.
void mark_uses(DeviceMemory& m, Block* b) {
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
}

// Blocks whose other streams have come far enough; `wait`: all of them.
void take_back(DeviceMemory& m, bool wait) {
  if (m.captures) return;
  for (Block* b : m.deferred) {
    mark_uses(m, b);
    if (--b->waits == 0) give(m, b);
  }
  m.deferred.clear();
  while (!m.pending.empty()) {
    Pending& first = m.pending.front();
    if (wait)
      first.event->synchronize();
    else if (!first.event->is_done())
      return;
    Block* b = first.block;
    m.pending.pop_front();
    if (--b->waits == 0) give(m, b);
  }
}

Pool& pool_for(DeviceMemory& m, size_t size, Stream stream) {
  Group* group = &m.shared;
  for (const Diversion& d : m.diversions)
    if (d.thread == std::this_thread::get_id() && (!d.captured_only || is_capturing(stream)))
      group = d.group;
  return size <= kSmall ? group->small : group->large;
}

Block* from_pool(DeviceMemory& m, Pool& pool, size_t size, Stream stream) {
  Block wanted;
  wanted.size = size;
  wanted.stream = stream;
  auto found = pool.free.lower_bound(&wanted);
  if (found == pool.free.end() || !((*found)->stream == stream)) return nullptr;
  Block* b = *found;
  size_t largest = max_split_size();
  if (size < largest ? b->size >= largest && !pool.small : b->size >= size + kMediumSegment)
    return nullptr;  // what may not be cut goes whole, to who needs most of it
  unkeep(m, b);
  return b;
}

Block* from_driver(DeviceMemory& m, Pool& pool, size_t size, Stream stream) {
  size_t length = segment_size(size);
  if (!m.limit && options().fraction < 1) set_memory_fraction(options().fraction, stream.device);
  if (m.limit && m.s.reserved_bytes.all.current + length > m.limit) return nullptr;
  bind(stream.device);
  Address address = 0;
  Uncaptured aside;
  Result r = driver().cuMemAlloc_v2(&address, length);
  if (r == kOutOfMemory) return nullptr;
  check(r, "allocating memory");
  auto* b = new Block;
  b->address = address;
  b->size = length;
  b->stream = stream;
  b->pool = &pool;
  m.segments[address] = b;
  ++pool.group->segments;
  ++m.s.driver_allocations;
  m.s.segment.add(pool.small, 1);
  m.s.reserved_bytes.add(pool.small, length);
  if (length >= max_split_size()) m.s.oversize_segments.add(1);
  return b;
}

void split(DeviceMemory& m, Block* b, size_t size) {
  size_t rest = b->size - size;
  if (b->pool->small ? rest < kStep : rest <= kSmall || size >= max_split_size()) return;
  auto* after = new Block;
  after->address = b->address + size;
  after->size = rest;
  after->stream = b->stream;
  after->pool = b->pool;
  after->previous = b;
  after->next = b->next;
  if (b->next) b->next->previous = after;
  b->next = after;
  b->size = size;
  keep(m, after);
}

void return_free(DeviceMemory& m, Pool& pool) {
  for (auto at = pool.free.begin(); at != pool.free.end();) {
    Block* b = *at;
    if (is_split(b)) {
      ++at;
      continue;
    }
    check(driver().cuMemFree_v2(b->address), "giving memory back");
    m.s.segment.remove(pool.small, 1);
    m.s.reserved_bytes.remove(pool.small, b->size);
    if (b->size >= max_split_size()) m.s.oversize_segments.remove(1);
    ++m.s.driver_frees;
    --pool.group->segments;
    m.segments.erase(b->address);
    at = pool.free.erase(at);
    delete b;
  }
}

void return_segments(DeviceMemory& m, int device) {
  if (m.captures) return;
  take_back(m, true);
  bind(device);
  for (Pool* pool : {&m.shared.small, &m.shared.large}) return_free(m, *pool);
  for (auto at = m.groups.begin(); at != m.groups.end();) {
    Group& group = *at->second;
    if (group.users == 0)
      for (Pool* pool : {&group.small, &group.large}) return_free(m, *pool);
    at = group.users == 0 && group.segments == 0 ? m.groups.erase(at) : std::next(at);
  }
}

std::string amount(size_t bytes) {
  char text[64];
  double b = static_cast<double>(bytes);
  if (bytes <= 1024)
    std::snprintf(text, sizeof text, "%zu bytes", bytes);
  else if (bytes <= 1048576)
    std::snprintf(text, sizeof text, "%.2f KiB", b / 1024);
  else if (bytes <= 1073741824)
    std::snprintf(text, sizeof text, "%.2f MiB", b / 1048576);
  else
    std::snprintf(text, sizeof text, "%.2f GiB", b / 1073741824);
  return text;
}

size_t in_private_pools(const DeviceMemory& m) {
  size_t bytes = 0;
  for (const auto& [address, first] : m.segments)
    if (first->pool->group != &m.shared)
      for (const Block* b = first; b; b = b->next) bytes += b->taken ? b->size : 0;
  return bytes;
}

[[noreturn]] void fail_memory(DeviceMemory& m, size_t bytes, int device) {
  ++m.s.out_of_memory;
  size_t free = 0, total = 0, used = m.s.allocated_bytes.all.current;
  bind(device);
  check(driver().cuMemGetInfo_v2(&free, &total), "asking for free memory");
  std::string allowed = m.limit ? concat(amount(m.limit), " allowed; ") : "";
  size_t own = in_private_pools(m);
  std::string graphs =
      own ? concat("with ", amount(own), " allocated in private pools (e.g., CUDA Graphs), ") : "";
  fail(ErrorKind::DeviceMemory, "CUDA out of memory. Tried to allocate ", amount(bytes), ". GPU ",
       device, " has a total capacity of ", amount(total), " of which ", amount(free), " is free. ",
       allowed, "Of the allocated memory ", amount(used), " is allocated by PyTorch, ", graphs,
       "and ", amount(m.s.reserved_bytes.all.current - used),
       " is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try "
       "setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See "
       "documentation for Memory Management  "
       "(https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)");
}

}  // namespace

Block* allocate(size_t bytes, int device) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  take_back(m, false);
  Stream stream = current_stream(device);
  size_t size = rounded(bytes, kStep);
  Pool& pool = pool_for(m, size, stream);
  Block* b = from_pool(m, pool, size, stream);
  if (!b) b = from_driver(m, pool, size, stream);
  if (!b) {
    ++m.s.retries;
    return_segments(m, device);
    b = from_driver(m, pool, size, stream);
  }
  if (!b) fail_memory(m, segment_size(size) > size ? size : segment_size(size), device);
  split(m, b, size);
  b->taken = true;
  b->requested = bytes;
  bool small = b->pool->small;
  m.s.allocation.add(small, 1);
  m.s.active.add(small, 1);
  m.s.active_bytes.add(small, b->size);
  m.s.allocated_bytes.add(small, b->size);
  m.s.requested_bytes.add(small, bytes);
  if (b->size >= max_split_size()) m.s.oversize_allocations.add(1);
  return b;
}

void* address_of(const Block* b) { return reinterpret_cast<void*>(b->address); }

void release(Block* b) {
  DeviceMemory& m = memory_of(b->stream.device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  b->taken = false;
  bool small = b->pool->small;
  m.s.allocation.remove(small, 1);
  m.s.allocated_bytes.remove(small, b->size);
  m.s.requested_bytes.remove(small, b->requested);
  if (b->size >= max_split_size()) m.s.oversize_allocations.remove(1);
  if (!b->users.empty() && m.captures) {
    b->waits = 1;  // for the end of the capture
    m.deferred.push_back(b);
    return;
  }
  mark_uses(m, b);
  if (!b->waits) give(m, b);
}

void use_on(Block* b, Stream stream) {
  DeviceMemory& m = memory_of(b->stream.device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  if (stream == b->stream) return;
  for (Stream user : b->users)
    if (user == stream) return;
  b->users.push_back(stream);
}

void empty_cache() {
  for (int device = 0; device < device_count(); ++device) {
    DeviceMemory& m = memory_of(device);
    std::lock_guard<std::recursive_mutex> hold(m.guard);
    return_segments(m, device);
  }
}

// --- pools of their own ---

PoolId new_pool(bool by_user) {
  static std::atomic<uint64_t> graphs{0}, users{0};
  return by_user ? PoolId{0, ++users} : PoolId{++graphs, 0};
}

void begin_pool(int device, PoolId id, bool captured_only) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  std::unique_ptr<Group>& group = m.groups[id];
  if (!group) group = std::make_unique<Group>();
  group->id = id;
  ++group->users;
  if (captured_only) {
    take_back(m, false);
    ++m.captures;
  }
  m.diversions.push_back({group.get(), std::this_thread::get_id(), captured_only});
}

void end_pool(int device, PoolId id) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  for (size_t i = m.diversions.size(); i-- > 0;) {
    Diversion d = m.diversions[i];
    if (d.group->id != id || d.thread != std::this_thread::get_id()) continue;
    m.diversions.erase(m.diversions.begin() + static_cast<std::ptrdiff_t>(i));
    if (d.captured_only) --m.captures;
    return;
  }
  fail("endAllocatePool: not currently recording to mempool_id");
}

void leave_pool(int device, PoolId id) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  auto found = m.groups.find(id);
  if (found != m.groups.end()) --found->second->users;
}

bool capture_underway(int device) { return memory_of(device).captures > 0; }

// --- what is known of it ---

Statistics statistics(int device) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  return m.s;
}

namespace {
template <class F>
void each_statistic(int device, F&& f) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  Statistics& s = m.s;
  for (ByPool* three :
       {&s.allocation, &s.segment, &s.active, &s.inactive_split, &s.allocated_bytes,
        &s.reserved_bytes, &s.active_bytes, &s.requested_bytes, &s.inactive_split_bytes})
    for (Statistic* one : {&three->all, &three->large, &three->small}) f(*one);
  f(s.oversize_allocations);
  f(s.oversize_segments);
}
}  // namespace

void reset_peaks(int device) {
  each_statistic(device, [](Statistic& s) { s.peak = s.current; });
}
void reset_totals(int device) {
  each_statistic(device, [](Statistic& s) { s.allocated = s.freed = 0; });
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  m.s.retries = m.s.out_of_memory = m.s.driver_allocations = m.s.driver_frees = 0;
}

std::vector<SegmentInfo> snapshot(int device) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  std::vector<SegmentInfo> all;
  for (const auto& [address, first] : m.segments) {
    SegmentInfo segment{address, 0, first->stream, first->pool->small, first->pool->group->id, {}};
    for (const Block* b = first; b; b = b->next) {
      const char* state = b->taken   ? "active_allocated"
                          : b->waits ? "active_awaiting_free"
                                     : "inactive";
      segment.blocks.push_back({b->address, b->size, b->taken ? b->requested : 0, state});
      segment.size += b->size;
    }
    all.push_back(std::move(segment));
  }
  return all;
}

void set_memory_fraction(double fraction, int device) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  m.limit = static_cast<size_t>(static_cast<double>(properties(device).memory) * fraction);
  m.fraction = fraction;
}
double memory_fraction(int device) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  return m.fraction;
}

}  // namespace lampas::cuda
