// Pooling: a thread for each element of the result, forward and backward. Backward gathers from the
// windows that an element lies in, so nothing is added atomically and sums have one order.
#pragma once
#include "cuda/device/elements.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct PoolAxis {  // as cpu/pooling.h
  int32_t in, out, kernel, stride, padding, dilation;
  int32_t adaptive, count_padding;

  inline int32_t begin(int32_t o) const {
    if (adaptive) return static_cast<int32_t>(static_cast<int64_t>(o) * in / out);
    int32_t first = o * stride - padding;
    return first >= 0 ? first : first + (-first + dilation - 1) / dilation * dilation;
  }
  inline int32_t end(int32_t o) const {
    if (adaptive) return static_cast<int32_t>((static_cast<int64_t>(o + 1) * in + out - 1) / out);
    int32_t last = o * stride - padding + (kernel - 1) * dilation + 1;
    return last < in ? last : in;
  }
  inline int32_t count(int32_t o) const {
    if (adaptive || !count_padding) return end(o) > begin(o) ? end(o) - begin(o) : 0;
    int32_t first = o * stride - padding, last = first + kernel;
    if (last > in + padding) last = in + padding;
    return last > first ? last - first : 0;
  }
  // The outputs whose windows may hold element i.
  inline int32_t first_of(int32_t i) const {
    if (adaptive) return static_cast<int32_t>(static_cast<int64_t>(i) * out / in);
    int32_t from = i + padding - (kernel - 1) * dilation;
    return from <= 0 ? 0 : (from + stride - 1) / stride;
  }
  inline int32_t last_of(int32_t i) const {
    int32_t last = adaptive
                       ? static_cast<int32_t>((static_cast<int64_t>(i + 1) * out + in - 1) / in - 1)
                       : (i + padding) / stride;
    return last < out ? last : out - 1;
  }
};

// `channels`: 0 for planes one after the other; else channels last in memory.
struct PoolArguments {
  void *y, *x;
  int64_t* indices;  // may be null
  int64_t n, channels, in_volume, out_volume, divisor;
  PoolAxis axes[3];
};

// A place of the thread's tensor, and where its plane begins in the other one.
struct Spot {
  int32_t i, j, k;
  int64_t base, step;  // of the other tensor's plane
};
template <class Index>
inline Spot spot_of(const PoolArguments& a, int64_t linear, const int32_t (&size)[3],
                    int64_t volume, int64_t other_volume) {
  Index rest = static_cast<Index>(linear), at, plane;
  Spot s;
  if (a.channels) {
    Index channels = static_cast<Index>(a.channels), c = rest % channels;
    rest /= channels;
    plane = rest / static_cast<Index>(volume);
    at = rest - plane * static_cast<Index>(volume);
    s.step = a.channels;
    s.base = static_cast<int64_t>(plane) * other_volume * a.channels + static_cast<int64_t>(c);
  } else {
    plane = rest / static_cast<Index>(volume);
    at = rest - plane * static_cast<Index>(volume);
    s.step = 1;
    s.base = static_cast<int64_t>(plane) * other_volume;
  }
  auto place = static_cast<uint32_t>(at);
  s.k = static_cast<int32_t>(place % static_cast<uint32_t>(size[2]));
  place /= static_cast<uint32_t>(size[2]);
  s.j = static_cast<int32_t>(place % static_cast<uint32_t>(size[1]));
  s.i = static_cast<int32_t>(place / static_cast<uint32_t>(size[1]));
  return s;
}
template <class Index>
inline Spot output_spot(const PoolArguments& a, int64_t i) {
  int32_t size[3] = {a.axes[0].out, a.axes[1].out, a.axes[2].out};
  return spot_of<Index>(a, i, size, a.out_volume, a.in_volume);
}
template <class Index>
inline Spot input_spot(const PoolArguments& a, int64_t i) {
  int32_t size[3] = {a.axes[0].in, a.axes[1].in, a.axes[2].in};
  return spot_of<Index>(a, i, size, a.in_volume, a.out_volume);
}

template <class T>
using Pooled = std::conditional_t<is_narrow<T>, float, T>;

template <class C>
inline C least() {
  if constexpr (is_float_lane<C>)
    return -std::numeric_limits<C>::infinity();
  else
    return std::numeric_limits<C>::min();
}

template <class T, class Index>
inline void max_pool(const PoolArguments& a) {
  using C = Pooled<T>;
  const auto& [d, h, w] = a.axes;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    Spot s = output_spot<Index>(a, n);
    const T* x = static_cast<const T*>(a.x) + s.base;
    int32_t z = d.begin(s.i), y = h.begin(s.j), left = w.begin(s.k);
    int32_t z_end = d.end(s.i), y_end = h.end(s.j), right = w.end(s.k);
    C best = least<C>();
    int64_t found = (static_cast<int64_t>(z) * h.in + y) * w.in + left;
    for (int32_t i = z; i < z_end; i += d.dilation)
      for (int32_t j = y; j < y_end; j += h.dilation) {
        int64_t line = (static_cast<int64_t>(i) * h.in + j) * w.in;
        for (int32_t k = left; k < right; k += w.dilation) {
          C v = convert<C>(x[(line + k) * s.step]);
          if (v > best || v != v) {
            best = v;
            found = line + k;
          }
        }
      }
    static_cast<T*>(a.y)[n] = convert<T>(best);
    if (a.indices) a.indices[n] = found;
  }
}

// x: the gradient that is made; y: the result's.
template <class T, class Index>
inline void max_pool_backward(const PoolArguments& a) {
  using C = Pooled<T>;
  const auto& [d, h, w] = a.axes;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    Spot s = input_spot<Index>(a, n);
    const T* g = static_cast<const T*>(a.y) + s.base;
    const int64_t* indices = a.indices + s.base;
    int64_t own = (static_cast<int64_t>(s.i) * h.in + s.j) * w.in + s.k;
    int32_t z = d.last_of(s.i), y = h.last_of(s.j), right = w.last_of(s.k);
    C sum = 0;
    for (int32_t i = d.first_of(s.i); i <= z; ++i)
      for (int32_t j = h.first_of(s.j); j <= y; ++j) {
        int64_t line = (static_cast<int64_t>(i) * h.out + j) * w.out;
        for (int32_t k = w.first_of(s.k); k <= right; ++k) {
          int64_t at = (line + k) * s.step;
          if (indices[at] == own) sum += convert<C>(g[at]);
        }
      }
    static_cast<T*>(a.x)[n] = convert<T>(sum);
  }
}

template <class T, class Index>
inline void average_pool(const PoolArguments& a) {
  using C = Pooled<T>;
  const auto& [d, h, w] = a.axes;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    Spot s = output_spot<Index>(a, n);
    const T* x = static_cast<const T*>(a.x) + s.base;
    int32_t z = d.begin(s.i), y = h.begin(s.j), left = w.begin(s.k);
    int32_t z_end = d.end(s.i), y_end = h.end(s.j), right = w.end(s.k);
    C sum = 0;
    for (int32_t i = z; i < z_end; ++i)
      for (int32_t j = y; j < y_end; ++j) {
        int64_t line = (static_cast<int64_t>(i) * h.in + j) * w.in;
        for (int32_t k = left; k < right; ++k) sum += convert<C>(x[(line + k) * s.step]);
      }
    int64_t divisor =
        a.divisor ? a.divisor : static_cast<int64_t>(d.count(s.i)) * h.count(s.j) * w.count(s.k);
    bool none = z >= z_end || y >= y_end || left >= right;
    static_cast<T*>(a.y)[n] =
        none || divisor == 0 ? convert<T>(C(0)) : convert<T>(sum / static_cast<C>(divisor));
  }
}

template <class T, class Index>
inline void average_pool_backward(const PoolArguments& a) {
  using C = Pooled<T>;
  const auto& [d, h, w] = a.axes;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    Spot s = input_spot<Index>(a, n);
    const T* g = static_cast<const T*>(a.y) + s.base;
    int32_t z = d.last_of(s.i), y = h.last_of(s.j), right = w.last_of(s.k);
    C sum = 0;
    for (int32_t i = d.first_of(s.i); i <= z; ++i)
      for (int32_t j = h.first_of(s.j); j <= y; ++j) {
        int64_t line = (static_cast<int64_t>(i) * h.out + j) * w.out;
        int64_t count = static_cast<int64_t>(d.count(i)) * h.count(j);
        for (int32_t k = w.first_of(s.k); k <= right; ++k) {
          int64_t divisor = a.divisor ? a.divisor : count * w.count(k);
          if (divisor) sum += convert<C>(g[(line + k) * s.step]) / static_cast<C>(divisor);
        }
      }
    static_cast<T*>(a.x)[n] = convert<T>(sum);
  }
}

}  // namespace lampas::device
