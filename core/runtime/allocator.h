// The caching allocator of host memory: freed blocks are kept by size class and handed out again.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lampas::memory {

inline constexpr size_t kAlignment = 64;

void* allocate(size_t bytes);            // 64-byte aligned; throws Error(OutOfMemory)
void release(void* data, size_t bytes);  // `bytes` as given to allocate
void empty_cache();                      // returns every kept block to the system
size_t bytes_in_use();
size_t bytes_requested();  // the same as asked for, without rounding
size_t bytes_cached();
void set_cache_limit(size_t bytes);  // blocks beyond it go back to the system at once

}  // namespace lampas::memory
