// Random fills: every thread has a stream of Philox, gives element `thread` its first number,
// element `thread + threads` its second, and so on, as the kernels of PyTorch do. Distributions
// are classes that make 4 (or 2) numbers of a draw. Rejection samplers are in sampling.h.
#pragma once
#include "cuda/device/philox.h"

namespace lampas::device {

// Mirrored by cuda/random.cc.
struct RandomArguments {
  void* y;
  const void* x;  // probabilities, or what is dropped from
  void* marks;    // what was kept, or slopes
  int64_t n;
  PhiloxPlace place;
  double a, b;  // of the distribution
  int64_t from;
  uint64_t range;  // 0: all
};

template <class C>
inline constexpr int kNumbers = sizeof(C) == 8 ? 2 : 4;  // that one draw makes

inline void units(Words w, float (&u)[4]) {
  u[0] = unit(w.x), u[1] = unit(w.y), u[2] = unit(w.z), u[3] = unit(w.w);
}
inline void units(Words w, double (&u)[2]) { u[0] = unit(w.x, w.y), u[1] = unit(w.z, w.w); }
inline void normals(Words w, float (&u)[4]) {
  normal_pair(w.x, w.y, &u[0], &u[1]);
  normal_pair(w.z, w.w, &u[2], &u[3]);
}
inline void normals(Words w, double (&u)[2]) { normal_pair(w, &u[0], &u[1]); }

// --- distributions: draw() makes numbers, operator() an element of one ---

template <class C>
struct Units {
  using Number = C;
  inline void draw(Words w, C (&u)[kNumbers<C>]) const { units(w, u); }
};
template <class C>
struct Normals {
  using Number = C;
  inline void draw(Words w, C (&u)[kNumbers<C>]) const { normals(w, u); }
};

template <class T, class C>
struct Uniform : Units<C> {
  T from, to;
  C low, width;
  inline explicit Uniform(const RandomArguments& a)
      : from(convert<T>(a.a)), to(convert<T>(a.b)), low(convert<C>(from)) {
    width = convert<C>(to) - low;
  }
  // Closed above becomes open above, also where rounding reaches the end.
  inline T operator()(C u) const {
    T value = convert<T>(u * width + low);
    return convert<C>(value) == convert<C>(to) ? from : value;
  }
};
template <class T, class C>
struct Normal : Normals<C> {
  C mean, deviation;
  inline explicit Normal(const RandomArguments& a)
      : mean(static_cast<C>(a.a)), deviation(static_cast<C>(a.b)) {}
  inline T operator()(C z) const { return convert<T>(z * deviation + mean); }
};
template <class T, class C>
struct LogNormal : Normals<C> {
  C mean, deviation;
  inline explicit LogNormal(const RandomArguments& a)
      : mean(static_cast<C>(a.a)), deviation(static_cast<C>(a.b)) {}
  inline T operator()(C z) const { return convert<T>(quick_exp(z * deviation + mean)); }
};
template <class C>
inline constexpr C kEpsilon = sizeof(C) == 8 ? C(2.220446049250313e-16) : C(1.1920929e-7f);

template <class T, class C>
struct Exponential : Units<C> {
  C scale;
  inline explicit Exponential(const RandomArguments& a) : scale(C(-1) / static_cast<C>(a.a)) {}
  // Never 0: the logarithm near 1 is cut off.
  inline T operator()(C u) const {
    C log = u >= C(1) - kEpsilon<C> / 2 ? -kEpsilon<C> / 2 : quick_log(u);
    return convert<T>(scale * log);
  }
};
template <class T, class C>
struct Cauchy : Units<C> {
  C median, sigma;
  inline explicit Cauchy(const RandomArguments& a)
      : median(static_cast<C>(a.a)), sigma(static_cast<C>(a.b)) {}
  inline T operator()(C u) const {
    u = u > C(1) - kEpsilon<C> ? C(1) - kEpsilon<C> : u;
    u = u < kEpsilon<C> ? kEpsilon<C> : u;
    return convert<T>(median + sigma * quick_tan(C(3.14159265358979323846) * (u - C(0.5))));
  }
};
template <class T, class C>
struct Geometric : Units<C> {
  C log_failure;
  inline explicit Geometric(const RandomArguments& a)
      : log_failure(quick_log(C(1) + static_cast<C>(-a.a))) {}
  inline T operator()(C u) const {
    C y = quick_log(u) / log_failure;
    if constexpr (sizeof(C) == 8)
      return convert<T>(__builtin_ceil(y));
    else
      return convert<T>(__builtin_ceilf(y));
  }
};
template <class T, class C>
struct Bernoulli : Units<C> {
  C p;
  inline explicit Bernoulli(const RandomArguments& a) : p(static_cast<C>(a.a)) {}
  inline T operator()(C u) const { return convert<T>(u < p); }
};

// from .. from + range - 1, of 32 or 64 bits; what the remainder leans to is PyTorch's.
template <class T, class C>
struct Whole {
  using Number = C;
  C range;
  int64_t from;
  inline explicit Whole(const RandomArguments& a) : range(static_cast<C>(a.range)), from(a.from) {}
  inline void draw(Words w, C (&u)[kNumbers<C>]) const {
    if constexpr (sizeof(C) == 4) {
      u[0] = w.x, u[1] = w.y, u[2] = w.z, u[3] = w.w;
    } else {
      u[0] = static_cast<uint64_t>(w.x) << 32 | w.y;
      u[1] = static_cast<uint64_t>(w.z) << 32 | w.w;
    }
  }
  inline T operator()(C u) const {
    uint64_t rest = range ? u % range : u;
    return convert<T>(static_cast<int64_t>(rest + static_cast<uint64_t>(from)));
  }
};

template <class T, class Distribution>
inline void fill(const RandomArguments& a) {
  using Number = typename Distribution::Number;
  constexpr int width = kNumbers<Number>;
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  T* y = static_cast<T*>(a.y);
  const Distribution distribution(a);
  Stream stream(a.place, first);
  for (int64_t i = first; i < a.n; i += threads * width) {
    Number u[width];
    distribution.draw(stream.next(), u);
#pragma unroll
    for (int k = 0; k < width; ++k)
      if (int64_t at = i + k * threads; at < a.n) y[at] = distribution(u[k]);
  }
}

// y = 1 with probability p, which differs: a thread has four neighbours.
template <class T, class P>
inline void bernoulli_each(const RandomArguments& a) {
  const int64_t thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (thread * 4 >= a.n) return;
  float u[4];
  units(Stream(a.place, thread).next(), u);
  using C = std::conditional_t<std::is_same_v<P, double>, double, float>;
  auto* p = static_cast<const P*>(a.x);
  auto* y = static_cast<T*>(a.y);
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (int64_t at = thread * 4 + k; at < a.n) y[at] = convert<T>(u[k] <= convert<C>(p[at]));
}

template <class T, int count>
struct alignas(sizeof(T) * count > 16 ? 16 : sizeof(T) * count) Group {
  T v[count];
};

// --- dropout: a = the probability to keep ---

template <class C, class T>
inline T scaled(T x, bool kept, C scale) {
  return convert<T>(convert<C>(x) * C(kept) * scale);
}

// `group` neighbours to a thread (4 or 2), or as in fill (1).
template <class T, class C, int group>
inline void dropout(const RandomArguments& a) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const C keep = static_cast<C>(a.a), scale = C(1) / keep;
  Stream stream(a.place, first);
  auto* x = static_cast<const T*>(a.x);
  auto* y = static_cast<T*>(a.y);
  auto* marks = static_cast<bool*>(a.marks);
  float u[4];
  if constexpr (group == 1) {
    for (int64_t i = first; i < a.n; i += threads * 4) {
      units(stream.next(), u);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        int64_t at = i + k * threads;
        if (at >= a.n) break;
        bool kept = u[k] < keep;
        y[at] = scaled(x[at], kept, scale);
        marks[at] = kept;
      }
    }
  } else {
    bool half_left = false;  // two numbers of the last draw are not used yet
    for (int64_t i = first * group; i < a.n; i += threads * group) {
      if (group == 2 && half_left) {
        u[0] = u[2], u[1] = u[3];
      } else {
        units(stream.next(), u);
      }
      half_left = !half_left;
      auto in = *reinterpret_cast<const Group<T, group>*>(x + i);
      Group<T, group> out;
      Group<bool, group> kept;
#pragma unroll
      for (int k = 0; k < group; ++k) {
        kept.v[k] = u[k] < keep;
        out.v[k] = scaled(in.v[k], kept.v[k], scale);
      }
      *reinterpret_cast<Group<T, group>*>(y + i) = out;
      *reinterpret_cast<Group<bool, group>*>(marks + i) = kept;
    }
  }
}

// y = x * kept * a, `group` neighbours to a thread.
template <class T, class C, int group>
inline void masked_scale(const RandomArguments& a) {
  const int64_t thread = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const C scale = static_cast<C>(a.a);
  auto* x = static_cast<const T*>(a.x);
  auto* y = static_cast<T*>(a.y);
  auto* marks = static_cast<const bool*>(a.marks);
  const int64_t i = thread * group;
  if (i + group <= a.n) {
    auto in = *reinterpret_cast<const Group<T, group>*>(x + i);
    auto kept = *reinterpret_cast<const Group<bool, group>*>(marks + i);
#pragma unroll
    for (int k = 0; k < group; ++k) in.v[k] = scaled(in.v[k], kept.v[k], scale);
    *reinterpret_cast<Group<T, group>*>(y + i) = in;
  } else {
    for (int64_t at = i; at < a.n; ++at) y[at] = scaled(x[at], marks[at], scale);
  }
}

// y = slope * x, slope uniform in [a, b) where x <= 0, else 1.
template <class T, class C>
inline void rrelu(const RandomArguments& a) {
  constexpr int width = kNumbers<C>;
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const C low = static_cast<C>(a.a), span = static_cast<C>(a.b - a.a);
  Stream stream(a.place, first);
  auto* x = static_cast<const T*>(a.x);
  auto *y = static_cast<T*>(a.y), *slopes = static_cast<T*>(a.marks);
  for (int64_t i = first; i < a.n; i += threads * width) {
    C u[width];
    units(stream.next(), u);
#pragma unroll
    for (int k = 0; k < width; ++k) {
      int64_t at = i + k * threads;
      if (at >= a.n) break;
      C in = convert<C>(x[at]), slope = in <= C(0) ? u[k] * span + low : C(1);
      y[at] = convert<T>(in * slope);
      slopes[at] = convert<T>(slope);
    }
  }
}

}  // namespace lampas::device
