// A tensor with one of its views replaced (select_scatter, slice_scatter, ...), and diag_embed.
#include <limits>

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

void check_window(const Tensor& window, const Tensor& src) {
  CHECK(window.sizes() == src.sizes(),
        "expected src to have a size equal to the slice of self. src size = ",
        to_string(src.sizes()), ", slice size = ", to_string(window.sizes()));
}

// A copy with the strides of x, gaps included; of x that names an address twice, a dense one.
Tensor copy_in_place(const Tensor& x) {
  Tensor y = may_overlap(x.sizes(), x.strides())
                 ? empty_like(x)
                 : empty_strided(x.sizes(), x.strides(), x.dtype(), x.device());
  copy_values(y, x);
  return y;
}

// x with view(x) replaced by src. `view` must be a view operator that captures numbers only.
template <class View>
Tensor replaced(const Tensor& x, const Tensor& src, const char* node, View view) {
  Tensor y = copy_in_place(x);
  Tensor window = view(plain(y));
  check_window(window, src);
  copy_values(window, src);
  if (needs_grad(x, src))
    tape::record(y, node, {x, src}, {},
                 [view, node, dtype = src.dtype()](const Backward& b) -> Tensors {
                   Tensors grads(2);
                   if (b.needs(0)) {
                     Tensor nothing = zeros(view(plain(b.g)).sizes(), b.g.dtype(), b.g.device());
                     grads[0] = replaced(b.g, nothing, node, view);
                   }
                   if (b.needs(1)) grads[1] = to(view(b.g), dtype);
                   return grads;
                 });
  return y;
}

}  // namespace

Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index) {
  return replaced(x, src, "SelectScatterBackward0",
                  [=](const Tensor& t) { return select(t, dim, index); });
}

Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, Optional<int64_t> start,
                     Optional<int64_t> end, int64_t step) {
  int64_t first = start.value_or(0), last = end.value_or(INT64_MAX);
  return replaced(x, src, "SliceScatterBackward0",
                  [=](const Tensor& t) { return slice(t, dim, first, last, step); });
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1,
                        int64_t dim2) {
  return replaced(x, src, "DiagonalScatterBackward0",
                  [=](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
}

// The geometry refers to memory: the copy is one of the memory, and gradients go through a flat
// tensor that stands for it.
Tensor as_strided_scatter(const Tensor& input, const Tensor& src, Span size, Span stride,
                          Optional<int64_t> storage_offset) {
  Tensor x = may_overlap(input.sizes(), input.strides()) ? contiguous(input) : input;
  int64_t offset = storage_offset.value_or(x.offset());
  int64_t bytes =
      static_cast<int64_t>(checked_bytes(x.sizes(), x.strides(), x.offset(), x.item_size()));
  Dims length{bytes / x.item_size()};
  Tensor memory = empty(length, x.dtype(), x.device());
  copy_values(memory, view_of(x, length, Dims{1}, 0));
  Tensor y = view_of(memory, x.sizes(), x.strides(), x.offset());
  Tensor window = view_of(memory, size, stride, offset);
  check_window(window, src);
  copy_values(window, src);
  if (needs_grad(x, src))
    tape::record(y, "AsStridedScatterBackward0", {x, src}, {},
                 [length, sizes = x.sizes(), strides = x.strides(), start = x.offset(), offset,
                  to = Dims(size), steps = Dims(stride)](const Backward& b) -> Tensors {
                   Tensor flat = place(b.g, length, strides, start);
                   Tensors grads(2);
                   if (b.needs(0)) {
                     Tensor nothing = zeros(to, b.g.dtype(), b.g.device());
                     Tensor rest = as_strided_scatter(flat, nothing, to, steps, offset);
                     grads[0] = as_strided(rest, sizes, strides, start);
                   }
                   if (b.needs(1)) grads[1] = as_strided(flat, to, steps, offset);
                   return grads;
                 });
  return y;
}

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  CHECK_KIND(x.dim() > 0, Index,
             "Dimension out of range (expected to be in range of [-1, 0], but got ", dim1, ")");
  int64_t rank = x.dim() + 1, d1 = wrap_dim(dim1, rank), d2 = wrap_dim(dim2, rank);
  CHECK(d1 != d2, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  int64_t side;
  CHECK(offset != std::numeric_limits<int64_t>::min() &&
            !__builtin_add_overflow(x.size(x.dim() - 1), offset < 0 ? -offset : offset, &side),
        "diag_embed: offset is too large");
  Dims sizes;
  for (int64_t d = 0, from = 0; d < rank; ++d)
    sizes.push_back(d == d1 || d == d2 ? side : x.size(from++));
  Tensor y = zeros(sizes, x.dtype(), x.device());
  copy_values(diagonal(plain(y), offset, d1, d2), x);
  if (needs_grad(x))
    tape::record(y, "DiagEmbedBackward0", {x}, {}, [offset, d1, d2](const Backward& b) -> Tensors {
      return {diagonal(b.g, offset, d1, d2)};
    });
  return y;
}

}  // namespace lampas::ops
