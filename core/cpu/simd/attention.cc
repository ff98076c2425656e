// See attention.h. Compiled once per instruction set.
#include "cpu/simd/attention.h"

#include <limits>

#include "ops/math.h"

namespace lampas::LAMPAS_ISA {
namespace {

constexpr int64_t kLanes = 16;  // partial results side by side

template <class T>
LAMPAS_INLINE T larger(T a, T b) {
  return (a > b) | (a != a) ? a : b;
}

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

// Scaled and masked scores in place of s.
template <class T>
void finish_scores(const AttentionRow<T>& r) {
  T* __restrict s = r.s;
  T scale = r.scale;
  if (r.bias) {
    const T* __restrict bias = r.bias;
    for (int64_t j = 0; j < r.count; ++j) s[j] = s[j] * scale + bias[j];
  } else {
    for (int64_t j = 0; j < r.count; ++j) s[j] *= scale;
  }
  if (r.allowed)
    for (int64_t j = 0; j < r.count; ++j) s[j] = r.allowed[j] ? s[j] : kNever<T>;
}

template <class T>
T largest(const T* s, int64_t count, T start) {
  T lanes[kLanes];
  for (int64_t l = 0; l < kLanes; ++l) lanes[l] = start;
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = larger(s[j + l], lanes[l]);
  for (int64_t l = 0; j + l < count; ++l) lanes[l] = larger(s[j + l], lanes[l]);
  T top = lanes[0];
  for (int64_t l = 1; l < kLanes; ++l) top = larger(top, lanes[l]);
  return top;
}

template <class T>
T total(const T* s, int64_t count) {
  T lanes[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= count; j += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += s[j + l];
  for (int64_t l = 0; j + l < count; ++l) lanes[l] += s[j + l];
  for (int64_t w = kLanes / 2; w > 0; w /= 2)
    for (int64_t l = 0; l < w; ++l) lanes[l] += lanes[l + w];
  return lanes[0];
}

template <class T>
T row(const AttentionRow<T>& r, T& top, T& sum) {
  finish_scores(r);
  T now = largest(r.s, r.count, top);
  T base = now == kNever<T> ? T(0) : now;  // nothing to see yet: exp(-inf) is 0
  T* __restrict s = r.s;
  for (int64_t j = 0; j < r.count; ++j) s[j] = math::exp(s[j] - base);
  T correction = math::exp(top - base);
  sum = sum * correction + total(r.s, r.count);
  top = now;
  return correction;
}

template <class T>
void row_gradient(const AttentionRow<T>& r, T log_sum, T along, T* dp) {
  finish_scores(r);
  T* __restrict s = r.s;
  T* __restrict d = dp;
  T scale = r.scale;
  for (int64_t j = 0; j < r.count; ++j) {
    T p = math::exp(s[j] - log_sum);
    s[j] = p;
    d[j] = p * (d[j] - along) * scale;
  }
}

template <class T>
void scale_row(T* __restrict y, int64_t count, T factor) {
  for (int64_t j = 0; j < count; ++j) y[j] *= factor;
}

}  // namespace

#define KINDS(T)                                                                         \
  T attention_row(const AttentionRow<T>& r, T& top, T& sum) { return row(r, top, sum); } \
  void attention_row_gradient(const AttentionRow<T>& r, T log_sum, T along, T* dp) {     \
    row_gradient(r, log_sum, along, dp);                                                 \
  }                                                                                      \
  void attention_scale(T* y, int64_t count, T factor) { scale_row(y, count, factor); }
KINDS(float)
KINDS(double)
#undef KINDS

}  // namespace lampas::LAMPAS_ISA
