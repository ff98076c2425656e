// The reduction shared by scatter_reduce and index_reduce.
#pragma once
#include "cpu/indexing.h"
#include "ops/modify.h"

namespace lampas::ops {

struct ScatterStyle {
  const char* node;    // "ScatterReduceBackward0"
  const char* kernel;  // name in "not implemented for" errors
  cpu::Bounds bounds;
};

// y = x with y[index along d] (reduce)= source; `index` is int64 and no larger than source.
Tensor scatter_reduced(const Tensor& x, int64_t d, const Tensor& index, const Tensor& source,
                       const std::string& reduce, bool include_self, const ScatterStyle& style,
                       bool in_place);

}  // namespace lampas::ops
