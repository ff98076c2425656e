// Blocks of queries meet blocks of keys; a block of scores stays in the cache, and what a query has
// gathered is rescaled when a larger score turns up. Source: T. Dao et al., "FlashAttention: Fast
// and Memory-Efficient Exact Attention with IO-Awareness", 2022. Forward pieces own queries,
// backward pieces own keys and values of one head (with all queries that use it), so nothing
// depends on the number of threads.
#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/gemm.h"
#include "cpu/simd/attention.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kQueries = 128, kKeys = 128;  // of a block: its scores take 64 KB in float

template <class T>
Strided<T> matrix(const Heads<const T>& x, int64_t b, int64_t h, int64_t row, int64_t rows,
                  int64_t cols) {
  return {x.at(b, h, row), rows, cols, x.row, x.col};
}

template <class T>
Strided<T> plain(const T* data, int64_t rows, int64_t cols, int64_t step) {
  return {data, rows, cols, step, 1};
}

// How many of `count` keys from `first` query `i` sees.
int64_t visible(const AttentionShape& s, int64_t i, int64_t first, int64_t count) {
  return s.causal ? std::clamp<int64_t>(i + 1 - first, 0, count) : count;
}

template <class T>
AttentionRow<T> row_of(const AttentionShape& s, const AttentionMask<T>& mask, int64_t b, int64_t h,
                       int64_t i, int64_t key, T* scores, int64_t count) {
  const bool* allowed = mask.allowed.at(b, h, i);
  const T* bias = mask.bias.at(b, h, i);
  return {scores, count, static_cast<T>(s.scale), allowed ? allowed + key : nullptr,
          bias ? bias + key : nullptr};
}

// One block of queries of one head, over all keys.
template <class T>
void forward_block(const AttentionShape& s, const Heads<const T>& q, const Heads<const T>& k,
                   const Heads<const T>& v, const AttentionMask<T>& mask, const Heads<T>& y,
                   T* log_sums, int64_t b, int64_t h, int64_t from, int64_t rows) {
  constexpr T never = -std::numeric_limits<T>::infinity();
  int64_t kv = h / (s.heads / s.kv_heads);
  PackedLeft<T> queries(matrix(q, b, h, from, rows, s.width));
  Scratch<T> scores(rows * kKeys);
  T top[kQueries], sum[kQueries];
  std::fill_n(top, rows, never);
  std::fill_n(sum, rows, T(0));
  int64_t end = s.causal ? std::min(s.keys, from + rows) : s.keys;
  for (int64_t key = 0; key < end; key += kKeys) {
    int64_t count = std::min(kKeys, end - key);
    gemm(queries, turned(matrix(k, b, kv, key, count, s.width)), scores.data(), count);
    for (int64_t r = 0; r < rows; ++r) {
      T* line = scores.data() + r * count;
      int64_t seen = visible(s, from + r, key, count);
      std::fill(line + seen, line + count, T(0));
      auto row = row_of(s, mask, b, h, from + r, key, line, seen);
      T correction = LAMPAS_BEST(attention_row(row, top[r], sum[r]));
      if (key > 0 && correction != 1)
        LAMPAS_BEST(attention_scale(y.at(b, h, from + r), s.value_width, correction));
    }
    GemmEnd<T> onto;
    onto.add = key > 0;
    gemm(plain<T>(scores.data(), rows, count, count), matrix(v, b, kv, key, count, s.value_width),
         y.at(b, h, from), y.row, onto);
  }
  for (int64_t r = 0; r < rows; ++r) {
    bool blind = sum[r] == 0;
    LAMPAS_BEST(attention_scale(y.at(b, h, from + r), s.value_width, blind ? T(0) : 1 / sum[r]));
    log_sums[(b * s.heads + h) * s.queries + from + r] = blind ? -never : top[r] + std::log(sum[r]);
  }
}

// What a block of queries brings to every block of keys.
template <class T>
struct QueryBlock {
  int64_t head, from, rows;
  PackedLeft<T> q_left, dy_left;
  PackedRight<T> q_right, dy_right;
  std::vector<T> along;  // sum of y * dy for each query
};

template <class T>
std::vector<QueryBlock<T>> query_blocks(const AttentionShape& s, const Heads<const T>& q,
                                        const Heads<const T>& y, const Heads<const T>& dy,
                                        int64_t b, int64_t kv) {
  int64_t group = s.heads / s.kv_heads;
  std::vector<QueryBlock<T>> blocks;
  for (int64_t h = kv * group; h < (kv + 1) * group; ++h)
    for (int64_t from = 0; from < s.queries; from += kQueries) {
      int64_t rows = std::min(kQueries, s.queries - from);
      Strided<T> own = matrix(q, b, h, from, rows, s.width),
                 g = matrix(dy, b, h, from, rows, s.value_width);
      std::vector<T> along(static_cast<size_t>(rows));
      for (int64_t r = 0; r < rows; ++r) {
        const T *a = y.at(b, h, from + r), *c = dy.at(b, h, from + r);
        T total = 0;
        for (int64_t j = 0; j < s.value_width; ++j) total += a[j] * c[j];
        along[static_cast<size_t>(r)] = total;
      }
      blocks.push_back({h, from, rows, PackedLeft<T>(own), PackedLeft<T>(g), PackedRight<T>(own),
                        PackedRight<T>(g), std::move(along)});
    }
  return blocks;
}

}  // namespace

template <class T>
void attention(const AttentionShape& s, Heads<const T> q, Heads<const T> k, Heads<const T> v,
               const AttentionMask<T>& mask, Heads<T> y, T* log_sums) {
  int64_t blocks = (s.queries + kQueries - 1) / kQueries, pieces = s.batch * s.heads * blocks;
  int64_t flops = 2 * std::min(kQueries, s.queries) * s.keys * (s.width + s.value_width);
  int64_t grain = std::max<int64_t>(1, (4 << 20) / std::max<int64_t>(flops, 1));
  parallel_for(pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t from = i % blocks * kQueries, head = i / blocks;
      forward_block(s, q, k, v, mask, y, log_sums, head / s.heads, head % s.heads, from,
                    std::min(kQueries, s.queries - from));
    }
  });
}

template <class T>
void attention_backward(const AttentionShape& s, Heads<const T> q, Heads<const T> k,
                        Heads<const T> v, const AttentionMask<T>& mask, Heads<const T> y,
                        const T* log_sums, Heads<const T> dy, Heads<T> dq, Heads<T> dk,
                        Heads<T> dv) {
  auto head_of = [&](int64_t b, int64_t kv) {
    std::vector<QueryBlock<T>> blocks = query_blocks(s, q, y, dy, b, kv);
    Scratch<T> scores(kQueries * kKeys), slopes(kQueries * kKeys);
    for (const QueryBlock<T>& block : blocks)
      for (int64_t r = 0; r < block.rows; ++r)
        std::fill_n(dq.at(b, block.head, block.from + r), s.width, T(0));
    GemmEnd<T> onto;
    onto.add = true;
    for (int64_t key = 0; key < s.keys; key += kKeys) {
      int64_t count = std::min(kKeys, s.keys - key);
      Strided<T> own = matrix(k, b, kv, key, count, s.width);
      PackedRight<T> keys(turned(own)), keys_plain(own),
          values(turned(matrix(v, b, kv, key, count, s.value_width)));
      for (int64_t r = 0; r < count; ++r) {
        std::fill_n(dk.at(b, kv, key + r), s.width, T(0));
        std::fill_n(dv.at(b, kv, key + r), s.value_width, T(0));
      }
      for (const QueryBlock<T>& block : blocks) {
        int64_t rows = block.rows;
        if (s.causal && block.from + rows <= key) continue;
        gemm(block.q_left, keys, scores.data(), count, {}, 0, count);
        gemm(block.dy_left, values, slopes.data(), count, {}, 0, count);
        for (int64_t r = 0; r < rows; ++r) {
          int64_t i = block.from + r, seen = visible(s, i, key, count);
          T *line = scores.data() + r * count, *slope = slopes.data() + r * count;
          auto row = row_of(s, mask, b, block.head, i, key, line, seen);
          T log_sum = log_sums[(b * s.heads + block.head) * s.queries + i],
            along = block.along[static_cast<size_t>(r)];
          LAMPAS_BEST(attention_row_gradient(row, log_sum, along, slope));
          std::fill(line + seen, line + count, T(0));
          std::fill(slope + seen, slope + count, T(0));
        }
        PackedLeft<T> weights(turned(plain<T>(scores.data(), rows, count, count))),
            down(turned(plain<T>(slopes.data(), rows, count, count))),
            across(plain<T>(slopes.data(), rows, count, count));
        gemm(weights, block.dy_right, dv.at(b, kv, key), dv.row, onto, 0, s.value_width);
        gemm(down, block.q_right, dk.at(b, kv, key), dk.row, onto, 0, s.width);
        gemm(across, keys_plain, dq.at(b, block.head, block.from), dq.row, onto, 0, s.width);
      }
    }
  };
  parallel_for(s.batch * s.kv_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) head_of(i / s.kv_heads, i % s.kv_heads);
  });
}

#define KINDS(T)                                                                                 \
  template void attention(const AttentionShape&, Heads<const T>, Heads<const T>, Heads<const T>, \
                          const AttentionMask<T>&, Heads<T>, T*);                                \
  template void attention_backward(const AttentionShape&, Heads<const T>, Heads<const T>,        \
                                   Heads<const T>, const AttentionMask<T>&, Heads<const T>,      \
                                   const T*, Heads<const T>, Heads<T>, Heads<T>, Heads<T>);
KINDS(float)
KINDS(double)
#undef KINDS

}  // namespace lampas::cpu
