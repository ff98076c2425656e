// `pin_memory=True` of factories: what they make lies in page-locked memory of the host.
#pragma once
#include "python/operator.h"

namespace lampas::python {

void let_factories_pin();  // once, when all operators are there
// A copy in page-locked memory, recorded; x itself where it lies there already.
Tensor pin_memory(const Tensor& x);

}  // namespace lampas::python
