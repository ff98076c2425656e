// x[key] and x[key] = value.
#pragma once
#include "python/object.h"

namespace lampas::python {

PyObject* tensor_getitem(const Tensor& x, PyObject* key);             // new reference; throws
int tensor_setitem(const Tensor& x, PyObject* key, PyObject* value);  // 0; throws

}  // namespace lampas::python
