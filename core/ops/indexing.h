// x[...] after parsing: integer tensors (undefined: the whole dimension) applied to the leading
// dimensions of x. What core/python/indexing.cc and the gradients of neighbours need beyond
// primitives.def.
#pragma once
#include "cpu/indexing.h"
#include "ops/modify.h"

namespace lampas::ops {

// Masks become the coordinates of their true elements; int32 becomes int64. Checks types and
// shapes.
Tensors integer_indices(const Tensor& x, const Tensors& indices);

// Offsets of the positions of one index tensor along dimension d of x, and the rest of x as plan.
struct RowPlan {
  Tensor offsets;
  cpu::IndexPlan plan;
};
// `other` is the tensor that has index.numel() in place of x.size(d); a 0-d tensor counts as 1-d.
RowPlan row_plan(const Tensor& x, int64_t d, const Tensor& index, const Tensor& other,
                 cpu::Bounds bounds);

inline constexpr cpu::Bounds kInSelf{
    false, [](int64_t, int64_t, int64_t) { fail(ErrorKind::Index, "index out of range in self"); }};

}  // namespace lampas::ops
