// Freed blocks are kept in one list per size class (four classes per doubling) and handed out
// again: fresh pages are what makes large results slow. Large blocks are 2 MB aligned and ask for
// huge pages.
#include "runtime/allocator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdlib>

#include "runtime/error.h"

namespace lampas::memory {
namespace {

constexpr int kClasses = 4 * 48;
constexpr size_t kLarge = size_t{1} << 20;  // from here on by mmap
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMost = size_t{1} << 46;

struct Block {
  Block* next;
};
Block* kept[kClasses];
size_t in_use = 0, requested = 0, cached = 0, limit = 0;

std::atomic_flag busy;
struct Lock {
  Lock() {
    while (busy.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~Lock() { busy.clear(std::memory_order_release); }
};

// The class of a size, and the size every block of that class has.
int class_of(size_t bytes) {
  if (bytes <= 64) return 0;
  int top = std::bit_width(bytes - 1);  // 2^(top-1) < bytes <= 2^top
  size_t quarter = size_t{1} << (top - 3);
  int step = static_cast<int>((bytes - (size_t{1} << (top - 1)) + quarter - 1) / quarter);  // 1..4
  return (top - 7) * 4 + step;
}
size_t class_size(int cls) {
  if (cls == 0) return 64;
  int top = (cls - 1) / 4 + 7, step = (cls - 1) % 4 + 1;
  return (size_t{1} << (top - 1)) + (size_t{1} << (top - 3)) * static_cast<size_t>(step);
}

size_t default_limit() {
  size_t memory =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return memory / 4;
}

size_t mapped_size(size_t size) { return (size + kHugePage - 1) / kHugePage * kHugePage; }

void* from_system(size_t size) {
  if (size < kLarge) return std::aligned_alloc(kAlignment, size);
  size_t length = mapped_size(size), room = length + kHugePage;
  void* p = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  auto at = reinterpret_cast<uintptr_t>(p), start = (at + kHugePage - 1) / kHugePage * kHugePage;
  if (start > at) munmap(p, start - at);
  size_t tail = at + room - (start + length);
  if (tail) munmap(reinterpret_cast<void*>(start + length), tail);
  madvise(reinterpret_cast<void*>(start), length, MADV_HUGEPAGE);
  return reinterpret_cast<void*>(start);
}

void to_system(void* data, size_t size) {
  if (size < kLarge)
    std::free(data);
  else
    munmap(data, mapped_size(size));
}

[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { busy.clear(); });

}  // namespace

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kCaching = false;  // so that every overrun and use after free is seen
#else
inline constexpr bool kCaching = true;
#endif

void* allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  CHECK_KIND(bytes < kMost, OutOfMemory,
             "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes,
             " bytes.");
  if (!kCaching) {
    void* p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    CHECK_KIND(p, OutOfMemory, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ",
               bytes, " bytes.");
    Lock lock;
    requested += bytes;
    return p;
  }
  int cls = class_of(bytes);
  size_t size = class_size(cls);
  {
    Lock lock;
    in_use += size;
    requested += bytes;
    if (Block* block = kept[cls]) {
      kept[cls] = block->next;
      cached -= size;
      return block;
    }
  }
  void* fresh = from_system(size);
  if (!fresh) {
    empty_cache();
    fresh = from_system(size);
  }
  if (!fresh) {
    {
      Lock lock;
      in_use -= size;
      requested -= bytes;
    }
    fail(ErrorKind::OutOfMemory,
         "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", bytes,
         " bytes. Error code 12 (Cannot allocate memory)");
  }
  return fresh;
}

void release(void* data, size_t bytes) {
  if (!data) return;
  if (!kCaching) {
    std::free(data);
    Lock lock;
    requested -= bytes;
    return;
  }
  int cls = class_of(bytes);
  size_t size = class_size(cls);
  {
    Lock lock;
    in_use -= size;
    requested -= bytes;
    if (limit == 0) limit = default_limit();
    if (cached + size <= limit) {
      auto* block = static_cast<Block*>(data);
      block->next = kept[cls];
      kept[cls] = block;
      cached += size;
      return;
    }
  }
  to_system(data, size);
}

void empty_cache() {
  Lock lock;
  for (int cls = 0; cls < kClasses; ++cls) {
    while (Block* block = kept[cls]) {
      kept[cls] = block->next;
      to_system(block, class_size(cls));
    }
  }
  cached = 0;
}

size_t bytes_in_use() { return in_use; }
size_t bytes_requested() { return requested; }
size_t bytes_cached() { return cached; }
void set_cache_limit(size_t bytes) { limit = bytes; }

}  // namespace lampas::memory
