// Element types as the C++ compiler spells them ("long int"), which some of PyTorch's messages
// show. Others show shorter names: see c_name in runtime/dtype.h.
#pragma once
#include "runtime/dtype.h"

namespace lampas::ops {

const char* type_spelling(DType dtype);

}  // namespace lampas::ops
