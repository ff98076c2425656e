// Softmax, its gradient, and cross entropy along lines. A line whose neighbours lie side by side is
// held in registers by the threads that share it, or, where it is longer, read twice (the second
// time from a cache). Lines that lie beside each other have a thread, or a few, each.
#pragma once
#include "cuda/device/block.h"

namespace lampas::device {

// Mirrored by cuda/softmax.cc. Lines: outer x n x inner elements.
struct SoftmaxArguments {
  void* y;
  const void *x, *g;                 // g: the gradient (backward)
  const void *lse, *target, *scale;  // of each line (cross entropy)
  int64_t outer, n, inner;
  int32_t group;  // inner 1: threads that share a line; else threads across
  int32_t down;   // threads below each other, which share a line
  int32_t log;
};

// The largest element so far and the sum of exponentials below it.
template <class C>
struct LogSum {
  C top, sum;
};
template <class C>
LAMPAS_INLINE C infinite() {
  return std::numeric_limits<C>::infinity();
}
// A NaN passes into the sum. Nothing yet: top -inf, sum 0.
template <class C>
LAMPAS_INLINE LogSum<C> join(LogSum<C> a, LogSum<C> b) {
  C top = b.top > a.top ? b.top : a.top;
  if (top == -infinite<C>()) return {top, a.sum + b.sum};
  return {top, (a.top == top ? a.sum : a.sum * exp_of(a.top - top)) +
                   (b.top == top ? b.sum : b.sum * exp_of(b.top - top))};
}
template <class C>
struct JoinLogSums {
  LAMPAS_INLINE LogSum<C> operator()(LogSum<C> a, LogSum<C> b) const { return join(a, b); }
};
// V neighbours at once: the sum is rescaled once.
template <int V, class C>
LAMPAS_INLINE void take(LogSum<C>& a, const C (&x)[V], int valid) {
  C top = a.top;
#pragma unroll
  for (int k = 0; k < V; ++k)
    if (k < valid && x[k] > top) top = x[k];
  // All of them -inf or NaN so far: zero is as good a base as any.
  C base = top == -infinite<C>() ? C(0) : top;
  if (top > a.top) a.sum *= exp_of(a.top - base);
  a.top = top;
#pragma unroll
  for (int k = 0; k < V; ++k)
    if (k < valid) a.sum += exp_of(x[k] - base);
}

template <int V, class T>
LAMPAS_INLINE void widen_all(compute_t<T> (&to)[V], const Neighbours<T, V>& from) {
#pragma unroll
  for (int k = 0; k < V; ++k) to[k] = convert<compute_t<T>>(from.v[k]);
}

// Which row a thread works on, which of its group it is, and how many of a row's accesses are
// whole.
struct RowShare {
  int64_t row;
  int lane;
  bool inside;
  LAMPAS_INLINE RowShare(int group, int64_t rows) {
    lane = static_cast<int>(threadIdx.x) & (group - 1);
    row = static_cast<int64_t>(blockIdx.x) * (blockDim.x / static_cast<unsigned>(group)) +
          threadIdx.x / static_cast<unsigned>(group);
    inside = row < rows;
  }
};
LAMPAS_INLINE int valid_of(int64_t left, int width) {
  return left >= width ? width : left > 0 ? static_cast<int>(left) : 0;
}

// K accesses of V neighbours to a thread; the row fits group * K * V.
template <class T, int K>
LAMPAS_INLINE void softmax_held(const SoftmaxArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  RowShare at(a.group, a.outer);
  int64_t n = at.inside ? a.n : 0;
  const T* x = static_cast<const T*>(a.x) + (at.inside ? at.row * a.n : 0);
  T* y = static_cast<T*>(a.y) + (at.inside ? at.row * a.n : 0);
  Neighbours<T, V> from[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i < n) from[k] = load<V>(x + i, n - i);
  }
  C top = -infinite<C>();
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    int valid = valid_of(n - i, V);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      C v = convert<C>(from[k].v[j]);
      if (j < valid && v > top) top = v;
    }
  }
  top = reduce_among(top, a.group, [](C l, C r) { return l > r ? l : r; });
  C sum = 0, e[K][V];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    int valid = valid_of(n - i, V);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      C apart = convert<C>(from[k].v[j]) - top;
      C power = exp_of(apart);
      e[k][j] = a.log ? apart : power;
      if (j < valid) sum += power;
    }
  }
  sum = reduce_among(sum, a.group, Plus{});
  C scale = 1 / sum, shift = a.log ? log_of(sum) : C(0);
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i >= n) continue;
    Neighbours<T, V> to;
#pragma unroll
    for (int j = 0; j < V; ++j) to.v[j] = convert<T>(a.log ? e[k][j] - shift : e[k][j] * scale);
    store<V>(y + i, to, n - i);
  }
}

// The logarithm of a row's sum, in parts, by the threads of its group.
template <class T>
LAMPAS_INLINE LogSum<compute_t<T>> log_sum_of_row(const T* x, int64_t n, int lane, int group) {
  constexpr int V = kWidth<T>, U = 2;
  using C = compute_t<T>;
  LogSum<C> found[U];
#pragma unroll
  for (int u = 0; u < U; ++u) found[u] = {-infinite<C>(), 0};
  for (int64_t i = static_cast<int64_t>(lane) * V; i < n;
       i += static_cast<int64_t>(U) * V * group) {
    Neighbours<T, V> from[U];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t here = i + static_cast<int64_t>(u) * V * group;
      if (here < n) from[u] = load<V>(x + here, n - here);
    }
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t here = i + static_cast<int64_t>(u) * V * group;
      if (here >= n) continue;
      C v[V];
      widen_all<V, T>(v, from[u]);
      take<V>(found[u], v, valid_of(n - here, V));
    }
  }
  LogSum<C> all = found[0];
#pragma unroll
  for (int u = 1; u < U; ++u) all = join(all, found[u]);
  return reduce_among(all, group, JoinLogSums<C>{});
}

// Rows that are longer than registers.
template <class T>
LAMPAS_INLINE void softmax_long(const SoftmaxArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  RowShare at(a.group, a.outer);
  const T* x = static_cast<const T*>(a.x) + at.row * a.n;
  T* y = static_cast<T*>(a.y) + at.row * a.n;
  LogSum<C> all = log_sum_of_row(x, a.n, at.lane, a.group);
  C scale = 1 / all.sum, shift = a.log ? log_of(all.sum) : C(0);
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n;
       i += static_cast<int64_t>(V) * a.group) {
    Neighbours<T, V> v = load<V>(x + i, a.n - i);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      C apart = convert<C>(v.v[j]) - all.top;
      v.v[j] = convert<T>(a.log ? apart - shift : exp_of(apart) * scale);
    }
    store<V>(y + i, v, a.n - i);
  }
}

template <class C>
LAMPAS_INLINE C log_of_all(LogSum<C> all) {
  if (all.top == infinite<C>() || (all.top == -infinite<C>() && all.sum == 0)) return all.top;
  if (all.top == -infinite<C>()) return all.sum;  // NaN
  return all.top + log_of(all.sum);
}

template <class T>
LAMPAS_INLINE void log_sum_rows(const SoftmaxArguments& a) {
  RowShare at(a.group, a.outer);
  const T* x = static_cast<const T*>(a.x) + (at.inside ? at.row * a.n : 0);
  auto all = log_sum_of_row(x, at.inside ? a.n : 0, at.lane, a.group);
  if (at.inside && at.lane == 0) static_cast<compute_t<T>*>(a.y)[at.row] = log_of_all(all);
}

// dx = (g - sum(g y)) y, or g - exp(y) sum(g); x is y here.
template <class C>
LAMPAS_INLINE C softmax_slope(C g, C y, C sum, bool log) {
  return log ? g - exp_of(y) * sum : (g - sum) * y;
}
template <class T, int K>
LAMPAS_INLINE void softmax_backward_held(const SoftmaxArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  RowShare at(a.group, a.outer);
  int64_t n = at.inside ? a.n : 0, first = at.inside ? at.row * a.n : 0;
  const T *g = static_cast<const T*>(a.g) + first, *y = static_cast<const T*>(a.x) + first;
  T* dx = static_cast<T*>(a.y) + first;
  Neighbours<T, V> gs[K], ys[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i >= n) continue;
    gs[k] = load<V>(g + i, n - i);
    ys[k] = load<V>(y + i, n - i);
  }
  C sum = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    int valid = valid_of(n - i, V);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      C s = convert<C>(gs[k].v[j]);
      if (!a.log) s *= convert<C>(ys[k].v[j]);
      if (j < valid) sum += s;
    }
  }
  sum = reduce_among(sum, a.group, Plus{});
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t i = static_cast<int64_t>(at.lane + k * a.group) * V;
    if (i >= n) continue;
#pragma unroll
    for (int j = 0; j < V; ++j)
      gs[k].v[j] = convert<T>(
          softmax_slope(convert<C>(gs[k].v[j]), convert<C>(ys[k].v[j]), sum, a.log != 0));
    store<V>(dx + i, gs[k], n - i);
  }
}
template <class T>
LAMPAS_INLINE void softmax_backward_long(const SoftmaxArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  RowShare at(a.group, a.outer);
  const T *g = static_cast<const T*>(a.g) + at.row * a.n,
          *y = static_cast<const T*>(a.x) + at.row * a.n;
  T* dx = static_cast<T*>(a.y) + at.row * a.n;
  C sum[V] = {};
  int64_t step = static_cast<int64_t>(V) * a.group;
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n; i += step) {
    Neighbours<T, V> gs = load<V>(g + i, a.n - i), ys = load<V>(y + i, a.n - i);
#pragma unroll
    for (int j = 0; j < V; ++j) {  // behind the end both are zero
      C s = convert<C>(gs.v[j]);
      sum[j] += a.log ? s : s * convert<C>(ys.v[j]);
    }
  }
#pragma unroll
  for (int j = 1; j < V; ++j) sum[0] += sum[j];
  C all = block_reduce(sum[0], Plus{});
  for (int64_t i = static_cast<int64_t>(at.lane) * V; i < a.n; i += step) {
    Neighbours<T, V> gs = load<V>(g + i, a.n - i), ys = load<V>(y + i, a.n - i);
#pragma unroll
    for (int j = 0; j < V; ++j)
      gs.v[j] =
          convert<T>(softmax_slope(convert<C>(gs.v[j]), convert<C>(ys.v[j]), all, a.log != 0));
    store<V>(dx + i, gs, a.n - i);
  }
}

// --- lines beside each other: a.group threads across, the rest of the block below them ---

struct ColumnShare {
  int64_t first, line;  // the line's first element; its number
  int ty, down;
  bool inside;
  LAMPAS_INLINE ColumnShare(const SoftmaxArguments& a) {
    down = a.down;
    ty = static_cast<int>(threadIdx.x) / a.group & (down - 1);
    int tx = static_cast<int>(threadIdx.x) & (a.group - 1), block = a.group * down;
    int64_t tiles = (a.inner + a.group - 1) / a.group, o = blockIdx.x / tiles;
    int64_t column = (blockIdx.x - o * tiles) * a.group + tx;
    o = o * (static_cast<int>(blockDim.x) / block) + static_cast<int>(threadIdx.x) / block;
    inside = column < a.inner && o < a.outer;
    first = inside ? o * a.n * a.inner + column : 0;
    line = inside ? o * a.inner + column : 0;
  }
  // Of the threads below each other; everyone gets the result.
  template <class A, class F>
  LAMPAS_INLINE A gather(A found, int group, F join_two) const {
    if (down == 1) return found;
    __shared__ A slots[256];
    __syncthreads();
    slots[threadIdx.x] = found;
    __syncthreads();
    for (int w = down / 2; w > 0; w /= 2) {
      if (ty < w)
        slots[threadIdx.x] =
            join_two(slots[threadIdx.x], slots[threadIdx.x + static_cast<unsigned>(w * group)]);
      __syncthreads();
    }
    return slots[threadIdx.x - static_cast<unsigned>(ty * group)];
  }
};

template <class T>
LAMPAS_INLINE LogSum<compute_t<T>> log_sum_of_column(const SoftmaxArguments& a,
                                                     const ColumnShare& at) {
  using C = compute_t<T>;
  constexpr int U = 4;
  const T* x = static_cast<const T*>(a.x) + at.first;
  LogSum<C> all{-infinite<C>(), 0};
  int64_t n = at.inside ? a.n : 0;
  for (int64_t i = at.ty; i < n; i += U * at.down) {
    C v[U];
    int valid = 0;
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t here = i + u * at.down;
      v[u] = C(0);
      if (here < n) v[u] = convert<C>(x[here * a.inner]), valid = u + 1;
    }
    take<U>(all, v, valid);
  }
  return at.gather(all, a.group, JoinLogSums<C>{});
}
template <class T>
LAMPAS_INLINE void softmax_columns(const SoftmaxArguments& a) {
  using C = compute_t<T>;
  ColumnShare at(a);
  LogSum<C> all = log_sum_of_column<T>(a, at);
  if (!at.inside) return;
  const T* x = static_cast<const T*>(a.x) + at.first;
  T* y = static_cast<T*>(a.y) + at.first;
  C scale = 1 / all.sum, shift = a.log ? log_of(all.sum) : C(0);
#pragma unroll 4
  for (int64_t i = at.ty; i < a.n; i += at.down) {
    C apart = convert<C>(x[i * a.inner]) - all.top;
    y[i * a.inner] = convert<T>(a.log ? apart - shift : exp_of(apart) * scale);
  }
}
template <class T>
LAMPAS_INLINE void log_sum_columns(const SoftmaxArguments& a) {
  ColumnShare at(a);
  auto all = log_sum_of_column<T>(a, at);
  if (at.inside && at.ty == 0) static_cast<compute_t<T>*>(a.y)[at.line] = log_of_all(all);
}
template <class T>
LAMPAS_INLINE void softmax_backward_columns(const SoftmaxArguments& a) {
  using C = compute_t<T>;
  ColumnShare at(a);
  const T *g = static_cast<const T*>(a.g) + at.first, *y = static_cast<const T*>(a.x) + at.first;
  T* dx = static_cast<T*>(a.y) + at.first;
  C sum = 0;
  int64_t n = at.inside ? a.n : 0;
#pragma unroll 4
  for (int64_t i = at.ty; i < n; i += at.down) {
    C s = convert<C>(g[i * a.inner]);
    sum += a.log ? s : s * convert<C>(y[i * a.inner]);
  }
  sum = at.gather(sum, a.group, Plus{});
#pragma unroll 4
  for (int64_t i = at.ty; i < n; i += at.down)
    dx[i * a.inner] = convert<T>(
        softmax_slope(convert<C>(g[i * a.inner]), convert<C>(y[i * a.inner]), sum, a.log != 0));
}

// --- dx = scale * (softmax(x) - [class == target]) ---

template <class T>
LAMPAS_INLINE void cross_entropy_backward_of(const SoftmaxArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  const T* x = static_cast<const T*>(a.x);
  T* dx = static_cast<T*>(a.y);
  const C *lse = static_cast<const C*>(a.lse), *scale = static_cast<const C*>(a.scale);
  const int64_t* target = static_cast<const int64_t*>(a.target);
  int64_t sheet = a.n * a.inner, packs = (sheet + V - 1) / V, all = a.outer * packs;
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t q = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; q < all;
       q += step) {
    int64_t o = q / packs, i = (q - o * packs) * V, first = o * sheet, left = sheet - i;
    Neighbours<T, V> v = load<V>(x + first + i, left);
    if (a.inner == 1) {
      C sum = lse[o], factor = scale[o];
      int64_t hit = target[o] - i;
#pragma unroll
      for (int k = 0; k < V; ++k)
        v.v[k] = convert<T>(factor * (exp_of(convert<C>(v.v[k]) - sum) - (k == hit ? C(1) : C(0))));
    } else {
      int64_t c = i / a.inner, line = o * a.inner + (i - c * a.inner);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        if (k < left) {
          C hit = target[line] == c ? C(1) : C(0);
          v.v[k] = convert<T>(scale[line] * (exp_of(convert<C>(v.v[k]) - lse[line]) - hit));
        }
        if (++line == (o + 1) * a.inner) line -= a.inner, ++c;
      }
    }
    store<V>(dx + first + i, v, left);
  }
}

}  // namespace lampas::device
