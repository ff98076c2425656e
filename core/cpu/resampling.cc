// Resizing: the tables of taps, and passes over one dimension at a time, the last one first.
#include "cpu/resampling.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/scratch.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 1 << 14;  // elements

// One dimension as a sparse matrix: output o is the sum over k of weights[o, k] x[index[o, k]].
template <class C>
struct Taps {
  int64_t in, out, count = 1;  // taps of one output
  std::vector<int64_t> index;
  std::vector<C> weights;
  bool same = false;  // the dimension stays as it is
};

// Input elements for one output element. Rounded to C where PyTorch does, since nearest places
// depend on it.
template <class C>
C step_of(const ResizeAxis& a, bool align_corners) {
  if (align_corners) return a.out > 1 ? static_cast<C>(a.in - 1) / static_cast<C>(a.out - 1) : C(0);
  return a.scale > 0 ? static_cast<C>(1.0 / a.scale) : static_cast<C>(a.in) / static_cast<C>(a.out);
}

template <class C>
C source_of(C step, int64_t o, bool align_corners) {
  C place = static_cast<C>(o);
  return align_corners ? step * place : step * (place + C(0.5)) - C(0.5);
}

// Keys' cubic convolution kernel; a = -0.75 as OpenCV, -0.5 with antialiasing as Pillow.
template <class C>
C cubic(C x, C a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// PyTorch's nearest places, to the last bit of their rounding, which differs between its operators.
template <class C>
float nearest_place(const ResizeAxis& a, int64_t o, bool exact, bool planar) {
  if (planar) {
    float step = step_of<float>(a, false);
    return exact ? (static_cast<float>(o) + 0.5f) * step : static_cast<float>(o) * step;
  }
  C step = step_of<C>(a, false), place = static_cast<C>(o);
  if (!exact) return static_cast<float>(place * step);
  return static_cast<float>(std::max(std::fma(step, place + C(0.5), C(-0.5)), C(0))) + 0.5f;
}

template <class C>
void nearest_taps(Taps<C>& t, const ResizeAxis& a, bool exact, bool planar) {
  for (int64_t o = 0; o < a.out; ++o) {
    float place = nearest_place<C>(a, o, exact, planar);
    t.index[o] = std::min(static_cast<int64_t>(std::floor(place)), a.in - 1);
    t.weights[o] = 1;
  }
}

template <class C>
void linear_taps(Taps<C>& t, const ResizeAxis& a, bool align_corners) {
  C step = step_of<C>(a, align_corners);
  for (int64_t o = 0; o < a.out; ++o) {
    C source = std::max(source_of(step, o, align_corners), C(0));
    int64_t i = std::min(static_cast<int64_t>(source), a.in - 1);
    C part = std::clamp(source - static_cast<C>(i), C(0), C(1));
    t.index[2 * o] = i;
    t.index[2 * o + 1] = std::min(i + 1, a.in - 1);
    t.weights[2 * o] = 1 - part;
    t.weights[2 * o + 1] = part;
  }
}

template <class C>
void cubic_taps(Taps<C>& t, const ResizeAxis& a, bool align_corners) {
  C step = step_of<C>(a, align_corners);
  for (int64_t o = 0; o < a.out; ++o) {
    C source = source_of(step, o, align_corners);
    int64_t i = std::min(static_cast<int64_t>(std::floor(source)), a.in - 1);
    C part = std::clamp(source - static_cast<C>(i), C(0), C(1));
    for (int64_t k = 0; k < 4; ++k) {
      t.index[4 * o + k] = std::clamp<int64_t>(i - 1 + k, 0, a.in - 1);
      t.weights[4 * o + k] = cubic(part + C(1) - static_cast<C>(k), C(-0.75));
    }
  }
}

// The filter is stretched over all elements that fall on one output, and its weights sum to 1.
template <class C>
void antialiased_taps(Taps<C>& t, const ResizeAxis& a, bool align_corners, bool is_cubic) {
  C step = step_of<C>(a, align_corners), stretch = std::max(step, C(1));
  C support = (is_cubic ? C(2) : C(1)) * stretch;
  t.count = std::min<int64_t>(static_cast<int64_t>(std::ceil(support)) * 2 + 1, a.in);
  t.index.assign(static_cast<size_t>(a.out * t.count), 0);
  t.weights.assign(static_cast<size_t>(a.out * t.count), C(0));
  for (int64_t o = 0; o < a.out; ++o) {
    C center = step * (static_cast<C>(o) + C(0.5));
    int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + C(0.5)), 0);
    int64_t last = std::min<int64_t>(static_cast<int64_t>(center + support + C(0.5)), a.in);
    int64_t count = std::clamp<int64_t>(last - first, 0, t.count);
    C total = 0;
    for (int64_t k = 0; k < count; ++k) {
      C x = (static_cast<C>(k + first) - center + C(0.5)) / stretch;
      C weight = is_cubic ? cubic(x, C(-0.5)) : std::max(C(1) - std::abs(x), C(0));
      t.index[o * t.count + k] = std::min(first + k, a.in - 1);
      t.weights[o * t.count + k] = weight;
      total += weight;
    }
    if (total != 0)
      for (int64_t k = 0; k < count; ++k) t.weights[o * t.count + k] /= total;
  }
}

template <class C>
Taps<C> taps_of(const ResizeAxis& a, Filter filter, bool align_corners, bool planar) {
  Taps<C> t;
  t.in = a.in;
  t.out = a.out;
  t.count = filter == Filter::linear ? 2 : filter == Filter::cubic ? 4 : 1;
  t.index.resize(static_cast<size_t>(a.out * t.count));
  t.weights.resize(t.index.size());
  switch (filter) {
    case Filter::nearest:
      nearest_taps(t, a, false, planar);
      break;
    case Filter::nearest_exact:
      nearest_taps(t, a, true, planar);
      break;
    case Filter::linear:
      linear_taps(t, a, align_corners);
      break;
    case Filter::cubic:
      cubic_taps(t, a, align_corners);
      break;
    case Filter::linear_antialiased:
      antialiased_taps(t, a, align_corners, false);
      break;
    case Filter::cubic_antialiased:
      antialiased_taps(t, a, align_corners, true);
      break;
  }
  t.same = a.in == a.out;
  for (int64_t o = 0; o < a.out && t.same; ++o)
    for (int64_t k = 0; k < t.count; ++k) {
      C weight = t.weights[o * t.count + k];
      t.same &= weight == 0 || (weight == 1 && t.index[o * t.count + k] == o);
    }
  return t;
}

// y (outer, out, inner) from x (outer, in, inner).
template <class C>
void pass(C* y, const C* x, const Taps<C>& t, int64_t outer, int64_t inner) {
  for (int64_t i = 0; i < outer; ++i, x += t.in * inner)
    for (int64_t o = 0; o < t.out; ++o, y += inner) {
      const int64_t* index = t.index.data() + o * t.count;
      const C* weights = t.weights.data() + o * t.count;
      if (inner == 1) {
        C sum = 0;
        for (int64_t k = 0; k < t.count; ++k) sum += weights[k] * x[index[k]];
        *y = t.count == 1 ? x[index[0]] : sum;
        continue;
      }
      const C* first = x + index[0] * inner;
      if (t.count == 1) {
        std::copy_n(first, inner, y);
        continue;
      }
      for (int64_t j = 0; j < inner; ++j) y[j] = weights[0] * first[j];
      for (int64_t k = 1; k < t.count; ++k) {
        const C* line = x + index[k] * inner;
        for (int64_t j = 0; j < inner; ++j) y[j] += weights[k] * line[j];
      }
    }
}

// The adjoint of pass(): x += the outputs it fed.
template <class C>
void pass_back(C* x, const C* y, const Taps<C>& t, int64_t outer, int64_t inner) {
  std::fill_n(x, outer * t.in * inner, C(0));
  for (int64_t i = 0; i < outer; ++i, x += t.in * inner)
    for (int64_t o = 0; o < t.out; ++o, y += inner)
      for (int64_t k = 0; k < t.count; ++k) {
        C weight = t.weights[o * t.count + k];
        C* line = x + t.index[o * t.count + k] * inner;
        for (int64_t j = 0; j < inner; ++j) line[j] += weight * y[j];
      }
}

template <class C>
void round_to_byte(C* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = std::clamp(std::floor(x[i] + C(0.5)), C(0), C(255));
}

template <class C>
struct Plan {
  std::vector<Taps<C>> taps;  // of the three dimensions
  int64_t in[3], out[3], largest = 1;

  explicit Plan(const ResizeShape& s) {
    int64_t in_volume = 1, out_volume = 1, mixed = 1;
    for (int d = 0; d < 3; ++d) {
      taps.push_back(taps_of<C>(s.axes[d], s.filter, s.align_corners, s.planar));
      in[d] = s.axes[d].in;
      out[d] = s.axes[d].out;
      in_volume *= in[d];
      out_volume *= out[d];
      mixed *= std::max(in[d], out[d]);
    }
    largest = std::max({mixed, in_volume, out_volume});
  }
  int64_t in_volume() const { return in[0] * in[1] * in[2]; }
  int64_t out_volume() const { return out[0] * out[1] * out[2]; }

  // `a` holds the plane and is overwritten; returns whichever of a and b holds the result.
  C* forward(C* a, C* b, bool bytes) const {
    int64_t size[3] = {in[0], in[1], in[2]};
    for (int d = 2; d >= 0; --d) {
      if (taps[d].same) continue;
      int64_t outer = 1, inner = 1;
      for (int e = 0; e < 3; ++e) (e < d ? outer : e > d ? inner : size[d]) *= e == d ? 1 : size[e];
      pass(b, a, taps[d], outer, inner);
      size[d] = out[d];
      if (bytes) round_to_byte(b, size[0] * size[1] * size[2]);
      std::swap(a, b);
    }
    return a;
  }
  C* backward(C* a, C* b) const {
    int64_t size[3] = {out[0], out[1], out[2]};
    for (int d = 0; d < 3; ++d) {
      if (taps[d].same) continue;
      int64_t outer = 1, inner = 1;
      for (int e = 0; e < 3; ++e) (e < d ? outer : e > d ? inner : size[d]) *= e == d ? 1 : size[e];
      pass_back(b, a, taps[d], outer, inner);
      size[d] = in[d];
      std::swap(a, b);
    }
    return a;
  }
};

// run(plan, a, b) for every plane of `from` widened in a; the result, in a or b, becomes a plane of
// `to`.
template <class T, class F>
void over_planes(const Tensor& to, const Tensor& from, const ResizeShape& s, bool back, F&& run) {
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  Plan<C> plan(s);
  int64_t in = back ? plan.out_volume() : plan.in_volume(),
          out = back ? plan.in_volume() : plan.out_volume();
  parallel_for(s.planes, std::max<int64_t>(kGrain / plan.largest, 1),
               [&](int64_t begin, int64_t end) {
                 Scratch<C> a(plan.largest), b(plan.largest);
                 for (int64_t p = begin; p < end; ++p) {
                   const T* x = from.data<T>() + p * in;
                   T* y = to.data<T>() + p * out;
                   for (int64_t i = 0; i < in; ++i) a.data()[i] = static_cast<C>(x[i]);
                   const C* result = run(plan, a.data(), b.data());
                   for (int64_t i = 0; i < out; ++i) y[i] = static_cast<T>(result[i]);
                 }
               });
}

}  // namespace

void resize(const Tensor& y, const Tensor& x, const ResizeShape& s, const char* name) {
  dispatch<Types<float, double, Half, BFloat16, uint8_t>>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    if (y.numel() == 0) return;
    over_planes<T>(y, x, s, false, [](const auto& plan, auto* a, auto* b) {
      return plan.forward(a, b, std::is_same_v<T, uint8_t>);
    });
  });
}

void resize_backward(const Tensor& dx, const Tensor& g, const ResizeShape& s, const char* name) {
  dispatch<Floats>(dx.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    if (dx.numel() == 0) return;
    over_planes<T>(dx, g, s, true,
                   [](const auto& plan, auto* a, auto* b) { return plan.backward(a, b); });
  });
}

}  // namespace lampas::cpu
