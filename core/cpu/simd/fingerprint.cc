// See fingerprint.h. Compiled once per instruction set.
#include "cpu/simd/fingerprint.h"

#include <cstring>

namespace lampas::LAMPAS_ISA {

namespace {

// Each word goes through steps that can be undone, so one change never goes unseen.
constexpr uint32_t kFactor = 0x9E3779B1u;
inline uint32_t mixed(uint32_t state, uint32_t word) {
  state ^= word;
  return (state << 5 | state >> 27) * kFactor;
}

constexpr int kLanes = 128;  // side by side: a multiplication takes ten cycles

}  // namespace

Fingerprint fingerprint(const void* data, int64_t bytes) {
  uint32_t lanes[kLanes];
  for (int l = 0; l < kLanes; ++l) lanes[l] = kFactor * static_cast<uint32_t>(l + 1);
  auto* from = static_cast<const char*>(data);
  constexpr int64_t kStep = kLanes * 4;
  for (; bytes >= kStep; bytes -= kStep, from += kStep) {
    uint32_t words[kLanes];
    std::memcpy(words, from, kStep);
    for (int l = 0; l < kLanes; ++l) lanes[l] = mixed(lanes[l], words[l]);
  }
  uint32_t rest[kLanes] = {};
  std::memcpy(rest, from, static_cast<size_t>(bytes));
  for (int l = 0; l < kLanes; ++l) lanes[l] = mixed(lanes[l], rest[l]);
  uint64_t low = static_cast<uint64_t>(bytes), high = ~low;
  for (int l = 0; l < kLanes; ++l) {
    low = (low ^ lanes[l]) * 0x9E3779B97F4A7C15u;
    low ^= low >> 29;
    high = (high + lanes[l]) * 0xBF58476D1CE4E5B9u;
    high ^= high >> 31;
  }
  return {low, high};
}

}  // namespace lampas::LAMPAS_ISA
