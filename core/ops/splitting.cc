// Operators that show one tensor as several: split, chunk, unbind, tensor_split.
#include <algorithm>

#include "ops/arithmetic.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

// The parts of x as views under one node, whose gradient is `join(gradients of all parts)`.
template <class F>
void finish_parts(Tensors& parts, const Tensor& x, const char* node, F join) {
  if (needs_grad(x)) {
    auto formula = [join](const Backward& b) -> Tensors {
      Tensors grads(b.grads.size());
      for (size_t i = 0; i < grads.size(); ++i) grads[i] = b.grad_or_zeros(static_cast<int>(i));
      return {join(grads)};
    };
    std::initializer_list<tape::In> inputs = {x};
    tape::record_with(node, inputs, {}, formula, [&](const Ref<tape::Node>& owner) {
      for (Tensor& y : parts) tape::set_output(owner.get(), y);
    });
  }
  for (Tensor& y : parts) tape::mark_view(y, x, tape::ViewOrigin::Several);
}

Tensors split_at(const Tensor& x, int64_t d, Span lengths, const char* node) {
  Tensors parts;
  parts.reserve(lengths.size());
  Dims sizes = x.sizes();
  int64_t start = 0;
  for (int64_t length : lengths) {
    sizes[d] = length;
    parts.push_back(view_of(x, sizes, x.strides(), x.offset() + start * x.stride(d)));
    start += length;
  }
  finish_parts(parts, x, node, [d](const Tensors& grads) { return cat(grads, d); });
  return parts;
}

Dims equal_parts(int64_t size, int64_t part) {
  Dims lengths;
  for (int64_t start = 0; start < size; start += part)
    lengths.push_back(std::min(part, size - start));
  if (lengths.empty()) lengths.push_back(0);
  return lengths;
}

void check_tensor_split(const Tensor& x) {
  CHECK(x.dim() > 0,
        "tensor_split expected at least a 1-dimensional tensor, but got a tensor with ", x.dim(),
        " dims");
}

}  // namespace

Tensors split(const Tensor& x, int64_t split_size, int64_t dim) {
  CHECK(x.dim() > 0, "split expects at least a 1-dimensional tensor");
  CHECK(split_size >= 0,
        "split expects split_size be non-negative, but got split_size=", split_size);
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d);
  CHECK(split_size > 0 || size == 0,
        "split_size can only be 0 if dimension size is 0, but got dimension size of ", size);
  return split_at(x, d, equal_parts(size, std::max<int64_t>(split_size, 1)), "SplitBackward0");
}

Tensors split_with_sizes(const Tensor& x, Span split_sizes, int64_t dim) {
  CHECK(x.dim() > 0, "split expects at least a 1-dimensional tensor");
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d), sum = 0;
  bool fits = true;
  for (int64_t length : split_sizes) {
    CHECK(length >= 0,
          "split_with_sizes expects split_sizes have only non-negative entries, but got "
          "split_sizes=",
          to_string(split_sizes));
    fits &= !__builtin_add_overflow(sum, length, &sum);
  }
  CHECK(fits && sum == size, "split_with_sizes expects split_sizes to sum exactly to ", size,
        " (input tensor's size at dimension ", d,
        "), but got split_sizes=", to_string(split_sizes));
  return split_at(x, d, split_sizes, "SplitWithSizesBackward0");
}

Tensors chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  CHECK(x.dim() > 0, "chunk expects at least a 1-dimensional tensor");
  CHECK(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d);
  int64_t part = size / chunks + (size % chunks != 0);
  CHECK(size != 0 || chunks < INT32_MAX, "chunk: there are no ", chunks, " pieces of nothing");
  if (size == 0)
    return split_at(x, d, Dims(static_cast<size_t>(chunks), 0), "SplitWithSizesBackward0");
  return split_at(x, d, equal_parts(size, part), "SplitBackward0");
}

Tensors tensor_split_at(const Tensor& x, Span indices, int64_t dim) {
  check_tensor_split(x);
  int64_t d = wrap_dim(dim, x.dim()), start = 0;
  Tensors parts;
  for (int64_t end : indices) {
    parts.push_back(slice(x, d, start, end, 1));
    start = end;
  }
  parts.push_back(slice(x, d, start, x.size(d), 1));
  return parts;
}

Tensors tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  check_tensor_split(x);
  CHECK(sections > 0, "number of sections must be larger than 0, got ", sections);
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d), start = 0;
  constexpr int64_t kMostEmpty = 1 << 24;
  CHECK(sections <= size || sections <= kMostEmpty, "tensor_split: ", sections,
        " sections of a dimension of size ", size);
  Tensors parts;
  for (int64_t i = 0; i < sections; ++i) {
    int64_t length = size / sections + (i < size % sections);
    parts.push_back(slice(x, d, start, start + length, 1));
    start += length;
  }
  return parts;
}

Tensors tensor_split_tensor(const Tensor& x, const Tensor& indices, int64_t dim) {
  check_tensor_split(x);
  CHECK(indices.device().is_cpu(),
        "tensor_split expected tensor_indices_or_sections to be on cpu, but "
        "it's on ",
        to_string(indices.device()));
  CHECK(indices.dtype() == DType::Int64,
        "tensor_split expected tensor_indices_or_sections to have dtype of long, but got ",
        label(indices.dtype()));
  CHECK(indices.dim() <= 1,
        "tensor_split expected tensor_indices_or_sections to be a zero-dimensional "
        "or one-dimensional tensor, but got a tensor with ",
        indices.dim(), " dims");
  const int64_t* values = indices.data<int64_t>();
  if (indices.dim() == 0) return tensor_split(x, *values, dim);
  Dims places;
  for (int64_t i = 0; i < indices.numel(); ++i) places.push_back(values[i * indices.stride(0)]);
  return tensor_split_at(x, places, dim);
}

Tensors unbind(const Tensor& x, int64_t dim) {
  CHECK_KIND(x.dim() > 0, Index, "Dimension specified as ", dim, " but tensor has no dimensions");
  int64_t d = wrap_dim(dim, x.dim());
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.erase(d);
  strides.erase(d);
  Tensors parts;
  parts.reserve(x.size(d));
  for (int64_t i = 0; i < x.size(d); ++i)
    parts.push_back(view_of(x, sizes, strides, x.offset() + i * x.stride(d)));
  finish_parts(parts, x, "UnbindBackward0", [d](const Tensors& grads) { return stack(grads, d); });
  return parts;
}

}  // namespace lampas::ops
