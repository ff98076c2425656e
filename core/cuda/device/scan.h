// Running results along lines: rows (a warp or a block moves along a row, tile by tile, and carries
// what came before), lines beside each other (a thread each), and parts of long lines, whose totals
// are scanned first. Also what stands beside them: masks and distances of pairs of rows.
#pragma once
#include "cuda/device/reduction_rows.h"

namespace lampas::device {

// Mirrored by cuda/scan.cc. Lines: outer x n x inner elements.
struct ScanArguments {
  const void* x;
  const void* times;  // what results are multiplied by, elements of the carry's type; or null
  void *y, *places;
  void* carries;  // of each line and part
  int64_t outer, n, inner;
  int64_t part, parts;  // elements of a part
  int32_t group;        // threads of a row: 32, or the block
  int32_t reverse, exclusive;
};

// --- what is joined: A; the earlier comes first ---

template <class T>
using wide_t = std::conditional_t<std::is_integral_v<T>, int64_t, compute_t<T>>;

struct NoPlaces {};
template <class T, class Y_ = T>
struct RunningSum {
  using A = wide_t<T>;
  using Y = Y_;
  LAMPAS_INLINE static A none() { return reduction::as<A>(0); }
  LAMPAS_INLINE static A take(T x, int64_t) { return convert<A>(x); }
  LAMPAS_INLINE static A join(A a, A b) { return a + b; }
};
template <class T, class Y_ = T>
struct RunningProduct {
  using A = wide_t<T>;
  using Y = Y_;
  LAMPAS_INLINE static A none() { return reduction::as<A>(1); }
  LAMPAS_INLINE static A take(T x, int64_t) { return convert<A>(x); }
  LAMPAS_INLINE static A join(A a, A b) { return a * b; }
};
template <class T, class Y_ = T>
struct RunningLogSum {
  using A = compute_t<T>;
  using Y = Y_;
  using R = real_t<A>;
  LAMPAS_INLINE static A none() { return reduction::as<A>(Lowest::value<R>()); }
  LAMPAS_INLINE static A take(T x, int64_t) { return convert<A>(x); }
  LAMPAS_INLINE static A join(A a, A b) {
    if constexpr (is_complex<A>) {
      R unknown = std::numeric_limits<R>::quiet_NaN(), least = Lowest::value<R>();
      if (a != a || b != b) return {unknown, unknown};
      if (a.re == least) return b;
      if (b.re == least) return a;
      A lo = a.re < b.re ? a : b, hi = a.re < b.re ? b : a;
      return hi + math::log(A{1, 0} + math::exp(lo - hi));
    } else {
      A lo = a < b || a != a ? a : b, hi = a < b || a != a ? b : a;
      if (lo != lo || hi != hi) return lo + hi;
      if (lo == hi && math::isinf(lo)) return hi;
      return math::log1p(exp_of(lo - hi)) + hi;
    }
  }
};
// The latest place of the best so far; NaN stays.
template <class T, bool Largest>
struct RunningBest {
  using C = std::conditional_t<std::is_same_v<T, bool>, uint8_t, compute_t<T>>;
  using A = Best<C>;
  using Y = T;
  LAMPAS_INLINE static A none() { return {Largest ? Lowest::value<C>() : Highest::value<C>(), 0}; }
  LAMPAS_INLINE static A take(T x, int64_t place) { return {convert<C>(x), place}; }
  LAMPAS_INLINE static A join(A a, A b) {
    if (b.value != b.value) return b;
    if (a.value != a.value) return a;
    return (Largest ? b.value >= a.value : b.value <= a.value) ? b : a;
  }
};

template <class S>
LAMPAS_INLINE void put_scanned(const ScanArguments& a, int64_t at, typename S::A v) {
  typename S::Y* y = static_cast<typename S::Y*>(a.y);
  if constexpr (requires { v.place; }) {
    y[at] = convert<typename S::Y>(v.value);
    static_cast<int64_t*>(a.places)[at] = v.place;
  } else {
    if (a.times) v = v * static_cast<const typename S::A*>(a.times)[at];
    y[at] = convert<typename S::Y>(v);
  }
}

// What lies before this thread's values in its group; `all` becomes the group's total. `slots`: one
// for each warp, not in use by the tile before.
template <class S>
LAMPAS_INLINE typename S::A before_in_group(typename S::A own, typename S::A& all,
                                            typename S::A* slots, int group) {
  using A = typename S::A;
  int lane = static_cast<int>(threadIdx.x) & 31, warp = static_cast<int>(threadIdx.x) / 32;
  A sum = own;
#pragma unroll
  for (int w = 1; w < 32; w *= 2) {
    A b = shuffle_up(sum, w);
    if (lane >= w) sum = S::join(b, sum);
  }
  A before = shuffle_up(sum, 1);
  if (lane == 0) before = S::none();
  if (group <= 32) {
    all = by_words(sum, [](uint32_t w) { return __shfl_sync(~0u, w, 31); });
    return before;
  }
  if (lane == 31) slots[warp] = sum;
  __syncthreads();
  A earlier = S::none();
  all = S::none();
  for (int w = 0; w < group / 32; ++w) {
    if (w == warp) earlier = all;
    all = S::join(all, slots[w]);
  }
  return S::join(earlier, before);
}

// Write: results, else the total of the part.
template <class S, class T, bool Write>
LAMPAS_INLINE void scan_rows(const ScanArguments& a) {
  constexpr int V = kWidth<T> > 8 ? 8 : kWidth<T>;
  using A = typename S::A;
  __shared__ A slots[2][8];
  int lane = static_cast<int>(threadIdx.x) & (a.group - 1), turn = 0;
  int64_t line = static_cast<int64_t>(blockIdx.x) * (blockDim.x / static_cast<unsigned>(a.group)) +
                 threadIdx.x / static_cast<unsigned>(a.group);
  int64_t row = line / a.parts, part = line - row * a.parts;
  bool inside = row < a.outer;  // threads without a row go along, for the shuffles
  const T* x = static_cast<const T*>(a.x) + (inside ? row * a.n : 0);
  A carry = Write && a.parts > 1 && inside ? static_cast<const A*>(a.carries)[line] : S::none();
  int64_t begin = part * a.part, end = begin + a.part < a.n ? begin + a.part : a.n;
  // Groups of one block have equal lengths but for the last; all go as many tiles.
  for (int64_t tile = begin; tile < begin + a.part; tile += static_cast<int64_t>(V) * a.group) {
    int64_t e = tile + static_cast<int64_t>(lane) * V, left = inside ? end - e : 0;
    A v[V];
    if (a.reverse) {
#pragma unroll
      for (int j = 0; j < V; ++j) v[j] = j < left ? S::take(x[a.n - 1 - e - j], e + j) : S::none();
    } else {
      Neighbours<T, V> from = load<V>(x + (left > 0 ? e : 0), left);
#pragma unroll
      for (int j = 0; j < V; ++j) v[j] = j < left ? S::take(from.v[j], e + j) : S::none();
    }
#pragma unroll
    for (int j = 1; j < V; ++j) v[j] = S::join(v[j - 1], v[j]);
    A all, before = before_in_group<S>(v[V - 1], all, slots[turn], a.group);
    turn ^= 1;
    if constexpr (Write) {
      before = S::join(carry, before);
#pragma unroll
      for (int j = 0; j < V; ++j) {
        if (j >= left) continue;
        A result = S::join(before, v[j]);
        if (a.exclusive) result = j == 0 ? before : S::join(before, v[j > 0 ? j - 1 : 0]);
        put_scanned<S>(a, row * a.n + (a.reverse ? a.n - 1 - e - j : e + j), result);
      }
    }
    carry = S::join(carry, all);
  }
  if (!Write && inside && lane == 0) static_cast<A*>(a.carries)[line] = carry;
}

// A thread for each column and part.
template <class S, class T, bool Write>
LAMPAS_INLINE void scan_columns(const ScanArguments& a) {
  constexpr int U = 4;
  using A = typename S::A;
  int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  int64_t rest = i / a.inner, column = i - rest * a.inner, o = rest / a.parts;
  int64_t part = rest - o * a.parts, first = o * a.n * a.inner + column;
  if (o >= a.outer) return;
  A* carries = static_cast<A*>(a.carries) + (o * a.inner + column) * a.parts + part;
  const T* x = static_cast<const T*>(a.x) + first;
  A carry = Write && a.parts > 1 ? *carries : S::none();
  int64_t end = (part + 1) * a.part;
  end = end < a.n ? end : a.n;
  for (int64_t e = part * a.part; e < end; e += U) {
    T v[U];
#pragma unroll
    for (int u = 0; u < U; ++u)
      if (e + u < end) v[u] = x[(e + u) * a.inner];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      if (e + u >= end) continue;
      carry = S::join(carry, S::take(v[u], e + u));
      if constexpr (Write) put_scanned<S>(a, first + (e + u) * a.inner, carry);
    }
  }
  if constexpr (!Write) *carries = carry;
}

// Totals of a line's parts become what lies before each: a block for a line.
template <class S>
LAMPAS_INLINE void scan_carries(const ScanArguments& a) {
  using A = typename S::A;
  __shared__ A slots[2][8];
  int turn = 0;
  A* found = static_cast<A*>(a.carries) + static_cast<int64_t>(blockIdx.x) * a.parts;
  A carry = S::none();
  for (int64_t tile = 0; tile < a.parts; tile += blockDim.x) {
    int64_t e = tile + threadIdx.x;
    A own = e < a.parts ? found[e] : S::none(), all;
    A before = before_in_group<S>(own, all, slots[turn], static_cast<int>(blockDim.x));
    turn ^= 1;
    if (e < a.parts) found[e] = S::join(carry, before);
    carry = S::join(carry, all);
  }
}

LAMPAS_INLINE void diagonal_mask(const ScanArguments& a) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < a.n * a.n) static_cast<bool*>(a.y)[i] = i % (a.n + 1) == 0;
}

}  // namespace lampas::device
