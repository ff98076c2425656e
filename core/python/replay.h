// Running what was recorded: one C++ call for the whole function.
#pragma once
#include "python/recording.h"

namespace lampas::python {

// The result of a recorded function for these inputs (in the order of Recording::input). Throws.
PyObject* replay(const Recording& recording, PyObject* const* inputs, const Template& output);

}  // namespace lampas::python
