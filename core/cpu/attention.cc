// Blocks of queries meet blocks of keys; a block of scores stays in the cache, and what a query has
// gathered is rescaled when a larger score turns up. Source: T. Dao et al., "FlashAttention: Fast
// and Memory-Efficient Exact Attention with IO-Awareness", 2022. Forward pieces own queries,
// backward pieces own keys and values of one head (with all queries that use it), or of a part of
// it where heads are few; nothing depends on the number of threads.
#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "cpu/division.h"
#include "cpu/gemm.h"
#include "cpu/simd/attention.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kQueries = 128, kKeys = 128;  // of a block: its scores take 64 KB in float
constexpr int64_t kManyHeads = 8;               // enough for the threads to take whole ones

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
struct Backward {
  const AttentionShape& s;
  Heads<const T> q, k, v;
  const AttentionMask<T>& mask;
  Heads<const T> y;
  const T* log_sums;
  Heads<const T> dy;
  Heads<T> dq, dk, dv;
  using Blocks = std::vector<std::unique_ptr<QueryBlock<T>>>;

  // Block `i` of all queries that use a head of keys. dq becomes zero.
  std::unique_ptr<QueryBlock<T>> queries(int64_t b, int64_t kv, int64_t i) const {
    int64_t each = ceil_div(s.queries, kQueries), h = kv * (s.heads / s.kv_heads) + i / each,
            from = i % each * kQueries, rows = std::min(kQueries, s.queries - from);
    Strided<T> own = matrix(q, b, h, from, rows, s.width),
               g = matrix(dy, b, h, from, rows, s.value_width);
    std::vector<T> along(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) {
      const T *one = y.at(b, h, from + r), *other = dy.at(b, h, from + r);
      T total = 0;
      for (int64_t j = 0; j < s.value_width; ++j) total += one[j] * other[j];
      along[static_cast<size_t>(r)] = total;
      std::fill_n(dq.at(b, h, from + r), s.width, T(0));
    }
    return std::unique_ptr<QueryBlock<T>>(new QueryBlock<T>{h, from, rows, PackedLeft<T>(own),
                                                            PackedLeft<T>(g), PackedRight<T>(own),
                                                            PackedRight<T>(g), std::move(along)});
  }
  int64_t query_blocks() const { return s.heads / s.kv_heads * ceil_div(s.queries, kQueries); }
  bool meets(const QueryBlock<T>& block, int64_t key) const {
    return !s.causal || block.from + block.rows > key;
  }

  // dk and dv of the keys from `key`. Their share of dq is added to it, or written to `shares`
  // (query blocks, kQueries, width).
  void keys(int64_t b, int64_t kv, const Blocks& blocks, int64_t key, T* shares) const {
    int64_t count = std::min(kKeys, s.keys - key);
    Strided<T> own = matrix(k, b, kv, key, count, s.width);
    PackedRight<T> keys(turned(own)), keys_plain(own),
        values(turned(matrix(v, b, kv, key, count, s.value_width)));
    Scratch<T> scores(kQueries * kKeys), slopes(kQueries * kKeys);
    for (int64_t r = 0; r < count; ++r) {
      std::fill_n(dk.at(b, kv, key + r), s.width, T(0));
      std::fill_n(dv.at(b, kv, key + r), s.value_width, T(0));
    }
    GemmEnd<T> onto;
    onto.add = true;
    for (size_t i = 0; i < blocks.size(); ++i) {
      const QueryBlock<T>& block = *blocks[i];
      if (!meets(block, key)) continue;
      gemm(block.q_left, keys, scores.data(), count, {}, 0, count);
      gemm(block.dy_left, values, slopes.data(), count, {}, 0, count);
      weigh(b, block, key, count, scores.data(), slopes.data());
      int64_t rows = block.rows;
      PackedLeft<T> weights(turned(plain<T>(scores.data(), rows, count, count))),
          down(turned(plain<T>(slopes.data(), rows, count, count))),
          across(plain<T>(slopes.data(), rows, count, count));
      gemm(weights, block.dy_right, dv.at(b, kv, key), dv.row, onto, 0, s.value_width);
      gemm(down, block.q_right, dk.at(b, kv, key), dk.row, onto, 0, s.width);
      if (shares)
        gemm(across, keys_plain, shares + static_cast<int64_t>(i) * kQueries * s.width, s.width, {},
             0, s.width);
      else
        gemm(across, keys_plain, dq.at(b, block.head, block.from), dq.row, onto, 0, s.width);
    }
  }

  // Scores become weights, gradients of weights those of scores.
  void weigh(int64_t b, const QueryBlock<T>& block, int64_t key, int64_t count, T* scores,
             T* slopes) const {
    for (int64_t r = 0; r < block.rows; ++r) {
      int64_t i = block.from + r, seen = visible(s, i, key, count);
      T *line = scores + r * count, *slope = slopes + r * count;
      auto row = row_of(s, mask, b, block.head, i, key, line, seen);
      T log_sum = log_sums[(b * s.heads + block.head) * s.queries + i],
        along = block.along[static_cast<size_t>(r)];
      LAMPAS_BEST(attention_row_gradient(row, log_sum, along, slope));
      std::fill(line + seen, line + count, T(0));
      std::fill(slope + seen, slope + count, T(0));
    }
  }

  void whole_head(int64_t b, int64_t kv) const {
    Blocks blocks;
    for (int64_t i = 0; i < query_blocks(); ++i) blocks.push_back(queries(b, kv, i));
    for (int64_t key = 0; key < s.keys; key += kKeys) keys(b, kv, blocks, key, nullptr);
  }

  // The same bits by all threads: blocks of keys side by side, their shares of dq added in order.
  void head_in_pieces(int64_t b, int64_t kv) const {
    constexpr int64_t kTogether = 16;  // blocks of keys, whose shares are kept at once
    Blocks blocks(static_cast<size_t>(query_blocks()));
    parallel_for(query_blocks(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) blocks[static_cast<size_t>(i)] = queries(b, kv, i);
    });
    int64_t share = query_blocks() * kQueries * s.width, all = ceil_div(s.keys, kKeys);
    Scratch<T> shares(std::min(kTogether, all) * share);
    for (int64_t first = 0; first < all; first += kTogether) {
      int64_t count = std::min(kTogether, all - first);
      parallel_for(count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j)
          keys(b, kv, blocks, (first + j) * kKeys, shares.data() + j * share);
      });
      parallel_for(query_blocks(), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          for (int64_t j = 0; j < count; ++j)
            add_share(b, *blocks[static_cast<size_t>(i)], (first + j) * kKeys,
                      shares.data() + j * share + i * kQueries * s.width);
      });
    }
  }
  void add_share(int64_t b, const QueryBlock<T>& block, int64_t key, const T* share) const {
    if (!meets(block, key)) return;
    for (int64_t r = 0; r < block.rows; ++r) {
      T* to = dq.at(b, block.head, block.from + r);
      for (int64_t j = 0; j < s.width; ++j) to[j] += share[r * s.width + j];
    }
  }
};

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
  Backward<T> gradient{s, q, k, v, mask, y, log_sums, dy, dq, dk, dv};
  int64_t heads = s.batch * s.kv_heads;
  auto each = [&](auto head) {
    return [&, head](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) head(i / s.kv_heads, i % s.kv_heads);
    };
  };
  // Both ways give the same bits; alone, a thread would only pay for keeping the shares.
  if (num_threads() > 1 && heads < kManyHeads && s.keys > kKeys)
    each([&](int64_t b, int64_t kv) { gradient.head_in_pieces(b, kv); })(0, heads);
  else
    parallel_for(heads, 1, each([&](int64_t b, int64_t kv) { gradient.whole_head(b, kv); }));
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
