// Attention without the matrix of all scores, forward and backward.
#pragma once
#include <cstdint>

namespace lampas::cpu {

// An array of (batch, heads, rows, cols) at any distances, in elements.
template <class T>
struct Heads {
  T* data;
  int64_t batch, head, row, col;
  T* at(int64_t b, int64_t h, int64_t r) const {
    return data ? data + b * batch + h * head + r * row : nullptr;
  }
};

// What a query may see: `allowed` or `bias`, one may be present; their columns are neighbours.
template <class T>
struct AttentionMask {
  Heads<const bool> allowed;
  Heads<const T> bias;
};

struct AttentionShape {
  int64_t batch, heads, kv_heads;  // heads is a multiple of kv_heads: they share keys and values
  int64_t queries, keys, width, value_width;
  double scale;
  bool causal;  // query i sees keys up to i
};

// y: columns are neighbours. log_sums (batch, heads, queries), contiguous: the logarithm of the sum
// of exponentials, +inf for a query that sees nothing (its y is 0).
template <class T>
void attention(const AttentionShape& s, Heads<const T> q, Heads<const T> k, Heads<const T> v,
               const AttentionMask<T>& mask, Heads<T> y, T* log_sums);

// dq, dk, dv: written; rows contiguous, columns neighbours. dy and y: columns are neighbours.
template <class T>
void attention_backward(const AttentionShape& s, Heads<const T> q, Heads<const T> k,
                        Heads<const T> v, const AttentionMask<T>& mask, Heads<const T> y,
                        const T* log_sums, Heads<const T> dy, Heads<T> dq, Heads<T> dk,
                        Heads<T> dv);

}  // namespace lampas::cpu
