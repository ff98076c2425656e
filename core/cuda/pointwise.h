// Runs the kernels of the pointwise rows. The texts are made in pointwise_text.cc.
#pragma once
#include "cuda/pointwise_text.h"
#include "ops/iterator.h"

namespace lampas::cuda {

// The written operand first, then what `operands_of` names. In the plan a number has dtype
// Undefined and its address is that of a Scalar.
void run_row(rows::Row row, int which, DType lane, const Plan& plan, const Scalar* params,
             int device);
// Copies, converts, broadcasts: operand 1 of the plan into operand 0.
void run_copy(const Plan& plan, int device);

}  // namespace lampas::cuda
