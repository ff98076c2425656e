// Resizing of planes. A thread makes one element from the taps of three dimensions, the last one
// innermost, which are found as cpu/resampling.cc finds them. Backward gathers from the outputs
// that may read an element, so nothing is added atomically.
#pragma once
#include "cuda/device/elements.h"
#include "cuda/device/walk.h"

namespace lampas::device {

enum class Filter { nearest, nearest_exact, linear, cubic, linear_antialiased, cubic_antialiased };

struct ResizeAxis {
  int64_t in, out;
  double scale;
  int64_t same;  // the dimension stays as it is
};
struct ResizeArguments {
  void *y, *x;
  int64_t n, align_corners, planar;
  ResizeAxis axes[3];
};

template <class C>
inline C clamped(C x, C low, C high) {
  return x < low ? low : x > high ? high : x;
}
inline float rounded_down(float x) { return __builtin_floorf(x); }
inline double rounded_down(double x) { return __builtin_floor(x); }

inline float fused(float a, float b, float c) { return ::fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return ::fma(a, b, c); }

template <class C>
inline C step_of(const ResizeAxis& a, bool align_corners) {
  if (align_corners) return a.out > 1 ? static_cast<C>(a.in - 1) / static_cast<C>(a.out - 1) : C(0);
  return a.scale > 0 ? static_cast<C>(1.0 / a.scale) : static_cast<C>(a.in) / static_cast<C>(a.out);
}
template <class C>
inline C source_of(C step, int64_t o, bool align_corners) {
  C at = static_cast<C>(o);
  return align_corners ? step * at : step * (at + C(0.5)) - C(0.5);
}
// Keys' kernel; a = -0.75, with antialiasing -0.5.
template <class C>
inline C cubic(C x, C a) {
  x = x < 0 ? -x : x;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
template <class C>
inline float nearest_place(const ResizeAxis& a, int64_t o, bool exact, bool planar) {
  if (planar) {
    float step = step_of<float>(a, false);
    return exact ? (static_cast<float>(o) + 0.5f) * step : static_cast<float>(o) * step;
  }
  C step = step_of<C>(a, false), at = static_cast<C>(o);
  if (!exact) return static_cast<float>(at * step);
  C source = fused(step, at + C(0.5), C(-0.5));
  return static_cast<float>(source > 0 ? source : C(0)) + 0.5f;
}

// The taps of one output along one dimension: tap k reads element index(k).
template <class C, Filter filter>
struct Taps {
  static constexpr bool antialiased =
      filter == Filter::linear_antialiased || filter == Filter::cubic_antialiased;
  static constexpr bool nearest = filter == Filter::nearest || filter == Filter::nearest_exact;
  static constexpr bool is_cubic = filter == Filter::cubic || filter == Filter::cubic_antialiased;
  int64_t first, count, in;
  C part, center, stretch, total;

  inline Taps(const ResizeAxis& a, int64_t o, const ResizeArguments& r) : in(a.in) {
    if (a.same) {
      first = o, count = -1;
    } else if constexpr (nearest) {
      float at = nearest_place<C>(a, o, filter == Filter::nearest_exact, r.planar);
      first = static_cast<int64_t>(rounded_down(at));
      if (first > in - 1) first = in - 1;
      count = 1;
    } else if constexpr (antialiased) {
      C step = step_of<C>(a, r.align_corners);
      stretch = step > 1 ? step : C(1);
      C support = (is_cubic ? C(2) : C(1)) * stretch;
      int64_t most = 2 * static_cast<int64_t>(-rounded_down(-support)) + 1;
      if (most > in) most = in;
      center = step * (static_cast<C>(o) + C(0.5));
      first = static_cast<int64_t>(center - support + C(0.5));
      if (first < 0) first = 0;
      int64_t last = static_cast<int64_t>(center + support + C(0.5));
      if (last > in) last = in;
      count = last - first < 0 ? 0 : last - first < most ? last - first : most;
      total = 0;
      for (int64_t k = 0; k < count; ++k) total += raw_weight(k);
    } else {
      C step = step_of<C>(a, r.align_corners), source = source_of(step, o, r.align_corners);
      if constexpr (!is_cubic) source = source > 0 ? source : C(0);
      first = static_cast<int64_t>(rounded_down(source));
      if (first > in - 1) first = in - 1;
      part = clamped(source - static_cast<C>(first), C(0), C(1));
      count = is_cubic ? 4 : 2;
    }
  }
  inline int64_t taps() const { return count < 0 ? 1 : count; }
  inline int64_t index(int64_t k) const {
    if constexpr (is_cubic && !antialiased) {
      if (count < 0) return first;
      int64_t i = first - 1 + k;
      return i < 0 ? 0 : i > in - 1 ? in - 1 : i;
    } else {
      return first + k > in - 1 ? in - 1 : first + k;
    }
  }
  inline C raw_weight(int64_t k) const {
    C x = (static_cast<C>(k + first) - center + C(0.5)) / stretch;
    if constexpr (is_cubic) return cubic(x, C(-0.5));
    C w = C(1) - (x < 0 ? -x : x);
    return w > 0 ? w : C(0);
  }
  inline C weight(int64_t k) const {
    if (nearest || count < 0) return 1;
    if constexpr (antialiased) {
      C w = raw_weight(k);
      return total != 0 ? w / total : w;
    } else if constexpr (is_cubic) {
      return cubic(part + C(1) - static_cast<C>(k), C(-0.75));
    } else {
      return k ? part : 1 - part;
    }
  }
};

template <class T>
using Resized = std::conditional_t<std::is_same_v<T, double>, double, float>;
template <class C>
inline C rounded_byte(C x) {
  return clamped(rounded_down(x + C(0.5)), C(0), C(255));
}

template <class T, Filter filter, class Index>
inline void resize(const ResizeArguments& a) {
  using C = Resized<T>;
  constexpr bool bytes = std::is_same_v<T, uint8_t>;
  const auto& [d, h, w] = a.axes;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    Index rest = static_cast<Index>(n),
          sizes[3] = {static_cast<Index>(d.out), static_cast<Index>(h.out),
                      static_cast<Index>(w.out)};
    auto k = static_cast<int64_t>(rest % sizes[2]);
    rest /= sizes[2];
    auto j = static_cast<int64_t>(rest % sizes[1]);
    rest /= sizes[1];
    auto i = static_cast<int64_t>(rest % sizes[0]);
    const T* x =
        static_cast<const T*>(a.x) + static_cast<int64_t>(rest / sizes[0]) * d.in * h.in * w.in;
    Taps<C, filter> z(d, i, a), y(h, j, a), u(w, k, a);
    if constexpr (Taps<C, filter>::nearest) {
      static_cast<T*>(a.y)[n] = x[(z.index(0) * h.in + y.index(0)) * w.in + u.index(0)];
      continue;
    }
    C sum = 0;
    for (int64_t p = 0; p < z.taps(); ++p) {
      C plane = 0;
      for (int64_t q = 0; q < y.taps(); ++q) {
        const T* line = x + (z.index(p) * h.in + y.index(q)) * w.in;
        C row = 0;
        for (int64_t r = 0; r < u.taps(); ++r) row += u.weight(r) * convert<C>(line[u.index(r)]);
        if (bytes && !w.same) row = rounded_byte(row);
        plane += y.weight(q) * row;
      }
      if (bytes && !h.same) plane = rounded_byte(plane);
      sum += z.weight(p) * plane;
    }
    if (bytes && !d.same) sum = rounded_byte(sum);
    static_cast<T*>(a.y)[n] = convert<T>(sum);
  }
}

// The outputs that may read element i, with an element to spare on each side.
template <class C, Filter filter>
inline void readers(const ResizeAxis& a, int64_t i, const ResizeArguments& r, int64_t& first,
                    int64_t& last) {
  if (a.same) {
    first = last = i;
    return;
  }
  double step = static_cast<double>(step_of<C>(a, r.align_corners && !Taps<C, filter>::nearest));
  double reach = Taps<C, filter>::is_cubic ? 3 : 2;
  if (Taps<C, filter>::antialiased && step > 1) reach *= step;
  first = 0, last = a.out - 1;
  if (step <= 0) return;
  if (i > 0) {
    double from = (static_cast<double>(i) - reach) / step - 2;
    if (from > 0) first = static_cast<int64_t>(from);
  }
  if (i < a.in - 1) {
    double to = (static_cast<double>(i) + reach) / step + 2;
    if (to < static_cast<double>(last)) last = static_cast<int64_t>(to);
  }
}
// How much of output o is element i.
template <class C, Filter filter>
inline C share_of(const ResizeAxis& a, int64_t o, int64_t i, const ResizeArguments& r) {
  Taps<C, filter> t(a, o, r);
  C share = 0;
  for (int64_t k = 0; k < t.taps(); ++k)
    if (t.index(k) == i) share += t.weight(k);
  return share;
}

// x: the gradient that is made; y: the result's.
template <class T, Filter filter, class Index>
inline void resize_backward(const ResizeArguments& a) {
  using C = Resized<T>;
  const auto& [d, h, w] = a.axes;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    Index rest = static_cast<Index>(n),
          sizes[3] = {static_cast<Index>(d.in), static_cast<Index>(h.in), static_cast<Index>(w.in)};
    auto k = static_cast<int64_t>(rest % sizes[2]);
    rest /= sizes[2];
    auto j = static_cast<int64_t>(rest % sizes[1]);
    rest /= sizes[1];
    auto i = static_cast<int64_t>(rest % sizes[0]);
    const T* g =
        static_cast<const T*>(a.y) + static_cast<int64_t>(rest / sizes[0]) * d.out * h.out * w.out;
    int64_t from[3], to[3];
    readers<C, filter>(d, i, a, from[0], to[0]);
    readers<C, filter>(h, j, a, from[1], to[1]);
    readers<C, filter>(w, k, a, from[2], to[2]);
    C sum = 0;
    for (int64_t p = from[0]; p <= to[0]; ++p) {
      C z = share_of<C, filter>(d, p, i, a);
      if (z == 0) continue;
      for (int64_t q = from[1]; q <= to[1]; ++q) {
        C y = z * share_of<C, filter>(h, q, j, a);
        if (y == 0) continue;
        const T* line = g + (p * h.out + q) * w.out;
        for (int64_t r = from[2]; r <= to[2]; ++r) {
          C u = share_of<C, filter>(w, r, k, a);
          if (u != 0) sum += y * u * convert<C>(line[r]);
        }
      }
    }
    static_cast<T*>(a.x)[n] = convert<T>(sum);
  }
}

}  // namespace lampas::device
