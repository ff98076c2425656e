// Pooling: cpu/pooling.h on a GPU. Tensors are contiguous, or all have their channels last in
// memory.
#pragma once
#include "cpu/pooling.h"

namespace lampas::cuda {

struct On;

void max_pool(On, const Tensor& y, const Tensor& indices, const Tensor& x, const cpu::PoolShape& s,
              const char* name);
void max_pool_backward(On, const Tensor& dx, const Tensor& g, const Tensor& indices,
                       const cpu::PoolShape& s);
void average_pool(On, const Tensor& y, const Tensor& x, const cpu::PoolShape& s, const char* name);
void average_pool_backward(On, const Tensor& dx, const Tensor& g, const cpu::PoolShape& s,
                           const char* name);

}  // namespace lampas::cuda
