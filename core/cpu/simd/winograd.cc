// See winograd.h. Compiled once per instruction set.
#include "cpu/simd/winograd.h"

namespace lampas::LAMPAS_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int64_t kLanes = kBytes / 4;

typedef float V __attribute__((vector_size(kBytes)));
typedef float Unaligned __attribute__((vector_size(kBytes), aligned(4), may_alias));
inline V load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void store(float* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }

constexpr float kZeros[kWinogradMost] = {};

// Pixel (i, j) of the patch at (row, col); zeros, or null, outside.
inline const float* pixel(const float* x, const WinogradRow& r, int64_t i, int64_t j) {
  bool inside = i >= 0 && i < r.rows && j >= 0 && j < r.cols;
  return inside ? x + (i * r.cols + j) * r.pitch : nullptr;
}

// False for a NaN. What sums of finite values times zero are checked with.
inline bool is_zero(V v) {
  for (int64_t l = 0; l < kLanes; ++l)
    if (v[l] != 0) return false;
  return true;
}

// B^T d: of four values four.
inline void spread4(V* d) {
  V a = d[0] - d[2], b = d[1] + d[2], c = d[2] - d[1], e = d[1] - d[3];
  d[0] = a, d[1] = b, d[2] = c, d[3] = e;
}

// 3 values to 4 (G), and back (G^T).
inline void widen3(const V* w, V* u) {
  V half = (w[0] + w[2]) * 0.5f, middle = w[1] * 0.5f;
  u[0] = w[0], u[1] = half + middle, u[2] = half - middle, u[3] = w[2];
}
inline void narrow4(const V* u, V* w) {
  w[0] = u[0] + 0.5f * (u[1] + u[2]);
  w[1] = 0.5f * (u[1] - u[2]);
  w[2] = 0.5f * (u[1] + u[2]) + u[3];
}

}  // namespace

void winograd_image(float* planes, const float* x, const WinogradRow& r) {
  for (int64_t t = 0; t < r.tiles; ++t, planes += r.tile) {
    const float* from[16];
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < 4; ++j) {
        const float* p = pixel(x, r, r.row + i, r.col + 2 * t + j);
        from[i * 4 + j] = p ? p : kZeros;
      }
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      V d[4][4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) d[i][j] = load(from[i * 4 + j] + c);
        spread4(d[i]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        V column[4] = {d[0][j], d[1][j], d[2][j], d[3][j]};
        spread4(column);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) store(planes + (i * 4 + j) * r.plane + c, column[i]);
      }
    }
  }
}

void winograd_gradient(float* planes, const float* g, const WinogradRow& r) {
  for (int64_t t = 0; t < r.tiles; ++t, planes += r.tile) {
    const float* from[4];
    for (int64_t i = 0; i < 2; ++i)
      for (int64_t j = 0; j < 2; ++j) {
        const float* p = pixel(g, r, r.row + i, r.col + 2 * t + j);
        from[i * 2 + j] = p ? p : kZeros;
      }
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      V d[4][2];
      V a = load(from[0] + c), b = load(from[1] + c), e = load(from[2] + c), f = load(from[3] + c);
      d[0][0] = a, d[0][1] = b;
      d[1][0] = a + e, d[1][1] = b + f;
      d[2][0] = a - e, d[2][1] = b - f;
      d[3][0] = -e, d[3][1] = -f;
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        store(planes + (i * 4 + 0) * r.plane + c, d[i][0]);
        store(planes + (i * 4 + 1) * r.plane + c, d[i][0] + d[i][1]);
        store(planes + (i * 4 + 2) * r.plane + c, d[i][0] - d[i][1]);
        store(planes + (i * 4 + 3) * r.plane + c, -d[i][1]);
      }
    }
  }
}

bool winograd_result(float* y, const float* planes, const float* bias, const WinogradRow& r) {
  V odd = {};  // stays zero as long as everything is finite
  for (int64_t t = 0; t < r.tiles; ++t, planes += r.tile) {
    float* to[2][2];
    for (int64_t i = 0; i < 2; ++i)
      for (int64_t j = 0; j < 2; ++j)
        to[i][j] = const_cast<float*>(pixel(y, r, r.row + i, r.col + 2 * t + j));
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      V d[2][4], b = load(bias + c);
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const float* p = planes + j * r.plane + c;
        V m0 = load(p), m1 = load(p + 4 * r.plane), m2 = load(p + 8 * r.plane),
          m3 = load(p + 12 * r.plane);
        d[0][j] = m0 + m1 + m2;
        d[1][j] = m1 - m2 - m3;
      }
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        V left = d[i][0] + d[i][1] + d[i][2] + b, right = d[i][1] - d[i][2] - d[i][3] + b;
        if (to[i][0]) store(to[i][0] + c, left), odd += left * 0.0f;
        if (to[i][1]) store(to[i][1] + c, right), odd += right * 0.0f;
      }
    }
  }
  return is_zero(odd);
}

void winograd_weights(float* planes, int64_t plane, const float* w, int64_t count, int64_t width,
                      bool turned) {
  for (int64_t i = 0; i < count; ++i, w += 9 * width, planes += width)
    for (int64_t c = 0; c < width; c += kLanes) {
      V rows[3][4];
#pragma GCC unroll 3
      for (int r = 0; r < 3; ++r) {
        V window[3];
#pragma GCC unroll 3
        for (int k = 0; k < 3; ++k)
          window[k] = load(w + (turned ? 8 - (r * 3 + k) : r * 3 + k) * width + c);
        widen3(window, rows[r]);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        V column[3] = {rows[0][j], rows[1][j], rows[2][j]}, u[4];
        widen3(column, u);
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) store(planes + (r * 4 + j) * plane + c, u[r]);
      }
    }
}

bool winograd_weight_gradient(float* dw, const float* planes, int64_t plane, int64_t count,
                              int64_t width) {
  V odd = {};
  for (int64_t i = 0; i < count; ++i, dw += 9 * width, planes += width)
    for (int64_t c = 0; c < width; c += kLanes) {
      V rows[4][3];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        V u[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) u[j] = load(planes + (r * 4 + j) * plane + c);
        narrow4(u, rows[r]);
      }
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) {
        V u[4] = {rows[0][k], rows[1][k], rows[2][k], rows[3][k]}, w[3];
        narrow4(u, w);
#pragma GCC unroll 3
        for (int r = 0; r < 3; ++r) {
          store(dw + (r * 3 + k) * width + c, w[r]);
          odd += w[r] * 0.0f;
        }
      }
    }
  return is_zero(odd);
}

}  // namespace lampas::LAMPAS_ISA
