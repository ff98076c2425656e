// A contiguous tensor seen along one dimension: outer x n x inner elements. A line is n elements,
// `inner` apart.
#pragma once
#include "runtime/tensor.h"

namespace lampas {

struct Lines {
  int64_t outer = 1, n = 1, inner = 1;

  Lines() = default;
  Lines(const Tensor& x, int64_t d) {  // 0 <= d < max(dim, 1); a 0-d tensor is one line of one
    for (int64_t i = 0; i < x.dim(); ++i) (i < d ? outer : i == d ? n : inner) *= x.size(i);
  }
  int64_t count() const { return outer * inner; }
  int64_t numel() const { return outer * n * inner; }
  // Offset of the first element of line i; i counts (outer, inner).
  int64_t start(int64_t i) const { return i / inner * n * inner + i % inner; }
};

}  // namespace lampas
