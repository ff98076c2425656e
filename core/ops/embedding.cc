// Rows of a table by index: embedding with its dense gradient, renormalisation of rows, one_hot.
#include "ops/indexing.h"
#include "ops/reduce.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

void check_embedding_index(const char* name, const Tensor& indices) {
  CHECK(indices.dtype() == DType::Int64 || indices.dtype() == DType::Int32,
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
        "Long, Int; "
        "but got torch.",
        label(indices.dtype()), "Tensor instead (while checking arguments for ", name, ")");
}

Dims with_width(const Tensor& indices, int64_t width) {
  Dims sizes = indices.sizes();
  sizes.push_back(width);
  return sizes;
}

// What each looked-up row weighs in the gradient: 0 for padding, 1 / count when scaled by
// frequency. Undefined when all weigh 1. Shape (number of indices, 1).
Tensor row_weights(const Tensor& flat, DType dtype, int64_t rows, int64_t padding,
                   bool by_frequency) {
  Tensor weights;
  if (by_frequency) {
    Tensor counts = zeros(Dims{rows}, DType::Int64, flat.device());
    KERNEL(count_index, counts, flat);
    weights = 1.0 / to(index_select(counts, 0, flat), dtype);
  }
  if (padding >= 0) {
    Tensor keep = to(ne(flat, Scalar(padding)), dtype);
    weights = weights.defined() ? weights * keep : keep;
  }
  return weights.defined() ? unsqueeze(weights, 1) : weights;
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx,
                 bool scale_grad_by_freq, bool sparse) {
  CHECK(weight.dim() == 2, "'weight' must be 2-D");
  check_embedding_index("embedding", indices);
  CHECK_KIND(!sparse || !needs_grad(weight), NotImplemented,
             "embedding: sparse=True needs sparse tensors, which do not exist here");
  Tensor flat = reshape(plain(wide_index(indices)), Dims{-1});
  Tensor y = empty(with_width(indices, weight.size(1)), weight.dtype(), weight.device());
  Tensor rows = view_of(y, Dims{flat.numel(), weight.size(1)}, Dims{weight.size(1), 1});
  RowPlan at = row_plan(weight, 0, flat, rows, kInSelf);
  KERNEL(index, rows, weight, at.offsets, at.plan);
  if (needs_grad(weight))
    tape::record(
        y, "EmbeddingBackward0", {weight}, {indices},
        [n = weight.size(0), padding_idx, scale_grad_by_freq](const Backward& b) -> Tensors {
          return {embedding_dense_backward(b.g, b.saved(0), n, padding_idx, scale_grad_by_freq)};
        });
  return y;
}

// A composite of differentiable steps, so that its own gradient needs no formula.
Tensor embedding_dense_backward(const Tensor& g, const Tensor& indices, int64_t num_weights,
                                int64_t padding_idx, bool scale_grad_by_freq) {
  check_embedding_index("embedding_dense_backward", indices);
  Tensor flat = reshape(plain(wide_index(indices)), Dims{-1});
  int64_t width = g.size(g.dim() - 1);
  Tensor rows = reshape(g, Dims{flat.numel(), width});
  Tensor weights = row_weights(flat, g.dtype(), num_weights, padding_idx, scale_grad_by_freq);
  if (weights.defined()) rows = rows * weights;
  return index_add_(zeros(Dims{num_weights, width}, g.dtype(), g.device()), 0, flat, rows,
                    Scalar(1));
}

Tensor embedding_renorm_(const Tensor& weight, const Tensor& indices, double max_norm,
                         double norm_type) {
  CHECK(weight.dim() == 2, "embedding_renorm_: expected a 2-D weight, but got ", weight.dim(),
        "-D");
  check_embedding_index("embedding_renorm_", indices);
  tape::check_write(weight);
  bump_version(weight);
  Tensor written = plain(weight), index = wide_index(indices);
  KERNEL(renorm_rows, written, index, max_norm, norm_type);
  return weight;
}

Tensor one_hot(const Tensor& x, int64_t num_classes) {
  CHECK(x.dtype() == DType::Int64,
        "one_hot is only applicable to index tensor of type LongTensor.");
  CHECK(!x.is_meta() || num_classes > 0, "one_hot: num_classes is needed on the meta device");
  if (x.numel() == 0) {
    CHECK(num_classes > 0, num_classes == -1
                               ? "Can not infer total number of classes from empty tensor."
                               : "Total number of classes must be positive.");
    return zeros(with_width(x, num_classes), DType::Int64, x.device());
  }
  if (x.device().is_cuda()) {  // classes out of range are noticed when they are written
    if (num_classes == -1) num_classes = item(max_all(x)).to<int64_t>() + 1;
    CHECK(num_classes > 0, "Class values must be non-negative.");
  } else if (!x.is_meta()) {
    require_available(x.device());
    auto [low, high] = cpu::extremes(x);
    CHECK(low >= 0, "Class values must be non-negative.");
    if (num_classes == -1) num_classes = high + 1;
    CHECK(num_classes > 0, "num_classes should be positive");
    CHECK(high < num_classes, "Class values must be smaller than num_classes.");
  }
  Tensor y = zeros(with_width(x, num_classes), DType::Int64, x.device());
  return scatter_value_(y, -1, unsqueeze(plain(x), x.dim()), Scalar(1));
}

}  // namespace lampas::ops
