// From Python objects to the C++ parameter types of operators, and from their results back.
#pragma once
#include <string>
#include <tuple>

#include "python/object.h"

namespace lampas {
class Generator;
}

namespace lampas::python {

Generator* to_generator(PyObject* o);  // None: null
bool is_generator(PyObject* o);

// Arg<T>: accepts(o) decides between overloads; get(o) converts; `name` is for error messages.
template <class T>
struct Arg;

template <>
struct Arg<Tensor> {
  static constexpr const char* name = "Tensor";
  static bool accepts(PyObject* o) { return is_tensor(o); }
  static Tensor get(PyObject* o) { return o == Py_None ? Tensor() : unwrap(o); }
};
template <>
struct Arg<int64_t> {
  static constexpr const char* name = "int";
  static bool accepts(PyObject* o) { return is_integer(o); }
  static int64_t get(PyObject* o) { return to_int(o); }
};
template <>
struct Arg<double> {
  static constexpr const char* name = "float";
  static bool accepts(PyObject* o) {
    return PyFloat_Check(o) || (is_number(o) && !PyComplex_Check(o));
  }
  static double get(PyObject* o) { return to_double(o); }
};
template <>
struct Arg<bool> {
  static constexpr const char* name = "bool";
  static bool accepts(PyObject* o) {
    return PyBool_Check(o) || (!PyLong_Check(o) && !PyFloat_Check(o) && !is_tensor(o) &&
                               PyObject_HasAttrString(o, "dtype") && is_number(o));
  }
  static bool get(PyObject* o) {
    int v = PyObject_IsTrue(o);
    if (v < 0) throw PythonError();
    return v;
  }
};
template <>
struct Arg<Scalar> {
  static constexpr const char* name = "Number";
  static bool accepts(PyObject* o) { return is_number(o); }
  static Scalar get(PyObject* o) { return to_scalar(o); }
};
template <>
struct Arg<DType> {
  static constexpr const char* name = "torch.dtype";
  static bool accepts(PyObject* o) { return is_dtype(o); }
  static DType get(PyObject* o) { return to_dtype(o); }
};
template <>
struct Arg<Device> {
  static constexpr const char* name = "torch.device";
  static bool accepts(PyObject* o) { return is_device(o); }
  static Device get(PyObject* o) { return o == Py_None ? Device{} : to_device(o); }
};
template <>
struct Arg<MemoryFormat> {
  static constexpr const char* name = "torch.memory_format";
  static bool accepts(PyObject* o) { return is_memory_format(o); }
  static MemoryFormat get(PyObject* o) { return to_memory_format(o); }
};
template <>
struct Arg<std::string> {
  static constexpr const char* name = "str";
  static bool accepts(PyObject* o) { return PyUnicode_Check(o); }
  static std::string get(PyObject* o) {
    const char* text = PyUnicode_AsUTF8(o);
    if (!text) throw PythonError();
    return text;
  }
};
template <>
struct Arg<Generator*> {
  static constexpr const char* name = "torch.Generator";
  static bool accepts(PyObject* o) { return o == Py_None || is_generator(o); }
  static Generator* get(PyObject* o) { return to_generator(o); }
};
template <>
struct Arg<Dims> {
  static constexpr const char* name = "tuple of ints";
  static bool accepts(PyObject* o);
  static Dims get(PyObject* o);
};
template <>
struct Arg<Span> : Arg<Dims> {};
template <>
struct Arg<Tensors> {
  static constexpr const char* name = "tuple of Tensors";
  static bool accepts(PyObject* o);
  static Tensors get(PyObject* o);
};
template <>
struct Arg<GappedTensors> {
  static constexpr const char* name = Arg<Tensors>::name;
  static bool accepts(PyObject* o);
  static GappedTensors get(PyObject* o) { return Arg<Tensors>::get(o); }
};
template <class T>
struct Arg<Optional<T>> {
  static constexpr const char* name = Arg<T>::name;
  static bool accepts(PyObject* o) { return o == Py_None || Arg<T>::accepts(o); }
  static Optional<T> get(PyObject* o) {
    if (o == Py_None) return {};
    return Arg<T>::get(o);
  }
};

// What a converted argument is held as while the operator runs (a Span needs something to point
// to).
template <class T>
struct held {
  using type = T;
};
template <>
struct held<Span> {
  using type = Dims;
};
template <class T>
using held_t = typename held<std::remove_cvref_t<T>>::type;

// Results.
inline PyObject* result(Tensor x) { return wrap(std::move(x)); }
PyObject* result(const Tensors& xs);  // a tuple
inline PyObject* result(int64_t v) { return PyLong_FromLongLong(v); }
inline PyObject* result(bool v) { return PyBool_FromLong(v); }
inline PyObject* result(double v) { return PyFloat_FromDouble(v); }
inline PyObject* result(const Scalar& v) { return wrap(v); }
inline PyObject* result(DType v) { return wrap(v); }
inline PyObject* result(const Dims& v) { return wrap_size(v); }
template <class... Ts>
PyObject* result(const std::tuple<Ts...>& values) {
  PyObject* tuple = checked(PyTuple_New(sizeof...(Ts)));
  Py_ssize_t i = 0;
  std::apply([&](const auto&... v) { (PyTuple_SET_ITEM(tuple, i++, result(v)), ...); }, values);
  return tuple;
}

}  // namespace lampas::python
