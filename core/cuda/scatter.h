// gather and scatter: cpu/scatter.h on a GPU. Elements that meet are combined in any order.
#pragma once
#include "cpu/scatter.h"

namespace lampas::cuda {

struct On;

void gather(On, Tensor& y, const Tensor& x, int64_t d, const Tensor& index, cpu::Bounds bounds);
void add_strided(On, const Tensor& y, const Tensor& g);
void scatter(On, Tensor& y, int64_t d, const Tensor& index, const Tensor& source,
             cpu::Combine combine, cpu::Bounds bounds, const char* name);

// Combines n elements by a kernel of device/scatter.h; `name` for types it is not there for.
void run_combining(DType dtype, cpu::Combine combine, int64_t n, const char* name,
                   const void* arguments, int device, const char* what);

}  // namespace lampas::cuda
