// See winograd_rows.h. Compiled once per instruction set.
#include "cpu/simd/winograd_rows.h"

#include "cpu/simd/vectors.h"

namespace lampas::LAMPAS_ISA {

namespace {

using Floats = Vec<float>;
using V = Floats::V;
constexpr int64_t kLanes = Floats::kLanes;

// False for a NaN. What sums of finite values times zero are checked with.
bool is_zero(V v) {
  for (int64_t l = 0; l < kLanes; ++l)
    if (v[l] != 0) return false;
  return true;
}

// B^T d: of six values six.
inline void spread(const V* d, V* u) {
  u[0] = d[0] - 1.5f * d[1] - 2 * d[2] + 1.5f * d[3] + d[4];
  u[1] = 0.5f * d[2] - d[1] + 2.5f * d[3] + d[4];
  u[2] = d[1] - 2.5f * d[2] + 0.5f * d[3] + d[4];
  u[3] = 2 * (d[3] - d[1]) + (d[4] - d[2]);
  u[4] = 0.5f * (d[1] - d[3]) + (d[4] - d[2]);
  u[5] = d[1] - 1.5f * d[2] - 2 * d[3] + 1.5f * d[4] + d[5];
}

// A^T u: m results of six values. Powers of the points.
template <int m>
inline void narrow(const V* u, V* y) {
  V sum = u[1] + u[2], difference = u[1] - u[2];
  y[0] = u[0] + sum + u[3] + u[4];
  y[1] = difference + 0.5f * u[3] - 2 * u[4];
  if constexpr (m == 2) y[1] += u[5];
  if constexpr (m >= 3) y[2] = sum + 0.25f * u[3] + 4 * u[4];
  if constexpr (m == 3) y[2] += u[5];
  if constexpr (m == 4) y[3] = difference + 0.125f * u[3] - 8 * u[4] + u[5];
}

// A g, its adjoint.
template <int m>
inline void widen_gradient(const V* g, V* u) {
  V even = g[0], odd = g[1];
  if constexpr (m >= 3) even += g[2];
  if constexpr (m == 4) odd += g[3];
  u[0] = g[0];
  u[1] = even + odd;
  u[2] = even - odd;
  u[3] = g[0] + 0.5f * g[1];
  u[4] = g[0] - 2 * g[1];
  if constexpr (m >= 3) u[3] += 0.25f * g[2], u[4] += 4 * g[2];
  if constexpr (m == 4) u[3] += 0.125f * g[3], u[4] -= 8 * g[3];
  u[5] = g[m - 1];
}

// G w: of r taps six values.
constexpr float kThird = 1.0f / 3, kFifteenth = 1.0f / 15;
template <int r>
inline void widen_taps(const V* w, V* u) {
  V even = w[0] + w[2], odd = w[1];
  V half = 16 * w[0] + 8 * w[1] + 4 * w[2], two = w[0] - 2 * w[1] + 4 * w[2];
  if constexpr (r >= 4) odd += w[3], half += 2 * w[3], two -= 8 * w[3];
  if constexpr (r == 5) even += w[4], half += w[4], two += 16 * w[4];
  u[0] = w[0];
  u[1] = (even + odd) * kThird;
  u[2] = (odd - even) * kThird;
  u[3] = -kFifteenth * half;
  u[4] = kFifteenth * two;
  u[5] = w[r - 1];
}

// G^T u, its adjoint.
template <int r>
inline void narrow_taps(const V* u, V* w) {
  V even = (u[1] - u[2]) * kThird, odd = (u[1] + u[2]) * kThird;
  V half = -kFifteenth * u[3], two = kFifteenth * u[4];
  w[0] = u[0] + even + 16 * half + two;
  w[1] = odd + 8 * half - 2 * two;
  w[2] = even + 4 * half + 4 * two;
  if constexpr (r >= 4) w[3] = odd + 2 * half - 8 * two;
  if constexpr (r == 5) w[4] = even + half + 16 * two;
  w[r - 1] += u[5];
}

template <int m>
void gradient(float* planes, const float* g, const RowTiles& r) {
  for (int64_t t = 0; t < r.tiles; ++t, g += m * r.pitch, planes += r.channels)
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      V d[m], u[6];
#pragma GCC unroll 4
      for (int i = 0; i < m; ++i) d[i] = Floats::load(g + i * r.pitch + c);
      widen_gradient<m>(d, u);
#pragma GCC unroll 6
      for (int k = 0; k < 6; ++k) Floats::store(planes + k * r.plane + c, u[k]);
    }
}

template <int m>
bool result(float* y, const float* planes, const float* bias, const RowTiles& r, int64_t cols) {
  V odd = {};  // stays zero as long as everything is finite
  for (int64_t t = 0; t < r.tiles; ++t, y += m * r.pitch, planes += r.channels, cols -= m) {
    int64_t count = cols < m ? cols : m;
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      V u[6], found[m], b = Floats::load(bias + c);
#pragma GCC unroll 6
      for (int k = 0; k < 6; ++k) u[k] = Floats::load(planes + k * r.plane + c);
      narrow<m>(u, found);
#pragma GCC unroll 4
      for (int i = 0; i < m; ++i) {
        if (i >= count) break;
        V value = found[i] + b;
        Floats::store(y + i * r.pitch + c, value);
        odd += value * 0.0f;
      }
    }
  }
  return is_zero(odd);
}

template <int m>
void weights(float* planes, const float* w, const RowTaps& s) {
  constexpr int r = 7 - m;
  for (int64_t p = 0; p < s.phases; ++p, planes += s.step)
    for (int64_t c = 0; c < s.width; c += kLanes) {
      V taps[r] = {}, u[6];
#pragma GCC unroll 5
      for (int j = 0; j < r; ++j) {
        int64_t tap = j * s.phases + p;
        if (tap < s.taps)
          taps[j] = Floats::load(w + (s.turned ? s.taps - 1 - tap : tap) * s.width + c);
      }
      widen_taps<r>(taps, u);
#pragma GCC unroll 6
      for (int k = 0; k < 6; ++k) Floats::store(planes + k * s.plane + c, u[k]);
    }
}

template <int m>
bool weight_gradient(float* dw, const float* planes, const RowTaps& s) {
  constexpr int r = 7 - m;
  V odd = {};
  for (int64_t p = 0; p < s.phases; ++p, planes += s.step)
    for (int64_t c = 0; c < s.width; c += kLanes) {
      V u[6], w[r];
#pragma GCC unroll 6
      for (int k = 0; k < 6; ++k) u[k] = Floats::load(planes + k * s.plane + c);
      narrow_taps<r>(u, w);
#pragma GCC unroll 5
      for (int j = 0; j < r; ++j) {
        int64_t tap = j * s.phases + p;
        if (tap >= s.taps) break;
        Floats::store(dw + tap * s.width + c, w[j]);
        odd += w[j] * 0.0f;
      }
    }
  return is_zero(odd);
}

}  // namespace

#define BY_SIZE(name, ...) \
  (r.m == 2 ? name<2>(__VA_ARGS__) : r.m == 3 ? name<3>(__VA_ARGS__) : name<4>(__VA_ARGS__))

void winograd_row_image(float* planes, const float* x, const RowTiles& r) {
  for (int64_t t = 0; t < r.tiles; ++t, x += r.m * r.pitch, planes += r.channels)
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      V d[6], u[6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) d[j] = Floats::load(x + j * r.pitch + c);
      spread(d, u);
#pragma GCC unroll 6
      for (int k = 0; k < 6; ++k) Floats::store(planes + k * r.plane + c, u[k]);
    }
}

void winograd_row_gradient(float* planes, const float* g, const RowTiles& r) {
  BY_SIZE(gradient, planes, g, r);
}
bool winograd_row_result(float* y, const float* planes, const float* bias, const RowTiles& r,
                         int64_t cols) {
  return BY_SIZE(result, y, planes, bias, r, cols);
}
void winograd_row_weights(float* planes, const float* w, const RowTaps& r) {
  BY_SIZE(weights, planes, w, r);
}
bool winograd_row_weight_gradient(float* dw, const float* planes, const RowTaps& r) {
  return BY_SIZE(weight_gradient, dw, planes, r);
}

}  // namespace lampas::LAMPAS_ISA
