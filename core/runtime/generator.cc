// The Mersenne Twister engine, and the saved states of both kinds of generators.
#include "runtime/generator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>

#include "runtime/error.h"

namespace lampas {
namespace {

// The byte layout of a state, as files hold it. Fields of older engines stay zero.
struct SavedState {
  uint64_t seed;
  int32_t left;
  int32_t seeded;
  uint64_t next;
  uint64_t state[624];
  double old_normal_x;
  double normal;  // the kept Box-Muller number, when normal_valid
  double old_normal_radius;
  int32_t normal_valid;
  int32_t padding;
  float float_normal;
  uint8_t float_valid;
  uint8_t padding2[3];
};
static_assert(sizeof(SavedState) == Generator::kStateBytes);

uint32_t twist(uint32_t current, uint32_t following, uint32_t shifted) {
  uint32_t y = (current & 0x80000000u) | (following & 0x7fffffffu);
  return shifted ^ (y >> 1) ^ ((0u - (following & 1u)) & 0x9908b0dfu);
}

}  // namespace

Generator::Generator(const Generator& other)
    : device_(other.device_),
      offset_(other.offset_),
      seed_(other.seed_),
      left_(other.left_),
      next_(other.next_),
      kept_normal_(other.kept_normal_),
      kept_float_(other.kept_float_) {
  std::copy_n(other.state_, kWords, state_);
}

void Generator::manual_seed(uint64_t seed) {
  seed_ = seed;
  offset_ = 0;
  if (!device_.is_cpu()) return;
  left_ = 1;
  next_ = 0;
  kept_normal_.reset();
  kept_float_.reset();
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
}

uint64_t Generator::seed() {
  std::random_device entropy;
  uint64_t seed = static_cast<uint64_t>(entropy()) << 32 | entropy();
  manual_seed(seed);
  return seed;
}

void Generator::next_block() {
  // Both loops read ahead of what they write (or 227 behind), so they vectorise.
  constexpr int kRest = kWords - kShift;
  for (int i = 0; i < kRest; ++i) state_[i] = twist(state_[i], state_[i + 1], state_[i + kShift]);
  for (int i = kRest; i < kWords - 1; ++i) {
    state_[i] = twist(state_[i], state_[i + 1], state_[i - kRest]);
  }
  state_[kWords - 1] = twist(state_[kWords - 1], state_[0], state_[kShift - 1]);
  left_ = kWords + 1;
  next_ = 0;
}

void Generator::words(uint32_t* out, size_t count) {
  while (count > 0) {
    if (left_ <= 1) next_block();
    size_t take = std::min<size_t>(count, static_cast<size_t>(left_ - 1));
    const uint32_t* from = state_ + next_;
    for (size_t i = 0; i < take; ++i) out[i] = temper(from[i]);
    out += take;
    count -= take;
    left_ -= static_cast<int32_t>(take);
    next_ += static_cast<uint32_t>(take);
  }
}

double Generator::normal() {
  if (kept_normal_) {
    double kept = *kept_normal_;
    kept_normal_.reset();
    return kept;
  }
  double angle = 2 * std::numbers::pi * uniform();
  double radius = std::sqrt(-2 * std::log1p(-uniform()));
  kept_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

void Generator::get_state(uint8_t* bytes) const {
  if (!device_.is_cpu()) {
    std::memcpy(bytes, &seed_, 8);
    std::memcpy(bytes + 8, &offset_, 8);
    return;
  }
  SavedState saved{};
  saved.seed = seed_;
  saved.left = left_;
  saved.seeded = 1;
  saved.next = next_;
  std::copy_n(state_, kWords, saved.state);
  saved.normal = kept_normal_.value_or(0);
  saved.normal_valid = kept_normal_.has_value();
  saved.float_normal = kept_float_.value_or(0);
  saved.float_valid = kept_float_.has_value();
  std::memcpy(bytes, &saved, sizeof saved);
}

void Generator::set_state(const uint8_t* bytes, size_t size) {
  if (!device_.is_cpu()) {
    // Older states hold a seed alone.
    CHECK(size == 8 || size == kPhiloxStateBytes, "RNG state is wrong size");
    uint64_t seed, offset = 0;
    std::memcpy(&seed, bytes, 8);
    if (size > 8) std::memcpy(&offset, bytes + 8, 8);
    set_offset(offset);
    seed_ = seed;
    return;
  }
  CHECK(size == kStateBytes, "Expected a CPUGeneratorImplState of size ", kStateBytes,
        " but found the input RNG state size to be ", size);
  SavedState saved;
  std::memcpy(&saved, bytes, size);
  // The last condition keeps a forged state from reading past the block.
  bool valid = saved.seeded && saved.left >= 1 && saved.left <= kWords && saved.next <= kWords &&
               (saved.left == 1 || saved.left + saved.next <= kWords + 1);
  CHECK(valid, "Invalid mt19937 state");
  seed_ = saved.seed;
  left_ = saved.left;
  next_ = static_cast<uint32_t>(saved.next);
  std::copy_n(saved.state, kWords, state_);
  kept_normal_.reset();
  kept_float_.reset();
  if (saved.normal_valid) kept_normal_ = saved.normal;
  if (saved.float_valid) kept_float_ = saved.float_normal;
}

void Generator::set_offset(uint64_t offset) {
  CHECK(!device_.is_cpu(), "CPU Generator does not use offset");
  CHECK(offset % 4 == 0, "offset must be a multiple of 4");
  offset_ = offset;
}

namespace {
// The device whose work this thread captures; the CPU: none.
thread_local Device captured_device;
}  // namespace

PhiloxPlace Generator::advance(uint64_t numbers) {
  std::lock_guard lock(mutex);
  CHECK(from_ || captured_device.is_cpu() || !(captured_device == device_),
        "Attempt to increase offset for a CUDA generator not in capture mode.");
  uint64_t& at = from_ ? captured_ : offset_;
  PhiloxPlace place{seed_, at, from_};
  at += (numbers + 3) / 4 * 4;
  return place;
}
void Generator::begin_capture(const uint64_t* from) {
  std::lock_guard lock(mutex);
  from_ = from;
  captured_ = 0;
  captured_device = device_;
}
uint64_t Generator::end_capture() {
  std::lock_guard lock(mutex);
  from_ = nullptr;
  captured_device = {};
  return captured_;
}

Generator& default_generator() {
  static auto* generator = new Generator;  // never destroyed: other threads may still draw at exit
  return *generator;
}

namespace {

// Made when first asked for: seeding must not open the driver.
struct GpuGenerators {
  std::mutex guard;
  uint64_t seed = kDefaultSeed;  // of those to come
  Generator* made[128] = {};     // never destroyed
};
GpuGenerators& gpu_generators() {
  static auto* generators = new GpuGenerators;
  return *generators;
}

}  // namespace

Generator& default_generator(Device device) {
  if (!device.is_cuda()) return default_generator();
  GpuGenerators& all = gpu_generators();
  std::lock_guard lock(all.guard);
  Generator*& generator = all.made[device.index];
  if (!generator) generator = new Generator(all.seed, device);
  return *generator;
}

void seed_all_gpus(uint64_t seed) {
  GpuGenerators& all = gpu_generators();
  std::lock_guard lock(all.guard);
  all.seed = seed;
  for (Generator* g : all.made) {
    if (!g) continue;
    std::lock_guard own(g->mutex);
    g->manual_seed(seed);
  }
}

}  // namespace lampas
