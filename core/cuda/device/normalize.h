// Normalisation of channels and groups, whose statistics a reduction has found (batch and group
// norm); rows are in normalize_rows.h. Statistics are doubles in memory, few as they are.
#pragma once
#include "cuda/device/reduction_rows.h"

namespace lampas::device {

// Mirrored by cuda/normalize.cc. As cpu/normalize.h: outer x channels x inner elements, or outer x
// inner x channels; statistics of channels (groups 0), or of groups within each outer.
struct NormalizeArguments {
  void* y;  // or dx
  const void *x, *g, *weight, *bias;
  double *mean, *rstd;
  void *dweight, *dbias;  // or running statistics
  void* partial;          // sums of a part of the rows: (part, 2, n); or pairs of a unit
  double* slopes;         // pairs of each statistic
  const double* variance;
  double eps, count, momentum, factor;
  int64_t rows, n;
  int64_t outer, channels, inner, groups;
  int64_t weight_step, bias_step;
  int64_t part, parts;
  int32_t group, centred;
};

template <class C>
struct JoinTwo {
  LAMPAS_INLINE Two<C> operator()(Two<C> a, Two<C> b) const { return {a.g + b.g, a.gx + b.gx}; }
};

// `otherwise` where there is no parameter.
template <int V, class C, class W>
LAMPAS_INLINE void load_parameters(C (&to)[V], const void* from, int64_t at, int64_t n,
                                   C otherwise) {
  if (from) {
    Neighbours<W, V> w = load<V>(static_cast<const W*>(from) + at, n - at);
#pragma unroll
    for (int k = 0; k < V; ++k) to[k] = convert<C>(w.v[k]);
  } else {
#pragma unroll
    for (int k = 0; k < V; ++k) to[k] = otherwise;
  }
}

// --- channels and groups ---

LAMPAS_INLINE int64_t statistic_of(const NormalizeArguments& a, int64_t o, int64_t c) {
  return a.groups ? o * a.groups + c / (a.channels / a.groups) : c;
}
template <class W>
LAMPAS_INLINE double parameter(const void* from, int64_t step, int64_t c, double otherwise) {
  return from ? convert<double>(static_cast<const W*>(from)[c * step]) : otherwise;
}

// y = (x - mean) scale + p, or with Slope dx = scale g + p (x - mean) + q.
template <class C, bool Slope, class W>
struct Coefficients {
  C mean, scale, p, q;
  LAMPAS_INLINE Coefficients(const NormalizeArguments& a, int64_t o, int64_t c) {
    int64_t s = statistic_of(a, o, c);
    mean = a.centred ? static_cast<C>(a.mean[s]) : C(0);
    scale = static_cast<C>(a.rstd[s] * parameter<W>(a.weight, a.weight_step, c, 1));
    if constexpr (Slope) {
      p = static_cast<C>(a.slopes[2 * s]);
      q = static_cast<C>(a.slopes[2 * s + 1]);
    } else {
      p = static_cast<C>(parameter<W>(a.bias, a.bias_step, c, 0));
      q = 0;
    }
  }
  LAMPAS_INLINE C operator()(C x, C g) const {
    if constexpr (Slope) return scale * g + (p * (x - mean) + q);
    return (x - mean) * scale + p;
  }
};

// Channels before inner: V neighbours to a thread, which may belong to several channels.
template <class T, bool Slope, class W>
LAMPAS_INLINE void apply_runs(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  int64_t all = a.outer * a.channels * a.inner;
  int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V, left = all - i;
  if (left <= 0) return;
  Neighbours<T, V> xs = load<V>(static_cast<const T*>(a.x) + i, left), gs = xs;
  if constexpr (Slope) gs = load<V>(static_cast<const T*>(a.g) + i, left);
  int64_t unit = i / a.inner, place = i - unit * a.inner, o = unit / a.channels;
  int64_t c = unit - o * a.channels;
  Coefficients<C, Slope, W> f(a, o, c);
#pragma unroll
  for (int k = 0; k < V; ++k) {
    xs.v[k] = convert<T>(f(convert<C>(xs.v[k]), convert<C>(gs.v[k])));
    if (++place == a.inner && k + 1 < V && k + 1 < left) {
      place = 0;
      if (++c == a.channels) c = 0, ++o;
      f = Coefficients<C, Slope, W>(a, o, c);
    }
  }
  store<V>(static_cast<T*>(a.y) + i, xs, left);
}
// Channels last: a thread keeps the coefficients of V channels for a part of the rows.
template <class T, bool Slope, class W>
LAMPAS_INLINE void apply_columns(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>, U = Slope ? 2 : 4;
  using C = compute_t<T>;
  int down = static_cast<int>(blockDim.x) / a.group;
  int tx = static_cast<int>(threadIdx.x) & (a.group - 1);
  int64_t across = a.group * V, tiles = (a.channels + across - 1) / across;
  int64_t part = blockIdx.x / tiles, column = (blockIdx.x - part * tiles) * across + tx * V;
  int64_t o = part / a.parts, left = a.channels - column;
  if (left <= 0) return;
  part -= o * a.parts;
  struct Each {
    C mean, scale, p, q;
  } f[V];
#pragma unroll
  for (int k = 0; k < V; ++k) {
    Coefficients<C, Slope, W> own(a, o, column + (k < left ? k : 0));
    f[k] = {own.mean, own.scale, own.p, own.q};
  }
  int64_t first = o * a.inner * a.channels + column, end = (part + 1) * a.part;
  const T *x = static_cast<const T*>(a.x) + first,
          *g = static_cast<const T*>(a.g) + (Slope ? first : 0);
  T* y = static_cast<T*>(a.y) + first;
  end = end < a.inner ? end : a.inner;
  for (int64_t r = part * a.part + threadIdx.x / static_cast<unsigned>(a.group); r < end;
       r += U * down) {
    Neighbours<T, V> xs[U], gs[U];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t row = r + u * down;
      if (row >= end) continue;
      xs[u] = load<V>(x + row * a.channels, left);
      if constexpr (Slope) gs[u] = load<V>(g + row * a.channels, left);
    }
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t row = r + u * down;
      if (row >= end) continue;
#pragma unroll
      for (int k = 0; k < V; ++k) {
        C v = convert<C>(xs[u].v[k]) - f[k].mean;
        if constexpr (Slope)
          v = f[k].scale * convert<C>(gs[u].v[k]) + (f[k].p * v + f[k].q);
        else
          v = v * f[k].scale + f[k].p;
        xs[u].v[k] = convert<T>(v);
      }
      store<V>(y + row * a.channels, xs[u], left);
    }
  }
}

LAMPAS_INLINE int64_t norm_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// From the sums of units (pairs, each of an outer and a channel; of a channel where groups are 0):
// gradients of parameters, and the slopes of statistics.
template <class W, class D>
LAMPAS_INLINE void norm_slopes(const NormalizeArguments& a) {
  const Two<double>* sums = static_cast<const Two<double>*>(a.partial);
  int64_t i = norm_thread(), outer = a.groups ? a.outer : 1;
  if (i < a.channels && (a.dweight || a.dbias)) {
    Two<double> all{0, 0};
    for (int64_t o = 0; o < outer; ++o) {
      Two<double> s = sums[o * a.channels + i];
      all.g += s.g;
      all.gx += s.gx * a.rstd[statistic_of(a, o, i)];
    }
    if (a.dweight) static_cast<D*>(a.dweight)[i] = convert<D>(all.gx);
    if (a.dbias) static_cast<D*>(a.dbias)[i] = convert<D>(all.g);
  }
  int64_t each = a.groups ? a.channels / a.groups : 1;
  int64_t statistics = a.groups ? outer * a.groups : a.channels;
  if (!a.slopes || i >= statistics) return;
  Two<double> all{0, 0};
  for (int64_t u = i * each; u < (i + 1) * each; ++u) {
    double w = parameter<W>(a.weight, a.weight_step, u % a.channels, 1);
    all.g += w * sums[u].g;
    all.gx += w * sums[u].gx;
  }
  double r = a.rstd[i];
  a.slopes[2 * i] = -r * r * r * all.gx / a.count;
  a.slopes[2 * i + 1] = -r * all.g / a.count;
}

template <class R>
LAMPAS_INLINE void track(void* running, int64_t step, int64_t c, double batch, double momentum,
                         double factor) {
  if (!running) return;
  R& value = static_cast<R*>(running)[c * step];
  value = convert<R>(convert<double>(value) * (1 - momentum) + batch * (momentum * factor));
}
// dweight, dbias: running mean and variance.
template <class R>
LAMPAS_INLINE void track_statistics(const NormalizeArguments& a) {
  int64_t c = norm_thread();
  if (c >= a.channels) return;
  track<R>(a.dweight, a.weight_step, c, a.mean[c], a.momentum, 1);
  track<R>(a.dbias, a.bias_step, c, a.variance[c], a.momentum, a.factor);
  a.rstd[c] = 1 / ::sqrt(a.variance[c] + a.eps);
}
template <class R>
LAMPAS_INLINE void known_statistics(const NormalizeArguments& a) {
  int64_t c = norm_thread();
  if (c >= a.channels) return;
  a.mean[c] = parameter<R>(a.dweight, a.weight_step, c, 0);
  a.rstd[c] = 1 / ::sqrt(parameter<R>(a.dbias, a.bias_step, c, 1) + a.eps);
}

}  // namespace lampas::device
