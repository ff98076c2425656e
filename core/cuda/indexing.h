// Kernels that find elements through index tensors: cpu/indexing.h on a GPU.
#pragma once
#include "cpu/indexing.h"

namespace lampas::cuda {

struct On;

void index_offsets(On, Tensor& offsets, const Tensor& index, int64_t size, int64_t stride,
                   int64_t dim, cpu::Bounds bounds, bool accumulate);
void linear_offsets(On, Tensor& offsets, const Tensor& index, const Tensor& x, cpu::Bounds bounds);
void index(On, Tensor& y, const Tensor& x, const Tensor& offsets, const cpu::IndexPlan& plan);
// Elements that meet are combined in any order; for index_put itself, sums have that of the index.
void index_put(On, Tensor& x, const Tensor& values, const Tensor& offsets,
               const cpu::IndexPlan& plan, cpu::Combine combine, const char* name);
void count_index(On, Tensor& counts, const Tensor& index);
void renorm_rows(On, Tensor& weight, const Tensor& index, double max_norm, double norm_type);

}  // namespace lampas::cuda
