// Declarations of all primitives, from primitives.def.
#pragma once
#include <string>
#include <tuple>

#include "runtime/tensor.h"

namespace lampas {
class Generator;
}

namespace lampas::ops {

// Several results; names without commas, as macro arguments need them.
using Pair = std::tuple<Tensor, Tensor>;
using Triple = std::tuple<Tensor, Tensor, Tensor>;

#define PRIMITIVE(result, name, params, python, forms) result name params;
#define OVERLOAD(result, name, spelled, params, python, forms) result name params;
#include "ops/primitives.def"
#undef PRIMITIVE
#undef OVERLOAD

}  // namespace lampas::ops
