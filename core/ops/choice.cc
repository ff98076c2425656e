// Gradients go back to the elements that were chosen.
#include "ops/choice.h"

#include "ops/copy.h"

namespace lampas::ops {

namespace {

Tensor put_back(const Tensor& g, const Tensor& indices, int64_t d, const Dims& sizes,
                bool repeats) {
  Tensor nothing = zeros(sizes, g.dtype(), g.device());
  return repeats ? scatter_add(nothing, d, indices, g) : scatter(nothing, d, indices, g);
}

}  // namespace

void record_choice(Tensor& values, const char* node, const Tensor& x, const Tensor& indices,
                   int64_t d, bool keepdim) {
  if (!tape::needs_grad(x)) return;
  bool drop = !keepdim && x.dim() > 0;
  tape::record(values, node, {x}, {indices},
               [d, drop, sizes = x.sizes()](const tape::Backward& b) -> Tensors {
                 Tensor g = b.g, at = b.saved(0);
                 if (drop) g = unsqueeze(g, d), at = unsqueeze(at, d);
                 return {put_back(g, at, d, sizes, false)};
               });
}

void record_choices(Tensor& values, const char* node, const Tensor& x, const Tensor& indices,
                    int64_t d, bool repeats) {
  if (!tape::needs_grad(x)) return;
  tape::record(values, node, {x}, {indices},
               [d, repeats, sizes = x.sizes()](const tape::Backward& b) -> Tensors {
                 return {put_back(b.g, b.saved(0), d, sizes, repeats)};
               });
}

}  // namespace lampas::ops
