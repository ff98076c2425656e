// Tile kernels of the pointwise rows. Strides, broadcasting and conversion are the driver's
// (ops/pointwise.cc): a tile sees contiguous operands of one type.
#pragma once
#include "ops/rows.h"

namespace lampas::cpu {

// `compute` is Float, Double, ComplexFloat, ComplexDouble, UInt8, Int8, Int16, Int32, Int64 or
// Bool; null when the row has no kernel for that type.
rows::Tile forward_tile(rows::Row row, DType compute);
// The gradient of one input, from operands dx, g, inputs..., y.
rows::Tile backward_tile(rows::Row row, int input, DType compute);

}  // namespace lampas::cpu
