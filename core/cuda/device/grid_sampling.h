// Values of images at places given by a grid: a sample is a list of taps, the products of the taps
// of its dimensions, as in cpu/grid_sampling.cc. A thread has one place of the grid and all
// channels.
#pragma once
#include "cuda/device/combine.h"
#include "cuda/device/walk.h"

namespace lampas::device {

enum class Sampling { linear, nearest, cubic };
enum class Outside { zeros, border, reflection };

struct GridArguments {
  void *y, *dgrid;  // forward: the samples; backward: null. dgrid: the grid's gradient
  void* sums;       // backward: the image's gradient in the compute type, may be null
  const void *x, *grid, *g;
  int64_t n, channels, places, in[3], spatial, outside, align_corners;
};

template <class C>
struct Moving {  // a coordinate in the image, and how fast it moves with the grid's
  C at, slope;
};
inline float whole_part(float x) { return __builtin_floorf(x); }
inline double whole_part(double x) { return __builtin_floor(x); }
inline float remainder_of(float a, float b) { return __builtin_fmodf(a, b); }
inline double remainder_of(double a, double b) { return __builtin_fmod(a, b); }
inline float to_nearest(float x) { return ::nearbyintf(x); }
inline double to_nearest(double x) { return ::nearbyint(x); }

template <class C>
inline Moving<C> unnormalized(C coordinate, int64_t size, bool align_corners) {
  C n = static_cast<C>(size);
  if (align_corners) return {(coordinate + 1) / 2 * (n - 1), (n - 1) / 2};
  return {((coordinate + 1) * n - 1) / 2, n / 2};
}
template <class C>
inline Moving<C> clipped(Moving<C> c, int64_t size) {
  C last = static_cast<C>(size - 1);
  if (!(c.at > 0)) return {0, 0};  // NaN too
  if (c.at >= last) return {last, 0};
  return c;
}
template <class C>
inline Moving<C> reflected(Moving<C> c, int64_t twice_low, int64_t twice_high) {
  if (twice_low == twice_high) return {0, 0};
  C low = static_cast<C>(twice_low) / 2, span = static_cast<C>(twice_high - twice_low) / 2;
  C distance = c.at - low, sign = 1;
  if (distance < 0) distance = -distance, sign = -1;
  C extra = remainder_of(distance, span), flips = whole_part(distance / span);
  if (remainder_of(flips, C(2)) == 0) return {extra + low, sign * c.slope};
  return {span - extra + low, -sign * c.slope};
}
template <class C>
inline Moving<C> folded(Moving<C> c, int64_t size, const GridArguments& s) {
  auto outside = static_cast<Outside>(s.outside);
  if (outside == Outside::zeros) return c;
  if (outside == Outside::reflection)
    c = s.align_corners ? reflected(c, 0, 2 * (size - 1)) : reflected(c, -1, 2 * size - 1);
  return clipped(c, size);
}
// -1 when outside (or not a number).
template <class C>
inline int64_t index_of(C at, int64_t size) {
  return at >= 0 && at < static_cast<C>(size) ? static_cast<int64_t>(at) : -1;
}

// The taps of one dimension.
template <class C, Sampling sampling>
struct Line {
  static constexpr int count = sampling == Sampling::nearest  ? 1
                               : sampling == Sampling::linear ? 2
                                                              : 4;
  int64_t index[count];
  C weight[count], slope[count];

  inline Line(C coordinate, int64_t size, const GridArguments& s) {
    Moving<C> c = unnormalized(coordinate, size, s.align_corners);
    if constexpr (sampling == Sampling::nearest) {
      index[0] = index_of(to_nearest(folded(c, size, s).at), size);
      weight[0] = 1, slope[0] = 0;
    } else if constexpr (sampling == Sampling::linear) {
      c = folded(c, size, s);
      C first = whole_part(c.at), part = c.at - first;
      index[0] = index_of(first, size), index[1] = index_of(first + 1, size);
      weight[0] = 1 - part, weight[1] = part;
      slope[0] = -c.slope, slope[1] = c.slope;
    } else {  // Keys' kernel; every tap is folded back into the image by itself
      constexpr C a = C(-0.75);
      C first = whole_part(c.at), t = c.at - first;
      for (int k = 0; k < 4; ++k) {
        C x = t + C(1 - k), d = x < 0 ? -x : x, sign = x < 0 ? C(-1) : C(1);
        bool near = k == 1 || k == 2;
        weight[k] =
            near ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
        slope[k] = c.slope * sign *
                   (near ? (3 * (a + 2) * d - 2 * (a + 3)) * d : (3 * a * d - 10 * a) * d + 8 * a);
        index[k] = index_of(folded(Moving<C>{first + C(k - 1), 0}, size, s).at, size);
      }
    }
  }
};

template <class T>
using Sampled = std::conditional_t<std::is_same_v<T, double>, double, float>;

// body(offset in the image, weight, slopes) for every tap that lies inside.
template <class T, Sampling sampling, class F>
inline void each_tap(const GridArguments& s, int64_t point, F body) {
  using C = Sampled<T>;
  const T* at = static_cast<const T*>(s.grid) + point * s.spatial;
  Line<C, sampling> x(convert<C>(at[0]), s.in[2], s), y(convert<C>(at[1]), s.in[1], s);
  if (s.spatial == 2) {
    for (int j = 0; j < y.count; ++j)
      for (int i = 0; i < x.count; ++i) {
        if (x.index[i] < 0 || y.index[j] < 0) continue;
        C slopes[3] = {x.slope[i] * y.weight[j], x.weight[i] * y.slope[j], 0};
        body(y.index[j] * s.in[2] + x.index[i], x.weight[i] * y.weight[j], slopes);
      }
    return;
  }
  Line<C, sampling> z(convert<C>(at[2]), s.in[0], s);
  for (int k = 0; k < z.count; ++k)
    for (int j = 0; j < y.count; ++j)
      for (int i = 0; i < x.count; ++i) {
        if (x.index[i] < 0 || y.index[j] < 0 || z.index[k] < 0) continue;
        C slopes[3] = {x.slope[i] * y.weight[j] * z.weight[k],
                       x.weight[i] * y.slope[j] * z.weight[k],
                       x.weight[i] * y.weight[j] * z.slope[k]};
        body((z.index[k] * s.in[1] + y.index[j]) * s.in[2] + x.index[i],
             x.weight[i] * y.weight[j] * z.weight[k], slopes);
      }
}

template <class T, Sampling sampling>
inline void grid_sample(const GridArguments& a) {
  using C = Sampled<T>;
  int64_t volume = a.in[0] * a.in[1] * a.in[2];
  for (int64_t p = first_of_grid(); p < a.n; p += step_of_grid()) {
    int64_t image = p / a.places, place = p - image * a.places;
    const T* x = static_cast<const T*>(a.x) + image * a.channels * volume;
    T* y = static_cast<T*>(a.y) + image * a.channels * a.places + place;
    constexpr int taps = sampling == Sampling::nearest ? 1 : sampling == Sampling::linear ? 8 : 16;
    int64_t offsets[taps];
    C weights[taps];
    int count = 0;
    each_tap<T, sampling>(a, p, [&](int64_t offset, C weight, const C*) {
      offsets[count] = offset;
      weights[count++] = weight;
    });
    for (int64_t c = 0; c < a.channels; ++c) {
      C sum = 0;
      for (int k = 0; k < count; ++k) sum += convert<C>(x[c * volume + offsets[k]]) * weights[k];
      y[c * a.places] = convert<T>(sum);
    }
  }
}

template <class T, Sampling sampling>
inline void grid_sample_backward(const GridArguments& a) {
  using C = Sampled<T>;
  int64_t volume = a.in[0] * a.in[1] * a.in[2];
  for (int64_t p = first_of_grid(); p < a.n; p += step_of_grid()) {
    int64_t image = p / a.places, place = p - image * a.places;
    const T* x = static_cast<const T*>(a.x) + image * a.channels * volume;
    const T* g = static_cast<const T*>(a.g) + image * a.channels * a.places + place;
    C* sums = a.sums ? static_cast<C*>(a.sums) + image * a.channels * volume : nullptr;
    C slopes[3] = {0, 0, 0};
    each_tap<T, sampling>(a, p, [&](int64_t offset, C weight, const C* slope) {
      for (int64_t c = 0; c < a.channels; ++c) {
        C value = convert<C>(g[c * a.places]);
        int64_t at = c * volume + offset;
        if (sums) atomic_add(sums + at, value * weight);
        C share = value * convert<C>(x[at]);
        for (int d = 0; d < 3; ++d) slopes[d] += share * slope[d];
      }
    });
    for (int64_t d = 0; d < a.spatial; ++d)
      static_cast<T*>(a.dgrid)[p * a.spatial + d] = convert<T>(slopes[d]);
  }
}

}  // namespace lampas::device
