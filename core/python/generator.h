// lampas.Generator.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace lampas::python {

void add_generator(PyObject* module);  // Generator and default_generator

}  // namespace lampas::python
