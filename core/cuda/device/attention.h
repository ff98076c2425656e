// Attention without the matrix of all scores, and its gradients: tiles of S queries meet tiles of S
// keys in shared memory, sums in registers; what a query has gathered is rescaled when a larger
// score turns up. 256 threads: a row of 16 threads to S / 16 rows of a tile. Nothing is added by
// atomics. Source: T. Dao et al., "FlashAttention", 2022.
#pragma once
#include "cuda/device/gemm.h"

namespace lampas::device {

// Distances of batch, head, row and column, in elements.
struct HeadSteps {
  int64_t batch, head, row, col;
};
// Of AttentionArguments in cuda/attention.cc.
struct AttentionArguments {
  const void *q, *k, *v, *mask, *dy;
  void *y, *dq, *dk, *dv;
  void *log_sums, *deltas;  // (batch, heads, queries), in the accumulator's type
  HeadSteps q_at, k_at, v_at, mask_at, dy_at, y_at, dq_at, dk_at, dv_at;
  int64_t batch, heads, kv_heads, queries, keys, width;
  double scale;
  int32_t causal, mask_kind;  // query i sees keys up to i; 0: no mask, 1: allowed, 2: added
};

#ifdef __CUDACC_RTC__
inline float exponential(float x) { return __expf(x); }
inline double exponential(double x) { return ::exp(x); }
#else
template <class T>
inline T exponential(T x) {
  return std::exp(x);
}
#endif

template <class Acc>
LAMPAS_INLINE Acc infinity() {
  return std::numeric_limits<Acc>::infinity();
}

template <class T>
LAMPAS_INLINE T* head_of(void* data, const HeadSteps& at, int64_t batch, int64_t head) {
  return static_cast<T*>(data) + batch * at.batch + head * at.head;
}
template <class T>
LAMPAS_INLINE const T* head_of(const void* data, const HeadSteps& at, int64_t batch, int64_t head) {
  return static_cast<const T*>(data) + batch * at.batch + head * at.head;
}

// Rows of S with room for whole vectors; padded so that 16 rows do not share a bank.
template <class Acc, int D, int S>
struct Rows {
  static constexpr int kWide = D + 4;
  Acc at[S][kWide];
  template <class T>
  LAMPAS_INLINE void load(const T* x, const HeadSteps& steps, int64_t first, int64_t rows,
                          int64_t width) {
    for (int i = static_cast<int>(threadIdx.x); i < S * D; i += 256) {
      int r = i / D, d = i % D;
      bool inside = first + r < rows && d < width;
      at[r][d] = inside ? convert<Acc>(x[(first + r) * steps.row + d * steps.col]) : Acc{};
    }
  }
};

// c[i][j] = sum over d of x[rows of this thread][d] z[j = lane + 16 column][d].
template <class Acc, int D, int S>
LAMPAS_INLINE void row_products(const Rows<Acc, D, S>& x, const Rows<Acc, D, S>& z, int row,
                                int lane, Acc (&c)[S / 16][S / 16]) {
  constexpr int R = S / 16;
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < R; ++j) c[i][j] = Acc{};
  for (int d = 0; d < D; d += 4) {
    Four<Acc> a[R], b[R];
    for (int i = 0; i < R; ++i) {
      a[i] = *reinterpret_cast<const Four<Acc>*>(&x.at[row + i][d]);
      b[i] = *reinterpret_cast<const Four<Acc>*>(&z.at[lane + 16 * i][d]);
    }
    for (int i = 0; i < R; ++i)
      for (int j = 0; j < R; ++j)
        for (int e = 0; e < 4; ++e) c[i][j] = c[i][j] + a[i].v[e] * b[j].v[e];
  }
}

// The score of a query and a key: scaled, masked, -inf outside.
template <class T, class Acc>
LAMPAS_INLINE Acc score(const AttentionArguments& g, const void* mask, int64_t i, int64_t j,
                        Acc product) {
  if (i >= g.queries || j >= g.keys || (g.causal && j > i)) return -infinity<Acc>();
  Acc s = product * static_cast<Acc>(g.scale);
  int64_t at = i * g.mask_at.row + j * g.mask_at.col;
  if (g.mask_kind == 1) return static_cast<const bool*>(mask)[at] ? s : -infinity<Acc>();
  if (g.mask_kind == 2) return s + convert<Acc>(static_cast<const T*>(mask)[at]);
  return s;
}

template <class T>
LAMPAS_INLINE const void* mask_of(const AttentionArguments& g, int64_t batch, int64_t head) {
  if (g.mask_kind == 1) return head_of<bool>(g.mask, g.mask_at, batch, head);
  return g.mask_kind == 2 ? head_of<T>(g.mask, g.mask_at, batch, head) : nullptr;
}

template <class Acc>
LAMPAS_INLINE Acc row_max(Acc x) {
  for (int step = 8; step; step /= 2) {
    Acc other = __shfl_xor_sync(~0u, x, step, 16);
    x = other > x ? other : x;
  }
  return x;
}
template <class Acc>
LAMPAS_INLINE Acc row_sum(Acc x) {
  for (int step = 8; step; step /= 2) x = x + __shfl_xor_sync(~0u, x, step, 16);
  return x;
}

// Which tile of which head a block works on.
struct HeadTile {
  int64_t first, head, batch;
};
LAMPAS_INLINE HeadTile head_tile(int64_t rows, int S, int64_t heads) {
  int64_t tiles = (rows + S - 1) / S, block = blockIdx.x;
  HeadTile t;
  // The last tiles first: causal ones have most to do.
  t.first = (tiles - 1 - block % tiles) * S;
  t.head = block / tiles % heads;
  t.batch = block / tiles / heads;
  return t;
}

template <class T, class Acc, int D, int S>
inline void attention(const AttentionArguments& g) {
  constexpr int R = S / 16, E = D / 16;
  alignas(16) __shared__ Rows<Acc, D, S> queries, others;  // `others`: keys, then values
  __shared__ Acc weights[S][S + 1];
  const int lane = static_cast<int>(threadIdx.x) % 16, row = static_cast<int>(threadIdx.x) / 16 * R;
  const HeadTile t = head_tile(g.queries, S, g.heads);
  const int64_t kv = t.head / (g.heads / g.kv_heads);
  const T* k = head_of<T>(g.k, g.k_at, t.batch, kv);
  const T* v = head_of<T>(g.v, g.v_at, t.batch, kv);
  const void* mask = mask_of<T>(g, t.batch, t.head);
  queries.load(head_of<T>(g.q, g.q_at, t.batch, t.head), g.q_at, t.first, g.queries, g.width);
  Acc sums[R], largest[R], y[R][E];
  for (int i = 0; i < R; ++i) {
    sums[i] = Acc{}, largest[i] = -infinity<Acc>();
    for (int e = 0; e < E; ++e) y[i][e] = Acc{};
  }
  int64_t end = g.causal && t.first + S < g.keys ? t.first + S : g.keys;
  for (int64_t first = 0; first < end; first += S) {
    __syncthreads();  // the values of the step before have been read
    others.load(k, g.k_at, first, g.keys, g.width);
    __syncthreads();
    Acc s[R][R];
    row_products<Acc, D, S>(queries, others, row, lane, s);
    for (int i = 0; i < R; ++i) {
      Acc most = largest[i];
      for (int j = 0; j < R; ++j) {
        s[i][j] = score<T>(g, mask, t.first + row + i, first + lane + 16 * j, s[i][j]);
        most = s[i][j] > most ? s[i][j] : most;
      }
      most = row_max(most);
      Acc base = most == -infinity<Acc>() ? Acc{} : most;
      Acc shrunk = exponential(largest[i] - base), all{};
      for (int j = 0; j < R; ++j) {
        Acc p = exponential(s[i][j] - base);
        weights[row + i][lane + 16 * j] = p;
        all = all + p;
      }
      largest[i] = most;
      sums[i] = sums[i] * shrunk + row_sum(all);
      for (int e = 0; e < E; ++e) y[i][e] = y[i][e] * shrunk;
    }
    __syncthreads();  // the keys have been read, the weights are written
    others.load(v, g.v_at, first, g.keys, g.width);
    __syncthreads();
    int count = g.keys - first < S ? static_cast<int>(g.keys - first) : S;
    for (int j = 0; j < count; ++j)
      for (int i = 0; i < R; ++i)
        for (int e = 0; e < E; ++e)
          y[i][e] = y[i][e] + weights[row + i][j] * others.at[j][lane + 16 * e];
  }
  T* to = head_of<T>(g.y, g.y_at, t.batch, t.head);
  for (int i = 0; i < R; ++i) {
    int64_t at = t.first + row + i;
    if (at >= g.queries) continue;
    bool blind = sums[i] == Acc{};
    for (int e = 0; e < E; ++e)
      if (lane + 16 * e < g.width)
        to[at * g.y_at.row + (lane + 16 * e) * g.y_at.col] =
            convert<T>(blind ? Acc{} : y[i][e] / sums[i]);
    if (lane == 0)
      static_cast<Acc*>(g.log_sums)[(t.batch * g.heads + t.head) * g.queries + at] =
          blind ? infinity<Acc>() : largest[i] + static_cast<Acc>(::log(sums[i]));
  }
}

// What both parts of the backward start from: for each query the sum of y dy. A warp to a row.
template <class T, class Acc>
inline void attention_deltas(const AttentionArguments& g) {
  int64_t row = static_cast<int64_t>(blockIdx.x) * 8 + threadIdx.x / 32;
  if (row >= g.batch * g.heads * g.queries) return;
  int64_t i = row % g.queries, head = row / g.queries % g.heads, batch = row / g.queries / g.heads;
  const T* y = head_of<T>(static_cast<const void*>(g.y), g.y_at, batch, head) + i * g.y_at.row;
  const T* dy = head_of<T>(g.dy, g.dy_at, batch, head) + i * g.dy_at.row;
  Acc sum{};
  for (int64_t d = threadIdx.x % 32; d < g.width; d += 32)
    sum = sum + convert<Acc>(y[d * g.y_at.col]) * convert<Acc>(dy[d * g.dy_at.col]);
  for (int step = 16; step; step /= 2) sum = sum + __shfl_xor_sync(~0u, sum, step);
  if (threadIdx.x % 32 == 0) static_cast<Acc*>(g.deltas)[row] = sum;
}

// Tiles of queries, keys, values and dy, and what becomes of a pair of tiles.
template <class Acc, int D, int S>
struct BackwardTiles {
  Rows<Acc, D, S> q, k, v, dy;
  Acc weights[S][S + 1], slopes[S][S + 1];  // softmax's output and the gradient of its input
  Acc log_sums[S], deltas[S];
};

template <class T, class Acc, int D, int S>
LAMPAS_INLINE void load_queries(BackwardTiles<Acc, D, S>& x, const AttentionArguments& g,
                                int64_t batch, int64_t head, int64_t first) {
  x.q.load(head_of<T>(g.q, g.q_at, batch, head), g.q_at, first, g.queries, g.width);
  x.dy.load(head_of<T>(g.dy, g.dy_at, batch, head), g.dy_at, first, g.queries, g.width);
  const int64_t base = (batch * g.heads + head) * g.queries;
  const int i = static_cast<int>(threadIdx.x);
  if (i < S) {
    bool inside = first + i < g.queries;
    x.log_sums[i] =
        inside ? static_cast<const Acc*>(g.log_sums)[base + first + i] : infinity<Acc>();
    x.deltas[i] = inside ? static_cast<const Acc*>(g.deltas)[base + first + i] : Acc{};
  }
}
template <class T, class Acc, int D, int S>
LAMPAS_INLINE void load_keys(BackwardTiles<Acc, D, S>& x, const AttentionArguments& g,
                             int64_t batch, int64_t kv, int64_t first) {
  x.k.load(head_of<T>(g.k, g.k_at, batch, kv), g.k_at, first, g.keys, g.width);
  x.v.load(head_of<T>(g.v, g.v_at, batch, kv), g.v_at, first, g.keys, g.width);
}

// Fills weights and slopes; the tiles have been loaded.
template <class T, class Acc, int D, int S>
LAMPAS_INLINE void find_slopes(BackwardTiles<Acc, D, S>& x, const AttentionArguments& g,
                               const void* mask, int64_t query, int64_t key) {
  constexpr int R = S / 16;
  const int lane = static_cast<int>(threadIdx.x) % 16, row = static_cast<int>(threadIdx.x) / 16 * R;
  Acc s[R][R], dp[R][R];
  row_products<Acc, D, S>(x.q, x.k, row, lane, s);
  row_products<Acc, D, S>(x.dy, x.v, row, lane, dp);
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < R; ++j) {
      Acc value = score<T>(g, mask, query + row + i, key + lane + 16 * j, s[i][j]);
      Acc p = exponential(value - x.log_sums[row + i]);
      x.weights[row + i][lane + 16 * j] = p;
      x.slopes[row + i][lane + 16 * j] =
          p * (dp[i][j] - x.deltas[row + i]) * static_cast<Acc>(g.scale);
    }
}

template <class T, class Acc, int D, int S>
LAMPAS_INLINE void store_rows(void* data, const HeadSteps& steps, int64_t batch, int64_t head,
                              int64_t first, int64_t rows, int64_t width,
                              const Acc (&x)[S / 16][D / 16]) {
  const int lane = static_cast<int>(threadIdx.x) % 16,
            row = static_cast<int>(threadIdx.x) / 16 * (S / 16);
  T* to = head_of<T>(data, steps, batch, head);
  for (int i = 0; i < S / 16; ++i)
    for (int e = 0; e < D / 16; ++e)
      if (first + row + i < rows && lane + 16 * e < width)
        to[(first + row + i) * steps.row + (lane + 16 * e) * steps.col] = convert<T>(x[i][e]);
}

// dq: a block owns queries and walks over keys.
template <class T, class Acc, int D, int S>
inline void attention_queries(const AttentionArguments& g) {
  constexpr int R = S / 16, E = D / 16;
  alignas(16) __shared__ BackwardTiles<Acc, D, S> x;
  const int lane = static_cast<int>(threadIdx.x) % 16, row = static_cast<int>(threadIdx.x) / 16 * R;
  const HeadTile t = head_tile(g.queries, S, g.heads);
  const int64_t kv = t.head / (g.heads / g.kv_heads);
  const void* mask = mask_of<T>(g, t.batch, t.head);
  load_queries<T>(x, g, t.batch, t.head, t.first);
  Acc dq[R][E];
  for (int i = 0; i < R; ++i)
    for (int e = 0; e < E; ++e) dq[i][e] = Acc{};
  int64_t end = g.causal && t.first + S < g.keys ? t.first + S : g.keys;
  for (int64_t first = 0; first < end; first += S) {
    __syncthreads();  // the keys of the step before have been read
    load_keys<T>(x, g, t.batch, kv, first);
    __syncthreads();
    find_slopes<T>(x, g, mask, t.first, first);
    __syncthreads();
    for (int j = 0; j < S; ++j)
      for (int i = 0; i < R; ++i)
        for (int e = 0; e < E; ++e)
          dq[i][e] = dq[i][e] + x.slopes[row + i][j] * x.k.at[j][lane + 16 * e];
  }
  store_rows<T, Acc, D, S>(g.dq, g.dq_at, t.batch, t.head, t.first, g.queries, g.width, dq);
}

// dk and dv: a block owns keys and walks over the queries of all heads that share them.
template <class T, class Acc, int D, int S>
inline void attention_keys(const AttentionArguments& g) {
  constexpr int R = S / 16, E = D / 16;
  alignas(16) __shared__ BackwardTiles<Acc, D, S> x;
  const int lane = static_cast<int>(threadIdx.x) % 16, row = static_cast<int>(threadIdx.x) / 16 * R;
  const HeadTile t = head_tile(g.keys, S, g.kv_heads);
  const int64_t shared = g.heads / g.kv_heads;
  load_keys<T>(x, g, t.batch, t.head, t.first);
  Acc dk[R][E], dv[R][E];
  for (int i = 0; i < R; ++i)
    for (int e = 0; e < E; ++e) dk[i][e] = dv[i][e] = Acc{};
  for (int64_t head = t.head * shared; head < (t.head + 1) * shared; ++head) {
    const void* mask = mask_of<T>(g, t.batch, head);
    for (int64_t first = g.causal ? t.first / S * S : 0; first < g.queries; first += S) {
      __syncthreads();  // the queries of the step before have been read
      load_queries<T>(x, g, t.batch, head, first);
      __syncthreads();
      find_slopes<T>(x, g, mask, first, t.first);
      __syncthreads();
      for (int j = 0; j < S; ++j)
        for (int i = 0; i < R; ++i)
          for (int e = 0; e < E; ++e) {
            dv[i][e] = dv[i][e] + x.weights[j][row + i] * x.dy.at[j][lane + 16 * e];
            dk[i][e] = dk[i][e] + x.slopes[j][row + i] * x.q.at[j][lane + 16 * e];
          }
    }
  }
  store_rows<T, Acc, D, S>(g.dk, g.dk_at, t.batch, t.head, t.first, g.keys, g.width, dk);
  store_rows<T, Acc, D, S>(g.dv, g.dv_at, t.batch, t.head, t.first, g.keys, g.width, dv);
}

}  // namespace lampas::device
