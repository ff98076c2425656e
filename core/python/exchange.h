// Data crossing between Python and tensors.
#pragma once
#include "python/object.h"

namespace lampas::python {

// A tensor holding a copy of nested sequences, numbers, arrays or tensors.
Tensor from_data(PyObject* data, Optional<DType> dtype);
// Zero-copy over anything with the buffer protocol. `what` names the source in messages.
Tensor from_buffer(PyObject* object, bool writable);
PyObject* to_list(const Tensor& x);
int get_buffer(PyObject* self, Py_buffer* view, int flags);  // Tensor's bf_getbuffer
void release_view(PyObject* self, Py_buffer* view);
PyObject* wrap_storage(Ref<Storage> storage);

}  // namespace lampas::python
