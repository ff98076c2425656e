// A vector times a matrix of any strides.
#pragma once
#include "cpu/gemm.h"

namespace lampas::cpu {

// y (b.cols elements, y_step apart) = or += x (b.rows elements, x_step apart) @ b. Pieces run on
// the pool; each element is summed in an order that depends on b's sizes and strides alone.
template <class T>
void gemv(const T* x, int64_t x_step, const Strided<T>& b, T* y, int64_t y_step, bool add);

}  // namespace lampas::cpu
