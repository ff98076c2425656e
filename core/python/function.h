// autograd.Function: a node whose backward is a Python method.
#pragma once
#include "python/object.h"

namespace lampas::python {

void add_function(PyObject* module);

}  // namespace lampas::python
