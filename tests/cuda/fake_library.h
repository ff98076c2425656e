// What libraries that play NVIDIA's for tests share: reaching the fake driver's memory, and 16-bit
// floats. A wrong use of an interface ends the program with a line that says what was wrong.
#pragma once
#include <dlfcn.h>

#include <bit>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#define API extern "C" __attribute__((visibility("default")))
#define REQUIRE(condition)                                                           \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                  \
    }                                                                                \
  } while (0)

inline void* driver_function(const char* name) {
  static void* driver = dlopen(std::getenv("LAMPAS_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
  REQUIRE(driver);
  void* found = dlsym(driver, name);
  REQUIRE(found);
  return found;
}
// While one exists, memory of devices can be reached.
struct Reach {
  static void set(int on) { reinterpret_cast<void (*)(int)>(driver_function("fake_reach"))(on); }
  Reach() { set(1); }
  ~Reach() { set(0); }
};
inline bool is_device_memory(const void* p, size_t n) {
  auto holds = reinterpret_cast<int (*)(unsigned long long, size_t)>(driver_function("fake_holds"));
  return holds(reinterpret_cast<unsigned long long>(p), n);
}

struct Bf16 {
  uint16_t bits;
  Bf16(float x = 0) {
    uint32_t u = std::bit_cast<uint32_t>(x);
    bits = (u & 0x7fffffffu) > 0x7f800000u ? 0x7fc0 : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};
