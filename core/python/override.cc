// __torch_function__: who takes a call over, in which order, and the switches for it. Modes come
// first (the innermost one, outside of which its own calls run), then types, subclasses before
// their bases, otherwise from left to right. Last come transforms (lampas/func/levels.py), to which
// calls go that have an argument marked by `_carry`, or that draw random numbers.
#include "python/override.h"

#include <vector>

#include "python/types.h"
#include "tape/history.h"

namespace lampas::python {

Overriding overriding;

namespace {

enum class Switch : int { On, NoTypes, Off };
thread_local Switch enabled = Switch::On;
thread_local std::vector<PyObject*> modes;  // owned, innermost last
PyObject *handler_name, *disabled_handler;

// Transforms: how many are open here (while one handles a call, those outside it), and what calls
// go to: handler(function, args, kwargs) -> result or NotImplemented.
thread_local int transforms_here = 0;
PyObject *transform_handler = nullptr, *random_functions = nullptr;

void refresh() {
  overriding.active =
      overriding.types || overriding.modes > 0 || overriding.transforms > 0 || overriding.profiling;
}

struct Restore {
  Switch before = enabled;
  ~Restore() { enabled = before; }
};

// Takes the innermost mode off its stack while it handles a call.
class Innermost {
 public:
  Innermost() : mode_(modes.back()) { modes.pop_back(); }
  ~Innermost() { modes.push_back(mode_.release()); }
  PyObject* get() const { return mode_.get(); }

 private:
  Object mode_;
};

void add_taker(std::vector<PyObject*>& takers, PyObject* o) {
  for (PyObject* known : takers)
    if (Py_TYPE(known) == Py_TYPE(o)) return;
  auto place = takers.begin();
  while (place != takers.end() && !PyType_IsSubtype(Py_TYPE(o), Py_TYPE(*place))) ++place;
  takers.insert(place, o);
}

void collect(std::vector<PyObject*>& takers, PyObject* o, bool inside) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == tensor_type || o == Py_None || PyLong_CheckExact(o) || PyFloat_CheckExact(o) ||
      PyUnicode_CheckExact(o) || PyBool_Check(o) || PyType_Check(o))
    return;
  if (PyTuple_CheckExact(o) || PyList_CheckExact(o)) {
    if (!inside)
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
        collect(takers, PySequence_Fast_GET_ITEM(o, i), true);
    return;
  }
  if (takes_over(type)) add_taker(takers, o);
}

std::vector<PyObject*> takers_among(PyObject* const* args, Py_ssize_t total) {
  std::vector<PyObject*> takers;
  for (Py_ssize_t i = 0; i < total; ++i) collect(takers, args[i], false);
  return takers;
}

Object tuple_of(PyObject* const* items, Py_ssize_t n) {
  Object tuple(checked(PyTuple_New(n)));
  for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(items[i]));
  return tuple;
}

Object dict_of(PyObject* const* values, PyObject* names) {
  Object dict(checked(PyDict_New()));
  for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
    if (PyDict_SetItem(dict.get(), PyTuple_GET_ITEM(names, i), values[i]) < 0) throw PythonError();
  return dict;
}

bool carries(PyObject* o, int depth = 0) {
  if (is_tensor(o)) {
    const Tensor& x = unwrap(o);
    return x->carries || (tape::is_view(x) && x->meta->base->carries);
  }
  if (depth > 3 || !(PyTuple_Check(o) || PyList_Check(o))) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (carries(PySequence_Fast_GET_ITEM(o, i), depth + 1)) return true;
  return false;
}

// What the innermost open transform makes of the call; null when none takes part.
PyObject* transformed(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
  bool wanted = false;
  for (Py_ssize_t i = 0; i < total && !wanted; ++i) wanted = carries(args[i]);
  if (!wanted) wanted = PySet_Contains(random_functions, function) == 1;
  PyErr_Clear();  // an unhashable callable is no random function
  if (!wanted) return nullptr;
  Object positional = tuple_of(args, n), kwargs = dict_of(args + n, names);
  PyObject* given[] = {function, positional.get(), kwargs.get()};
  Object result(checked(PyObject_Vectorcall(transform_handler, given, 3, nullptr)));
  return result.get() == Py_NotImplemented ? nullptr : result.release();
}

// torch.add, torch.Tensor.add, ... as errors name a function.
std::string spelled(PyObject* function) {
  Object module(PyObject_GetAttrString(function, "__module__"));
  Object name(PyObject_GetAttrString(function, "__qualname__"));
  PyErr_Clear();
  std::string text = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : "?";
  bool known = module && PyUnicode_Check(module.get());
  std::string where = known ? PyUnicode_AsUTF8(module.get()) : "torch.Tensor";
  return concat(where.starts_with("lampas") ? concat("torch", where.substr(6)) : where, ".", text);
}

// Two wordings, as in PyTorch: of functions that are written in Python there, and of the others.
[[noreturn]] void fail_untaken(PyObject* function, PyObject* mode,
                               const std::vector<PyObject*>& takers) {
  std::string name = spelled(function);
  if (name.starts_with("torch.nn.functional.")) {
    Object types(checked(PyList_New(0)));
    for (PyObject* o : takers) PyList_Append(types.get(), reinterpret_cast<PyObject*>(Py_TYPE(o)));
    Object shown(checked(PyObject_Repr(types.get())));
    fail(ErrorKind::Type, "no implementation found for '", name,
         "' on types that implement __torch_function__: ", PyUnicode_AsUTF8(shown.get()));
  }
  std::string text = concat("Multiple dispatch failed for '", name,
                            "'; all __torch_function__ handlers returned NotImplemented:\n\n");
  auto line = [&](const char* what, PyObject* o) {
    Object shown(checked(PyObject_Repr(o)));
    text += concat("  - ", what, " ", PyUnicode_AsUTF8(shown.get()), "\n");
  };
  if (mode) line("mode object", mode);
  for (PyObject* o : takers) line("tensor subclass", reinterpret_cast<PyObject*>(Py_TYPE(o)));
  fail(ErrorKind::Type, text,
       "\nFor more information, try re-running with TORCH_LOGS=not_implemented");
}

// A new reference to what the handler returns, null for NotImplemented.
PyObject* ask(PyObject* handler_owner, PyObject* function, const Object& types, const Object& args,
              const Object& kwargs) {
  Object handler(checked(PyObject_GetAttr(handler_owner, handler_name)));
  PyObject* given[] = {function, types.get(), args.get(), kwargs.get()};
  Object result(checked(PyObject_Vectorcall(handler.get(), given, 4, nullptr)));
  return result.get() == Py_NotImplemented ? nullptr : result.release();
}

// What the innermost mode, then the takers make of the call; null when there are none.
PyObject* hand_over(PyObject* function, const std::vector<PyObject*>& takers, const Object& args,
                    const Object& kwargs) {
  if (takers.empty() && modes.empty()) return nullptr;
  Object types(checked(PyTuple_New(static_cast<Py_ssize_t>(takers.size()))));
  for (size_t i = 0; i < takers.size(); ++i)
    PyTuple_SET_ITEM(types.get(), static_cast<Py_ssize_t>(i),
                     Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(takers[i]))));
  Object declined;
  if (!modes.empty()) {
    Innermost mode;
    if (PyObject* result = ask(mode.get(), function, types, args, kwargs)) return result;
    declined = Object::borrow(mode.get());
  }
  for (PyObject* taker : takers)
    if (PyObject* result = ask(taker, function, types, args, kwargs)) return result;
  fail_untaken(function, declined.get(), takers);
}

PyObject* attribute(const char* name) {
  PyObject* found = PyDict_GetItemString(tensor_type->tp_dict, name);
  CHECK(found, "Tensor has no attribute ", name);
  return found;
}

}  // namespace

bool takes_over(PyTypeObject* type) {
  PyObject* handler = _PyType_Lookup(type, handler_name);
  return handler && handler != disabled_handler;
}

void set_profiling(bool on) {
  overriding.profiling = on;
  refresh();
}

void note_type(PyTypeObject* type) {
  if (overriding.types || !takes_over(type)) return;
  overriding.types = true;
  refresh();
}

PyObject* taken_over(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  std::vector<PyObject*> takers;
  if (enabled == Switch::On) takers = takers_among(args, n + (names ? PyTuple_GET_SIZE(names) : 0));
  if (enabled != Switch::Off && !(takers.empty() && modes.empty()))
    return hand_over(function, takers, tuple_of(args, n), dict_of(args + n, names));
  return transforms_here ? transformed(function, args, n, names) : nullptr;
}

PyObject* method_taken_over(const char* name, std::initializer_list<PyObject*> args) {
  return taken_over(attribute(name), args.begin(), static_cast<Py_ssize_t>(args.size()), nullptr);
}

PyObject* method_taken_over(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names) {
  std::vector<PyObject*> all{self};
  all.insert(all.end(), args, args + n + (names ? PyTuple_GET_SIZE(names) : 0));
  return taken_over(attribute(name), all.data(), n + 1, names);
}

PyObject* getter_taken_over(const char* name, PyObject* self) {
  if (Py_TYPE(self) == tensor_type && modes.empty() && !(transforms_here && carries(self)))
    return nullptr;
  Object get(checked(PyObject_GetAttrString(attribute(name), "__get__")));
  return taken_over(get.get(), &self, 1, nullptr);
}

bool setter_taken_over(const char* name, PyObject* self, PyObject* value) {
  if (!value) return false;
  if (Py_TYPE(self) == tensor_type && modes.empty() &&
      !(transforms_here && (carries(self) || carries(value))))
    return false;
  Object set(checked(PyObject_GetAttrString(attribute(name), "__set__")));
  PyObject* args[] = {self, value};
  return static_cast<bool>(Object(taken_over(set.get(), args, 2, nullptr)));
}

// ---- switches ----

namespace {

// (state: 0 all, 1 modes only, 2 nothing) -> the state before
PyObject* set_enabled(PyObject*, PyObject* state) {
  return guarded([&] {
    int64_t wanted = to_int(state);
    CHECK_KIND(wanted >= 0 && wanted <= 2, Value, "no such state of __torch_function__: ", wanted);
    auto before = static_cast<long>(enabled);
    enabled = static_cast<Switch>(wanted);
    return PyLong_FromLong(before);
  });
}
PyObject* get_enabled(PyObject*, PyObject*) { return PyLong_FromLong(static_cast<long>(enabled)); }

PyObject* push_mode(PyObject*, PyObject* mode) {
  modes.push_back(Py_NewRef(mode));
  ++overriding.modes;
  refresh();
  Py_RETURN_NONE;
}
PyObject* pop_mode(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    CHECK_KIND(!modes.empty(), Runtime, "the stack of __torch_function__ modes is empty");
    PyObject* mode = modes.back();
    modes.pop_back();
    --overriding.modes;
    refresh();
    return mode;
  });
}
PyObject* list_modes(PyObject*, PyObject*) {
  return guarded(
      [] { return tuple_of(modes.data(), static_cast<Py_ssize_t>(modes.size())).release(); });
}

// (function, args, kwargs, relevant): what the relevant arguments' types or a mode make of the call
// of a Python function, NotImplemented for none
PyObject* offer(PyObject*, PyObject* given) {
  return guarded([&]() -> PyObject* {
    PyObject *function, *args, *kwargs, *relevant;
    if (!PyArg_ParseTuple(given, "OO!O!O!", &function, &PyTuple_Type, &args, &PyDict_Type, &kwargs,
                          &PyTuple_Type, &relevant))
      throw PythonError();
    std::vector<PyObject*> takers;
    if (enabled == Switch::On)
      takers = takers_among(&PyTuple_GET_ITEM(relevant, 0), PyTuple_GET_SIZE(relevant));
    PyObject* result = enabled == Switch::Off ? nullptr
                                              : hand_over(function, takers, Object::borrow(args),
                                                          Object::borrow(kwargs));
    return result ? result : Py_NewRef(Py_NotImplemented);
  });
}

PyObject* takes_part(PyObject*, PyObject* values) {
  return guarded([&]() -> PyObject* {
    if (enabled == Switch::Off) Py_RETURN_FALSE;
    if (!modes.empty()) Py_RETURN_TRUE;
    if (enabled == Switch::NoTypes) Py_RETURN_FALSE;
    Object all(checked(PySequence_Tuple(values)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(all.get()); ++i) {
      PyObject* o = PyTuple_GET_ITEM(all.get(), i);
      if (Py_TYPE(o) != tensor_type && !PyType_Check(o) && takes_over(Py_TYPE(o))) Py_RETURN_TRUE;
    }
    Py_RETURN_FALSE;
  });
}

// (function, types, args=(), kwargs=None): the function, no type taking it over
PyObject* disabled(PyObject*, PyObject* args, PyObject* keywords) {
  return guarded([&]() -> PyObject* {
    PyObject *function, *types, *given = nullptr, *kwargs = nullptr;
    static const char* names[] = {"func", "types", "args", "kwargs", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|OO", const_cast<char**>(names), &function,
                                     &types, &given, &kwargs))
      throw PythonError();
    Object positional(checked(given ? PySequence_Tuple(given) : PyTuple_New(0)));
    Restore restore;
    if (enabled == Switch::On) enabled = Switch::NoTypes;
    return checked(PyObject_Call(function, positional.get(), kwargs == Py_None ? nullptr : kwargs));
  });
}

// (handler, functions that draw random numbers)
PyObject* set_transform_handler(PyObject*, PyObject* given) {
  PyObject *handler, *random;
  if (!PyArg_ParseTuple(given, "OO", &handler, &random)) return nullptr;
  Py_XSETREF(transform_handler, Py_NewRef(handler));
  Py_XSETREF(random_functions, Py_NewRef(random));
  Py_RETURN_NONE;
}

// How many transforms see this thread's calls from now on -> how many did
PyObject* set_transforms(PyObject*, PyObject* count) {
  return guarded([&] {
    CHECK(transform_handler, "nothing handles transforms yet");
    int before = transforms_here;
    transforms_here = static_cast<int>(to_int(count));
    overriding.transforms += transforms_here - before;
    refresh();
    return PyLong_FromLong(before);
  });
}
PyObject* count_transforms(PyObject*, PyObject*) { return PyLong_FromLong(transforms_here); }

// From now on calls with this tensor go to the transforms.
PyObject* carry(PyObject*, PyObject* x) {
  return guarded([&] {
    unwrap(x)->carries = true;
    return Py_NewRef(x);
  });
}
// The logical tensor that stands for a batch (B, ...): the first of it, without a history.
PyObject* face_of_batch(PyObject*, PyObject* batch) {
  return guarded([&] {
    const Tensor& x = unwrap(batch);
    CHECK(x.dim() > 0, "a batch has at least one dimension");
    Span sizes = Span(x.sizes()).subspan(1), strides = Span(x.strides()).subspan(1);
    Tensor face = x.size(0) ? view_of(x, sizes, strides) : empty(sizes, x.dtype(), x.device());
    face->carries = true;
    return wrap(face);
  });
}
PyObject* is_carrier(PyObject*, PyObject* o) { return PyBool_FromLong(carries(o)); }

PyCFunction with_keywords(PyCFunctionWithKeywords f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef functions[] = {{"_set_torch_function", set_enabled, METH_O, nullptr},
                           {"_torch_function", get_enabled, METH_NOARGS, nullptr},
                           {"_push_torch_function_mode", push_mode, METH_O, nullptr},
                           {"_pop_torch_function_mode", pop_mode, METH_NOARGS, nullptr},
                           {"_torch_function_modes", list_modes, METH_NOARGS, nullptr},
                           {"_set_transform_handler", set_transform_handler, METH_VARARGS, nullptr},
                           {"_set_transforms", set_transforms, METH_O, nullptr},
                           {"_transforms", count_transforms, METH_NOARGS, nullptr},
                           {"_carry", carry, METH_O, nullptr},
                           {"_face_of_batch", face_of_batch, METH_O, nullptr},
                           {"_carries", is_carrier, METH_O, nullptr},
                           {"_offer", offer, METH_VARARGS, nullptr},
                           {"_has_torch_function", takes_part, METH_O, nullptr},
                           {"_disabled_torch_function_impl", with_keywords(disabled),
                            METH_VARARGS | METH_KEYWORDS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_override(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
  handler_name = checked(PyUnicode_InternFromString("__torch_function__"));
  disabled_handler = checked(PyObject_GetAttrString(module, "_disabled_torch_function_impl"));
}

}  // namespace lampas::python
