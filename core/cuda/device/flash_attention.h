// Attention of 16-bit floats on tensor cores, forward and backward; the arguments, and the kernels
// for everything else, are in attention.h. Blocks of four warps; a warp owns 16 M rows (queries, or
// keys for the gradients of keys and values) whose fragments stay in registers, and all warps walk
// together over tiles of the other side in shared memory. D: the width, rounded up to 16.
// Source: T. Dao, "FlashAttention-2", 2023.
#pragma once
#include "cuda/device/attention.h"
#include "cuda/device/tensor_cores.h"

namespace lampas::device {

constexpr int kFlashThreads = 128;

// N rows of a matrix in shared memory; the padding keeps 8 rows in different banks.
template <class T, int D, int N>
struct FlashTile {
  static constexpr int kWide = D + 8;
  T at[N][kWide];

  // Rows [first, first + N) of x; what lies outside is zero.
  LAMPAS_INLINE void load(const T* x, const HeadSteps& steps, int64_t first, int64_t rows,
                          int64_t width) {
    struct alignas(16) Eight {
      T v[8];
    };
    const bool whole = steps.col == 1 && steps.row % 8 == 0 && width % 8 == 0 &&
                       reinterpret_cast<unsigned long long>(x) % 16 == 0;
    for (int i = static_cast<int>(threadIdx.x); i < N * D / 8; i += kFlashThreads) {
      const int r = i / (D / 8), d = i % (D / 8) * 8;
      Eight eight{};
      if (first + r < rows && d < width) {
        const T* from = x + (first + r) * steps.row + d * steps.col;
        if (whole)
          eight = *reinterpret_cast<const Eight*>(from);
        else
          for (int e = 0; e < 8; ++e)
            if (d + e < width) eight.v[e] = from[e * steps.col];
      }
      *reinterpret_cast<Eight*>(&at[r][d]) = eight;
    }
  }

  // B of two neighbouring columns-of-8 for c += a @ tile^T: rows [row, row + 16), inner [d, d +
  // 16). r: (b0, b1) of rows [row, row + 8), then of the next eight.
  LAMPAS_INLINE void as_transposed(int row, int d, uint32_t (&r)[4]) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    load_matrices<false>(&at[row + lane / 16 * 8 + lane % 8][d + lane / 8 % 2 * 8], r);
  }
  // The same for c += a @ tile: inner [row, row + 16), columns [d, d + 16).
  LAMPAS_INLINE void as_it_is(int row, int d, uint32_t (&r)[4]) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    load_matrices<true>(&at[row + lane / 8 % 2 * 8 + lane % 8][d + lane / 16 * 8], r);
  }
};

// A of 16 rows and D columns, from rows [first, first + 16) in global memory.
template <class T, int D>
LAMPAS_INLINE void load_left(const T* x, const HeadSteps& steps, int64_t first, int64_t rows,
                             int64_t width, uint32_t (&a)[D / 16][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int k = 0; k < D / 16; ++k)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int64_t row = first + g + i % 2 * 8;
      const int d = k * 16 + 2 * t + i / 2 * 8;
      const T* from = x + row * steps.row + d * steps.col;
      uint32_t low = row < rows && d < width ? from[0].bits : 0;
      uint32_t high = row < rows && d + 1 < width ? from[steps.col].bits : 0;
      a[k][i] = low | high << 16;
    }
}

// c (16, N) = a (16, D) @ tile (N, D)^T.
template <class T, int D, int N>
LAMPAS_INLINE void times_transposed(const uint32_t (&a)[D / 16][4], const FlashTile<T, D, N>& tile,
                                    float (&c)[N / 8][4]) {
#pragma unroll
  for (int n = 0; n < N / 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) c[n][i] = 0;
#pragma unroll
  for (int k = 0; k < D / 16; ++k)
#pragma unroll
    for (int n = 0; n < N / 16; ++n) {
      uint32_t b[4];
      tile.as_transposed(16 * n, 16 * k, b);
      multiply_add<T>(c[2 * n], a[k], b[0], b[1]);
      multiply_add<T>(c[2 * n + 1], a[k], b[2], b[3]);
    }
}

// y (16, D) += p (16, N), rounded to T, @ tile (N, D).
template <class T, int D, int N>
LAMPAS_INLINE void add_product(const float (&p)[N / 8][4], const FlashTile<T, D, N>& tile,
                               float (&y)[D / 8][4]) {
#pragma unroll
  for (int k = 0; k < N / 16; ++k) {
    const uint32_t a[4] = {packed<T>(p[2 * k][0], p[2 * k][1]), packed<T>(p[2 * k][2], p[2 * k][3]),
                           packed<T>(p[2 * k + 1][0], p[2 * k + 1][1]),
                           packed<T>(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
    for (int d = 0; d < D / 16; ++d) {
      uint32_t b[4];
      tile.as_it_is(16 * k, 16 * d, b);
      multiply_add<T>(y[2 * d], a, b[0], b[1]);
      multiply_add<T>(y[2 * d + 1], a, b[2], b[3]);
    }
  }
}

// y (16, D), times a factor for each of the lane's two rows, to rows [first, first + 16).
template <class T, int D>
LAMPAS_INLINE void store_left(T* to, const HeadSteps& steps, int64_t first, int64_t rows,
                              int64_t width, const float (&y)[D / 8][4], float top, float bottom) {
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int64_t row = first + g + i / 2 * 8;
      const int d = n * 8 + 2 * t + i % 2;
      if (row < rows && d < width)
        to[row * steps.row + d * steps.col] = convert<T>(y[n][i] * (i < 2 ? top : bottom));
    }
}

// Over the four lanes that share a row.
LAMPAS_INLINE float quad_max(float x) {
  for (int step = 1; step < 4; step *= 2) {
    float other = __shfl_xor_sync(~0u, x, step);
    x = other > x ? other : x;
  }
  return x;
}
LAMPAS_INLINE float quad_sum(float x) {
  x += __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}

// Scores from products: `query` and `key` are the first of the fragment's; queries run down, or
// across where `Across`.
template <class T, int N, bool Across>
LAMPAS_INLINE void finish_scores(const AttentionArguments& g, const void* mask, int64_t query,
                                 int64_t key, float (&s)[N / 8][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  constexpr int kDown = Across ? N : 16, kAcross = Across ? 16 : N;
  const bool plain = g.mask_kind == 0 && query + kDown <= g.queries && key + kAcross <= g.keys &&
                     (!g.causal || key + kAcross - 1 <= query);
#pragma unroll
  for (int n = 0; n < N / 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int down = lane / 4 + i / 2 * 8, across = n * 8 + lane % 4 * 2 + i % 2;
      s[n][i] = plain ? s[n][i] * static_cast<float>(g.scale)
                      : score<T>(g, mask, query + (Across ? across : down),
                                 key + (Across ? down : across), s[n][i]);
    }
}

template <class T, int D, int M>
inline void flash(const AttentionArguments& g) {
  constexpr int N = 64, kRows = 64 * M;
  alignas(16) __shared__ FlashTile<T, D, N> keys, values;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const HeadTile t = head_tile(g.queries, kRows, g.heads);
  const int64_t kv = t.head / (g.heads / g.kv_heads), own = t.first + warp * 16 * M;
  const T* k = head_of<T>(g.k, g.k_at, t.batch, kv);
  const T* v = head_of<T>(g.v, g.v_at, t.batch, kv);
  const T* q = head_of<T>(g.q, g.q_at, t.batch, t.head);
  const void* mask = mask_of<T>(g, t.batch, t.head);
  uint32_t left[M][D / 16][4];
  float y[M][D / 8][4], largest[M][2], sums[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m) {
    load_left<T, D>(q, g.q_at, own + 16 * m, g.queries, g.width, left[m]);
#pragma unroll
    for (int n = 0; n < D / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) y[m][n][i] = 0;
#pragma unroll
    for (int i = 0; i < 2; ++i) largest[m][i] = -infinity<float>(), sums[m][i] = 0;
  }
  const int64_t end = g.causal && t.first + kRows < g.keys ? t.first + kRows : g.keys;
  for (int64_t first = 0; first < end; first += N) {
    __syncthreads();  // the tiles of the step before have been read
    keys.load(k, g.k_at, first, g.keys, g.width);
    values.load(v, g.v_at, first, g.keys, g.width);
    __syncthreads();
#pragma unroll
    for (int m = 0; m < M; ++m) {
      float s[N / 8][4];
      times_transposed<T, D, N>(left[m], keys, s);
      finish_scores<T, N, false>(g, mask, own + 16 * m, first, s);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float most = largest[m][half];
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) most = s[n][i] > most ? s[n][i] : most;
        most = quad_max(most);
        const float base = most == -infinity<float>() ? 0.0f : most;
        const float shrunk = exponential(largest[m][half] - base);
        float all = 0;
#pragma unroll
        for (int n = 0; n < N / 8; ++n)
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i)
            all += s[n][i] = exponential(s[n][i] - base);
        largest[m][half] = most;
        sums[m][half] = sums[m][half] * shrunk + quad_sum(all);
#pragma unroll
        for (int n = 0; n < D / 8; ++n)
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) y[m][n][i] *= shrunk;
      }
      add_product<T, D, N>(s, values, y[m]);
    }
  }
#pragma unroll
  for (int m = 0; m < M; ++m) {
    float factor[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const bool blind = sums[m][half] == 0;
      factor[half] = blind ? 0.0f : 1 / sums[m][half];
      const int64_t row = own + 16 * m + lane / 4 + 8 * half;
      if (lane % 4 == 0 && row < g.queries)
        static_cast<float*>(g.log_sums)[(t.batch * g.heads + t.head) * g.queries + row] =
            blind ? infinity<float>() : largest[m][half] + static_cast<float>(::log(sums[m][half]));
    }
    store_left<T, D>(head_of<T>(g.y, g.y_at, t.batch, t.head), g.y_at, own + 16 * m, g.queries,
                     g.width, y[m], factor[0], factor[1]);
  }
}

// What a query brings to the backward pass; beyond the last: nothing is seen.
LAMPAS_INLINE float log_sum_at(const AttentionArguments& g, int64_t head, int64_t i) {
  return i < g.queries ? static_cast<const float*>(g.log_sums)[head * g.queries + i]
                       : infinity<float>();
}
LAMPAS_INLINE float delta_at(const AttentionArguments& g, int64_t head, int64_t i) {
  return i < g.queries ? static_cast<const float*>(g.deltas)[head * g.queries + i] : 0.0f;
}

// dq: a block owns queries and walks over keys.
template <class T, int D>
inline void flash_queries(const AttentionArguments& g) {
  constexpr int N = D <= 64 ? 64 : 32;  // fewer keys at a time leave registers to wider sums
  alignas(16) __shared__ FlashTile<T, D, N> keys, values;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const HeadTile t = head_tile(g.queries, 64, g.heads);
  const int64_t kv = t.head / (g.heads / g.kv_heads), own = t.first + warp * 16;
  const int64_t head = t.batch * g.heads + t.head;
  const T* k = head_of<T>(g.k, g.k_at, t.batch, kv);
  const T* v = head_of<T>(g.v, g.v_at, t.batch, kv);
  const void* mask = mask_of<T>(g, t.batch, t.head);
  uint32_t q[D / 16][4], dy[D / 16][4];
  load_left<T, D>(head_of<T>(g.q, g.q_at, t.batch, t.head), g.q_at, own, g.queries, g.width, q);
  load_left<T, D>(head_of<T>(g.dy, g.dy_at, t.batch, t.head), g.dy_at, own, g.queries, g.width, dy);
  float log_sums[2], deltas[2], dq[D / 8][4];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    log_sums[i] = log_sum_at(g, head, own + lane / 4 + 8 * i);
    deltas[i] = delta_at(g, head, own + lane / 4 + 8 * i);
  }
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) dq[n][i] = 0;
  const int64_t end = g.causal && t.first + 64 < g.keys ? t.first + 64 : g.keys;
  for (int64_t first = 0; first < end; first += N) {
    __syncthreads();  // the tiles of the step before have been read
    keys.load(k, g.k_at, first, g.keys, g.width);
    values.load(v, g.v_at, first, g.keys, g.width);
    __syncthreads();
    float s[N / 8][4], dp[N / 8][4];
    times_transposed<T, D, N>(q, keys, s);
    times_transposed<T, D, N>(dy, values, dp);
    finish_scores<T, N, false>(g, mask, own, first, s);
#pragma unroll
    for (int n = 0; n < N / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        s[n][i] = exponential(s[n][i] - log_sums[i / 2]) * (dp[n][i] - deltas[i / 2]);
    add_product<T, D, N>(s, keys, dq);
  }
  const auto scale = static_cast<float>(g.scale);
  store_left<T, D>(head_of<T>(g.dq, g.dq_at, t.batch, t.head), g.dq_at, own, g.queries, g.width, dq,
                   scale, scale);
}

// dk and dv: a block owns keys and walks over the queries, N at a time, of all heads that share
// them.
template <class T, int D, int N>
inline void flash_keys(const AttentionArguments& g) {
  alignas(16) __shared__ FlashTile<T, D, N> queries, slopes;  // `slopes`: dy
  __shared__ float log_sums[N], deltas[N];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const HeadTile t = head_tile(g.keys, 64, g.kv_heads);
  const int64_t shared = g.heads / g.kv_heads, own = t.first + warp * 16;
  uint32_t k[D / 16][4], v[D / 16][4];
  load_left<T, D>(head_of<T>(g.k, g.k_at, t.batch, t.head), g.k_at, own, g.keys, g.width, k);
  load_left<T, D>(head_of<T>(g.v, g.v_at, t.batch, t.head), g.v_at, own, g.keys, g.width, v);
  float dk[D / 8][4], dv[D / 8][4];
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) dk[n][i] = dv[n][i] = 0;
  for (int64_t h = t.head * shared; h < (t.head + 1) * shared; ++h) {
    const T* q = head_of<T>(g.q, g.q_at, t.batch, h);
    const T* dy = head_of<T>(g.dy, g.dy_at, t.batch, h);
    const void* mask = mask_of<T>(g, t.batch, h);
    for (int64_t first = g.causal ? t.first / N * N : 0; first < g.queries; first += N) {
      __syncthreads();  // the tiles of the step before have been read
      queries.load(q, g.q_at, first, g.queries, g.width);
      slopes.load(dy, g.dy_at, first, g.queries, g.width);
      if (static_cast<int>(threadIdx.x) < N) {
        log_sums[threadIdx.x] = log_sum_at(g, t.batch * g.heads + h, first + threadIdx.x);
        deltas[threadIdx.x] = delta_at(g, t.batch * g.heads + h, first + threadIdx.x);
      }
      __syncthreads();
      float s[N / 8][4], dp[N / 8][4];
      times_transposed<T, D, N>(k, queries, s);
      times_transposed<T, D, N>(v, slopes, dp);
      finish_scores<T, N, true>(g, mask, first, own, s);
#pragma unroll
      for (int n = 0; n < N / 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int query = n * 8 + lane % 4 * 2 + i % 2;
          s[n][i] = exponential(s[n][i] - log_sums[query]);
          dp[n][i] = s[n][i] * (dp[n][i] - deltas[query]);
        }
      add_product<T, D, N>(s, slopes, dv);
      add_product<T, D, N>(dp, queries, dk);
    }
  }
  const auto scale = static_cast<float>(g.scale);
  store_left<T, D>(head_of<T>(g.dk, g.dk_at, t.batch, t.head), g.dk_at, own, g.keys, g.width, dk,
                   scale, scale);
  store_left<T, D>(head_of<T>(g.dv, g.dv_at, t.batch, t.head), g.dv_at, own, g.keys, g.width, dv, 1,
                   1);
}

}  // namespace lampas::device
