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
  int32_t group;                     // rows: threads of a row; columns: threads across
  int32_t kept_rank, reduced_rank;   // axes, without lane and run
  ReduceAxis kept[kReduceRank], reduced[kReduceRank];  // innermost first
};

struct ReducePlace {
  int64_t in, out;
};
LAMPAS_INLINE ReducePlace place_of(const ReduceAxis* axes, int rank, int64_t index) {
  ReducePlace at{0, 0};
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

template <class R, class T>
LAMPAS_INLINE void reduce_rows(const ReduceArguments& a) {
  constexpr int V = kWidth<T>, U = sizeof(T) == 1 ? 2 : R::paired ? 2 : 4;
  using X = typename R::X;
  int64_t part = blockIdx.x % a.parts, first = blockIdx.x / a.parts;
  int group = a.group, lane = static_cast<int>(threadIdx.x) & (group - 1);
  int64_t row = first * (blockDim.x / group) + threadIdx.x / group;
  bool inside = row < a.rows;  // threads without a row go along, for the shuffles
  ReducePlace place = place_of(a.kept, a.kept_rank, inside ? row : 0);
  const T* x = static_cast<const T*>(a.x) + place.in;
  const T* other = static_cast<const T*>(a.other) + (R::paired ? place.in : 0);
  typename R::C c = centre_at<R>(a, place.out);
  typename R::Acc acc[V];
#pragma unroll
  for (int k = 0; k < V; ++k) acc[k] = R::start();

  int64_t end = (part + 1) * a.part, all = a.outer * a.packs;
  end = !inside ? 0 : end < all ? end : all;
  for (int64_t q = part * a.part + lane; q < end; q += U * group) {
    Neighbours<T, V> xs[U], others[R::paired ? U : 1];
    int64_t index[U];
    int valid[U];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t at = q + u * group, o = 0, offset = 0;
      index[u] = valid[u] = 0;
      if (at >= end) continue;
      if (a.outer != 1) {
        o = at / a.packs;
        at -= o * a.packs;
        offset = place_of(a.reduced, a.reduced_rank, o).in;
      }
      int64_t k = at * V;
      int64_t left = a.run - k;
      valid[u] = left < V ? static_cast<int>(left) : V;
      index[u] = o * a.run + k;
      offset += k * a.step;
      if (a.step == 1) {
        xs[u] = load<V>(x + offset, left);
        if constexpr (R::paired) others[u] = load<V>(other + offset, left);
      } else {
#pragma unroll
        for (int j = 0; j < V; ++j) {
          if (j >= valid[u]) continue;
          xs[u].v[j] = x[offset + j * a.step];
          if constexpr (R::paired) others[u].v[j] = other[offset + j * a.step];
        }
      }
    }
#pragma unroll
    for (int u = 0; u < U; ++u)
#pragma unroll
      for (int j = 0; j < V; ++j)
        if (j < valid[u])
          R::add(acc[j], convert<X>(xs[u].v[j]), convert<X>(others[R::paired ? u : 0].v[j]), c, a.p,
                 index[u] + j);
  }
  typename R::A total = R::close(acc[0]);
#pragma unroll
  for (int k = 1; k < V; ++k) total = R::combine(total, R::close(acc[k]));
  auto join = [](typename R::A l, typename R::A r) { return R::combine(l, r); };
  total = reduce_among(total, group, join);
  if (!inside || lane != 0) return;
  if (a.parts == 1)
    R::finish(a, place.out, total, c);
  else
    static_cast<typename R::A*>(a.partial)[row * a.parts + part] = total;
}

// V neighbouring columns to a thread; what threads above each other have found is joined in memory
// of the block.
template <class R, class T, int V>
LAMPAS_INLINE void reduce_columns(const ReduceArguments& a) {
  constexpr int U = V * sizeof(T) >= 8 && !R::paired ? 4 : 8 / (R::paired ? 2 : 1);
  using X = typename R::X;
  using A = typename R::A;
  __shared__ A slots[256];
  int across = a.group, down = static_cast<int>(blockDim.x) / across;
  int tx = static_cast<int>(threadIdx.x) & (across - 1),
      ty = static_cast<int>(threadIdx.x) / across;
  int64_t part = blockIdx.x % a.parts, tile = blockIdx.x / a.parts;
  int64_t tiles = (a.lanes + across * V - 1) / (across * V), row = tile / tiles;
  int64_t column = ((tile - row * tiles) * across + tx) * V;
  bool inside = column < a.lanes;
  ReducePlace place = place_of(a.kept, a.kept_rank, row);
  const T* x = static_cast<const T*>(a.x) + place.in + (inside ? column : 0) * a.lane_in;
  const T* other = static_cast<const T*>(a.other) +
                   (R::paired ? place.in + (inside ? column : 0) * a.lane_in : 0);
  int64_t out = place.out + (inside ? column : 0) * a.lane_out;
  typename R::C c[V];
  typename R::Acc acc[V];
#pragma unroll
  for (int k = 0; k < V; ++k) acc[k] = R::start(), c[k] = centre_at<R>(a, out + k * a.lane_out);

  int64_t end = (part + 1) * a.part;
  end = !inside ? 0 : end < a.count ? end : a.count;
  for (int64_t r = part * a.part + ty; r < end; r += U * down) {
    Neighbours<T, V> xs[U], others[R::paired ? U : 1];
#pragma unroll
    for (int u = 0; u < U; ++u) {
      int64_t at = r + u * down;
      if (at >= end) continue;
      int64_t o = 0, offset = 0;
      if (a.outer != 1) {
        o = at / a.run;
        at -= o * a.run;
        offset = place_of(a.reduced, a.reduced_rank, o).in;
      }
      offset += at * a.step;
      xs[u] = load<V>(x + offset, V);
      if constexpr (R::paired) others[u] = load<V>(other + offset, V);
    }
#pragma unroll
    for (int u = 0; u < U; ++u) {
      if (r + u * down >= end) continue;
#pragma unroll
      for (int k = 0; k < V; ++k)
        R::add(acc[k], convert<X>(xs[u].v[k]), convert<X>(others[R::paired ? u : 0].v[k]), c[k],
               a.p, r + u * down);
    }
  }
#pragma unroll
  for (int k = 0; k < V; ++k) {
    A total = R::close(acc[k]);
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
      R::finish(a, out + k * a.lane_out, total, c[k]);
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
