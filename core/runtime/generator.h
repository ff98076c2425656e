// Generator: the Mersenne Twister behind every random operator on the CPU, with PyTorch's own
// stream and state format. Distributions are in cpu/random.h. Source: M. Matsumoto, T. Nishimura,
// "Mersenne Twister", ACM TOMACS 8(1), 1998.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace lampas {

inline constexpr uint64_t kDefaultSeed = 67280421310721;

class Generator {
 public:
  static constexpr size_t kStateBytes = 5056;

  explicit Generator(uint64_t seed = kDefaultSeed) { manual_seed(seed); }
  Generator(const Generator& other);
  Generator& operator=(const Generator& other) = delete;

  void manual_seed(uint64_t seed);
  uint64_t seed();  // seeds from the system's entropy, returns the seed
  uint64_t initial_seed() const { return seed_; }

  void get_state(uint8_t* bytes) const;               // kStateBytes
  void set_state(const uint8_t* bytes, size_t size);  // raises on anything that is no state

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

  uint64_t seed_ = 0;                   // as given by the user
  int32_t left_ = 1;                    // words before the next block is due, plus one
  uint32_t next_ = 0;                   // index of the next word in state_
  std::optional<double> kept_normal_;   // second number of the last Box-Muller pair
  std::optional<float> kept_float_;     // only carried through states
  alignas(64) uint32_t state_[kWords];  // the block, before tempering
};

Generator& default_generator();

}  // namespace lampas
