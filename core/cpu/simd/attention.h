// The pointwise part of attention on a block of scores, one query at a time, by instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

template <class T>
struct AttentionRow {
  T* s;  // in: query . key for each key of the block
  int64_t count;
  T scale;
  const bool* allowed;  // per key, may be null
  const T* bias;        // per key, added after scaling, may be null
};

#define LAMPAS_ATTENTION(isa, T)                                                               \
  namespace isa {                                                                              \
  /* s becomes exp(score - top), where top grows to the largest score so far; returns what     \
     everything summed up before must be multiplied with, and does so with `sum` itself. */    \
  T attention_row(const AttentionRow<T>& r, T& top, T& sum);                                   \
  /* s becomes the weights exp(score - log_sum), dp (the gradient of the weights) the gradient \
     of query . key; `along` is the sum of weights times their gradients over all keys. */     \
  void attention_row_gradient(const AttentionRow<T>& r, T log_sum, T along, T* dp);            \
  void attention_scale(T* y, int64_t count, T factor);                                         \
  }
#define LAMPAS_ATTENTION_SET(isa) LAMPAS_ATTENTION(isa, float) LAMPAS_ATTENTION(isa, double)
LAMPAS_ATTENTION_SET(baseline)
LAMPAS_ATTENTION_SET(avx2)
LAMPAS_ATTENTION_SET(avx512)
#undef LAMPAS_ATTENTION_SET
#undef LAMPAS_ATTENTION

}  // namespace lampas
