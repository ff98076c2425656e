// Calling operators from Python: choosing the overload, in-place and out= forms, error texts.
#include "python/operator.h"

#include <cstring>
#include <map>
#include <string>

#include "ops/assign.h"
#include "ops/iterator.h"
#include "ops/out_types.h"
#include "python/host_fallback.h"
#include "python/override.h"
#include "python/profiler.h"
#include "python/recording.h"
#include "tape/history.h"

namespace lampas::python {

bool Arg<Dims>::accepts(PyObject* o) {
  if (is_integer(o)) return true;
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  for (Py_ssize_t i = 0; i < n; ++i)
    if (!is_integer(PySequence_Fast_GET_ITEM(o, i)) &&
        !(i && PyBool_Check(PySequence_Fast_GET_ITEM(o, i))))
      return false;
  return true;
}
Dims Arg<Dims>::get(PyObject* o) {
  Dims dims;
  if (!PyTuple_Check(o) && !PyList_Check(o)) {
    dims.push_back(to_int(o));
    return dims;
  }
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  for (Py_ssize_t i = 0; i < n; ++i) dims.push_back(to_int(PySequence_Fast_GET_ITEM(o, i)));
  return dims;
}
namespace {
bool is_tensor_list(PyObject* o, bool gaps) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, i);
    if (!is_tensor(item) && !(gaps && item == Py_None)) return false;
  }
  return true;
}
}  // namespace
bool Arg<Tensors>::accepts(PyObject* o) { return is_tensor_list(o, false); }
bool Arg<GappedTensors>::accepts(PyObject* o) { return is_tensor_list(o, true); }
Tensors Arg<Tensors>::get(PyObject* o) {
  Tensors xs;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  for (Py_ssize_t i = 0; i < n; ++i) xs.push_back(Arg<Tensor>::get(PySequence_Fast_GET_ITEM(o, i)));
  return xs;
}
PyObject* result(const Tensors& xs) {
  PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(xs.size())));
  for (size_t i = 0; i < xs.size(); ++i)
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), wrap(xs[i]));
  return tuple;
}

namespace {

struct Name {
  bool operator()(const char* a, const char* b) const { return std::strcmp(a, b) < 0; }
};
std::map<const char*, Operator, Name>& operators() {
  static auto* all = new std::map<const char*, Operator, Name>;
  return *all;
}

// One callable: an operator, and how it is called.
struct Callable {
  PyObject_HEAD vectorcallfunc vectorcall;
  const Operator* op;
  PyObject* name;
  PyObject* dict;
  Use use;
};
PyTypeObject *function_type, *method_type;

// The arguments in the places of the first overload's parameters, as a profile shows them.
std::vector<PyObject*> in_place(const Operator& op, PyObject* const* args, Py_ssize_t n,
                                PyObject* names) {
  const auto& params = op.overloads[0].signature.params;
  std::vector<PyObject*> placed(args, args + n);
  placed.resize(std::max(placed.size(), params.size()), Py_None);
  for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
    for (size_t p = 0; p < params.size(); ++p)
      if (PyUnicode_Compare(params[p].name, PyTuple_GET_ITEM(names, i)) == 0)
        placed[p] = args[n + i];
  return placed;
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
  auto* callable = reinterpret_cast<Callable*>(self);
  Py_ssize_t n = PyVectorcall_NARGS(flags);
  return guarded([&]() -> PyObject* {
    if (overriding.active) [[unlikely]]
      if (PyObject* taken = taken_over(self, args, n, names)) return taken;
    try {
      if (overriding.profiling) [[unlikely]] {
        std::vector<PyObject*> shown = in_place(*callable->op, args, n, names);
        Span span(PyUnicode_AsUTF8(callable->name), shown.data(),
                  static_cast<Py_ssize_t>(shown.size()));
        return call(*callable->op, args, n, names, callable->use);
      }
      return call(*callable->op, args, n, names, callable->use);
    } catch (const Error& e) {  // an argument may be no tensor and yet take the call over
      if (e.kind != ErrorKind::Type || overriding.active) throw;
      if (PyObject* taken = taken_over(self, args, n, names)) return taken;
      throw;
    }
  });
}

PyObject* callable_repr(PyObject* self) {
  auto* c = reinterpret_cast<Callable*>(self);
  return PyUnicode_FromFormat(Py_TYPE(self) == method_type
                                  ? "<method '%U' of 'torch._C.TensorBase' objects>"
                                  : "<built-in function %U>",
                              c->name);
}
PyObject* callable_bind(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) {
    Py_INCREF(self);
    return self;
  }
  return PyMethod_New(self, object);
}
PyObject* callable_name(PyObject* self, void*) {
  PyObject* name = reinterpret_cast<Callable*>(self)->name;
  Py_INCREF(name);
  return name;
}
PyObject* callable_doc(PyObject* self, void*) {
  auto* c = reinterpret_cast<Callable*>(self);
  std::string doc;
  for (const Overload& o : c->op->overloads)
    doc += (doc.empty() ? "" : "\n") + o.signature.text(c->op->name) +
           (o.formula.empty() ? "" : "\n\n" + o.formula);
  return PyUnicode_FromString(doc.c_str());
}
// Private functions stand in the core only.
PyObject* callable_module(PyObject* self, void*) {
  auto* c = reinterpret_cast<Callable*>(self);
  bool shown = Py_TYPE(self) == method_type || c->op->forms & FN;
  return PyUnicode_FromString(shown ? "lampas" : "lampas._core");
}
PyObject* callable_qualname(PyObject* self, void*) {
  auto* c = reinterpret_cast<Callable*>(self);
  return PyUnicode_FromFormat(Py_TYPE(self) == method_type ? "Tensor.%U" : "%U", c->name);
}
// Pickled and copied by name, as functions are.
PyObject* callable_reduce(PyObject* self, PyObject*) { return callable_qualname(self, nullptr); }
PyMethodDef callable_methods[] = {{"__reduce__", callable_reduce, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};

PyMemberDef callable_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Callable, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(Callable, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef callable_getset[] = {
    {"__name__", callable_name, nullptr, nullptr, nullptr},
    {"__qualname__", callable_qualname, nullptr, nullptr, nullptr},
    {"__doc__", callable_doc, nullptr, nullptr, nullptr},
    {"__module__", callable_module, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot function_slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                                {Py_tp_repr, reinterpret_cast<void*>(callable_repr)},
                                {Py_tp_members, callable_members},
                                {Py_tp_getset, callable_getset},
                                {Py_tp_methods, callable_methods},
                                {0, nullptr}};
PyType_Slot method_slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                              {Py_tp_repr, reinterpret_cast<void*>(callable_repr)},
                              {Py_tp_descr_get, reinterpret_cast<void*>(callable_bind)},
                              {Py_tp_members, callable_members},
                              {Py_tp_getset, callable_getset},
                              {Py_tp_methods, callable_methods},
                              {0, nullptr}};
PyType_Spec function_spec = {
    "builtin_function_or_method", sizeof(Callable), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    function_slots};
PyType_Spec method_spec = {"method_descriptor", sizeof(Callable), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL |
                               Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           method_slots};

PyObject* make_callable(PyTypeObject* type, const Operator& op, const std::string& name, Use use) {
  auto* c = reinterpret_cast<Callable*>(checked(type->tp_alloc(type, 0)));
  c->vectorcall = vectorcall;
  c->op = &op;
  c->use = use;
  c->dict = nullptr;
  c->name = checked(PyUnicode_InternFromString(name.c_str()));
  return reinterpret_cast<PyObject*>(c);
}

PyObject* named(PyTypeObject* type, PyObject* tuple) {
  if (!type) return tuple;
  Object plain(tuple);
  return checked(
      PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(type), plain.get(), nullptr));
}

std::string given_types(PyObject* const* args, Py_ssize_t n, PyObject* names) {
  std::string text;
  Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
  for (Py_ssize_t i = 0; i < total; ++i) {
    if (i) text += ", ";
    if (i >= n) text += concat(PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, i - n)), "=");
    text += type_name(args[i]);
  }
  return text;
}

}  // namespace

namespace {

// One line for each form in which PyTorch declares the operator.
std::string spelled(const Operator& op, const Overload& overload, bool self_given) {
  bool named_out = op.forms & OUT && !self_given;
  const char* out = !named_out                       ? nullptr
                    : overload.signature.result_type ? "tuple of Tensors"
                                                     : "Tensor";
  auto line = [&](const Signature& s) { return concat(" * ", s.text("", self_given, out), "\n"); };
  std::string text = line(overload.signature);
  if (!(op.forms & (LAST_NUMBER | ONE_NUMBER))) return text;
  Signature with_number = overload.signature;
  static PyObject* self = PyUnicode_InternFromString("self");
  if (op.forms & ONE_NUMBER && !self_given) {
    with_number.params[0].type = "Number";
    with_number.params[0].name = self;
    text += line(with_number);
    with_number.params[0] = overload.signature.params[0];
  }
  with_number.params.back().type = "Number";
  return text + line(with_number);
}

[[noreturn]] void fail_arguments(const Operator& op, PyObject* const* args, Py_ssize_t n,
                                 PyObject* names, PyObject** out, Use use) {
  PyObject* slots[kMaxParams];
  Object keep;
  std::string text;
  bool self_given = use != Use::Function;
  std::string name = use == Use::Inplace ? concat(op.name, "_") : op.name;
  if (op.overloads.size() == 1 && !(op.forms & (LAST_NUMBER | ONE_NUMBER))) {
    op.overloads[0].signature.bind(args, n, names, slots, out, &keep, &text, name.c_str(),
                                   self_given);
    fail(ErrorKind::Type, text);
  }
  text = concat(name, "() received an invalid combination of arguments - got (",
                given_types(args + self_given, n - self_given, names), "), but expected one of:\n");
  for (const Overload& o : op.overloads) text += spelled(op, o, self_given);
  fail(ErrorKind::Type, text);
}

// out= may be an argument, but not overlap one otherwise.
void check_overlaps(const char* op, const Signature& signature, PyObject* const* slots,
                    PyObject* out) {
  bool apart = ops::out_must_be_apart(op);
  auto check = [apart](PyObject* written, PyObject* read) {
    if (!is_tensor(written) || !is_tensor(read)) return;
    if (apart && unwrap(written).is(unwrap(read)) && unwrap(read).numel()) fail_overlap();
    check_partial_overlap(unwrap(written), unwrap(read), apart);
  };
  auto each = [](PyObject* o, auto f) {
    if (!PyTuple_Check(o) && !PyList_Check(o)) return f(o);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i) f(PySequence_Fast_GET_ITEM(o, i));
  };
  for (size_t i = 0; i < signature.params.size(); ++i)
    each(slots[i],
         [&](PyObject* read) { each(out, [&](PyObject* written) { check(written, read); }); });
}

// A factory makes what the tensor it fills is: out= gives the dtype that is not given.
Object type_from_out(const Signature& signature, PyObject** slots, PyObject* out) {
  if (!is_tensor(out) || signature.params.empty() || is_tensor(slots[0])) return {};
  for (size_t i = 0; i < signature.params.size(); ++i) {
    if (std::strcmp(PyUnicode_AsUTF8(signature.params[i].name), "dtype") != 0) continue;
    DType given = unwrap(out).dtype();
    CHECK(slots[i] == Py_None || to_dtype(slots[i]) == given, "dtype ", label(to_dtype(slots[i])),
          " does not match dtype of out parameter (", label(given), ")");
    slots[i] = wrap(given);
    return Object(slots[i]);
  }
  return {};
}

bool records(const Signature& signature, PyObject* const* slots) {
  for (size_t i = 0; i < signature.params.size(); ++i)
    if (is_tensor(slots[i]) && tape::needs_grad(unwrap(slots[i]))) return true;
  return false;
}

}  // namespace

PyObject* call(const Operator& op, PyObject* const* args, Py_ssize_t n, PyObject* names, Use use) {
  PyObject* slots[kMaxParams];
  PyObject* out = nullptr;
  bool inplace = use == Use::Inplace;
  PyObject** wanted_out = op.forms & OUT && !inplace ? &out : nullptr;
  for (const Overload& overload : op.overloads) {
    Object keep;
    if (!overload.signature.bind(args, n, names, slots, wanted_out, &keep, nullptr, op.name, false))
      continue;
    if (inplace && !is_tensor(slots[0])) break;  // only tensors can be written
    if (inplace) {
      if (overload.invoke_inplace) return overload.invoke_inplace(slots, overload.context);
      PyObject* self = slots[0];
      tape::check_write(unwrap(self));
      Object old;
      if (records(overload.signature, slots)) {
        old = Object(wrap(ops::before_write(unwrap(self))));
        slots[0] = old.get();
      }
      Object made(invoke(op, overload, slots));
      CHECK(is_tensor(made.get()), op.name, "_ has no in-place form");
      ops::assign_(op.name, unwrap(self), unwrap(made.get()));
      return Py_NewRef(self);
    }
    std::vector<Object> converted;
    if (may_cast(op) && !out)
      cast_arguments(op, overload.signature.params.size(), slots, converted);
    if (out && overload.invoke_out) return overload.invoke_out(slots, out, overload.context);
    if (out) check_overlaps(op.name, overload.signature, slots, out);
    Object type;
    if (out) type = type_from_out(overload.signature, slots, out);
    PyObject* made = invoke(op, overload, slots);
    if (out) {
      Object result(made);
      return named(overload.signature.result_type, write_out(op.name, out, result.get()));
    }
    return named(overload.signature.result_type, made);
  }
  fail_arguments(op, args, n, names, wanted_out, use);
}

PyObject* write_out(const char* op, PyObject* out, PyObject* made, Py_ssize_t which) {
  if (is_tensor(made)) {
    if (PyTuple_Check(out) || PyList_Check(out)) {
      CHECK_KIND(PySequence_Fast_GET_SIZE(out) == 1, Type, op,
                 "(): argument 'out' must be Tensor, not ", type_name(out));
      out = PySequence_Fast_GET_ITEM(out, 0);
    }
    CHECK_KIND(is_tensor(out), Type, op, "(): argument 'out' must be Tensor, not ", type_name(out));
    ops::write_out(op, unwrap(out), unwrap(made), which);
    Py_INCREF(out);
    return out;
  }
  CHECK_KIND(PyTuple_Check(out) || PyList_Check(out), Type, op,
             "(): argument 'out' must be tuple of Tensors, not ", type_name(out));
  Py_ssize_t n = PyTuple_GET_SIZE(made);
  CHECK_KIND(PySequence_Fast_GET_SIZE(out) == n, Type, op, "(): expected a tuple of ", n,
             " tensors as 'out'");
  Object tuple(checked(PyTuple_New(n)));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* target = PySequence_Fast_GET_ITEM(out, i);
    PyTuple_SET_ITEM(tuple.get(), i, write_out(op, target, PyTuple_GET_ITEM(made, i), i));
  }
  return tuple.release();
}

namespace {

// For composites, whose forms are made in Python (ops/register.py).
PyObject* write_out_(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* op;
    PyObject *out, *made;
    if (!PyArg_ParseTuple(args, "sOO", &op, &out, &made)) throw PythonError();
    if (PyObject* done = recorded_function("_write_out", &PyTuple_GET_ITEM(args, 0), 3))
      return done;
    if (PyList_Check(made))
      fail(ErrorKind::Type, op, "(): out= is not supported for a list of results");
    return write_out(op, out, made);
  });
}
PyObject* assign(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* op;
    PyObject *self, *made;
    if (!PyArg_ParseTuple(args, "sOO", &op, &self, &made)) throw PythonError();
    if (PyObject* done = recorded_function("_assign", &PyTuple_GET_ITEM(args, 0), 3)) return done;
    CHECK_KIND(is_tensor(self) && is_tensor(made), Type, op,
               "(): argument 'self' must be Tensor, not ", type_name(self));
    ops::assign_(op, unwrap(self), unwrap(made));
    return Py_NewRef(self);
  });
}
PyObject* check_write(PyObject*, PyObject* x) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(is_tensor(x), Type, "expected a Tensor, got ", type_name(x));
    tape::check_write(unwrap(x));
    Py_RETURN_NONE;
  });
}
// What an in-place form that is written in Python computes with, where a gradient may need it.
PyObject* before_write(PyObject*, PyObject* x) {
  return guarded([&] { return wrap(ops::before_write(unwrap(x))); });
}
PyMethodDef module_functions[] = {{"_before_write", before_write, METH_O, nullptr},
                                  {"_write_out", write_out_, METH_VARARGS, nullptr},
                                  {"_assign", assign, METH_VARARGS, nullptr},
                                  {"_check_write", check_write, METH_O, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};

}  // namespace

const Overload* bound_overload(PyObject* function, PyObject* const* args, Py_ssize_t n,
                               PyObject* names, PyObject** slots, Object* keep) {
  if (Py_TYPE(function) != function_type && Py_TYPE(function) != method_type) return nullptr;
  auto* c = reinterpret_cast<Callable*>(function);
  PyObject* out = nullptr;
  if (c->use == Use::Inplace) return nullptr;
  for (const Overload& overload : c->op->overloads)
    if (overload.signature.bind(args, n, names, slots, c->op->forms & OUT ? &out : nullptr, keep,
                                nullptr, c->op->name, false))
      return out ? nullptr : &overload;
  return nullptr;
}

const char* operator_name(PyObject* o, bool* inplace) {
  if (Py_TYPE(o) != function_type && Py_TYPE(o) != method_type) return nullptr;
  auto* c = reinterpret_cast<Callable*>(o);
  *inplace = c->use == Use::Inplace;
  return c->op->name;
}

Operator& operator_named(const char* name) {
  Operator& op = operators()[name];
  op.name = name;
  return op;
}

Operator* find_operator(const char* name) {
  auto found = operators().find(name);
  return found == operators().end() ? nullptr : &found->second;
}

void add_operator_type(PyObject* module) {
  if (PyModule_AddFunctions(module, module_functions) < 0) throw PythonError();
  function_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&function_spec)));
  method_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&method_spec)));
}

void publish(PyObject* module) {
  Object names(PyList_New(0));
  for (auto& [name, op] : operators()) {
    std::string spelled = name;
    if (op.forms & (FN | PRIVATE)) {
      Object f(make_callable(function_type, op, spelled, Use::Function));
      PyModule_AddObjectRef(module, name, f.get());
    }
    if (op.forms & FN) {
      Object s(PyUnicode_FromString(name));
      PyList_Append(names.get(), s.get());
    }
    auto* type = reinterpret_cast<PyObject*>(tensor_type);
    if (op.forms & METHOD) {
      Object m(make_callable(method_type, op, spelled, Use::Method));
      PyObject_SetAttrString(type, name, m.get());
    }
    if (!(op.forms & INPLACE)) continue;
    spelled += "_";
    if (op.forms & METHOD) {
      Object m(make_callable(method_type, op, spelled, Use::Inplace));
      PyObject_SetAttrString(type, spelled.c_str(), m.get());
    }
    if (op.forms & (FN | PRIVATE)) {
      Object f(make_callable(function_type, op, spelled, Use::Inplace));
      PyModule_AddObjectRef(module, spelled.c_str(), f.get());
    }
    if (op.forms & FN) {
      Object s(PyUnicode_FromString(spelled.c_str()));
      PyList_Append(names.get(), s.get());
    }
  }
  PyModule_AddObjectRef(module, "_functions", names.get());
  PyType_Modified(tensor_type);
}

}  // namespace lampas::python
