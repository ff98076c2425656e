// CRC-32 as zip files have it (reflected polynomial 0xEDB88320, ISO 3309), and joining the sums of
// neighbouring pieces, so that pieces can be summed by several threads.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lampas::cpu {

inline constexpr int64_t kChecksumPiece = int64_t{1} << 18;  // bytes: a second-level cache holds it

// The sum of what `before` is the sum of, followed by these bytes. One thread.
uint32_t crc32(const void* data, size_t bytes, uint32_t before = 0);
// The same, large data by all threads.
uint32_t parallel_crc32(const void* data, size_t bytes, uint32_t before = 0);
// The sum of two pieces in a row, of their sums and the length of the second.
uint32_t joined_crc32(uint32_t first, uint32_t second, uint64_t second_bytes);

}  // namespace lampas::cpu
