// tensor(data): nested sequences to memory, and back by tolist().
#include <algorithm>
#include <cmath>

#include "ops/primitives.h"
#include "python/exchange.h"
#include "tape/history.h"

namespace lampas::python {

namespace {

bool is_array(PyObject* o) {
  return !is_tensor(o) && PyObject_CheckBuffer(o) && !PyBytes_Check(o) && !PyByteArray_Check(o) &&
         PyObject_HasAttrString(o, "dtype");
}
bool is_sequence(PyObject* o) {
  return PyList_Check(o) || PyTuple_Check(o) ||
         (PySequence_Check(o) && !PyUnicode_Check(o) && !PyBytes_Check(o) && !is_tensor(o) &&
          !is_number(o));
}

// What was seen among the leaves: enough to choose the type.
struct Seen {
  bool any = false, floating = false, complex = false, integer = false;
  Optional<DType> typed;  // of tensors and arrays among them

  void number(PyObject* o) {
    any = true;
    if (PyBool_Check(o)) return;
    if (PyFloat_Check(o))
      floating = true;
    else if (PyComplex_Check(o))
      complex = true;
    else if (PyLong_Check(o))
      integer = true;
    else {
      Scalar s = to_scalar(o);
      floating = floating || s.is_floating();
      complex = complex || s.is_complex();
      integer = integer || (s.is_integral() && !s.is_bool());
    }
  }
  void type(DType d) {
    any = true;
    typed = typed && *typed != d ? wider(*typed, d) : d;
  }
  static DType wider(DType a, DType b) {
    auto rank = [](DType d) {
      return d == DType::Bool ? 0 : is_complex(d) ? 3 : is_floating(d) ? 2 : 1;
    };
    if (rank(a) != rank(b)) return rank(a) > rank(b) ? a : b;
    return item_size(a) >= item_size(b) ? a : b;
  }
  DType result() const {
    DType plain = complex    ? complex_of(default_dtype())
                  : floating ? default_dtype()
                  : integer  ? DType::Int64
                             : DType::Bool;
    if (!any) return default_dtype();
    if (!typed) return plain;
    bool numbers = complex || floating || integer;
    return numbers ? wider(*typed, plain) : *typed;
  }
};

std::string short_name(PyObject* o) {
  const char* dot = strrchr(Py_TYPE(o)->tp_name, '.');
  return dot ? dot + 1 : Py_TYPE(o)->tp_name;
}

void measure(PyObject* o, size_t depth, Dims& sizes, Seen& seen, bool first) {
  if (depth > 128) fail(ErrorKind::Value, "too many dimensions '", short_name(o), "'");
  if (is_tensor(o)) {
    const Tensor& x = unwrap(o);
    if (depth == 0) sizes = x.sizes();
    CHECK_KIND(depth == 0 || x.numel() == 1, Value,  // inside a sequence it counts as a number
               "only one element tensors can be converted to Python scalars");
    seen.type(x.dtype());
    return;
  }
  if (is_array(o)) {
    Tensor x = from_buffer(o, false);
    if (first)
      for (int64_t s : x.sizes()) sizes.push_back(s);
    CHECK_KIND(sizes.size() == depth + static_cast<size_t>(x.dim()), Value,
               "expected sequence of length ", sizes[depth], " at dim ", depth);
    for (int64_t d = 0; d < x.dim(); ++d)
      CHECK_KIND(sizes[depth + d] == x.size(d), Value, "expected sequence of length ",
                 sizes[depth + d], " at dim ", depth + d, " (got ", x.size(d), ")");
    seen.type(x.dtype());
    return;
  }
  if (is_sequence(o)) {
    Py_ssize_t n = PySequence_Size(o);
    if (n < 0) throw PythonError();
    if (n == 0) seen.any = seen.floating = true;  // nothing is of the default type
    if (first) sizes.push_back(n);
    if (depth >= sizes.size())
      return;  // deeper than the first: refused when it is read as a number
    bool empty = std::count(sizes.begin(), sizes.end(), 0);
    CHECK_KIND(sizes[depth] == n || empty, Value, "expected sequence of length ", sizes[depth],
               " at dim ", depth, " (got ", n, ")");
    Object fast(checked(PySequence_Fast(o, "not a sequence")));
    for (Py_ssize_t i = 0; i < n; ++i)
      measure(PySequence_Fast_GET_ITEM(fast.get(), i), depth + 1, sizes, seen, first && i == 0);
    return;
  }
  if (!is_number(o)) {
    bool text = PyUnicode_Check(o);
    if (text && depth > 0 && first) fail(ErrorKind::Value, "too many dimensions 'str'");
    if (text || PyBytes_Check(o))
      fail(ErrorKind::Type, "new(): invalid data type '", short_name(o), "'");
    fail("Could not infer dtype of ", short_name(o));
  }
  bool empty = std::count(sizes.begin(), sizes.end(), 0);
  if (depth != sizes.size() && !empty) fail(ErrorKind::Type, "not a sequence");
  seen.number(o);
}

template <class T>
[[noreturn]] void fail_overflow() {
  fail("value cannot be converted to type ", python_name(dtype_of<T>), " without overflow");
}

// The number as T, or PyTorch's refusal.
template <class T>
T number_as(PyObject* o) {
  constexpr bool whole = std::is_integral_v<T> && !std::is_same_v<T, bool>;
  bool number = is_number(o) || is_tensor(o);
  CHECK_KIND(number || !whole, Type, "'", short_name(o),
             "' object cannot be interpreted as an integer");
  CHECK_KIND(number, Type, "must be real number, not ", short_name(o));
  if (PyLong_Check(o) && !PyBool_Check(o) && (is_floating_v<T> || std::is_same_v<T, uint64_t>)) {
    if constexpr (std::is_same_v<T, uint64_t>) {
      uint64_t v = PyLong_AsUnsignedLongLong(o);
      if (v == UINT64_MAX && PyErr_Occurred()) throw PythonError();
      return v;
    } else {
      double v = PyLong_AsDouble(o);
      if (v == -1 && PyErr_Occurred()) throw PythonError();
      return Scalar(v).to<T>();
    }
  }
  if (PyLong_Check(o)) {
    int overflow = 0;
    PyLong_AsLongLongAndOverflow(o, &overflow);
    CHECK_KIND(!overflow, Value, "Overflow when unpacking long long");
  }
  Scalar s = is_tensor(o) ? element(view_of(unwrap(o), {}, {}, unwrap(o).offset())) : to_scalar(o);
  CHECK_KIND(!s.is_complex() || is_complex_v<T> || !whole, Type,
             "'complex' object cannot be interpreted as an integer");
  CHECK_KIND(!s.is_complex() || !is_floating_v<T>, Type, "must be real number, not complex");
  if constexpr (whole) {
    CHECK_KIND(!is_tensor(o) || s.is_integral(), Type,
               "only integer tensors of a single element can be converted to an index");
    if (s.is_integral() && !s.is_unsigned()) {
      int64_t v = s.to<int64_t>();
      constexpr int64_t most = std::is_same_v<T, uint64_t>
                                   ? INT64_MAX
                                   : static_cast<int64_t>(std::numeric_limits<T>::max());
      // Unsigned types take negative numbers modulo their range.
      int64_t least =
          std::is_unsigned_v<T> ? -most : static_cast<int64_t>(std::numeric_limits<T>::min());
      if (v < least || v > most) fail_overflow<T>();
    } else if (s.is_floating()) {
      double v = std::trunc(s.real()), end = std::ldexp(1.0, std::numeric_limits<T>::digits);
      if (!(v >= static_cast<double>(std::numeric_limits<T>::min()) && v < end)) fail_overflow<T>();
    }
  }
  return s.to<T>();
}

template <class T>
void fill(PyObject* o, size_t depth, const Dims& sizes, T*& at) {
  if (depth == 0 ? is_tensor(o) || is_array(o) : is_array(o)) {
    Tensor x = is_tensor(o) ? unwrap(o) : from_buffer(o, false);
    Tensor target = empty(x.sizes(), dtype_of<T>);
    tape::NoGrad off;
    tape::arithmetic.copy_(target, x);
    if (x.numel())
      std::memcpy(static_cast<void*>(at), target.raw(), static_cast<size_t>(x.numel()) * sizeof(T));
    at += x.numel();
    return;
  }
  if (depth == sizes.size()) {
    *at++ = number_as<T>(o);
    return;
  }
  Object fast(checked(PySequence_Fast(o, "not a sequence")));
  CHECK(PySequence_Fast_GET_SIZE(fast.get()) == sizes[depth],
        "the sequence changed while it was read");
  for (Py_ssize_t i = 0; i < sizes[depth]; ++i)
    fill(PySequence_Fast_GET_ITEM(fast.get(), i), depth + 1, sizes, at);
}

PyObject* list_of(const Tensor& x, int64_t d, int64_t offset) {
  if (d == x.dim()) {
    Tensor one = view_of(x, {}, {}, offset);
    return wrap(element(one));
  }
  PyObject* list = checked(PyList_New(static_cast<Py_ssize_t>(x.size(d))));
  for (int64_t i = 0; i < x.size(d); ++i)
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), list_of(x, d + 1, offset + i * x.stride(d)));
  return list;
}

}  // namespace

Tensor from_data(PyObject* data, Optional<DType> dtype) {
  Dims sizes;
  Seen seen;
  measure(data, 0, sizes, seen, true);
  Tensor x = empty(sizes, dtype.value_or(seen.result()));
  dispatch<Everything>(x.dtype(), "tensor", [&](auto tag) {
    using T = decltype(tag);
    T* at = x.data<T>();
    if (x.numel()) fill<T>(data, 0, sizes, at);
  });
  return x;
}

PyObject* to_list(const Tensor& x) {
  CHECK(!x.is_meta(), "Cannot copy out of meta tensor; no data!");
  Tensor here = on_host(x);
  return list_of(here, 0, here.offset());
}

}  // namespace lampas::python
