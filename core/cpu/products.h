// Kernels of the gradient of prod.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// y[i] = product of its line without x[i]; lines of n neighbouring elements, x and y contiguous.
void product_of_others(const Tensor& y, const Tensor& x, int64_t n);
void fill_diagonal_mask(const Tensor& mask);  // (n, n) bool: true on the diagonal

}  // namespace lampas::cpu
