// Scaled dot-product attention: fused (cpu/attention.h) where PyTorch fuses it, else composed of
// operators. Source: A. Vaswani et al., "Attention Is All You Need", 2017.
#include "cpu/attention.h"

#include "cuda/attention.h"
#include "cuda/kernels.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "tape/engine.h"
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

struct Options {
  bool is_causal;
  Optional<double> scale;
  bool enable_gqa;
  double factor(const Tensor& q) const {
    return scale ? *scale : 1 / std::sqrt(static_cast<double>(q.size(q.dim() - 1)));
  }
};

Tensor composed(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& bias,
                double dropout_p, const Options& o) {
  Tensor k = key, v = value;
  if (o.enable_gqa) {
    CHECK(query.dim() >= 3 && key.dim() >= 3 && value.dim() >= 3,
          "enable_gqa needs tensors of at least 3 dimensions");
    k = with_heads(key, query.size(query.dim() - 3));
    v = with_heads(value, query.size(query.dim() - 3));
  }
  Tensor scores = matmul(query * o.factor(query), transpose(k, -2, -1));  // (..., L, S)
  const double kMinusInf = -std::numeric_limits<double>::infinity();
  if (o.is_causal) {
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

// Batches of heads of one width, and a mask that fits them and wants no gradient.
bool fuses(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double dropout_p,
           const Options& o) {
  if (q.dim() != 4 || k.dim() != 4 || v.dim() != 4 || dropout_p > 0) return false;
  if (q.device().is_cuda() ? !cuda::attention_fits(q) : !q.device().is_cpu()) return false;
  int64_t heads = k.size(1), width = q.size(3);
  bool grouped = o.enable_gqa ? heads > 0 && q.size(1) % heads == 0 : q.size(1) == heads;
  if (!is_floating(q.dtype()) || q.numel() == 0 || k.numel() == 0 || !grouped ||
      k.size(0) != q.size(0) || v.size(0) != q.size(0) || v.size(1) != heads ||
      v.size(2) != k.size(2) || k.size(3) != width || v.size(3) != width)
    return false;
  if (!mask.defined()) return true;
  if (tape::needs_grad(mask) || mask.dim() > 4 || mask.device() != q.device()) return false;
  Dims full{q.size(0), q.size(1), q.size(2), k.size(2)};
  for (int64_t i = 1; i <= mask.dim(); ++i) {
    int64_t size = mask.size(mask.dim() - i);
    if (size != 1 && size != full[static_cast<size_t>(4 - i)]) return false;
  }
  return true;
}

template <class T>
cpu::Heads<T> heads_of(const Tensor& x) {
  if (!x.defined()) return {nullptr, 0, 0, 0, 0};
  return {static_cast<T*>(x.raw()), x.stride(0), x.stride(1), x.stride(2), x.stride(3)};
}

// 16-bit floats are computed in float; on a GPU a kernel reads them as they are.
Tensor computed(const Tensor& x) {
  return is_reduced(x.dtype()) && !x.device().is_cuda() ? to(x, DType::Float) : x;
}

Tensor with_columns(const Tensor& x) { return x.stride(3) == 1 ? x : contiguous(x); }

// The mask as (batch, heads, queries, keys) whose columns are neighbours; rows may repeat.
Tensor full_mask(const Tensor& mask, const Tensor& q, const Tensor& k) {
  if (!mask.defined()) return mask;
  Tensor x = mask.dtype() == DType::Bool ? mask : to(mask, q.dtype());
  int64_t d = x.dim();
  if (d == 0) x = view(x, Dims{1});
  if (x.size(x.dim() - 1) != k.size(2) || x.stride(x.dim() - 1) != 1) {
    Dims wide = x.sizes();
    wide[wide.size() - 1] = k.size(2);
    x = contiguous(expand(x, wide));
  }
  return expand(x, Dims{q.size(0), q.size(1), q.size(2), k.size(2)});
}

template <class T>
cpu::AttentionMask<T> mask_of(const Tensor& mask) {
  bool allowed = mask.defined() && mask.dtype() == DType::Bool;
  return {heads_of<const bool>(allowed ? mask : Tensor()),
          heads_of<const T>(allowed ? Tensor() : mask)};
}

cpu::AttentionShape shape_of(const Tensor& q, const Tensor& k, const Options& o) {
  return {q.size(0), q.size(1), k.size(1),   q.size(2),  k.size(2),
          q.size(3), q.size(3), o.factor(q), o.is_causal};
}

// Gradients that can be differentiated: attention is composed again on the tape.
Tensors composed_gradients(const tape::Backward& b, const Options& o) {
  Tensors inputs, wanted;
  for (int i = 0; i < 3; ++i) {
    Tensor x = b.saved(i);
    if (b.needs(i)) wanted.push_back(x = view(x, x.sizes()));
    inputs.push_back(x);
  }
  tape::Request request;
  request.roots = {composed(inputs[0], inputs[1], inputs[2], b.saved(3), 0, o)};
  request.grads = {b.g};
  request.retain_graph = request.create_graph = true;
  request.accumulate = false;
  request.inputs = wanted;
  Tensors found = tape::backward(request), result(3);
  for (int i = 0, at = 0; i < 3; ++i)
    if (b.needs(i)) result[static_cast<size_t>(i)] = found[static_cast<size_t>(at++)];
  return result;
}

Tensors gradients(const tape::Backward& b, const Options& o) {
  DType type = b.g.dtype();
  Tensor q = computed(b.saved(0)), k = computed(b.saved(1)), v = computed(b.saved(2)),
         mask = full_mask(b.saved(3), q, k), y = with_columns(computed(b.saved(4))),
         log_sums = b.saved(5), g = with_columns(computed(b.g));
  auto fresh = [](const Tensor& x) { return empty(x.sizes(), x.dtype(), x.device()); };
  Tensor dq = fresh(q), dk = fresh(k), dv = fresh(v);
  auto back = [type](const Tensor& x) { return x.dtype() == type ? x : to(x, type); };
  if (q.device().is_cuda()) {
    cuda::attention_backward(cuda::On{}, dq, dk, dv, q, k, v, mask, y, log_sums, g,
                             {o.factor(q), o.is_causal});
    return {dq, dk, dv};
  }
  auto run = [&](auto tag) {
    using T = decltype(tag);
    cpu::attention_backward<T>(shape_of(q, k, o), heads_of<const T>(q), heads_of<const T>(k),
                               heads_of<const T>(v), mask_of<T>(mask), heads_of<const T>(y),
                               static_cast<const T*>(log_sums.raw()), heads_of<const T>(g),
                               heads_of<T>(dq), heads_of<T>(dk), heads_of<T>(dv));
  };
  q.dtype() == DType::Double ? run(double()) : run(float());
  return {back(dq), back(dk), back(dv)};
}

const char* node_name(const Tensor& q) {
  if (q.device().is_cpu()) return "ScaledDotProductFlashAttentionForCpuBackward0";
  return is_reduced(q.dtype()) ? "ScaledDotProductFlashAttentionBackward0"
                               : "ScaledDotProductEfficientAttentionBackward0";
}

Tensor fused(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& given,
             const Options& o) {
  Tensor y, log_sums;
  {
    tape::NoGrad off;
    Tensor q = computed(query), k = computed(key), v = computed(value),
           mask = full_mask(given, q, k);
    int64_t n = q.size(0), heads = q.size(1), rows = q.size(2), width = q.size(3);
    // As the query lies, so does the result: heads inside rows or outside.
    y = query.stride(1) < query.stride(2)
            ? transpose(empty(Dims{n, rows, heads, width}, q.dtype(), q.device()), 1, 2)
            : empty(q.sizes(), q.dtype(), q.device());
    log_sums = empty(Dims{n, heads, rows}, cuda::log_sum_type(q.dtype()), q.device());
    auto run = [&](auto tag) {
      using T = decltype(tag);
      cpu::attention<T>(shape_of(q, k, o), heads_of<const T>(q), heads_of<const T>(k),
                        heads_of<const T>(v), mask_of<T>(mask), heads_of<T>(y),
                        static_cast<T*>(log_sums.raw()));
    };
    if (q.device().is_cuda())
      cuda::attention(cuda::On{}, y, log_sums, q, k, v, mask, {o.factor(q), o.is_causal});
    else
      q.dtype() == DType::Double ? run(double()) : run(float());
    if (y.dtype() != query.dtype()) y = to(y, query.dtype());
  }
  if (tape::needs_grad(query, key, value))
    tape::record(y, node_name(query), {query, key, value},
                 {query, key, value, given, tape::out(y), log_sums},
                 [o](const tape::Backward& b) -> Tensors {
                   return tape::grad_enabled() ? composed_gradients(b, o) : gradients(b, o);
                 });
  return y;
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const Tensor& attn_mask, double dropout_p, bool is_causal,
                                    Optional<double> scale, bool enable_gqa) {
  check_attention(query, key, value, attn_mask, is_causal);
  Options o{is_causal, scale, enable_gqa};
  if (fuses(query, key, value, attn_mask, dropout_p, o))
    return fused(query, key, value, attn_mask, o);
  return composed(query, key, value, attn_mask, dropout_p, o);
}

}  // namespace lampas::ops
