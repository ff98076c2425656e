// The loops of reductions, for any R of reduction_rows.h: rows (elements of a result are neighbours
// in memory, or lie at any distance), columns (results are neighbours), and the joining of parts.
//
// Which thread adds which element, and in which order, follows from sizes alone.
//
// R: A, what threads join; Acc, what a thread adds to; X, the type of an element in add; C, a
// number that belongs to the result (read as Centre); paired: whether `other` is read beside x.
#pragma once
#include "cuda/device/reduction_rows.h"

namespace lampas::device {

constexpr int kReduceRank = 12;
struct ReduceAxis {
  int64_t size, in, out;
};
// Mirrored by cuda/reduce.cc. Strides in elements.
struct ReduceArguments {
  const void *x, *other, *centre;
  void *y, *second, *partial;
  double p;
  int64_t count;             // elements of a result
  int64_t rows;              // results, but for those of the lane axis
  int64_t run, step, outer;  // the innermost reduced axis, its stride, and the others' count
  int64_t packs;             // of neighbours in a run (rows)
  int64_t part, parts;       // packs (rows) or elements (columns) of a part of a result
  int64_t lanes, lane_in, lane_out;  // columns
  int64_t centre_each;               // neighbouring results that share a centre
  int32_t group, down;               // threads of a row; threads across and below each other
  int32_t kept_rank, reduced_rank;   // axes, without lane and run
  ReduceAxis kept[kReduceRank], reduced[kReduceRank];  // innermost first
};

struct ReducePlace {
  int64_t in, out;
};
LAMPAS_INLINE ReducePlace place_of(const ReduceAxis* axes, int rank, int64_t index) {
  ReducePlace at{0, 0};
#pragma unroll 1
  for (int d = 0; d < rank; ++d) {
    int64_t i = index;
    if (d + 1 < rank) {
      index = i / axes[d].size;
      i -= index * axes[d].size;
    }
    at.in += i * axes[d].in;
    at.out += i * axes[d].out;
  }
  return at;
}

template <class R>
LAMPAS_INLINE typename R::C centre_at(const ReduceArguments& a, int64_t at) {
  if constexpr (R::centred)
    return convert<typename R::C>(
        static_cast<const typename R::Centre*>(a.centre)[at / a.centre_each]);
  else
    return typename R::C{};
}

// The elements of one result that a thread adds to V accumulators, access by access.
template <class R, class T, int V>
struct Gathered {
  using X = typename R::X;
  using Acc = typename R::Acc;
  Acc acc[V];
  typename R::C c[V];

  LAMPAS_INLINE void start(int64_t first, int64_t step) {
#pragma unroll
    for (int k = 0; k < V; ++k) acc[k] = R::start(first + k * step);
  }
  LAMPAS_INLINE void add(const Neighbours<T, V>& xs, const Neighbours<T, V>& others, double p,
                         int64_t index, int64_t step) {
#pragma unroll
    for (int k = 0; k < V; ++k)
      R::add(acc[k], convert<X>(xs.v[k]), convert<X>(others.v[k]), c[k], p, index + k * step);
  }
  LAMPAS_INLINE void add(const Neighbours<T, V>& xs, const Neighbours<T, V>& others, double p,
                         int64_t index, int valid) {
#pragma unroll
    for (int k = 0; k < V; ++k)
      if (k < valid)
        R::add(acc[k], convert<X>(xs.v[k]), convert<X>(others.v[k]), c[k], p, index + k);
  }
};
template <int V, class T>
LAMPAS_INLINE bool is_aligned(const T* p) {
  return reinterpret_cast<uint64_t>(p) % sizeof(Neighbours<T, V>) == 0;
}
template <int V, class T>
LAMPAS_INLINE Neighbours<T, V> load_whole(const T* p, bool aligned) {
  if (aligned) return *reinterpret_cast<const Neighbours<T, V>*>(p);
  Neighbours<T, V> x;
#pragma unroll
  for (int k = 0; k < V; ++k) x.v[k] = p[k];
  return x;
}

// Plain: the elements of a result are neighbours.
template <class R, class T, bool Plain>
LAMPAS_INLINE void reduce_rows(const ReduceArguments& a) {
  constexpr int V = kWidth<T>, U = R::paired || sizeof(T) == 1 ? 2 : 4;
  int64_t first = blockIdx.x / a.parts, part = blockIdx.x - first * a.parts;
  int group = a.group, lane = static_cast<int>(threadIdx.x) & (group - 1);
  int64_t row = first * (blockDim.x / static_cast<unsigned>(group)) +
                threadIdx.x / static_cast<unsigned>(group);
  bool inside = row < a.rows;  // threads without a row go along, for the shuffles
  ReducePlace place = place_of(a.kept, a.kept_rank, inside ? row : 0);
  const T* x = static_cast<const T*>(a.x) + place.in;
  const T* other = R::paired ? static_cast<const T*>(a.other) + place.in : x;
  Gathered<R, T, V> found;
  found.c[0] = centre_at<R>(a, place.out);
#pragma unroll
  for (int k = 1; k < V; ++k) found.c[k] = found.c[0];

  int64_t end = (part + 1) * a.part, all = a.outer * a.packs, q = part * a.part + lane;
  end = !inside ? 0 : end < all ? end : all;
  int64_t run_of = Plain ? 0 : q / (a.packs ? a.packs : 1);
  found.start(q < end ? run_of * a.run + (q - run_of * a.packs) * V : kNowhere, q < end ? 1 : 0);
  if constexpr (Plain) {
    bool aligned = is_aligned<V>(x) && is_aligned<V>(other);
    int64_t whole = a.run / V < end ? a.run / V : end;
    for (; q + (U - 1) * group < whole; q += U * group) {
      Neighbours<T, V> xs[U], others[R::paired ? U : 1];
#pragma unroll
      for (int u = 0; u < U; ++u) {
        xs[u] = load_whole<V>(x + (q + u * group) * V, aligned);
        if constexpr (R::paired) others[u] = load_whole<V>(other + (q + u * group) * V, aligned);
      }
#pragma unroll
      for (int u = 0; u < U; ++u)
        found.add(xs[u], R::paired ? others[u % (R::paired ? U : 1)] : xs[u], a.p,
                  (q + u * group) * V, int64_t{1});
    }
    for (; q < end; q += group) {
      int64_t k = q * V, left = a.run - k;
      found.add(load<V>(x + k, left), load<V>(other + k, left), a.p, k,
                left < V ? static_cast<int>(left) : V);
    }
  } else {
    // Run and place within it move on without dividing again.
    int64_t runs_on = a.packs ? group / a.packs : 0, packs_on = group - runs_on * a.packs;
    int64_t o = run_of, pack = q - run_of * a.packs;
#pragma unroll 2
    for (; q < end; q += group) {
      int64_t k = pack * V, left = a.run - k, at = k * a.step;
      if (a.outer != 1) at += place_of(a.reduced, a.reduced_rank, o).in;
      int valid = left < V ? static_cast<int>(left) : V;
      Neighbours<T, V> xs, others;
      if (a.step == 1) {
        xs = load<V>(x + at, left);
        others = R::paired ? load<V>(other + at, left) : xs;
      } else {
#pragma unroll
        for (int j = 0; j < V; ++j) {
          xs.v[j] = j < valid ? x[at + j * a.step] : T{};
          others.v[j] = R::paired && j < valid ? other[at + j * a.step] : T{};
        }
      }
      found.add(xs, others, a.p, o * a.run + k, valid);
      o += runs_on;
      pack += packs_on;
      if (pack >= a.packs) pack -= a.packs, ++o;
    }
  }
  typename R::A total = R::close(found.acc[0]);
#pragma unroll
  for (int k = 1; k < V; ++k) total = R::combine(total, R::close(found.acc[k]));
  auto join = [](typename R::A l, typename R::A r) { return R::combine(l, r); };
  total = reduce_among(total, group, join);
  if (!inside || lane != 0) return;
  if (a.parts == 1)
    R::finish(a, place.out, total, found.c[0]);
  else
    static_cast<typename R::A*>(a.partial)[row * a.parts + part] = total;
}

// V neighbouring columns to a thread; what threads above each other have found is joined in memory
// of the block. Plain: one axis is reduced.
template <class R, class T, int V, bool Plain>
LAMPAS_INLINE void reduce_columns(const ReduceArguments& a) {
  constexpr int U = !Plain || R::paired ? 2 : V * sizeof(T) >= 8 ? 4 : 8;
  using A = typename R::A;
  __shared__ A slots[256];
  int across = a.group, down = a.down, each = static_cast<int>(blockDim.x) / (across * down);
  int tx = static_cast<int>(threadIdx.x) & (across - 1);
  int ty = static_cast<int>(threadIdx.x) / across & (down - 1);
  int64_t tile = blockIdx.x / a.parts, part = blockIdx.x - tile * a.parts;
  int64_t tiles = (a.lanes + across * V - 1) / (across * V), row = tile / tiles;
  int64_t column = ((tile - row * tiles) * across + tx) * V;
  row = row * each + static_cast<int>(threadIdx.x) / (across * down);
  bool inside = column < a.lanes && row < a.rows;
  if (!inside) row = 0;
  int64_t safe = inside ? column : 0;
  ReducePlace place = place_of(a.kept, a.kept_rank, row);
  int64_t in = place.in + safe * a.lane_in, out = place.out + safe * a.lane_out;
  const T* x = static_cast<const T*>(a.x) + in;
  const T* other = R::paired ? static_cast<const T*>(a.other) + in : x;
  bool aligned = is_aligned<V>(x) && is_aligned<V>(other) && (V == 1 || Plain) &&
                 (a.step * static_cast<int64_t>(sizeof(T))) % sizeof(Neighbours<T, V>) == 0;
  Gathered<R, T, V> found;
#pragma unroll
  for (int k = 0; k < V; ++k) found.c[k] = centre_at<R>(a, out + k * a.lane_out);

  int64_t end = (part + 1) * a.part, r = part * a.part + ty;
  end = !inside ? 0 : end < a.count ? end : a.count;
  found.start(r < end ? r : kNowhere, 0);
  auto offset_of = [&](int64_t at) {
    if (Plain || a.outer == 1) return at * a.step;
    int64_t o = at / a.run;
    return (at - o * a.run) * a.step + place_of(a.reduced, a.reduced_rank, o).in;
  };
  for (; r + (U - 1) * down < end; r += U * down) {
    Neighbours<T, V> xs[U], others[R::paired ? U : 1];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t at = offset_of(r + u * down);
      xs[u] = load_whole<V>(x + at, Plain ? aligned : is_aligned<V>(x + at));
      if constexpr (R::paired)
        others[u] = load_whole<V>(other + at, Plain ? aligned : is_aligned<V>(other + at));
    }
#pragma unroll
    for (int u = 0; u < U; ++u)
      found.add(xs[u], R::paired ? others[u % (R::paired ? U : 1)] : xs[u], a.p, r + u * down,
                int64_t{0});
  }
  for (; r < end; r += down) {
    int64_t at = offset_of(r);
    found.add(load<V>(x + at, V), load<V>(other + at, V), a.p, r, int64_t{0});
  }
#pragma unroll
  for (int k = 0; k < V; ++k) {
    A total = R::close(found.acc[k]);
    if (down > 1) {
      slots[threadIdx.x] = total;
      __syncthreads();
      for (int w = down / 2; w > 0; w /= 2) {
        if (ty < w) {
          total = R::combine(total, slots[threadIdx.x + static_cast<unsigned>(w * across)]);
          slots[threadIdx.x] = total;
        }
        __syncthreads();
      }
    }
    if (!inside || ty != 0) continue;
    if (a.parts == 1)
      R::finish(a, out + k * a.lane_out, total, found.c[k]);
    else
      static_cast<A*>(a.partial)[(row * a.lanes + column + k) * a.parts + part] = total;
  }
}

// One block for a result.
template <class R>
LAMPAS_INLINE void reduce_parts(const ReduceArguments& a) {
  using A = typename R::A;
  int64_t result = blockIdx.x, row = result / a.lanes;
  int64_t at = place_of(a.kept, a.kept_rank, row).out + (result - row * a.lanes) * a.lane_out;
  const A* found = static_cast<const A*>(a.partial) + result * a.parts;
  A total = R::identity();
  for (int64_t i = threadIdx.x; i < a.parts; i += blockDim.x) total = R::combine(total, found[i]);
  total = block_reduce(total, [](A l, A r) { return R::combine(l, r); });
  if (threadIdx.x == 0) R::finish(a, at, total, centre_at<R>(a, at));
}

}  // namespace lampas::device
