// Operators that have no kernels for a GPU, called with tensors or a device of one: they run on the
// CPU.
#pragma once
#include "python/operator.h"
#include "python/override.h"

namespace lampas::python {

// Marks the operators that work on memory of a GPU as they are.
void mark_operators_on_device();

// Does any argument lie on a GPU, or ask for a result there?
bool names_device(const Overload& overload, PyObject* const* slots);
// The overload on copies of the arguments on the host (recorded: gradients flow through them),
// results moved to the device, what was written to a copy written to the argument too.
PyObject* invoke_on_host(const Operator& op, const Overload& overload, PyObject** slots);

inline PyObject* invoke(const Operator& op, const Overload& overload, PyObject** slots) {
  if (!op.on_device && overriding.devices && names_device(overload, slots)) [[unlikely]]
    return invoke_on_host(op, overload, slots);
  return overload.invoke(slots, overload.context);
}

}  // namespace lampas::python
