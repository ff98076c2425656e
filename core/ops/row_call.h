// The door through which the Python layer calls a row: parsed arguments in, a tensor out.
#pragma once
#include "ops/pointwise.h"

namespace lampas::ops {

enum class Form : uint8_t { Function, Inplace };

struct RowArgs {
  Tensor inputs[3];
  bool is_scalar[3] = {};  // then scalars[i] is the operand, and no tensor is made for it
  Scalar scalars[3];
  Scalar params[6];  // as many as Info::params; None arrives as NaN
  Tensor out;        // defined: the result is written there
};

// The result; for Inplace inputs[0], for out= the tensor given.
Tensor call(rows::Row row, RowArgs& args, Form form);

}  // namespace lampas::ops
