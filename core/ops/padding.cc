// Borders whose elements come from the inside (reflected, replicated): one gather. Constant borders
// are in joining.cc; which element stands where is decided in nn/functional/padding.py.
#include "ops/copy.h"
#include "ops/primitives.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;

// x: (..., its last dimensions). index: for every element of the result's last dimensions
// `extents`, in order, the place in x's last dimensions as one number.
Tensor _pad_from_inside(const Tensor& x, const Tensor& index, Span extents,
                        const std::string& node) {
  size_t lead = x.sizes().size() - extents.size();
  Dims rows(Span(x.sizes()).first(lead)), result = rows;
  int64_t places = 1;
  for (size_t d = lead; d < x.sizes().size(); ++d) places *= x.sizes()[d];
  rows.push_back(places);
  for (int64_t extent : extents) result.push_back(extent);
  Tensor y;
  {
    tape::NoGrad off;
    y = reshape(index_select(reshape(x, rows), -1, index), result);
  }
  if (!tape::needs_grad(x)) return y;
  // Names outlive their nodes: there are six of them.
  static const std::string names[] = {"ReflectionPad1DBackward0",  "ReflectionPad2DBackward0",
                                      "ReflectionPad3DBackward0",  "ReplicationPad1DBackward0",
                                      "ReplicationPad2DBackward0", "ReplicationPad3DBackward0"};
  const std::string* name = std::find(std::begin(names), std::end(names), node);
  CHECK(name != std::end(names), "_pad_from_inside: no node is called ", node);
  tape::record(y, name->c_str(), {x}, {index}, [rows, from = x.sizes()](const Backward& b) {
    Dims flat = rows;
    Tensor index = b.saved(0);
    flat[flat.size() - 1] = index.numel();
    Tensor inside =
        index_add(zeros(rows, b.g.dtype(), b.g.device()), -1, index, reshape(b.g, flat), Scalar(1));
    return Tensors{reshape(inside, from)};
  })->piecewise = true;
  return y;
}

}  // namespace lampas::ops
