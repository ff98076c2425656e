// Copies between tensors of any type and layout, and fills.
#pragma once
#include "ops/iterator.h"

namespace lampas::cpu {

void copy(const Tensor& to, const Tensor& from);  // `from` broadcasts to the shape of `to`
void copy(const Plan& plan);                      // operand 1 into operand 0
// The dimension along which operand 1 is contiguous while operand 0 is so along the first; 0 when
// copying one into the other is no transposition.
size_t transposed_dim(const Plan& plan);
void fill(const Tensor& x, const Scalar& value);

}  // namespace lampas::cpu
