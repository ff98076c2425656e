// Scaled dot-product attention. Source: A. Vaswani et al., "Attention Is All You Need", 2017.
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

void check_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                     bool is_causal) {
  const char* name = "scaled_dot_product_attention";
  CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(),
        "Expected query, key, and value to have the same dtype, but got query.dtype: ",
        c_name(q.dtype()), " key.dtype: ", c_name(k.dtype()),
        " and value.dtype: ", c_name(v.dtype()), " instead.");
  CHECK(q.device() == k.device() && q.device() == v.device(),
        "Expected query, key, and value to have the same device type, but got query.device: ",
        to_string(q.device()), " key.device: ", to_string(k.device()),
        " and value.device: ", to_string(v.device()), " instead.");
  CHECK(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2,
        "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: ",
        q.dim(), " key.dim: ", k.dim(), " and value.dim: ", v.dim(), " instead.");
  if (!mask.defined()) return;
  CHECK(mask.dtype() == DType::Bool || mask.dtype() == q.dtype() || mask.dtype() == DType::Float,
        "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
        "attn_mask.dtype: ",
        c_name(mask.dtype()), " and  query.dtype: ", c_name(q.dtype()), " instead.");
  CHECK(!is_causal, "_", name, ": Explicit attn_mask should not be set when is_causal=True");
}

// Heads of keys and values repeated until there is one for each of the query's: (..., H, S, E).
Tensor with_heads(const Tensor& x, int64_t heads) {
  int64_t d = x.dim() - 3, own = x.size(d);
  if (own == heads) return x;
  CHECK(own != 0 && heads % own == 0,
        "Number of heads in key and value must divide the number of heads in query");
  Dims wide = x.sizes(), sizes = x.sizes();
  wide.insert(static_cast<size_t>(d + 1), heads / own);
  sizes[static_cast<size_t>(d)] = heads;
  return reshape(expand(unsqueeze(x, d + 1), wide), sizes);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    Optional<double> scale, bool enable_gqa) {
  check_attention(query, key, value, attn_mask, is_causal);
  Tensor k = key, v = value, bias = attn_mask;
  if (enable_gqa) {
    CHECK(query.dim() >= 3 && key.dim() >= 3 && value.dim() >= 3,
          "enable_gqa needs tensors of at least 3 dimensions");
    k = with_heads(key, query.size(query.dim() - 3));
    v = with_heads(value, query.size(query.dim() - 3));
  }
  int64_t width = query.size(query.dim() - 1);
  double factor = scale ? *scale : 1 / std::sqrt(static_cast<double>(width));
  Tensor scores = matmul(query * factor, transpose(k, -2, -1));  // (..., L, S)
  const double kMinusInf = -std::numeric_limits<double>::infinity();
  if (is_causal) {
    Tensor seen = tril(
        ones(Dims{query.size(query.dim() - 2), k.size(k.dim() - 2)}, DType::Bool, query.device()),
        0);
    scores = where(seen, scores, kMinusInf);
  } else if (bias.defined()) {
    scores = bias.dtype() == DType::Bool ? where(bias, scores, kMinusInf)
                                         : scores + to(bias, query.dtype());
  }
  Tensor weights = softmax(scores, -1, {});
  if (bias.defined()) {  // a query that sees nothing attends to nothing
    Tensor blind = all(eq(scores, kMinusInf), Dims{-1}, true);
    weights = where(blind, 0.0, weights);
  }
  if (dropout_p > 0) weights = dropout(weights, dropout_p, true);
  return matmul(weights, v);
}

}  // namespace lampas::ops
