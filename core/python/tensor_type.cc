// The Python type of tensors: lifetime, attributes, number slots. Operators come from operator.cc;
// what crosses to NumPy and friends from exchange.cc.
#include <cstring>

#include "ops/copy.h"
#include "ops/primitives.h"
#include "ops/views.h"
#include "python/autograd.h"
#include "python/exchange.h"
#include "python/host_fallback.h"
#include "python/indexing.h"
#include "python/operator.h"
#include "python/override.h"
#include "python/profiler.h"
#include "python/recording.h"
#include "python/types.h"
#include "tape/history.h"

namespace lampas::python {

PyTypeObject* tensor_type;

namespace {

TensorObject* body(PyObject* self) { return reinterpret_cast<TensorObject*>(self); }

// ---- lifetime ----

// Exact tensors are shown to the garbage collector only once they own a __dict__: without one they
// cannot be part of a cycle that it could break, and tracking is a good part of what a small tensor
// costs.
PyObject* fresh(PyTypeObject* type, TensorImpl* impl) {
  TensorObject* o;
  if (type == tensor_type) {
    o = PyObject_GC_New(TensorObject, type);
    if (!o) throw PythonError();
    o->dict = nullptr;
    o->weakrefs = nullptr;
  } else {
    note_type(type);
    o = reinterpret_cast<TensorObject*>(checked(type->tp_alloc(type, 0)));
  }
  o->impl = impl;
  impl->object = o;
  return reinterpret_cast<PyObject*>(o);
}

void tensor_dealloc(PyObject* self) {
  TensorObject* o = body(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(o->dict);
  if (o->impl) {
    o->impl->object = nullptr;
    Tensor dying(Ref<TensorImpl>::adopt(o->impl));
    o->impl = nullptr;
  }
  type->tp_free(self);
  Py_DECREF(type);
}
int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(body(self)->dict);
  return 0;
}
int tensor_clear(PyObject* self) {
  Py_CLEAR(body(self)->dict);
  return 0;
}
int tensor_setattr(PyObject* self, PyObject* name, PyObject* value) {
  int failed = PyObject_GenericSetAttr(self, name, value);
  if (!failed && body(self)->dict && !PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
  return failed;
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&] { return construct_tensor(type, args, kwargs); });
}

Py_hash_t tensor_hash(PyObject* self) {
  if (recorder.recording) recording_meets_key(self);
  return _Py_HashPointer(self);
}

// ---- numbers ----

// Called with one operand a tensor. Anything that is neither a tensor nor a number answers
// NotImplemented.
bool operand(PyObject* o) {
  return is_tensor(o) || PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o) || is_number(o);
}

bool deferred(PyObject* a, PyObject* b) { return !operand(a) || !operand(b); }

PyObject* raw_call(Operator& op, PyObject* a, PyObject* b) {
  if (may_cast(op)) {
    PyObject* args[] = {a, b};
    return call(op, args, b ? 2 : 1, nullptr, Use::Function);
  }
  const Overload& o = op.overloads.at(0);
  PyObject* slots[kMaxParams] = {a, b};
  for (size_t i = 2; i < o.signature.params.size(); ++i) slots[i] = o.signature.params[i].standard;
  return invoke(op, o, slots);
}

// Of one that takes over what it takes part in, `1 - x` is x.__rsub__(1), as PyTorch sees it.
PyObject* binary_taken_over(const char* name, const char* reflected, PyObject* a, PyObject* b) {
  if (is_tensor(a)) return method_taken_over(name, {a, b});
  return method_taken_over(reflected, {b, a});
}

// `a op b` by `run`, unless an operand takes it over or is none of ours.
template <class F>
PyObject* binary(const char* name, const char* reflected, PyObject* a, PyObject* b, F&& run) {
  return guarded([&]() -> PyObject* {
    bool foreign = deferred(a, b);
    if (overriding.active || (foreign && (takes_over(Py_TYPE(a)) || takes_over(Py_TYPE(b)))))
        [[unlikely]] {
      if (PyObject* taken = binary_taken_over(name, reflected, a, b)) return taken;
    }
    if (foreign) Py_RETURN_NOTIMPLEMENTED;
    bool straight = is_tensor(a);
    Span span(straight ? name : reflected, {straight ? a : b, straight ? b : a});
    return run();
  });
}

#define BINARY_SLOT(slot, name, reflected)                                    \
  PyObject* slot(PyObject* a, PyObject* b) {                                  \
    static Operator& op = operator_named(name);                               \
    return binary(name, reflected, a, b, [&] { return raw_call(op, a, b); }); \
  }
BINARY_SLOT(nb_add, "add", "add")
BINARY_SLOT(nb_sub, "sub", "__rsub__")
BINARY_SLOT(nb_mul, "mul", "mul")
BINARY_SLOT(nb_floor_divide, "floor_divide", "__rfloordiv__")
BINARY_SLOT(nb_remainder, "remainder", "__rmod__")
BINARY_SLOT(nb_and, "bitwise_and", "__rand__")
BINARY_SLOT(nb_or, "bitwise_or", "__ror__")
BINARY_SLOT(nb_xor, "bitwise_xor", "__rxor__")
BINARY_SLOT(nb_lshift, "bitwise_left_shift", "__rlshift__")
BINARY_SLOT(nb_rshift, "bitwise_right_shift", "__rrshift__")

PyObject* nb_true_divide(PyObject* a, PyObject* b) {
  static Operator &divide = operator_named("true_divide"), &mul = operator_named("mul"),
                  &reciprocal = operator_named("reciprocal");
  return binary("div", "__rtruediv__", a, b, [&]() -> PyObject* {
    if (is_tensor(a)) return raw_call(divide, a, b);
    Object inverse(
        raw_call(reciprocal, b, nullptr));  // 2 / x is reciprocal(x) * 2, also in its bits
    return raw_call(mul, inverse.get(), a);
  });
}

PyObject* nb_power(PyObject* a, PyObject* b, PyObject*) {
  static Operator& op = operator_named("pow");
  return binary("pow", "__rpow__", a, b, [&] { return raw_call(op, a, b); });
}
PyObject* nb_matmul(PyObject* a, PyObject* b) {
  static Operator& op = operator_named("matmul");
  return binary("matmul", "__rmatmul__", a, b, [&]() -> PyObject* {
    if (!is_tensor(a) || !is_tensor(b)) Py_RETURN_NOTIMPLEMENTED;
    PyObject* args[] = {a, b};
    return call(op, args, 2, nullptr, Use::Method);
  });
}

#define INPLACE_SLOT(slot, name)                                 \
  PyObject* slot(PyObject* a, PyObject* b) {                     \
    static Operator& op = operator_named(name);                  \
    return binary(name "_", name "_", a, b, [&]() -> PyObject* { \
      if (!is_tensor(a)) Py_RETURN_NOTIMPLEMENTED;               \
      PyObject* args[] = {a, b};                                 \
      return call(op, args, 2, nullptr, Use::Inplace);           \
    });                                                          \
  }
INPLACE_SLOT(nb_inplace_add, "add")
INPLACE_SLOT(nb_inplace_sub, "sub")
INPLACE_SLOT(nb_inplace_mul, "mul")
INPLACE_SLOT(nb_inplace_true_divide, "true_divide")
INPLACE_SLOT(nb_inplace_floor_divide, "floor_divide")
INPLACE_SLOT(nb_inplace_remainder, "remainder")
INPLACE_SLOT(nb_inplace_and, "bitwise_and")
INPLACE_SLOT(nb_inplace_or, "bitwise_or")
INPLACE_SLOT(nb_inplace_xor, "bitwise_xor")
INPLACE_SLOT(nb_inplace_lshift, "bitwise_left_shift")
INPLACE_SLOT(nb_inplace_rshift, "bitwise_right_shift")
PyObject* nb_inplace_power(PyObject* a, PyObject* b, PyObject*) {
  static Operator& op = operator_named("pow");
  return binary("pow_", "pow_", a, b, [&]() -> PyObject* {
    if (!is_tensor(a)) Py_RETURN_NOTIMPLEMENTED;
    PyObject* args[] = {a, b};
    return call(op, args, 2, nullptr, Use::Inplace);
  });
}

// What a type or mode makes of a slot or method of Tensor; null: nothing.
template <class... Args>
PyObject* slot_taken_over(const char* name, Args... args) {
  return overriding.active ? method_taken_over(name, {args...}) : nullptr;
}

PyObject* unary(const char* name, Operator& op, PyObject* a) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = slot_taken_over(name, a)) return taken;
    Span span(name, {a});
    return call(op, &a, 1, nullptr, Use::Method);
  });
}
PyObject* nb_negative(PyObject* a) {
  static Operator& op = operator_named("neg");
  return unary("neg", op, a);
}
PyObject* nb_positive(PyObject* a) {
  Py_INCREF(a);
  return a;
}
PyObject* nb_absolute(PyObject* a) {
  static Operator& op = operator_named("abs");
  return unary("abs", op, a);
}
PyObject* nb_invert(PyObject* a) {
  static Operator& op = operator_named("bitwise_not");
  return unary("__invert__", op, a);
}

int nb_bool(PyObject* self) {
  return guarded(
      [&]() -> int {
        if (Object taken(slot_taken_over("__bool__", self)); taken) {
          int truth = PyObject_IsTrue(taken.get());
          if (truth < 0) throw PythonError();
          return truth;
        }
        const Tensor& x = unwrap(self);
        CHECK(x.numel() != 0, "Boolean value of Tensor with no values is ambiguous");
        CHECK(x.numel() == 1, "Boolean value of Tensor with more than one value is ambiguous");
        Scalar s = element(x);
        return s.is_complex() ? s.to<ComplexDouble>() != 0.0 : s.to<bool>();
      },
      -1);
}
Scalar only_element(PyObject* self) {
  const Tensor& x = unwrap(self);
  CHECK_KIND(x.numel() == 1, Value, "only one element tensors can be converted to Python scalars");
  return element(x);
}
PyObject* nb_int(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = slot_taken_over("__int__", self)) return taken;
    Scalar s = only_element(self);
    if (s.is_integral()) return s.is_bool() ? PyLong_FromLong(s.to<bool>()) : wrap(s);
    if (s.is_complex())
      CHECK(s.to<ComplexDouble>().imag() == 0,
            "value cannot be converted to type int64_t without overflow");
    return checked(PyLong_FromDouble(s.to<double>()));
  });
}
PyObject* nb_float(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = slot_taken_over("__float__", self)) return taken;
    Scalar s = only_element(self);
    if (s.is_complex())
      CHECK(s.to<ComplexDouble>().imag() == 0,
            "value cannot be converted to type double without overflow");
    return PyFloat_FromDouble(s.to<double>());
  });
}
PyObject* nb_index(PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = slot_taken_over("__index__", self)) return taken;
    const Tensor& x = unwrap(self);
    CHECK_KIND(x.numel() == 1 && is_integral(x.dtype(), true), Type,
               "only integer tensors of a single element can be converted to an index");
    Scalar s = element(x);
    return s.is_bool() ? PyLong_FromLong(s.to<bool>()) : wrap(s);
  });
}

PyObject* richcompare(PyObject* a, PyObject* b, int kind) {
  static Operator* const ops[] = {&operator_named("lt"), &operator_named("le"),
                                  &operator_named("eq"), &operator_named("ne"),
                                  &operator_named("gt"), &operator_named("ge")};
  // Python has swapped the operands where only the second is a tensor.
  static const char* const names[] = {"lt", "le", "__eq__", "__ne__", "gt", "ge"};
  return binary(names[kind], names[kind], a, b, [&] { return raw_call(*ops[kind], a, b); });
}

Py_ssize_t length(PyObject* self) {
  return guarded(
      [&]() -> Py_ssize_t {
        if (Object taken(slot_taken_over("__len__", self)); taken) {
          Py_ssize_t n = PyNumber_AsSsize_t(taken.get(), PyExc_OverflowError);
          if (n == -1 && PyErr_Occurred()) throw PythonError();
          return n;
        }
        CHECK_KIND(unwrap(self).dim() > 0, Type, "len() of a 0-d tensor");
        return static_cast<Py_ssize_t>(unwrap(self).size(0));
      },
      Py_ssize_t{-1});
}
// An indexing is profiled as what it comes to: by tensors, else a view (read) or a copy (written).
const char* indexing(PyObject* key, bool written) {
  auto gathers = [](PyObject* o) { return is_tensor(o) || PyList_Check(o); };
  bool by_tensor = gathers(key);
  if (PyTuple_Check(key))
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i)
      by_tensor = by_tensor || gathers(PyTuple_GET_ITEM(key, i));
  if (by_tensor) return written ? "index_put_" : "index";
  if (written) return "copy_";
  return PyLong_Check(key) ? "select" : "slice";
}
PyObject* get_item(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = slot_taken_over("__getitem__", self, key)) return taken;
    Span span(indexing(key, false), {self, key});
    return tensor_getitem(unwrap(self), key);
  });
}
int set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded(
      [&] {
        CHECK_KIND(value, Type, "Tensor does not support deleting items");
        if (Object taken(slot_taken_over("__setitem__", self, key, value)); taken) return 0;
        Span span(indexing(key, true), {self, key, value});
        return tensor_setitem(unwrap(self), key, value);
      },
      -1);
}

// ---- attributes ----

// Getters and setters know their attribute's name, for those who take it over.
const char* attribute(void* closure) { return static_cast<const char*>(closure); }
PyObject* got_elsewhere(PyObject* self, void* closure) {
  return overriding.active ? getter_taken_over(attribute(closure), self) : nullptr;
}
bool set_elsewhere(PyObject* self, PyObject* value, void* closure) {
  return overriding.active && setter_taken_over(attribute(closure), self, value);
}

#define GETTER(name, expression)                                        \
  PyObject* get_##name(PyObject* self, void* closure) {                 \
    [[maybe_unused]] const Tensor& x = unwrap(self);                    \
    return guarded([&]() -> PyObject* {                                 \
      if (PyObject* taken = got_elsewhere(self, closure)) return taken; \
      return expression;                                                \
    });                                                                 \
  }
GETTER(shape, wrap_size(x.sizes()))
GETTER(dtype, wrap(x.dtype()))
GETTER(device, wrap(x.device()))
GETTER(ndim, PyLong_FromLongLong(x.dim()))
GETTER(itemsize, PyLong_FromLongLong(x.item_size()))
GETTER(nbytes, PyLong_FromLongLong(x.item_size() * x.numel()))
GETTER(requires_grad, PyBool_FromLong(x->requires_grad))
GETTER(is_leaf, PyBool_FromLong(!tape::grad_fn(x)))
GETTER(version, PyLong_FromLong(x.storage()->version))
GETTER(output_nr, PyLong_FromLong(x->meta ? x->meta->output : 0))
GETTER(base, wrap(tape::is_view(x) ? x->meta->base : Tensor()))
GETTER(retains_grad, PyBool_FromLong(x->meta && x->meta->retains_grad))
GETTER(is_cpu, PyBool_FromLong(x.device().is_cpu()))
GETTER(is_cuda, PyBool_FromLong(x.device().is_cuda()))
GETTER(is_meta, PyBool_FromLong(x.device().is_meta()))
GETTER(false, (Py_INCREF(Py_False), Py_False))
GETTER(grad_fn, wrap_node(tape::grad_fn(x)))
GETTER(layout, PyObject_GetAttrString(PyImport_AddModule("lampas._core"), "strided"))
GETTER(names, [&] {
  PyObject* t = PyTuple_New(x.dim());
  for (Py_ssize_t i = 0; i < x.dim(); ++i) PyTuple_SET_ITEM(t, i, Py_NewRef(Py_None));
  return t;
}())
GETTER(T, wrap(ops::numpy_T(x)))
GETTER(mT, wrap(ops::mT(x)))
GETTER(H, wrap(ops::matrix_H(x)))
GETTER(mH, wrap(ops::mH(x)))
GETTER(real, wrap(ops::real_part(x)))
GETTER(imag, wrap(ops::imaginary_part(x)))
GETTER(grad, wrap(x->meta ? x->meta->grad : Tensor()))

PyObject* get_data(PyObject* self, void* closure) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = got_elsewhere(self, closure)) return taken;
    Tensor y = alias_of(unwrap(self));
    y->untracked = true;
    return wrap(y);
  });
}

int write_requires_grad(PyObject* self, PyObject* value, void* closure) {
  return guarded(
      [&]() -> int {
        if (set_elsewhere(self, value, closure)) return 0;
        CHECK_KIND(value && PyBool_Check(value), Runtime, "requires_grad must be a bool");
        set_requires_grad(unwrap(self), value == Py_True,
                          "only Tensors of floating point and complex dtype can require gradients");
        return 0;
      },
      -1);
}
int set_grad(PyObject* self, PyObject* value, void* closure) {
  return guarded(
      [&]() -> int {
        if (set_elsewhere(self, value, closure)) return 0;
        const Tensor& x = unwrap(self);
        if (!value || value == Py_None) {
          if (x->meta) x->meta->grad = Tensor();
          return 0;
        }
        CHECK_KIND(is_tensor(value), Type,
                   "assigned grad expected to be a Tensor or None but got grad of type ",
                   type_name(value));
        const Tensor& g = unwrap(value);
        CHECK(!g.is(x), "can't assign Variable as its own grad");
        CHECK(g.dtype() == x.dtype(), "assigned grad has data of a different type");
        CHECK(g.device() == x.device() || tape::is_opaque(g) || tape::is_opaque(x),
              "assigned grad has data located on a different device");
        CHECK(g.sizes() == x.sizes(), "assigned grad has data of a different size");
        tape::meta_of(x).grad = g;
        return 0;
      },
      -1);
}
int set_data(PyObject* self, PyObject* value, void* closure) {
  return guarded(
      [&]() -> int {
        if (set_elsewhere(self, value, closure)) return 0;
        CHECK_KIND(value && is_tensor(value), Type, "Variable data has to be a tensor, but got ",
                   value ? type_name(value) : "nothing");
        const Tensor &x = unwrap(self), &y = unwrap(value);
        CHECK(!tape::is_opaque(y), "a dense tensor cannot take over the data of a sparse one");
        if (x->requires_grad)
          CHECK(is_differentiable(y.dtype()),
                "data set to a tensor that requires gradients must be floating point or complex "
                "dtype");
        x->dtype = y->dtype;
        x->device = y->device;
        x->sizes = y->sizes;
        x->strides = y->strides;
        x->offset = y->offset;
        x->numel = y->numel;
        x->contiguous = y->contiguous;
        x->storage = y->storage;
        if (x->meta && x->meta->accumulator)
          x->meta->accumulator->outputs[0] = {x.sizes(), x.dtype(), x.device()};
        return 0;
      },
      -1);
}

int write_part(const Tensor& part, PyObject* value) {
  CHECK_KIND(value && (is_tensor(value) || is_number(value)), Type,
             "expected a Tensor or a number");
  if (is_tensor(value))
    ops::copy_(part, unwrap(value));
  else
    ops::fill_(part, to_scalar(value));
  return 0;
}
int set_real(PyObject* self, PyObject* value, void* closure) {
  return guarded(
      [&] {
        if (set_elsewhere(self, value, closure)) return 0;
        return write_part(ops::real_part(unwrap(self)), value);
      },
      -1);
}
int set_imag(PyObject* self, PyObject* value, void* closure) {
  return guarded(
      [&] {
        if (set_elsewhere(self, value, closure)) return 0;
        return write_part(ops::imaginary_part(unwrap(self)), value);
      },
      -1);
}

#define ATTRIBUTE(name, get, set) {name, get, set, nullptr, const_cast<char*>(name)}
PyGetSetDef getset[] = {
    ATTRIBUTE("shape", get_shape, nullptr),
    ATTRIBUTE("dtype", get_dtype, nullptr),
    ATTRIBUTE("device", get_device, nullptr),
    ATTRIBUTE("ndim", get_ndim, nullptr),
    ATTRIBUTE("itemsize", get_itemsize, nullptr),
    ATTRIBUTE("nbytes", get_nbytes, nullptr),
    ATTRIBUTE("requires_grad", get_requires_grad, write_requires_grad),
    ATTRIBUTE("is_leaf", get_is_leaf, nullptr),
    ATTRIBUTE("grad", get_grad, set_grad),
    ATTRIBUTE("grad_fn", get_grad_fn, nullptr),
    ATTRIBUTE("T", get_T, nullptr),
    ATTRIBUTE("mT", get_mT, nullptr),
    ATTRIBUTE("H", get_H, nullptr),
    ATTRIBUTE("mH", get_mH, nullptr),
    ATTRIBUTE("real", get_real, set_real),
    ATTRIBUTE("imag", get_imag, set_imag),
    ATTRIBUTE("data", get_data, set_data),
    ATTRIBUTE("_version", get_version, nullptr),
    ATTRIBUTE("_base", get_base, nullptr),
    ATTRIBUTE("output_nr", get_output_nr, nullptr),
    ATTRIBUTE("retains_grad", get_retains_grad, nullptr),
    ATTRIBUTE("is_cpu", get_is_cpu, nullptr),
    ATTRIBUTE("is_cuda", get_is_cuda, nullptr),
    ATTRIBUTE("is_meta", get_is_meta, nullptr),
    ATTRIBUTE("is_sparse", get_false, nullptr),
    ATTRIBUTE("is_sparse_csr", get_false, nullptr),
    ATTRIBUTE("is_quantized", get_false, nullptr),
    ATTRIBUTE("is_mkldnn", get_false, nullptr),
    ATTRIBUTE("is_nested", get_false, nullptr),
    ATTRIBUTE("is_mps", get_false, nullptr),
    ATTRIBUTE("is_xpu", get_false, nullptr),
    ATTRIBUTE("is_xla", get_false, nullptr),
    ATTRIBUTE("is_vulkan", get_false, nullptr),
    ATTRIBUTE("layout", get_layout, nullptr),
    ATTRIBUTE("names", get_names, nullptr),
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

// ---- methods that are not operators ----

#define NOARGS(name, expression)                                        \
  PyObject* name(PyObject* self, PyObject*) {                           \
    [[maybe_unused]] const Tensor& x = unwrap(self);                    \
    return guarded([&]() -> PyObject* {                                 \
      if (PyObject* taken = slot_taken_over(#name, self)) return taken; \
      return expression;                                                \
    });                                                                 \
  }
NOARGS(item, (static_cast<void>(Span("item", {self})), wrap(element(x))))
NOARGS(dim, PyLong_FromLongLong(x.dim()))
NOARGS(numel, PyLong_FromLongLong(x.numel()))
NOARGS(element_size, PyLong_FromLongLong(x.item_size()))
NOARGS(storage_offset, PyLong_FromLongLong(x.offset()))
NOARGS(data_ptr, PyLong_FromVoidPtr(x.numel() && x.storage()->data ? x.raw() : nullptr))
NOARGS(is_floating_point, PyBool_FromLong(x.is_floating()))
NOARGS(is_complex, PyBool_FromLong(x.is_complex()))
NOARGS(is_signed, PyBool_FromLong(x.dtype() != DType::Bool && !is_unsigned(x.dtype())))
NOARGS(is_inference, PyBool_FromLong(x->inference))
NOARGS(_is_view, PyBool_FromLong(tape::is_view(x)))
NOARGS(is_conj, (Py_INCREF(Py_False), Py_False))
NOARGS(retain_grad, (retain_gradient(x), Py_NewRef(Py_None)))

PyObject* call_taken_over(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t n,
                          PyObject* names) {
  return overriding.active ? method_taken_over(name, self, args, n, names) : nullptr;
}

PyObject* size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = call_taken_over("size", self, args, n, names)) return taken;
    const Tensor& x = unwrap(self);
    Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    if (total == 0 || args[0] == Py_None) return wrap_size(x.sizes());
    CHECK_KIND(is_integer(args[0]), Type, "size(): argument 'dim' must be int, not ",
               type_name(args[0]));
    int64_t d = to_int(args[0]);
    CHECK_KIND(x.dim() > 0, Index, "Dimension specified as ", d, " but tensor has no dimensions");
    return PyLong_FromLongLong(x.size(wrap_dim(d, x.dim())));
  });
}
PyObject* stride(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = call_taken_over("stride", self, args, n, names)) return taken;
    const Tensor& x = unwrap(self);
    Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    if (total == 0 || args[0] == Py_None) {
      PyObject* t = PyTuple_New(x.dim());
      for (Py_ssize_t i = 0; i < x.dim(); ++i)
        PyTuple_SET_ITEM(t, i, PyLong_FromLongLong(x.stride(i)));
      return t;
    }
    int64_t d = to_int(args[0]);
    CHECK_KIND(x.dim() > 0, Index, "Dimension specified as ", d, " but tensor has no dimensions");
    return PyLong_FromLongLong(x.stride(wrap_dim(d, x.dim())));
  });
}
PyObject* is_contiguous_(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = call_taken_over("is_contiguous", self, args, n, names)) return taken;
    Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    MemoryFormat f =
        total && is_memory_format(args[0]) ? to_memory_format(args[0]) : MemoryFormat::Contiguous;
    return PyBool_FromLong(unwrap(self).is_contiguous(f));
  });
}
PyObject* requires_grad_(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = call_taken_over("requires_grad_", self, args, n, names)) return taken;
    Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
    set_requires_grad(unwrap(self), total ? Arg<bool>::get(args[0]) : true,
                      "only Tensors of floating point dtype can require gradients");
    return Py_NewRef(self);
  });
}
PyObject* make_subclass(PyObject*, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    PyObject *cls = nullptr, *data = nullptr;
    int wanted = 0;
    static const char* names[] = {"cls", "data", "require_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|p", const_cast<char**>(names), &cls, &data,
                                     &wanted))
      throw PythonError();
    CHECK_KIND(
        PyType_Check(cls) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), tensor_type),
        Type, "cls must be a type (got ", type_name(cls), ")");
    CHECK_KIND(is_tensor(data), Type,
               "_make_subclass(): argument 'data' (position 2) must be Tensor, not ",
               type_name(data));
    CHECK_KIND(!tape::is_opaque(unwrap(data)), NotImplemented,
               "sparse tensors as objects of a subclass of Tensor");
    Tensor x = alias_of(unwrap(data));
    if (wanted) set_requires_grad(x, true);
    return wrap_as(reinterpret_cast<PyTypeObject*>(cls), x);
  });
}

PyObject* as_subclass(PyObject* self, PyObject* cls) {
  return guarded([&]() -> PyObject* {
    if (PyObject* taken = slot_taken_over("as_subclass", self, cls)) return taken;
    CHECK_KIND(
        PyType_Check(cls) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), tensor_type),
        Type, "cls must be a type (got ", type_name(cls), ")");
    return wrap_as(reinterpret_cast<PyTypeObject*>(cls), ops::as_alias(unwrap(self)));
  });
}

template <class F>
PyCFunction plain(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef methods[] = {
    {"item", item, METH_NOARGS, nullptr},
    {"dim", dim, METH_NOARGS, nullptr},
    {"ndimension", dim, METH_NOARGS, nullptr},
    {"numel", numel, METH_NOARGS, nullptr},
    {"nelement", numel, METH_NOARGS, nullptr},
    {"element_size", element_size, METH_NOARGS, nullptr},
    {"storage_offset", storage_offset, METH_NOARGS, nullptr},
    {"data_ptr", data_ptr, METH_NOARGS, nullptr},
    {"is_floating_point", is_floating_point, METH_NOARGS, nullptr},
    {"is_complex", is_complex, METH_NOARGS, nullptr},
    {"is_signed", is_signed, METH_NOARGS, nullptr},
    {"is_inference", is_inference, METH_NOARGS, nullptr},
    {"_is_view", _is_view, METH_NOARGS, nullptr},
    {"is_conj", is_conj, METH_NOARGS, nullptr},
    {"is_neg", is_conj, METH_NOARGS, nullptr},
    {"retain_grad", retain_grad, METH_NOARGS, nullptr},
    {"size", plain(size), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"stride", plain(stride), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"is_contiguous", plain(is_contiguous_), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"requires_grad_", plain(requires_grad_), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"as_subclass", as_subclass, METH_O, nullptr},
    {"_make_subclass", plain(make_subclass), METH_VARARGS | METH_KEYWORDS | METH_STATIC, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

#define SLOT(name, function) {name, reinterpret_cast<void*>(function)}
PyType_Slot slots[] = {SLOT(Py_tp_dealloc, tensor_dealloc),
                       SLOT(Py_tp_traverse, tensor_traverse),
                       SLOT(Py_tp_clear, tensor_clear),
                       SLOT(Py_tp_new, tensor_new),
                       SLOT(Py_tp_hash, tensor_hash),
                       SLOT(Py_tp_setattro, tensor_setattr),
                       SLOT(Py_tp_richcompare, richcompare),
                       {Py_tp_getset, getset},
                       {Py_tp_methods, methods},
                       {Py_tp_members, members},
                       SLOT(Py_nb_add, nb_add),
                       SLOT(Py_nb_subtract, nb_sub),
                       SLOT(Py_nb_multiply, nb_mul),
                       SLOT(Py_nb_true_divide, nb_true_divide),
                       SLOT(Py_nb_floor_divide, nb_floor_divide),
                       SLOT(Py_nb_remainder, nb_remainder),
                       SLOT(Py_nb_power, nb_power),
                       SLOT(Py_nb_and, nb_and),
                       SLOT(Py_nb_or, nb_or),
                       SLOT(Py_nb_xor, nb_xor),
                       SLOT(Py_nb_lshift, nb_lshift),
                       SLOT(Py_nb_rshift, nb_rshift),
                       SLOT(Py_nb_matrix_multiply, nb_matmul),
                       SLOT(Py_nb_inplace_add, nb_inplace_add),
                       SLOT(Py_nb_inplace_subtract, nb_inplace_sub),
                       SLOT(Py_nb_inplace_multiply, nb_inplace_mul),
                       SLOT(Py_nb_inplace_true_divide, nb_inplace_true_divide),
                       SLOT(Py_nb_inplace_floor_divide, nb_inplace_floor_divide),
                       SLOT(Py_nb_inplace_remainder, nb_inplace_remainder),
                       SLOT(Py_nb_inplace_power, nb_inplace_power),
                       SLOT(Py_nb_inplace_and, nb_inplace_and),
                       SLOT(Py_nb_inplace_or, nb_inplace_or),
                       SLOT(Py_nb_inplace_xor, nb_inplace_xor),
                       SLOT(Py_nb_inplace_lshift, nb_inplace_lshift),
                       SLOT(Py_nb_inplace_rshift, nb_inplace_rshift),
                       SLOT(Py_nb_negative, nb_negative),
                       SLOT(Py_nb_positive, nb_positive),
                       SLOT(Py_nb_absolute, nb_absolute),
                       SLOT(Py_nb_invert, nb_invert),
                       SLOT(Py_nb_bool, nb_bool),
                       SLOT(Py_nb_int, nb_int),
                       SLOT(Py_nb_float, nb_float),
                       SLOT(Py_nb_index, nb_index),
                       SLOT(Py_mp_length, length),
                       SLOT(Py_mp_subscript, get_item),
                       SLOT(Py_mp_ass_subscript, set_item),
                       SLOT(Py_sq_length, length),
                       SLOT(Py_bf_getbuffer, get_buffer),
                       SLOT(Py_bf_releasebuffer, release_view),
                       {0, nullptr}};
PyType_Spec spec = {"torch.Tensor", sizeof(TensorObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

}  // namespace

PyObject* wrap(Tensor x) {
  if (!x.defined()) Py_RETURN_NONE;
  if (x->object) return Py_NewRef(static_cast<PyObject*>(x->object));
  PyTypeObject* type = tape::is_opaque(x) ? opaque_type : tensor_type;
  return fresh(type, x.ref().release());
}

PyObject* wrap_as(PyTypeObject* type, Tensor x) {
  if (x->object) x = alias_of(x);
  return fresh(type, x.ref().release());
}

void add_tensor_type(PyObject* module) {
  tensor_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  tensor_type->tp_name = "Tensor";  // as Python's own messages show it; __module__ is set by now
  PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject*>(tensor_type));
}

}  // namespace lampas::python
