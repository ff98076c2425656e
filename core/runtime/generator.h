// Generator: a stream of random numbers with PyTorch's own values and state format. On the CPU the
// Mersenne Twister; on a GPU a place in the streams of Philox, which the kernels compute
// (cuda/device/philox.h). Distributions are in cpu/random.h and cuda/random.h. Source: M.
// Matsumoto, T. Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "runtime/device.h"

namespace lampas {

inline constexpr uint64_t kDefaultSeed = 67280421310721;

// Where the threads of a kernel begin to draw. `from`, when not null, is device memory with a seed
// and an offset that are read when the kernel runs (it is part of a captured graph); `offset` then
// counts from there, and `seed` is not looked at.
struct PhiloxPlace {
  uint64_t seed, offset;
  const uint64_t* from = nullptr;
};

class Generator {
 public:
  static constexpr size_t kStateBytes = 5056, kPhiloxStateBytes = 16;

  explicit Generator(uint64_t seed = kDefaultSeed, Device device = {}) : device_(device) {
    manual_seed(seed);
  }
  Generator(const Generator& other);
  Generator& operator=(const Generator& other) = delete;

  Device device() const { return device_; }
  void manual_seed(uint64_t seed);
  uint64_t seed();  // seeds from the system's entropy, returns the seed
  uint64_t initial_seed() const { return seed_; }

  size_t state_bytes() const { return device_.is_cpu() ? kStateBytes : kPhiloxStateBytes; }
  void get_state(uint8_t* bytes) const;               // state_bytes()
  void set_state(const uint8_t* bytes, size_t size);  // raises on anything that is no state

  // --- on a GPU ---
  uint64_t offset() const { return offset_; }
  void set_offset(uint64_t offset);  // a multiple of 4
  // The place for a kernel whose threads draw at most `numbers` each; the next one begins after.
  PhiloxPlace advance(uint64_t numbers);
  // While a graph is captured: places count from 0 and are read from `from` (see PhiloxPlace).
  void begin_capture(const uint64_t* from);
  uint64_t end_capture();  // what one replay draws of every stream

  // --- on the CPU ---

  // --- draws; the caller holds `mutex` ---
  uint32_t word() {
    if (left_ <= 1) next_block();
    --left_;
    return temper(state_[next_++]);
  }
  void words(uint32_t* out, size_t count);          // the same stream, many at a time
  void locked_words(uint32_t* out, size_t count) {  // for callers without the lock
    std::lock_guard lock(mutex);
    words(out, count);
  }
  uint64_t word64() {  // the first word is the upper half
    uint64_t high = word();
    return high << 32 | word();
  }
  double uniform() { return unit(word64()); }           // [0, 1), 53 bits
  float uniform_float() { return unit_float(word()); }  // [0, 1), 24 bits
  double normal();                                      // N(0, 1), Box-Muller; keeps the second one

  static double unit(uint64_t w) { return static_cast<double>(w & ((1ull << 53) - 1)) * 0x1p-53; }
  static float unit_float(uint32_t w) {
    return static_cast<float>(static_cast<int32_t>(w & 0xffffff)) * 0x1p-24f;
  }

  std::mutex mutex;  // one drawing operator at a time

 private:
  static constexpr int kWords = 624, kShift = 397;
  static uint32_t temper(uint32_t y) {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }
  void next_block();

  Device device_;
  uint64_t offset_ = 0;             // of a GPU: numbers that every stream has given
  const uint64_t* from_ = nullptr;  // of a capture, and what it has drawn so far
  uint64_t captured_ = 0;
  uint64_t seed_ = 0;                   // as given by the user
  int32_t left_ = 1;                    // words before the next block is due, plus one
  uint32_t next_ = 0;                   // index of the next word in state_
  std::optional<double> kept_normal_;   // second number of the last Box-Muller pair
  std::optional<float> kept_float_;     // only carried through states
  alignas(64) uint32_t state_[kWords];  // the block, before tempering
};

Generator& default_generator();
Generator& default_generator(Device device);  // of the CPU, or of one GPU
// The default generators of all GPUs, also of those that are not known yet.
void seed_all_gpus(uint64_t seed);

}  // namespace lampas
