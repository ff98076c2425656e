// What a row accepts beyond its table entry: kernels by type, defaults of parameters, and the
// refusals that PyTorch words by operator.
#pragma once
#include "ops/pointwise.h"

namespace lampas::ops {

// The type a kernel computes in for operands of this type.
constexpr DType lane_of(DType dtype) {
  switch (dtype) {
    case DType::Half:
    case DType::BFloat16:
      return DType::Float;
    case DType::ComplexHalf:
      return DType::ComplexFloat;
    case DType::UInt16:
      return DType::Int32;
    case DType::UInt32:
    case DType::UInt64:
      return DType::Int64;
    default:
      return dtype;
  }
}

// Raises NotImplementedError, naming `common`, when the row has no kernel for the lane.
rows::Tile kernel_of(rows::Row row, DType lane, DType common);
Scalar default_param(rows::Row row, int param);  // of the signature; None is NaN
void check_rules(rows::Row row, Operands inputs, Params params, DType promoted);
// Rows of which another row takes the last operand as a parameter when it is a number.
bool has_number_form(rows::Row row);
rows::Row number_form(rows::Row row, const Scalar& number);
// The name of grad_fn, and whether numbers among the operands have an edge of their own.
struct NodeName {
  const char* name;
  bool number_edges;
};
NodeName node_name(rows::Row row, Operands inputs);

}  // namespace lampas::ops
