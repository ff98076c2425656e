// What the tensor type needs of the autograd part of the Python layer.
#pragma once
#include "python/object.h"

namespace lampas::python {

PyObject* wrap_node(const Ref<tape::Node>& node);  // None for null
// PyTorch's checks; `refusal` is what it says of integers, which differs from caller to caller.
void set_requires_grad(const Tensor& x, bool on,
                       const char* refusal =
                           "Only Tensors of floating point and complex dtype can "
                           "require gradients");
void retain_gradient(const Tensor& x);
PyObject* construct_tensor(PyTypeObject* type, PyObject* args,
                           PyObject* kwargs);  // Tensor(...), legacy

}  // namespace lampas::python
