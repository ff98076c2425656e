// Pooling: a loop over windows, a plane at a time.
#include "cpu/pooling.h"

#include <limits>
#include <vector>

#include "cpu/scratch.h"
#include "cpu/simd/pooling.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 1 << 15;  // elements read

using PoolTypes = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t>;

// Planes that make a parallel piece.
int64_t plane_grain(const PoolShape& s) {
  int64_t window = 1;
  for (const PoolAxis& a : s.axes)
    window *= a.adaptive ? (a.in + a.out - 1) / std::max<int64_t>(a.out, 1) + 1 : a.kernel;
  return std::max<int64_t>(kGrain / std::max<int64_t>(s.out_volume() * window, s.in_volume()), 1);
}

struct Window {
  int64_t begin, end;
};

// body(output's place in the plane, the three windows, the divisor of the average)
template <class F>
void each_window(const PoolShape& s, F&& body) {
  const auto& [d, h, w] = s.axes;
  int64_t at = 0;
  for (int64_t i = 0; i < d.out; ++i) {
    Window depth{d.begin(i), d.end(i)};
    for (int64_t j = 0; j < h.out; ++j) {
      Window height{h.begin(j), h.end(j)};
      int64_t count = d.count(i) * h.count(j);
      for (int64_t k = 0; k < w.out; ++k, ++at) {
        Window width{w.begin(k), w.end(k)};
        body(at, depth, height, width, s.divisor ? s.divisor : count * w.count(k));
      }
    }
  }
}

template <class T>
bool exceeds(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a > b || a != a;
  else
    return a > b;
}

template <class T, bool Indexed>
void max_plane(T* y, int64_t* indices, const T* x, const PoolShape& s) {
  using C = compute_t<T>;
  const auto& [d, h, w] = s.axes;
  each_window(s, [&](int64_t at, Window depth, Window height, Window width, int64_t) {
    C best = std::numeric_limits<C>::lowest();
    if constexpr (std::is_floating_point_v<C>) best = -std::numeric_limits<C>::infinity();
    int64_t place = (depth.begin * h.in + height.begin) * w.in + width.begin;
    for (int64_t i = depth.begin; i < depth.end; i += d.dilation)
      for (int64_t j = height.begin; j < height.end; j += h.dilation) {
        int64_t line = (i * h.in + j) * w.in;
        for (int64_t k = width.begin; k < width.end; k += w.dilation) {
          C value = static_cast<C>(x[line + k]);
          bool more = exceeds(value, best);
          best = more ? value : best;
          if constexpr (Indexed) place = more ? line + k : place;
        }
      }
    y[at] = T(best);
    if constexpr (Indexed) indices[at] = place;
  });
}

template <class T>
void average_plane(T* y, const T* x, const PoolShape& s) {
  using C = compute_t<T>;
  const auto& [d, h, w] = s.axes;
  each_window(s, [&](int64_t at, Window depth, Window height, Window width, int64_t divisor) {
    C sum = 0;
    for (int64_t i = depth.begin; i < depth.end; ++i)
      for (int64_t j = height.begin; j < height.end; ++j) {
        const T* line = x + (i * h.in + j) * w.in;
        for (int64_t k = width.begin; k < width.end; ++k) sum += static_cast<C>(line[k]);
      }
    bool none = depth.begin >= depth.end || height.begin >= height.end || width.begin >= width.end;
    y[at] = none || divisor == 0 ? T(0) : T(sum / static_cast<C>(divisor));
  });
}

template <class C, class T>
void spread_plane(C* dx, const T* g, const PoolShape& s) {
  const auto& [d, h, w] = s.axes;
  each_window(s, [&](int64_t at, Window depth, Window height, Window width, int64_t divisor) {
    if (divisor == 0) return;
    C share = static_cast<C>(g[at]) / static_cast<C>(divisor);
    for (int64_t i = depth.begin; i < depth.end; ++i)
      for (int64_t j = height.begin; j < height.end; ++j) {
        C* line = dx + (i * h.in + j) * w.in;
        for (int64_t k = width.begin; k < width.end; ++k) line[k] += share;
      }
  });
}

// --- planes row by row, for windows of a fixed size and the types with SIMD loops ---

#ifdef LAMPAS_HAVE_AVX512
#define BY_ISA_512(call) \
  if (isa() == Isa::avx512) return avx512::call;
#else
#define BY_ISA_512(call)
#endif
#ifdef LAMPAS_HAVE_AVX2
#define BY_ISA_2(call) \
  if (isa() >= Isa::avx2) return avx2::call;
#else
#define BY_ISA_2(call)
#endif
#define BY_ISA(call) BY_ISA_512(call) BY_ISA_2(call) return baseline::call

template <class T>
void max_row(T* y, int64_t* indices, const T* x, const PoolRow& r) {
  BY_ISA(max_pool_row(y, indices, x, r));
}
template <class T>
void max_plane_of_rows(T* y, int64_t* indices, const T* x, const MaxPlane& p) {
  BY_ISA(max_pool_plane(y, indices, x, p));
}
template <class T>
void average_row(T* y, const T* x, const T* d, const PoolRow& r) {
  BY_ISA(average_pool_row(y, x, d, r));
}
template <class T>
void spread_row(T* x, const T* g, const T* d, const PoolRow& r) {
  BY_ISA(spread_pool_row(x, g, d, r));
}

template <class T>
bool has_rows(const PoolShape& s) {
  if (!std::is_floating_point_v<T>) return false;
  for (const PoolAxis& a : s.axes)
    if (a.adaptive) return false;
  return s.in_volume() < INT32_MAX && s.axes[2].kernel <= 64 &&
         s.axes[0].kernel * s.axes[1].kernel <= 4096;
}

// Whether every window has an element of the input: a dilated one may step over all of them.
bool all_reach(const PoolAxis& a) {
  for (int64_t o = 0; o < a.out; ++o)
    if (a.begin(o) >= a.end(o)) return false;
  return true;
}

// Working memory of planes of two dimensions, whose maxima are found along rows first.
template <class T>
struct MaxLines {
  Scratch<T> lines;
  Scratch<int32_t> places;
  MaxPlane plane;

  static bool suits(const PoolShape& s) {
    return has_rows<T>(s) && all_reach(s.axes[1]) && s.axes[0].in == 1 && s.axes[0].out == 1 &&
           s.axes[0].kernel == 1;
  }
  MaxLines(const PoolShape& s, bool indexed)
      : lines(s.axes[1].in * s.axes[2].out + kPoolSlack),
        places(indexed ? s.axes[1].in * s.axes[2].out + kPoolSlack : 0) {
    for (int d = 0; d < 2; ++d) {
      const PoolAxis& a = s.axes[d + 1];
      plane.in[d] = a.in;
      plane.out[d] = a.out;
      plane.kernel[d] = a.kernel;
      plane.stride[d] = a.stride;
      plane.padding[d] = a.padding;
      plane.dilation[d] = a.dilation;
    }
    plane.lines = lines.data();
    plane.places = places.data();
  }
};

// body(row, first output of the row, product of the divisors of depth and height)
template <class F>
void each_row(const PoolShape& s, F&& body) {
  const auto& [d, h, w] = s.axes;
  std::vector<int64_t> lines;
  PoolRow row{nullptr, 0, w.in, w.out, w.kernel, w.stride, w.padding, w.dilation};
  for (int64_t i = 0; i < d.out; ++i)
    for (int64_t j = 0; j < h.out; ++j) {
      lines.clear();
      for (int64_t a = d.begin(i); a < d.end(i); a += d.dilation)
        for (int64_t b = h.begin(j); b < h.end(j); b += h.dilation)
          lines.push_back((a * h.in + b) * w.in);
      row.lines = lines.data();
      row.count = static_cast<int64_t>(lines.size());
      if (row.count) body(row, (i * h.out + j) * w.out, d.count(i) * h.count(j));
    }
}

// body(row, first output, divisors of its outputs)
template <class T, class F>
void each_divided_row(const PoolShape& s, F&& body) {
  const PoolAxis& w = s.axes[2];
  std::vector<T> divisors(static_cast<size_t>(w.out));
  int64_t last = -1;
  each_row(s, [&](const PoolRow& row, int64_t at, int64_t count) {
    if (count != last)
      for (int64_t o = 0; o < w.out; ++o)
        divisors[o] = static_cast<T>(s.divisor ? s.divisor : count * w.count(o));
    last = count;
    body(row, at, divisors.data());
  });
}

// Sums a plane in the compute type, and rounds once.
template <class T, class F>
void accumulated_plane(T* dx, int64_t volume, F&& add) {
  using C = compute_t<T>;
  if constexpr (std::is_same_v<T, C>) {
    std::fill_n(dx, volume, T(0));
    add(dx);
  } else {
    Scratch<C> sums(volume);
    std::fill_n(sums.data(), volume, C(0));
    add(sums.data());
    for (int64_t i = 0; i < volume; ++i) dx[i] = T(sums.data()[i]);
  }
}

}  // namespace

void max_pool(const Tensor& y, const Tensor& indices, const Tensor& x, const PoolShape& s,
              const char* name) {
  dispatch<PoolTypes>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    int64_t in = s.in_volume(), out = s.out_volume();
    parallel_for(out ? s.planes : 0, plane_grain(s), [&](int64_t begin, int64_t end) {
      if constexpr (std::is_floating_point_v<T>) {
        if (MaxLines<T>::suits(s)) {
          MaxLines<T> work(s, indices.defined());
          for (int64_t p = begin; p < end; ++p)
            max_plane_of_rows(y.data<T>() + p * out,
                              indices.defined() ? indices.data<int64_t>() + p * out : nullptr,
                              static_cast<const T*>(x.data<T>() + p * in), work.plane);
          return;
        }
      }
      for (int64_t p = begin; p < end; ++p) {
        T* to = y.data<T>() + p * out;
        const T* from = x.data<T>() + p * in;
        int64_t* places = indices.defined() ? indices.data<int64_t>() + p * out : nullptr;
        if constexpr (std::is_floating_point_v<T>) {
          if (has_rows<T>(s) && all_reach(s.axes[0]) && all_reach(s.axes[1])) {
            each_row(s, [&](const PoolRow& row, int64_t at, int64_t) {
              max_row(to + at, places ? places + at : nullptr, from, row);
            });
            continue;
          }
        }
        if (places)
          max_plane<T, true>(to, places, from, s);
        else
          max_plane<T, false>(to, nullptr, from, s);
      }
    });
  });
}

void max_pool_backward(const Tensor& dx, const Tensor& g, const Tensor& indices,
                       const PoolShape& s) {
  dispatch<Floats>(dx.dtype(), "max_pool_backward", [&](auto tag) {
    using T = decltype(tag);
    int64_t in = s.in_volume(), out = s.out_volume();
    parallel_for(in ? s.planes : 0, plane_grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        accumulated_plane(dx.data<T>() + p * in, in, [&](auto* sums) {
          const int64_t* at = indices.data<int64_t>() + p * out;
          const T* from = g.data<T>() + p * out;
          for (int64_t i = 0; i < out; ++i) {
            CHECK(at[i] >= 0 && at[i] < in, "Found an invalid max index: ", at[i], " (planes have ",
                  in, " elements)");
            sums[at[i]] += static_cast<compute_t<T>>(from[i]);
          }
        });
    });
  });
}

void average_pool(const Tensor& y, const Tensor& x, const PoolShape& s, const char* name) {
  if (y.numel() == 0) return;
  dispatch<Types<float, double, Half, BFloat16, int64_t>>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    int64_t in = s.in_volume(), out = s.out_volume();
    parallel_for(out ? s.planes : 0, plane_grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        T* to = y.data<T>() + p * out;
        const T* from = x.data<T>() + p * in;
        if constexpr (std::is_floating_point_v<T>) {
          if (has_rows<T>(s)) {
            each_divided_row<T>(s, [&](const PoolRow& row, int64_t at, const T* d) {
              average_row(to + at, from, d, row);
            });
            continue;
          }
        }
        average_plane(to, from, s);
      }
    });
  });
}

void average_pool_backward(const Tensor& dx, const Tensor& g, const PoolShape& s,
                           const char* name) {
  dispatch<Floats>(dx.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    int64_t in = s.in_volume(), out = s.out_volume();
    parallel_for(in ? s.planes : 0, plane_grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        accumulated_plane(dx.data<T>() + p * in, in, [&](auto* sums) {
          const T* from = g.data<T>() + p * out;
          if constexpr (std::is_floating_point_v<T>) {
            if (has_rows<T>(s)) {
              each_divided_row<T>(s, [&](const PoolRow& row, int64_t at, const T* d) {
                spread_row(sums, from + at, d, row);
              });
              return;
            }
          }
          spread_plane(sums, from, s);
        });
    });
  });
}

}  // namespace lampas::cpu
