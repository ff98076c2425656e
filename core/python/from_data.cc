// tensor(data): nested sequences to memory, and back by tolist().
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
    if (first)
      for (int64_t s : x.sizes()) sizes.push_back(s);
    CHECK_KIND(sizes.size() == depth + static_cast<size_t>(x.dim()), Value,
               "only one element tensors can be converted to Python scalars");
    for (int64_t d = 0; d < x.dim(); ++d)
      CHECK_KIND(sizes[depth + d] == x.size(d), Value, "expected sequence of length ",
                 sizes[depth + d], " at dim ", depth + d, " (got ", x.size(d), ")");
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
    if (first) sizes.push_back(n);
    CHECK_KIND(depth < sizes.size(), Type, "not a sequence");
    CHECK_KIND(sizes[depth] == n, Value, "expected sequence of length ", sizes[depth], " at dim ",
               depth, " (got ", n, ")");
    Object fast(checked(PySequence_Fast(o, "not a sequence")));
    for (Py_ssize_t i = 0; i < n; ++i)
      measure(PySequence_Fast_GET_ITEM(fast.get(), i), depth + 1, sizes, seen, first && i == 0);
    return;
  }
  if (!is_number(o)) {
    if (PyUnicode_Check(o) && depth > 0) fail(ErrorKind::Value, "too many dimensions 'str'");
    if (PyUnicode_Check(o)) fail(ErrorKind::Type, "new(): invalid data type 'str'");
    fail("Could not infer dtype of ", short_name(o));
  }
  if (depth != sizes.size()) fail(ErrorKind::Type, "not a sequence");
  seen.number(o);
}

template <class T>
void fill(PyObject* o, size_t depth, const Dims& sizes, T*& at) {
  if (is_tensor(o) || is_array(o)) {
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
    Scalar s = to_scalar(o);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (s.is_integral() && !s.is_unsigned()) {
        int64_t v = s.to<int64_t>();
        // Unsigned targets take negative numbers modulo their range, as PyTorch does for uint8.
        bool fits = std::is_same_v<T, uint64_t> ||
                    (v >= static_cast<int64_t>(std::numeric_limits<T>::min()) &&
                     v <= static_cast<int64_t>(std::numeric_limits<T>::max())) ||
                    (std::is_unsigned_v<T> && v < 0);
        CHECK(fits, "value cannot be converted to type ",
              label(dtype_of<T>) == "Byte"    ? "uint8_t"
              : label(dtype_of<T>) == "Char"  ? "int8_t"
              : label(dtype_of<T>) == "Short" ? "int16_t"
              : label(dtype_of<T>) == "Int"   ? "int"
                                              : "int64_t",
              " without overflow");
      }
    }
    *at++ = s.to<T>();
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
    fill<T>(data, 0, sizes, at);
  });
  return x;
}

PyObject* to_list(const Tensor& x) {
  CHECK(!x.is_meta(), "Cannot copy out of meta tensor; no data!");
  return list_of(x, 0, x.offset());
}

}  // namespace lampas::python
