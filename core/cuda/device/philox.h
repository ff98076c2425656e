// Philox4x32-10, a random function of a key and a counter: J. Salmon, M. Moraes, R. Dror, D. Shaw,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Key and counter are filled as curand
// does: seed; place in the stream, number of the stream.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

struct Words {
  uint32_t x, y, z, w;
};

inline Words philox(Words counter, uint32_t key0, uint32_t key1) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    uint64_t left = static_cast<uint64_t>(counter.x) * 0xD2511F53u;
    uint64_t right = static_cast<uint64_t>(counter.z) * 0xCD9E8D57u;
    counter = {static_cast<uint32_t>(right >> 32) ^ counter.y ^ key0, static_cast<uint32_t>(right),
               static_cast<uint32_t>(left >> 32) ^ counter.w ^ key1, static_cast<uint32_t>(left)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// runtime/generator.h has its meaning.
struct PhiloxPlace {
  uint64_t seed, offset;
  const uint64_t* from;
};

// One stream: four words at a time.
struct Stream {
  uint64_t seed, at, stream;

  inline Stream(const PhiloxPlace& place, uint64_t stream) : stream(stream) {
    seed = place.from ? place.from[0] : place.seed;
    at = (place.from ? place.from[1] + place.offset : place.offset) / 4;
  }
  inline Words next() {
    Words counter{static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32),
                  static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
    ++at;
    return philox(counter, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  }
};

// --- words as numbers, in (0, 1] and normal, as curand has them ---

inline float unit(uint32_t x) {
  return static_cast<float>(x) * 2.3283064365386963e-10f + 1.16415321826934814453125e-10f;
}
// 53 bits of two words.
inline uint64_t bits53(uint32_t x, uint32_t y) { return x ^ static_cast<uint64_t>(y) << 21; }
inline double unit(uint32_t x, uint32_t y) {
  return static_cast<double>(bits53(x, y)) * 1.1102230246251565e-16 + 5.5511151231257827e-17;
}

#ifdef __CUDACC_RTC__
inline void sine_and_cosine(float x, float* sine, float* cosine) { __sincosf(x, sine, cosine); }
// of pi * x
inline void sine_and_cosine_pi(double x, double* sine, double* cosine) {
  ::sincospi(x, sine, cosine);
}
inline float quick_log(float x) { return __logf(x); }
inline float quick_exp(float x) { return __expf(x); }
inline float quick_tan(float x) { return __tanf(x); }
inline float exact_log(float x) { return ::logf(x); }
inline double exact_log(double x) { return ::log(x); }
#else
inline void sine_and_cosine(float x, float* sine, float* cosine) {
  *sine = __builtin_sinf(x), *cosine = __builtin_cosf(x);
}
inline void sine_and_cosine_pi(double x, double* sine, double* cosine) {
  *sine = __builtin_sin(x * 3.14159265358979323846);
  *cosine = __builtin_cos(x * 3.14159265358979323846);
}
inline float quick_log(float x) { return __builtin_logf(x); }
inline float quick_exp(float x) { return __builtin_expf(x); }
inline float quick_tan(float x) { return __builtin_tanf(x); }
inline float exact_log(float x) { return __builtin_logf(x); }
inline double exact_log(double x) { return __builtin_log(x); }
#endif
inline double quick_log(double x) { return __builtin_log(x); }
inline double quick_exp(double x) { return __builtin_exp(x); }
inline double quick_tan(double x) { return __builtin_tan(x); }

// G. Box, M. Muller, 1958: two words make two normal numbers, or four words two of double.
inline void normal_pair(uint32_t x, uint32_t y, float* a, float* b) {
  float angle = static_cast<float>(y) * 1.46291807926715968e-9f + 7.3145903963357984e-10f;
  float radius = __builtin_sqrtf(-2.0f * exact_log(unit(x)));
  sine_and_cosine(angle, a, b);
  *a *= radius, *b *= radius;
}
inline void normal_pair(Words w, double* a, double* b) {
  double turns = static_cast<double>(bits53(w.z, w.w)) * 2.2204460492503131e-16 +
                 1.1102230246251565e-16;  // in half turns
  double radius = __builtin_sqrt(-2.0 * exact_log(unit(w.x, w.y)));
  sine_and_cosine_pi(turns, a, b);
  *a *= radius, *b *= radius;
}

}  // namespace lampas::device
