// What out= must be for operators that ask for more than that a result can be cast to its type.
// PyTorch words the refusal by operator: so does the table here.
#pragma once
#include "runtime/tensor.h"

namespace lampas::ops {

// `result` is about to be written into `out`, the which-th output of the operator.
void check_out_type(const char* op, int64_t which, DType result, DType out);
// Operators that write while they still read: out= may share no memory with an argument, not even
// all of it.
bool out_must_be_apart(const char* op);

}  // namespace lampas::ops
