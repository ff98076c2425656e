// Attention on a GPU without the matrix of all scores, forward and backward. All tensors are
// (batch, heads, rows, width) at any distances.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;  // see kernels.h

struct AttentionOptions {
  double scale;
  bool causal;  // query i sees keys up to i
};

// Whether there is a kernel, and it is worth more than a composition of products.
bool attention_fits(const Tensor& q);

// `mask` (batch, heads, queries, keys): bool, of the query's type, or undefined. log_sums (batch,
// heads, queries), contiguous, of log_sum_type: as cpu/attention.h has them.
DType log_sum_type(DType dtype);
void attention(On, const Tensor& y, const Tensor& log_sums, const Tensor& q, const Tensor& k,
               const Tensor& v, const Tensor& mask, AttentionOptions options);
void attention_backward(On, const Tensor& dq, const Tensor& dk, const Tensor& dv, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& mask, const Tensor& y,
                        const Tensor& log_sums, const Tensor& dy, AttentionOptions options);

}  // namespace lampas::cuda
