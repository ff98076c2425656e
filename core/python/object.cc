// Wrapping numbers and turning exceptions into Python's.
#include "python/object.h"

#include "ops/copy.h"
#include "python/recording.h"
#include "tape/tape.h"

#include <new>
#include <utility>

namespace lampas::python {

void fail_not_tensor(PyObject* o) {
  fail(ErrorKind::Type, "expected a torch.Tensor, but got ", type_name(o));
}

bool is_number(PyObject* o) {
  if (PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o)) return true;
  if (is_tensor(o)) return unwrap(o).dim() == 0 && !unwrap(o)->requires_grad;
  PyNumberMethods* m = Py_TYPE(o)->tp_as_number;
  // NumPy scalars: they convert, and are not containers.
  return m && (m->nb_index || m->nb_float) && !PySequence_Check(o) && !PyObject_CheckBuffer(o)
             ? true
             : m && (m->nb_index || m->nb_float) && PyObject_HasAttrString(o, "dtype") &&
                   PyObject_HasAttrString(o, "item") && !PySequence_Check(o);
}

bool is_integer(PyObject* o) {
  if (PyLong_Check(o)) return !PyBool_Check(o);
  if (PyFloat_Check(o)) return false;
  if (is_tensor(o)) return unwrap(o).numel() == 1 && is_integral(unwrap(o).dtype());
  return PyIndex_Check(o);
}

int64_t to_int(PyObject* o) {
  if (is_tensor(o)) return element(unwrap(o)).to<int64_t>();
  Object index(PyNumber_Index(o));
  checked(index.get());
  long long v = PyLong_AsLongLong(index.get());
  if (v == -1 && PyErr_Occurred()) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
      PyErr_Clear();
      fail(ErrorKind::Runtime, "Overflow when unpacking long");
    }
    throw PythonError();
  }
  return v;
}

double to_double(PyObject* o) {
  if (PyFloat_Check(o)) return PyFloat_AS_DOUBLE(o);
  if (is_tensor(o)) return element(unwrap(o)).to<double>();
  double v = PyFloat_AsDouble(o);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

Scalar to_scalar(PyObject* o) {
  if (PyFloat_Check(o)) return PyFloat_AS_DOUBLE(o);
  if (PyBool_Check(o)) return o == Py_True;
  if (PyLong_Check(o)) {
    int overflow = 0;
    long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow > 0) {
      unsigned long long u = PyLong_AsUnsignedLongLong(o);
      if (u == static_cast<unsigned long long>(-1) && PyErr_Occurred()) {
        PyErr_Clear();
        fail(ErrorKind::Runtime, "Overflow when unpacking long");
      }
      return Scalar::unsigned_int(u);
    }
    if (overflow < 0) fail(ErrorKind::Runtime, "Overflow when unpacking long");
    return static_cast<int64_t>(v);
  }
  if (PyComplex_Check(o)) {
    Py_complex c = PyComplex_AsCComplex(o);
    return ComplexDouble(c.real, c.imag);
  }
  if (is_tensor(o)) return element(unwrap(o));
  if (PyIndex_Check(o)) {
    Object index(checked(PyNumber_Index(o)));
    Scalar v = to_scalar(index.get());
    // numpy.bool_ has no index in new versions; older ones give a plain int.
    return v;
  }
  if (PyObject_HasAttrString(o, "item")) {
    Object item(checked(PyObject_CallMethod(o, "item", nullptr)));
    if (PyFloat_Check(item.get()) || PyLong_Check(item.get()) || PyComplex_Check(item.get()))
      return to_scalar(item.get());
  }
  return to_double(o);
}

PyObject* wrap(const Scalar& s) {
  switch (s.kind()) {
    case Scalar::Kind::Bool:
      return PyBool_FromLong(s.to<bool>());
    case Scalar::Kind::Int:
      return s.is_unsigned() ? PyLong_FromUnsignedLongLong(s.to<uint64_t>())
                             : PyLong_FromLongLong(s.to<int64_t>());
    case Scalar::Kind::Float:
      return PyFloat_FromDouble(s.to<double>());
    default: {
      ComplexDouble c = s.to<ComplexDouble>();
      return PyComplex_FromDoubles(c.real(), c.imag());
    }
  }
}

namespace {
template <class T>
Scalar number(T v) {
  if constexpr (std::is_same_v<T, uint64_t>)
    return Scalar::unsigned_int(v);
  else if constexpr (std::is_integral_v<T>)
    return static_cast<int64_t>(v);
  else if constexpr (is_complex_v<T>)
    return convert<ComplexDouble>(v);
  else
    return convert<double>(v);
}
}  // namespace

Tensor on_host(const Tensor& x) {
  if (!x.device().is_cuda()) return x;
  tape::NoGrad off;
  return ops::to(x, Device{});
}

Scalar element(const Tensor& x) {
  recording_meets_number();
  CHECK(x.numel() == 1, "a Tensor with ", x.numel(), " elements cannot be converted to Scalar");
  CHECK(!x.is_meta(), "Tensor.item() cannot be called on meta tensors");
  if (x.device().is_cuda()) return element(on_host(x));
  return dispatch<Everything>(x.dtype(), "_local_scalar_dense_cpu", [&](auto tag) -> Scalar {
    using T = decltype(tag);
    if constexpr (std::is_same_v<T, bool>)
      return *x.data<uint8_t>() != 0;  // memory that nobody has written may hold any byte
    else
      return number(*x.data<T>());
  });
}

std::string type_name(PyObject* o) {
  if (is_tensor(o))
    return Py_TYPE(o) == tensor_type           ? "Tensor"
           : strrchr(Py_TYPE(o)->tp_name, '.') ? strrchr(Py_TYPE(o)->tp_name, '.') + 1
                                               : Py_TYPE(o)->tp_name;
  return Py_TYPE(o)->tp_name;
}

namespace {

PyObject* teacher = nullptr;  // called with every new exception of the core; adds hints to it

// Whatever goes wrong in the teacher, the error stays what it was.
void teach() noexcept {
  if (!teacher) return;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  PyObject* done = PyObject_CallOneArg(teacher, value);
  if (!done) PyErr_Clear();
  Py_XDECREF(done);
  PyErr_Restore(type, value, trace);
}

}  // namespace

PyObject* set_teacher(PyObject*, PyObject* f) {
  Py_XDECREF(std::exchange(teacher, f == Py_None ? nullptr : Py_NewRef(f)));
  Py_RETURN_NONE;
}

// Exceptions that the namespace defines.
static void raise_of_cuda(const char* name, const char* text) {
  Object module(PyImport_ImportModule("lampas.cuda"));
  Object type(module ? PyObject_GetAttrString(module.get(), name) : nullptr);
  if (type) PyErr_SetString(type.get(), text);
  teach();
}

void set_error() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
    if (!PyErr_Occurred())
      PyErr_SetString(PyExc_SystemError, "an error without a Python exception");
    return;
  } catch (const Error& e) {
    PyObject* type = PyExc_RuntimeError;
    switch (e.kind) {
      case ErrorKind::Type:
        type = PyExc_TypeError;
        break;
      case ErrorKind::Value:
        type = PyExc_ValueError;
        break;
      case ErrorKind::Index:
        type = PyExc_IndexError;
        break;
      case ErrorKind::NotImplemented:
        type = PyExc_NotImplementedError;
        break;
      case ErrorKind::Overflow:
        type = PyExc_OverflowError;
        break;
      case ErrorKind::Buffer:
        type = PyExc_BufferError;
        break;
      case ErrorKind::Attribute:
        type = PyExc_AttributeError;
        break;
      case ErrorKind::DeviceMemory:
        return raise_of_cuda("OutOfMemoryError", e.what());
      case ErrorKind::Accelerator:
        return raise_of_cuda("AcceleratorError", e.what());
      default:
        break;
    }
    PyErr_SetString(type, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_RuntimeError, "DefaultCPUAllocator: can't allocate memory");
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) {
    PyErr_SetString(PyExc_SystemError, "unknown error in the core");
  }
  teach();
}

}  // namespace lampas::python
