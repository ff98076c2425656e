// Python objects of the core: wrapping and unwrapping tensors, numbers, types, devices.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "tape/tape.h"

namespace lampas::python {

// An owned PyObject*.
class Object {
 public:
  Object() = default;
  explicit Object(PyObject* owned) : p_(owned) {}
  static Object borrow(PyObject* p) {
    Py_XINCREF(p);
    return Object(p);
  }
  Object(Object&& o) noexcept : p_(o.release()) {}
  Object(const Object& o) : p_(o.p_) { Py_XINCREF(p_); }
  Object& operator=(Object o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Object() { Py_XDECREF(p_); }
  PyObject* get() const { return p_; }
  PyObject* release() { return std::exchange(p_, nullptr); }
  explicit operator bool() const { return p_; }

 private:
  PyObject* p_ = nullptr;
};

// Throws PythonError when p is null; returns it otherwise.
inline PyObject* checked(PyObject* p) {
  if (!p) throw PythonError();
  return p;
}

struct TensorObject {
  PyObject_HEAD TensorImpl* impl;  // owned
  PyObject* dict;
  PyObject* weakrefs;
};
extern PyTypeObject* tensor_type;  // lampas.Tensor, printed as torch.Tensor

inline bool is_tensor(PyObject* o) {
  return Py_TYPE(o) == tensor_type || PyType_IsSubtype(Py_TYPE(o), tensor_type);
}
[[noreturn]] void fail_not_tensor(PyObject* o);
// Borrowed view of the tensor inside a Python object; TypeError for other objects.
inline const Tensor& unwrap(PyObject* o) {
  static_assert(sizeof(Tensor) == sizeof(TensorImpl*));
  if (!is_tensor(o)) fail_not_tensor(o);
  return reinterpret_cast<const Tensor&>(reinterpret_cast<TensorObject*>(o)->impl);
}
extern PyTypeObject* opaque_type;                 // of sparse tensors; null before the first one
PyObject* wrap(Tensor x);                         // new reference; None for an undefined tensor
PyObject* wrap_as(PyTypeObject* type, Tensor x);  // a fresh object of a subclass

// Singletons and small types.
extern PyTypeObject *dtype_type, *device_type, *size_type, *token_type;
PyObject* wrap(DType dtype);
PyObject* wrap(Device device);
PyObject* wrap_size(Span sizes);  // torch.Size
bool is_dtype(PyObject* o);
DType to_dtype(PyObject* o);  // a dtype, or Python's float, int, bool, complex
bool is_device(PyObject* o);  // a device, a string, or an int
Device to_device(PyObject* o);
MemoryFormat to_memory_format(PyObject* o);
bool is_memory_format(PyObject* o);
PyObject* wrap(MemoryFormat format);

// Numbers. NumPy scalars count through __index__ / __float__; 0-d tensors through their value.
bool is_number(PyObject* o);
bool is_integer(PyObject* o);  // int, not bool; or has __index__
Scalar to_scalar(PyObject* o);
int64_t to_int(PyObject* o);
double to_double(PyObject* o);
PyObject* wrap(const Scalar& s);
Tensor on_host(const Tensor& x);  // values only; x itself where it lies there
Scalar element(const Tensor& x);  // the one element of a tensor, as a number

// Runs f, turning C++ exceptions into the Python exception they name. Returns `failed` then.
void set_error() noexcept;  // to be called inside a catch block
PyObject* set_teacher(PyObject*,
                      PyObject* f);  // f(exception) is called by set_error; None: nothing
template <class F>
auto guarded(F&& f, decltype(f()) failed = {}) noexcept -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    set_error();
    return failed;
  }
}

std::string type_name(PyObject* o);  // as error messages spell it

}  // namespace lampas::python
