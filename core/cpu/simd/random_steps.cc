// Affine maps and normal numbers in single precision. Which operations are fused decides the last
// bit, so each one is spelt out.
#include "cpu/random_steps.h"

#include <bit>
#include <cmath>

namespace lampas::LAMPAS_ISA {
namespace {

template <class T>
void stretch_all(T* y, int64_t n, T width, T low) {
  for (int64_t i = 0; i < n; ++i) y[i] = std::fma(y[i], width, low);
}

// ((c0 x + c1) x + c2) ..., each step fused. (A loop over a list would not vectorise.)
template <class... Cs>
float horner(float x, float c0, Cs... rest) {
  float y = c0;
  ((y = std::fma(y, x, rest)), ...);
  return y;
}

// Natural logarithm and sine/cosine in single precision, after S. Moshier's Cephes library (logf,
// sinf, cosf), branch-free. Domain: x > 0 normal; 0 <= x < 8192. Within 2 ULP.
inline float log_single(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  auto exponent = static_cast<float>(static_cast<int32_t>(bits >> 23) - 126);
  float m = std::bit_cast<float>((bits & 0x007fffffu) | 0x3f000000u);  // [0.5, 1)
  bool low = m < 0.707106781186547524f;
  exponent -= low ? 1.0f : 0.0f;
  float extra = low ? m : 0.0f;
  m = (m - 1.0f) + extra;
  float y = horner(m, 7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                   1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f,
                   3.3333331174e-1f);
  float z = m * m;
  y = std::fma(y * m, z, exponent * -2.12194440e-4f);
  y = std::fma(z, -0.5f, y);
  return std::fma(exponent, 0.693359375f, m + y);
}

inline void sincos_single(float x, float& sine, float& cosine) {
  auto octant = static_cast<int32_t>(x * 1.27323954473516f);
  octant = (octant + 1) & ~1;
  auto turns = static_cast<float>(octant);
  x = std::fma(turns, -0.78515625f, x);
  x = std::fma(turns, -2.4187564849853515625e-4f, x);
  x = std::fma(turns, -3.77489497744594108e-8f, x);
  float z = x * x;
  float c = horner(z, 2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f) * z;
  c = std::fma(c, z, z * -0.5f) + 1.0f;
  float s = horner(z, -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f) * z;
  s = std::fma(s, x, x);
  bool swapped = octant & 2;
  float a = swapped ? c : s, b = swapped ? s : c;
  sine = octant & 4 ? -a : a;
  cosine = (octant - 2) & 4 ? b : -b;
}

}  // namespace

void stretch(float* y, int64_t n, float width, float low) { stretch_all(y, n, width, low); }
void stretch(double* y, int64_t n, double width, double low) { stretch_all(y, n, width, low); }

// G. Box, M. Muller, 1958. The first eight numbers of a block give radii, the last eight angles.
void normal_blocks(float* y, int64_t blocks, float mean, float std) {
  constexpr float kTurn = 6.28318530717958647692f;
  for (; blocks > 0; --blocks, y += 16) {
    for (int j = 0; j < 8; ++j) {
      float radius = std::sqrt(-2.0f * log_single(1.0f - y[j]));
      float sine, cosine;
      sincos_single(kTurn * y[j + 8], sine, cosine);
      y[j] = std::fma(radius * cosine, std, mean);
      y[j + 8] = std::fma(radius * sine, std, mean);
    }
  }
}

}  // namespace lampas::LAMPAS_ISA
