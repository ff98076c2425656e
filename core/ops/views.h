// What the view operators share with indexing and joining: the one place where a view is made, and
// the transpose of a view (its gradient laid into zeros). The operators themselves are in
// primitives.def.
#pragma once
#include "ops/primitives.h"
#include "tape/history.h"
#include "tape/tape.h"

namespace lampas::ops {

// A view of x with its gradient; every view operator ends here.
template <class F>
Tensor make_view(const Tensor& x, Span sizes, Span strides, int64_t offset, const char* node,
                 F formula) {
  Tensor y = view_of(x, sizes, strides, offset);
  if (tape::needs_grad(x)) tape::record(y, node, {x}, {}, std::move(formula));
  tape::mark_view(y, x);
  return y;
}

// The transpose of `as_strided(contiguous, g.sizes, strides, offset)`: zeros of `sizes` with g laid
// into them, added where its elements meet. Differentiable.
Tensor place(const Tensor& g, Span sizes, Span strides, int64_t offset);

// Whether two indices of this shape can mean one address.
bool may_overlap(Span sizes, Span strides);

// x itself as a view.
Tensor as_alias(const Tensor& x);

// x without its history: what unrecorded code copies from and into.
inline Tensor plain(const Tensor& x) { return alias_of(x); }

// A view of x as broadcast to `sizes`, without history; raises the errors of expand().
Tensor plain_expand(const Tensor& x, Span sizes);

}  // namespace lampas::ops
