// Kernels of gather and scatter: one index per element, along one dimension.
#pragma once
#include "cpu/combine.h"
#include "cpu/indexing.h"
#include "runtime/tensor.h"

namespace lampas::cpu {

// y[..., j, ...] = x[..., index[..., j, ...], ...] along d; y has the shape of index.
void gather(Tensor& y, const Tensor& x, int64_t d, const Tensor& index, Bounds bounds);
// y[..., index[..., j, ...], ...] takes in source[..., j, ...]; a source stride may be 0. Elements
// that meet are combined in order of j.
void scatter(Tensor& y, int64_t d, const Tensor& index, const Tensor& source, Combine combine,
             Bounds bounds, const char* name);

}  // namespace lampas::cpu
