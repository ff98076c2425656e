// Rows that are normalised by themselves (layer and RMS norm), held in registers or, where they are
// longer, read twice; and the sums over rows that are the gradients of their parameters. Sums of
// 16- and 32-bit floats are floats.
#pragma once
#include "cuda/device/normalize.h"

namespace lampas::device {

struct NormRow {
  int64_t row;
  int lane;
  bool inside;
  LAMPAS_INLINE NormRow(const NormalizeArguments& a) {
    lane = static_cast<int>(threadIdx.x) & (a.group - 1);
    row = static_cast<int64_t>(blockIdx.x) * (blockDim.x / static_cast<unsigned>(a.group)) +
          threadIdx.x / static_cast<unsigned>(a.group);
    inside = row < a.rows;
  }
  LAMPAS_INLINE void keep(const NormalizeArguments& a, double mean, double rstd) const {
    if (!inside || lane != 0) return;
    a.mean[row] = mean;
    a.rstd[row] = rstd;
  }
};

template <class T, class W>
LAMPAS_INLINE void scale_row(const NormalizeArguments& a, Neighbours<T, kWidth<T>> x, T* y,
                             int64_t i, compute_t<T> mean, compute_t<T> rstd) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  C w[V], b[V];
  load_parameters<V, C, W>(w, a.weight, i, a.n, C(1));
  load_parameters<V, C, W>(b, a.bias, i, a.n, C(0));
#pragma unroll
  for (int j = 0; j < V; ++j) x.v[j] = convert<T>((convert<C>(x.v[j]) - mean) * rstd * w[j] + b[j]);
  store<V>(y + i, x, a.n - i);
}

// K accesses of a thread; the row fits group * K of them.
template <class T, class W, int K>
LAMPAS_INLINE void rows_held(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  NormRow at(a);
  int64_t n = at.inside ? a.n : 0, first = at.inside ? at.row * a.n : 0;
  const T* x = static_cast<const T*>(a.x) + first;
  Neighbours<T, V> xs[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    xs[k] = load<V>(x + i, n - i);
  }
  C mean = 0, squares = 0, size = static_cast<C>(a.n);
  if (a.centred) {
#pragma unroll
    for (int k = 0; k < K; ++k)
#pragma unroll
      for (int j = 0; j < V; ++j) mean += convert<C>(xs[k].v[j]);  // zeros behind the end
    mean = reduce_among(mean, a.group, Plus{}) / size;
  }
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t left = n - static_cast<int64_t>(at.lane + k * a.group) * V;
#pragma unroll
    for (int j = 0; j < V; ++j) {
      C d = convert<C>(xs[k].v[j]) - mean;
      if (j < left) squares += d * d;
    }
  }
  squares = reduce_among(squares, a.group, Plus{});
  C rstd = 1 / root_of(squares / size + static_cast<C>(a.eps));
  at.keep(a, mean, rstd);
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i < n) scale_row<T, W>(a, xs[k], static_cast<T*>(a.y) + first, i, mean, rstd);
  }
}

template <class T, class W>
LAMPAS_INLINE void rows_long(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  using R = Spread<T, double, false>;
  NormRow at(a);
  const T* x = static_cast<const T*>(a.x) + at.row * a.n;
  int64_t step = static_cast<int64_t>(V) * a.group;
  typename R::Acc acc[V];
#pragma unroll
  for (int j = 0; j < V; ++j) {
    acc[j] = R::start(0);
    acc[j].n = a.centred ? 0 : 1;  // differences from zero
  }
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n; i += step) {
    Neighbours<T, V> xs = load<V>(x + i, a.n - i);
#pragma unroll
    for (int j = 0; j < V; ++j)
      if (i + j < a.n) R::add(acc[j], convert<C>(xs.v[j]), C(0), 0, 0, 0);
  }
  double mean = 0, squares = 0;
  if (a.centred) {
    auto join = [](typename R::A l, typename R::A r) { return R::combine(l, r); };
    typename R::A all = R::close(acc[0]);
#pragma unroll
    for (int j = 1; j < V; ++j) all = join(all, R::close(acc[j]));
    all = block_reduce(all, join);
    mean = all.mean, squares = all.m2;
  } else {
#pragma unroll
    for (int j = 0; j < V; ++j) squares += static_cast<double>(acc[j].squares);
    squares = block_reduce(squares, Plus{});
  }
  double rstd = 1 / ::sqrt(squares / static_cast<double>(a.n) + a.eps);
  at.keep(a, mean, rstd);
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n; i += step)
    scale_row<T, W>(a, load<V>(x + i, a.n - i), static_cast<T*>(a.y) + at.row * a.n, i,
                    static_cast<C>(mean), static_cast<C>(rstd));
}

// dx = rstd (g w - mean(g w)) - (x - mean) rstd^3 mean(g w (x - mean))
template <class T, class W>
struct RowSlope {
  static constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  const NormalizeArguments& a;
  C mean, rstd;
  LAMPAS_INLINE void gather(Two<C>& sum, const Neighbours<T, V>& g, const Neighbours<T, V>& x,
                            int64_t i) const {
    C w[V];
    load_parameters<V, C, W>(w, a.weight, i, a.n, C(1));
#pragma unroll
    for (int j = 0; j < V; ++j) {  // behind the end g is zero
      C gw = convert<C>(g.v[j]) * w[j];
      sum.g += gw;
      if (i + j < a.n) sum.gx += gw * (convert<C>(x.v[j]) - mean);
    }
  }
  LAMPAS_INLINE void write(Two<C> sum, Neighbours<T, V> g, const Neighbours<T, V>& x, T* dx,
                           int64_t i) const {
    C w[V], size = static_cast<C>(a.n);
    C p = -rstd * rstd * rstd * sum.gx / size, q = a.centred ? sum.g / size : C(0);
    load_parameters<V, C, W>(w, a.weight, i, a.n, C(1));
#pragma unroll
    for (int j = 0; j < V; ++j)
      g.v[j] = convert<T>(rstd * (convert<C>(g.v[j]) * w[j] - q) + p * (convert<C>(x.v[j]) - mean));
    store<V>(dx + i, g, a.n - i);
  }
};
template <class T, class W, int K>
LAMPAS_INLINE void rows_backward_held(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  NormRow at(a);
  int64_t n = at.inside ? a.n : 0, row = at.inside ? at.row : 0, first = row * a.n;
  const T *g = static_cast<const T*>(a.g) + first, *x = static_cast<const T*>(a.x) + first;
  Neighbours<T, V> gs[K], xs[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    gs[k] = load<V>(g + i, n - i);
    xs[k] = load<V>(x + i, n - i);
  }
  RowSlope<T, W> slope{a, static_cast<C>(a.mean[row]), static_cast<C>(a.rstd[row])};
  Two<C> sum{0, 0};
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i < n) slope.gather(sum, gs[k], xs[k], i);
  }
  sum = reduce_among(sum, a.group, JoinTwo<C>{});
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i < n) slope.write(sum, gs[k], xs[k], static_cast<T*>(a.y) + first, i);
  }
}
// The same, and the sums for parameters beside it: a block moves over rows and keeps the sums of
// its columns, one part of those that are joined later.
template <class T, class W, int K>
LAMPAS_INLINE void rows_backward_summed(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  __shared__ Two<C> slots[256];
  int lane = static_cast<int>(threadIdx.x) & (a.group - 1);
  int own = static_cast<int>(threadIdx.x) / a.group, rows = static_cast<int>(blockDim.x) / a.group;
  Two<C> sums[K][V] = {};
  int64_t step = static_cast<int64_t>(gridDim.x) * rows;
  for (int64_t base = static_cast<int64_t>(blockIdx.x) * rows; base < a.rows; base += step) {
    bool inside = base + own < a.rows;  // threads without a row go along, for the barriers
    int64_t n = inside ? a.n : 0, row = inside ? base + own : 0, first = row * a.n;
    const T *g = static_cast<const T*>(a.g) + first, *x = static_cast<const T*>(a.x) + first;
    Neighbours<T, V> gs[K], xs[K];
#pragma unroll
    for (int k = 0; k < K; ++k) {
      int64_t i = static_cast<int64_t>(lane + k * a.group) * V;
      gs[k] = load<V>(g + i, n - i);
      xs[k] = load<V>(x + i, n - i);
    }
    RowSlope<T, W> slope{a, static_cast<C>(a.mean[row]), static_cast<C>(a.rstd[row])};
    Two<C> sum{0, 0};
#pragma unroll
    for (int k = 0; k < K; ++k) {
      int64_t i = static_cast<int64_t>(lane + k * a.group) * V;
      if (i >= n) continue;
      slope.gather(sum, gs[k], xs[k], i);
#pragma unroll
      for (int j = 0; j < V; ++j) {
        C gj = convert<C>(gs[k].v[j]);
        sums[k][j].g += gj;
        sums[k][j].gx += gj * ((convert<C>(xs[k].v[j]) - slope.mean) * slope.rstd);
      }
    }
    sum = reduce_among(sum, a.group, JoinTwo<C>{});
#pragma unroll
    for (int k = 0; k < K; ++k) {
      int64_t i = static_cast<int64_t>(lane + k * a.group) * V;
      if (i < n) slope.write(sum, gs[k], xs[k], static_cast<T*>(a.y) + first, i);
    }
  }
  C* to = static_cast<C*>(a.partial) + static_cast<int64_t>(blockIdx.x) * 2 * a.n;
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int j = 0; j < V; ++j) {
      int64_t column = static_cast<int64_t>(lane + k * a.group) * V + j;
      Two<C> sum = sums[k][j];
      if (rows > 1) {
        slots[threadIdx.x] = sum;
        __syncthreads();
        for (int w = rows / 2; w > 0; w /= 2) {
          if (own < w) {
            sum = JoinTwo<C>{}(sum, slots[threadIdx.x + static_cast<unsigned>(w * a.group)]);
            slots[threadIdx.x] = sum;
          }
          __syncthreads();
        }
      }
      if (own == 0 && column < a.n) to[column] = sum.gx, to[a.n + column] = sum.g;
    }
}
template <class T, class W>
LAMPAS_INLINE void rows_backward_long(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  NormRow at(a);
  int64_t first = at.row * a.n, step = static_cast<int64_t>(V) * a.group;
  const T *g = static_cast<const T*>(a.g) + first, *x = static_cast<const T*>(a.x) + first;
  RowSlope<T, W> slope{a, static_cast<C>(a.mean[at.row]), static_cast<C>(a.rstd[at.row])};
  Two<C> sum{0, 0};
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n; i += step)
    slope.gather(sum, load<V>(g + i, a.n - i), load<V>(x + i, a.n - i), i);
  sum = block_reduce(sum, JoinTwo<C>{});
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n; i += step)
    slope.write(sum, load<V>(g + i, a.n - i), load<V>(x + i, a.n - i), static_cast<T*>(a.y) + first,
                i);
}

// Sums over a part of the rows: of g (x - mean) rstd and of g, V neighbouring columns to a thread.
template <class T>
LAMPAS_INLINE void row_parameters(const NormalizeArguments& a) {
  constexpr int V = kWidth<T>, U = 4;
  using C = compute_t<T>;
  __shared__ Two<C> slots[256];
  int down = static_cast<int>(blockDim.x) / a.group;
  int tx = static_cast<int>(threadIdx.x) & (a.group - 1);
  int ty = static_cast<int>(threadIdx.x) / a.group;
  int64_t tile = blockIdx.x / a.parts, part = blockIdx.x - tile * a.parts;
  int64_t column = (tile * a.group + tx) * V, left = a.n - column;
  const T *g = static_cast<const T*>(a.g) + column, *x = static_cast<const T*>(a.x) + column;
  int64_t end = (part + 1) * a.part;
  end = left <= 0 ? 0 : end < a.rows ? end : a.rows;
  Two<C> sum[V] = {};
  for (int64_t r = part * a.part + ty; r < end; r += U * down) {
    Neighbours<T, V> gs[U], xs[U];
    C mean[U], rstd[U];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t row = r + u * down;
      if (row >= end) continue;
      gs[u] = load<V>(g + row * a.n, left);
      xs[u] = load<V>(x + row * a.n, left);
      mean[u] = static_cast<C>(a.mean[row]), rstd[u] = static_cast<C>(a.rstd[row]);
    }
#pragma unroll
    for (int u = 0; u < U; ++u) {
      if (r + u * down >= end) continue;
#pragma unroll
      for (int k = 0; k < V; ++k) {
        C gk = convert<C>(gs[u].v[k]);
        sum[k].g += gk;
        sum[k].gx += gk * ((convert<C>(xs[u].v[k]) - mean[u]) * rstd[u]);
      }
    }
  }
  C* to = static_cast<C*>(a.partial) + part * 2 * a.n;
#pragma unroll
  for (int k = 0; k < V; ++k) {
    slots[threadIdx.x] = sum[k];
    __syncthreads();
    for (int w = down / 2; w > 0; w /= 2) {
      if (ty < w) {
        sum[k] = JoinTwo<C>{}(sum[k], slots[threadIdx.x + static_cast<unsigned>(w * a.group)]);
        slots[threadIdx.x] = sum[k];
      }
      __syncthreads();
    }
    if (ty == 0 && k < left) to[column + k] = sum[k].gx, to[a.n + column + k] = sum[k].g;
  }
}
// Joins the parts: 32 columns and 8 shares of the parts to a block.
template <class C, class D>
LAMPAS_INLINE void join_parameters(const NormalizeArguments& a) {
  __shared__ Two<double> slots[256];
  int tx = static_cast<int>(threadIdx.x) & 31, ty = static_cast<int>(threadIdx.x) / 32;
  int64_t column = static_cast<int64_t>(blockIdx.x) * 32 + tx;
  const C* from = static_cast<const C*>(a.partial);
  Two<double> sum{0, 0};
#pragma unroll 4
  for (int64_t p = ty; p < a.parts; p += 8) {
    if (column >= a.n) break;
    sum.gx += static_cast<double>(from[p * 2 * a.n + column]);
    sum.g += static_cast<double>(from[(p * 2 + 1) * a.n + column]);
  }
  slots[threadIdx.x] = sum;
  __syncthreads();
  if (ty != 0 || column >= a.n) return;
  for (int w = 1; w < 8; ++w) sum = JoinTwo<double>{}(sum, slots[tx + w * 32]);
  if (a.dweight) static_cast<D*>(a.dweight)[column] = convert<D>(sum.gx);
  if (a.dbias) static_cast<D*>(a.dbias)[column] = convert<D>(sum.g);
}

}  // namespace lampas::device
