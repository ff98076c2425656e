// Sizes are rounded to 512 bytes. Requests up to 1 MB come from segments of 2 MB, up to 10 MB from
// segments of 20 MB, larger ones get a segment of their own, rounded to 2 MB: PyTorch's classes, so
// that programs which look at the numbers see the same ones. A block belongs to the stream it was
// made on.
#include "cuda/allocator.h"

#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "runtime/error.h"

namespace lampas::cuda {

struct Block {
  Address address = 0;
  size_t size = 0, requested = 0;
  Stream stream;
  bool small = false;
  bool taken = false;
  Block *previous = nullptr, *next = nullptr;  // neighbours in the segment
  std::vector<Stream> users;                   // other streams that work on it
  int waits = 0;                               // events that have not come yet
};

void Statistic::add(size_t n) {
  current += n;
  allocated += n;
  peak = current > peak ? current : peak;
}
void Statistic::remove(size_t n) {
  current -= n;
  freed += n;
}

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
using Pool = std::set<Block*, BySize>;

struct Pending {
  std::unique_ptr<Event> event;
  Block* block;
};

struct DeviceMemory {
  std::recursive_mutex guard;
  Pool small, large;
  std::deque<Pending> pending;
  Statistics s;
  size_t limit = 0;  // bytes; 0: none

  Pool& pool(bool is_small) { return is_small ? small : large; }
};

DeviceMemory& memory_of(int device) {
  static auto* all = new std::deque<DeviceMemory>(static_cast<size_t>(device_count()));
  properties(device);  // raises for what is no device
  return (*all)[static_cast<size_t>(device)];
}

bool is_split(const Block* b) { return b->previous || b->next; }

void keep(DeviceMemory& m, Block* b) {
  m.pool(b->small).insert(b);
  if (!is_split(b)) return;
  m.s.inactive_split.add(1);
  m.s.inactive_split_bytes.add(b->size);
}
void unkeep(DeviceMemory& m, Block* b) {
  m.pool(b->small).erase(b);
  if (!is_split(b)) return;
  m.s.inactive_split.remove(1);
  m.s.inactive_split_bytes.remove(b->size);
}

// `b` swallows its free neighbour.
void join(DeviceMemory& m, Block* b, Block* neighbour) {
  if (!neighbour || neighbour->taken || neighbour->waits) return;
  unkeep(m, neighbour);
  if (neighbour == b->previous) {
    b->address = neighbour->address;
    b->previous = neighbour->previous;
    if (b->previous) b->previous->next = b;
  } else {
    b->next = neighbour->next;
    if (b->next) b->next->previous = b;
  }
  b->size += neighbour->size;
  delete neighbour;
}

void give(DeviceMemory& m, Block* b) {
  m.s.active.remove(1);
  m.s.active_bytes.remove(b->size);
  join(m, b, b->previous);
  join(m, b, b->next);
  keep(m, b);
}

// Blocks whose other streams have come far enough; `wait`: all of them.
void take_back(DeviceMemory& m, bool wait) {
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

Block* from_pool(DeviceMemory& m, size_t size, Stream stream) {
  bool is_small = size <= kSmall;
  Pool& pool = m.pool(is_small);
  Block wanted;
  wanted.size = size;
  wanted.stream = stream;
  auto found = pool.lower_bound(&wanted);
  if (found == pool.end() || !((*found)->stream == stream)) return nullptr;
  Block* b = *found;
  unkeep(m, b);
  return b;
}

Block* from_driver(DeviceMemory& m, size_t size, Stream stream) {
  size_t length = segment_size(size);
  if (m.limit && m.s.reserved_bytes.current + length > m.limit) return nullptr;
  bind(stream.device);
  Address address = 0;
  Result r = driver().cuMemAlloc_v2(&address, length);
  if (r == kOutOfMemory) return nullptr;
  check(r, "allocating memory");
  auto* b = new Block;
  b->address = address;
  b->size = length;
  b->stream = stream;
  b->small = size <= kSmall;
  m.s.segment.add(1);
  m.s.reserved_bytes.add(length);
  return b;
}

void split(DeviceMemory& m, Block* b, size_t size) {
  size_t rest = b->size - size;
  if (b->small ? rest < kStep : rest <= kSmall) return;
  auto* after = new Block;
  after->address = b->address + size;
  after->size = rest;
  after->stream = b->stream;
  after->small = b->small;
  after->previous = b;
  after->next = b->next;
  if (b->next) b->next->previous = after;
  b->next = after;
  b->size = size;
  keep(m, after);
}

void return_segments(DeviceMemory& m, int device) {
  take_back(m, true);
  bind(device);
  for (Pool* pool : {&m.small, &m.large})
    for (auto at = pool->begin(); at != pool->end();) {
      Block* b = *at;
      if (is_split(b)) {
        ++at;
        continue;
      }
      check(driver().cuMemFree_v2(b->address), "giving memory back");
      m.s.segment.remove(1);
      m.s.reserved_bytes.remove(b->size);
      at = pool->erase(at);
      delete b;
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

[[noreturn]] void fail_memory(DeviceMemory& m, size_t bytes, int device) {
  ++m.s.out_of_memory;
  size_t free = 0, total = 0, used = m.s.allocated_bytes.current;
  check(driver().cuMemGetInfo_v2(&free, &total), "asking for free memory");
  std::string allowed = m.limit ? concat(amount(m.limit), " allowed; ") : "";
  fail(ErrorKind::DeviceMemory, "CUDA out of memory. Tried to allocate ", amount(bytes), ". GPU ",
       device, " has a total capacity of ", amount(total), " of which ", amount(free), " is free. ",
       allowed, "Of the allocated memory ", amount(used), " is allocated by PyTorch, and ",
       amount(m.s.reserved_bytes.current - used),
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
  Block* b = from_pool(m, size, stream);
  if (!b) b = from_driver(m, size, stream);
  if (!b) {
    ++m.s.retries;
    return_segments(m, device);
    b = from_driver(m, size, stream);
  }
  if (!b) fail_memory(m, segment_size(size) > size ? size : segment_size(size), device);
  split(m, b, size);
  b->taken = true;
  b->requested = bytes;
  m.s.allocation.add(1);
  m.s.active.add(1);
  m.s.active_bytes.add(b->size);
  m.s.allocated_bytes.add(b->size);
  m.s.requested_bytes.add(bytes);
  return b;
}

void* address_of(const Block* b) { return reinterpret_cast<void*>(b->address); }

void release(Block* b) {
  DeviceMemory& m = memory_of(b->stream.device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  b->taken = false;
  m.s.allocation.remove(1);
  m.s.allocated_bytes.remove(b->size);
  m.s.requested_bytes.remove(b->requested);
  for (Stream user : b->users) {
    auto event = std::make_unique<Event>(false);
    try {
      event->record(user);
    } catch (
        const Error&) {  // after a failed kernel or at the program's end; nothing runs any more
      continue;
    }
    m.pending.push_back({std::move(event), b});
    ++b->waits;
  }
  b->users.clear();
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
  for (Statistic* one :
       {&s.allocation, &s.segment, &s.active, &s.inactive_split, &s.allocated_bytes,
        &s.reserved_bytes, &s.active_bytes, &s.requested_bytes, &s.inactive_split_bytes})
    f(*one);
}
}  // namespace

void reset_peaks(int device) {
  each_statistic(device, [](Statistic& s) { s.peak = s.current; });
}
void reset_totals(int device) {
  each_statistic(device, [](Statistic& s) { s.allocated = s.freed = 0; });
}
void set_memory_fraction(double fraction, int device) {
  DeviceMemory& m = memory_of(device);
  std::lock_guard<std::recursive_mutex> hold(m.guard);
  double bytes = static_cast<double>(properties(device).memory) * fraction;
  m.limit = static_cast<size_t>(bytes);
}

}  // namespace lampas::cuda
