// Python's x[key] and x[key] = value: the key is read from left to right; ints, slices, None and
// Ellipsis become views at once, everything else becomes index tensors applied together at the end.
#include "python/indexing.h"

#include "ops/copy.h"
#include "ops/indexing.h"
#include "ops/iterator.h"
#include "ops/primitives.h"
#include "python/exchange.h"
#include "tape/history.h"

namespace lampas::python {

namespace {

// The state of a key half read: x as cut so far, and where the next item applies.
struct Reading {
  Tensor x;
  int64_t dim = 0;    // of x
  int64_t named = 0;  // dimension of the tensor that was indexed, for messages
  Tensors indices;    // by dimension of x; empty while there is no advanced index

  void advanced(Tensor index) {
    indices.resize(static_cast<size_t>(dim));
    indices.push_back(std::move(index));
  }
};

Tensor pick(const Tensor& x, int64_t dim, int64_t index, int64_t named) {
  CHECK_KIND(
      x.dim() > 0, Index,
      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
      "to convert a 0-dim tensor to a number");
  int64_t size = dim < x.dim() ? x.size(dim) : 0;
  CHECK_KIND(index >= -size && index < size, Index, "index ", index,
             " is out of bounds for dimension ", named, " with size ", size);
  return ops::select(x, dim, index);
}

int64_t slice_bound(PyObject* o, int64_t missing) {
  if (o == Py_None) return missing;
  if (is_tensor(o)) return to_int(o);
  CHECK_KIND(PyIndex_Check(o), Type,
             "slice indices must be integers or None or have an __index__ method");
  Py_ssize_t v = PyNumber_AsSsize_t(o, nullptr);  // clamps, as Python's own slices do
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

Tensor cut(const Tensor& x, int64_t dim, PyObject* key) {
  CHECK_KIND(x.dim() > 0, Index, "slice() cannot be applied to a 0-dim tensor.");
  CHECK_KIND(dim < x.dim(), Index, "Dimension out of range (expected to be in range of [", -x.dim(),
             ", ", x.dim() - 1, "], but got ", dim, ")");
  auto* s = reinterpret_cast<PySliceObject*>(key);
  int64_t step = slice_bound(s->step, 1);
  CHECK_KIND(step != 0, Value, "slice step cannot be zero");
  CHECK_KIND(step > 0, Value, "step must be greater than zero");
  return ops::slice(x, dim, slice_bound(s->start, 0), slice_bound(s->stop, INT64_MAX), step);
}

bool is_plain_int(PyObject* o) { return PyLong_Check(o) && !PyBool_Check(o); }

int64_t int_of(PyObject* o) {
  int overflow;
  long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
  CHECK_KIND(!overflow, Value, "Overflow when unpacking long long");
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

bool is_mask(const Tensor& x) { return x.dtype() == DType::Bool || x.dtype() == DType::UInt8; }

// How many dimensions of the tensor an item uses up.
int64_t dims_used(PyObject* item) {
  if (item == Py_None || item == Py_Ellipsis || PyBool_Check(item)) return 0;
  if (is_tensor(item)) {
    const Tensor& t = unwrap(item);
    return is_mask(t) ? t.dim() : 1;
  }
  return 1;
}

// An empty list holds no numbers to tell its type: as an index it names no element.
Tensor tensor_of_sequence(PyObject* o) {
  Tensor index = from_data(o, {});
  return index.numel() == 0 && index.is_floating() ? ops::to(index, DType::Int64) : index;
}

// A bool, or a 0-d mask: a new dimension of size 1, kept or dropped.
void read_flag(Reading& r, Tensor flag) {
  r.x = ops::unsqueeze(r.x, r.dim);
  r.advanced(std::move(flag));
  ++r.dim;
}

Tensor flag_of(bool on, const Tensor& like) {
  return ops::full(Dims{1}, Scalar(on), DType::Bool, like.device());
}

void read_tensor(Reading& r, const Tensor& index) {
  if (index.dim() == 0 && is_integral(index.dtype(), true)) {
    if (is_mask(index)) {
      Tensor flag = ops::to(ops::unsqueeze(alias_of(index), 0), DType::Bool);
      return read_flag(r, flag);
    }
    if (!index.is_meta()) {
      r.x = pick(r.x, r.dim, element(index).to<int64_t>(), r.named++);
      return;
    }
  }
  r.advanced(index);
  if (is_mask(index)) {  // its further dimensions are filled in when it is expanded
    r.dim += index.dim();
    r.named += index.dim();
  } else {
    ++r.dim;
    ++r.named;
  }
}

// `:` among several items changes nothing.
bool is_whole(const Reading& r, PyObject* item) {
  auto* s = reinterpret_cast<PySliceObject*>(item);
  return s->start == Py_None && s->stop == Py_None && s->step == Py_None && r.dim < r.x.dim();
}

void read_item(Reading& r, PyObject* item, int64_t skipped) {
  if (PySlice_Check(item) && is_whole(r, item)) {
    ++r.dim;
    ++r.named;
  } else if (is_plain_int(item)) {
    r.x = pick(r.x, r.dim, int_of(item), r.named++);
  } else if (PySlice_Check(item)) {
    r.x = cut(r.x, r.dim++, item);
    ++r.named;
  } else if (item == Py_None) {
    r.x = ops::unsqueeze(r.x, r.dim++);
  } else if (item == Py_Ellipsis) {
    r.dim += skipped;
    r.named += skipped;
  } else if (PyBool_Check(item)) {
    read_flag(r, flag_of(item == Py_True, r.x));
  } else if (is_tensor(item)) {
    read_tensor(r, unwrap(item));
  } else if (PySequence_Check(item) && !PyDict_Check(item)) {
    CHECK_KIND(!PyUnicode_Check(item) && !PyBytes_Check(item), Type, "new(): invalid data type '",
               type_name(item), "'");
    read_tensor(r, tensor_of_sequence(item));
  } else if (Object number{PyIndex_Check(item) ? PyNumber_Index(item) : nullptr}) {
    r.x = pick(r.x, r.dim, int_of(number.get()), r.named++);
  } else {
    PyErr_Clear();
    fail(ErrorKind::Index,
         "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
         "are valid indices (got ",
         type_name(item), ")");
  }
}

// A list is several keys, as a tuple is, when it holds anything that only a key can hold (old
// NumPy's rule, which PyTorch keeps).
bool means_tuple(PyObject* list) {
  Py_ssize_t n = PySequence_Fast_GET_SIZE(list);
  if (n >= 32) return false;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(list, i);
    if (is_tensor(item) || PySlice_Check(item) || item == Py_Ellipsis || item == Py_None)
      return true;
    if (PySequence_Check(item) && !PyUnicode_Check(item)) return true;
  }
  return false;
}

void read_items(Reading& r, PyObject* items) {
  Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
  int64_t used = 0;
  for (Py_ssize_t i = 0; i < n; ++i) used += dims_used(PySequence_Fast_GET_ITEM(items, i));
  int64_t rank = r.x.dim();
  CHECK_KIND(used <= rank, Index, "too many indices for tensor of dimension ", rank);
  // Every Ellipsis steps over what the other items leave, so a second one runs past the end.
  for (Py_ssize_t i = 0; i < n; ++i) read_item(r, PySequence_Fast_GET_ITEM(items, i), rank - used);
}

Reading read(const Tensor& x, PyObject* key) {
  Reading r{x, 0, 0, {}};
  if (PyTuple_Check(key) || (PyList_Check(key) && means_tuple(key)))
    read_items(r, key);
  else if (key == Py_Ellipsis)
    return r;
  else {
    CHECK_KIND(dims_used(key) <= x.dim(), Index, "too many indices for tensor of dimension ",
               x.dim());
    read_item(r, key, 0);
  }
  return r;
}

// Index tensors in a list as ops::index takes them: a mask of n dimensions stands for n of them, so
// the places after it move up.
Tensors compact(const Tensors& indices) {
  Tensors result;
  int64_t skip = 0;
  for (const Tensor& index : indices) {
    if (skip > 0) {
      --skip;
      continue;
    }
    result.push_back(index);
    if (index.defined() && is_mask(index)) skip = index.dim() - 1;
  }
  return result;
}

// The value as a tensor of x's type.
Tensor assigned_value(const Tensor& x, PyObject* value) {
  if (is_tensor(value)) return unwrap(value);
  CHECK_KIND(is_number(value), Type, "can't assign a ", type_name(value), " to a torch.",
             label(x.dtype()), "Tensor");
  Scalar number =
      to_scalar(value);  // a float that is too large becomes infinite; an int is refused
  if (!x.is_floating() || number.is_complex()) ops::check_value(number, x.dtype());
  return ops::scalar_tensor(number, x.dtype(), x.device());
}

// Leading dimensions of size 1 do not count when a value is assigned.
Tensor without_leading_ones(const Tensor& value) {
  Tensor v = value;
  while (v.dim() > 0 && v.size(0) == 1) v = ops::squeeze(v, 0);
  return v;
}

void copy_into(const Tensor& target, const Tensor& given) {
  Tensor value = without_leading_ones(given);
  if (value.storage() == target.storage() && tape::needs_grad(value)) {
    check_partial_overlap(target, value);
    value = ops::clone(value);  // keeps the history that it has before memory is written
  }
  ops::copy_(target, ops::expand(value, target.sizes()));
}

}  // namespace

PyObject* tensor_getitem(const Tensor& x, PyObject* key) {
  if (PyLong_CheckExact(key)) return wrap(pick(x, 0, int_of(key), 0));
  if (PySlice_Check(key)) return wrap(cut(x, 0, key));
  if (key == Py_None) return wrap(ops::unsqueeze(x, 0));
  if (key == Py_Ellipsis) return wrap(ops::as_alias(x));
  Reading r = read(x, key);
  if (r.indices.empty()) return wrap(r.x.is(x) ? ops::as_alias(x) : r.x);
  return wrap(ops::index(r.x, compact(r.indices)));
}

int tensor_setitem(const Tensor& x, PyObject* key, PyObject* value) {
  CHECK_KIND(value, Type, "Tensor does not support deleting items");
  if (key == Py_False) return 0;
  Tensor v = assigned_value(x, value);
  if (PyLong_CheckExact(key)) {
    copy_into(pick(x, 0, int_of(key), 0), v);
    return 0;
  }
  Reading r = read(x, key);
  if (r.indices.empty()) {
    copy_into(r.x, v);
    return 0;
  }
  if (v.device() != r.x.device() && v.dim() == 0) v = ops::to(v, r.x.device());
  ops::index_put_(r.x, compact(r.indices), without_leading_ones(v), false);
  return 0;
}

}  // namespace lampas::python
