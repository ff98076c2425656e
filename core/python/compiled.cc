// _core.Compiled: a callable that replays the recording whose guards hold, and otherwise asks its
// Python side (compiler/compilation.py), which records anew or runs the function as it is.
#include <deque>

#include "python/guards.h"
#include "python/override.h"
#include "python/recording.h"
#include "python/replay.h"
#include "python/types.h"
#include "tape/hooks.h"

namespace lampas::python {

namespace {

// One signature of the function: what its arguments are and what they may do.
struct Entry {
  Recording recording;
  std::vector<Template> args;  // positional, then keywords; a constant is compared by value
  Object names;
  Template output;
  Guards guards;
  DType default_dtype = DType::Float;
  std::vector<Object> given;  // the arguments, while the recording runs
  int replays = 0;            // until its place is taken by a graph of the device's work
  Object graph;               // does the replay's work, from the inputs as a tuple; None: nothing
};

struct State {
  std::deque<std::shared_ptr<Entry>> entries;  // one that is replayed may be forgotten meanwhile
  std::unique_ptr<Entry> begun;                // being recorded
  Object miss;  // miss(args, kwargs): what to do where no recording fits
  Object warm;  // warm(...): offers a replay that has run some times to be a graph; or None
};

struct Compiled {
  PyObject_HEAD vectorcallfunc vectorcall;
  State* state;
};
PyTypeObject* compiled_type;
Compiled* body(PyObject* o) { return reinterpret_cast<Compiled*>(o); }

bool same_names(PyObject* a, PyObject* b) {
  return a == b || (a && b && PyObject_RichCompareBool(a, b, Py_EQ) == 1);
}

// ---- arguments ----

// Tensors become inputs of the recording; other objects are taken by identity.
Template describe_argument(Recording& r, PyObject* o) {
  Template t;
  bool list = PyList_CheckExact(o), dict = PyDict_CheckExact(o);
  if (is_tensor(o)) {
    t.kind = Template::Kind::Value;
    t.value = r.input(o);
  } else if (list || (PyTuple_CheckExact(o) && !is_constant(o))) {
    t.kind = list ? Template::Kind::List : Template::Kind::Tuple;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
      t.items.push_back(describe_argument(r, PySequence_Fast_GET_ITEM(o, i)));
  } else if (dict) {
    t.kind = Template::Kind::Dict;
    PyObject *key, *item;
    for (Py_ssize_t at = 0; PyDict_Next(o, &at, &key, &item);) {
      t.keys.push_back(Object::borrow(key));
      t.items.push_back(describe_argument(r, item));
    }
  } else {
    t.constant = Object::borrow(o);
  }
  return t;
}

// Does `o` fit? Fills `inputs`, where one tensor must stand wherever one stood.
bool fits(const Recording& r, const Template& t, PyObject* o, PyObject** inputs) {
  switch (t.kind) {
    case Template::Kind::Constant:
      return same_constant(t.constant.get(), o);
    case Template::Kind::Value: {
      if (!is_tensor(o)) return false;
      const Value& value = r.values[t.value];
      if (value.captured && value.object.get() != o) return false;
      if (inputs[t.value]) return inputs[t.value] == o;
      inputs[t.value] = o;
      return reinterpret_cast<PyObject*>(Py_TYPE(o)) == value.type && value.kind.fits(unwrap(o));
    }
    case Template::Kind::Dict: {
      if (!PyDict_CheckExact(o) || PyDict_GET_SIZE(o) != static_cast<Py_ssize_t>(t.items.size()))
        return false;
      PyObject *key, *item;
      size_t i = 0;
      for (Py_ssize_t at = 0; PyDict_Next(o, &at, &key, &item); ++i)
        if (!same_constant(t.keys[i].get(), key) || !fits(r, t.items[i], item, inputs))
          return false;
      return true;
    }
    default:
      break;
  }
  bool list = t.kind == Template::Kind::List;
  if (!(list ? PyList_CheckExact(o) : PyTuple_CheckExact(o))) return false;
  if (PySequence_Fast_GET_SIZE(o) != static_cast<Py_ssize_t>(t.items.size())) return false;
  for (size_t i = 0; i < t.items.size(); ++i)
    if (!fits(r, t.items[i], PySequence_Fast_GET_ITEM(o, static_cast<Py_ssize_t>(i)), inputs))
      return false;
  return true;
}

// The values of a recording come inputs first.
bool inputs_fit(const Entry& e, PyObject** inputs, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const Value& value = e.recording.values[i];
    if (!value.input) break;
    for (size_t k = 0; k < i; ++k)
      if (inputs[k] == inputs[i]) return false;  // two tensors when recorded
  }
  return true;
}

bool tensors_fit(const Entry& e, PyObject* const* inputs) {
  for (size_t i = 0; i < e.recording.values.size(); ++i) {
    const Value& value = e.recording.values[i];
    if (value.made) continue;
    const Tensor& x = unwrap(value.input ? inputs[i] : value.object.get());
    if (value.captured && !value.kind.fits(x)) return false;
    if (value.grad_known >= 0 && value.grad_known != (x->meta && x->meta->grad.defined()))
      return false;
  }
  return true;
}

bool ambient_fits(const Entry& e) {
  return CallModes::now() == e.recording.outside && default_dtype() == e.default_dtype &&
         !tape::modes.anomaly && tape::saved_hooks().empty();
}

// Whether the function left its argument's lists and dicts as they were.
bool unchanged(const Recording& r, const Template& t, PyObject* o) {
  if (t.kind == Template::Kind::Constant) return t.constant.get() == o;
  if (t.kind == Template::Kind::Value) return r.values[t.value].object.get() == o;
  bool dict = t.kind == Template::Kind::Dict;
  Py_ssize_t size = dict ? PyDict_GET_SIZE(o) : PySequence_Fast_GET_SIZE(o);
  if (size != static_cast<Py_ssize_t>(t.items.size())) return false;
  PyObject *key = nullptr, *item = nullptr;
  Py_ssize_t at = 0;
  for (Py_ssize_t i = 0; i < size; ++i) {
    if (dict && (!PyDict_Next(o, &at, &key, &item) || key != t.keys[i].get())) return false;
    if (!dict) item = PySequence_Fast_GET_ITEM(o, i);
    if (!unchanged(r, t.items[i], item)) return false;
  }
  return true;
}

constexpr size_t kMostInputs = 32;

constexpr int kWarm = 2;  // replays before a graph is tried: memory and kernels are there by then

// What `warm` runs: the replay for a tuple of inputs.
struct Run {
  std::shared_ptr<Entry> entry;
  static PyObject* call(PyObject* capsule, PyObject* inputs) {
    return guarded([&]() -> PyObject* {
      auto* run = static_cast<Run*>(PyCapsule_GetPointer(capsule, "lampas.replay"));
      if (!run) throw PythonError();
      const Recording& r = run->entry->recording;
      CHECK_KIND(
          PyTuple_Check(inputs) && PyTuple_GET_SIZE(inputs) == static_cast<Py_ssize_t>(r.inputs),
          Type, "a replay takes a tuple of its inputs");
      return replay(r, PySequence_Fast_ITEMS(inputs), run->entry->output);
    });
  }
};

Object tuple_of(PyObject* const* items, size_t n) {
  Object tuple(checked(PyTuple_New(static_cast<Py_ssize_t>(n))));
  for (size_t i = 0; i < n; ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), Py_NewRef(items[i]));
  return tuple;
}

bool all_on_cuda(const Recording& r) {
  for (const Value& value : r.values)
    if (!value.kind.device.is_cuda()) return false;
  return !r.values.empty();
}

// warm(run, inputs, objects, names) -> (graph or None, the call's result). `objects`: what calls
// that were taken as one were given; `names`: those of the calls.
PyObject* offer(const std::shared_ptr<Entry>& e, PyObject* warm, PyObject* const* inputs) {
  e->graph = Object::borrow(Py_None);
  const Recording& r = e->recording;
  if (!all_on_cuda(r)) return replay(r, inputs, e->output);
  static PyMethodDef method = {"replay", Run::call, METH_O, nullptr};
  Object capsule(checked(PyCapsule_New(new Run{e}, "lampas.replay", [](PyObject* o) {
    delete static_cast<Run*>(PyCapsule_GetPointer(o, "lampas.replay"));
  })));
  Object run(checked(PyCFunction_New(&method, capsule.get())));
  Object objects(checked(PyList_New(0))), names(checked(PyList_New(0)));
  for (const Step& step : r.steps) {
    Object name(checked(PyUnicode_FromString(step.name.c_str())));
    PyList_Append(names.get(), name.get());
    for (const Template& t : step.args)
      if (t.kind == Template::Kind::Constant && t.constant && !is_constant(t.constant.get()))
        PyList_Append(objects.get(), t.constant.get());
  }
  Object leaves(checked(PyList_New(0)));
  for (const Value& value : r.values)
    if (value.captured && value.kind.requires_grad && value.kind.leaf)
      PyList_Append(leaves.get(), value.object.get());
  Object given = tuple_of(inputs, r.inputs);
  Object pair(checked(PyObject_CallFunctionObjArgs(warm, run.get(), given.get(), objects.get(),
                                                   names.get(), leaves.get(), nullptr)));
  CHECK_KIND(PyTuple_Check(pair.get()) && PyTuple_GET_SIZE(pair.get()) == 2, Type,
             "warm() must give a pair");
  e->graph = Object::borrow(PyTuple_GET_ITEM(pair.get(), 0));
  return Py_NewRef(PyTuple_GET_ITEM(pair.get(), 1));
}

PyObject* run_entry(const std::shared_ptr<Entry>& e, PyObject* warm, PyObject* const* inputs) {
  if (e->graph && e->graph.get() != Py_None) {
    Object graph = e->graph, given = tuple_of(inputs, e->recording.inputs);
    Object result(checked(PyObject_CallOneArg(graph.get(), given.get())));
    if (result.get() != Py_NotImplemented) return result.release();
    e->graph = Object();  // what it was made of has changed: it is tried again
    e->replays = kWarm;
  }
  if (!e->graph && warm && warm != Py_None && e->replays++ >= kWarm) return offer(e, warm, inputs);
  return replay(e->recording, inputs, e->output);
}

// The replayed result, or null where this recording does not fit.
PyObject* try_entry(const std::shared_ptr<Entry>& shared, PyObject* warm, PyObject* const* args,
                    Py_ssize_t n, PyObject* names) {
  const Entry& e = *shared;
  Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
  if (static_cast<size_t>(total) != e.args.size() || !same_names(names, e.names.get()) ||
      !ambient_fits(e))
    return nullptr;
  size_t count = e.recording.inputs;
  PyObject* few[kMostInputs] = {};
  std::vector<PyObject*> many(count > kMostInputs ? count : 0);
  PyObject** inputs = many.empty() ? few : many.data();
  for (Py_ssize_t i = 0; i < total; ++i)
    if (!fits(e.recording, e.args[i], args[i], inputs)) return nullptr;
  if (!inputs_fit(e, inputs, count) || !tensors_fit(e, inputs) || !e.guards.hold()) return nullptr;
  return run_entry(shared, warm, inputs);
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
  Py_ssize_t n = PyVectorcall_NARGS(flags);
  return guarded([&]() -> PyObject* {
    bool watched = overriding.modes > 0 || overriding.transforms > 0 || overriding.profiling;
    if (!recorder.recording && !watched)
      for (size_t i = 0; i < body(self)->state->entries.size(); ++i) {
        std::shared_ptr<Entry> e = body(self)->state->entries[i];
        if (PyObject* result = try_entry(e, body(self)->state->warm.get(), args, n, names))
          return result;
      }
    Object positional(checked(PyTuple_New(n))), kwargs(checked(PyDict_New()));
    for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); ++i)
      if (PyDict_SetItem(kwargs.get(), PyTuple_GET_ITEM(names, i), args[n + i]) < 0)
        throw PythonError();
    PyObject* given[] = {positional.get(), kwargs.get()};
    Object miss = body(self)->state->miss;
    return checked(PyObject_Vectorcall(miss.get(), given, 2, nullptr));
  });
}

// ---- recording ----

// (args, kwargs, places): calls of the core on this thread are recorded from now on
PyObject* begin(PyObject* self, PyObject* given) {
  return guarded([&]() -> PyObject* {
    PyObject *args, *kwargs, *places;
    if (!PyArg_ParseTuple(given, "O!O!O!", &PyTuple_Type, &args, &PyDict_Type, &kwargs,
                          &PyList_Type, &places))
      throw PythonError();
    CHECK(!recorder.recording, "a recording is running on this thread");
    auto entry = std::make_unique<Entry>();
    Recording& r = entry->recording;
    auto add = [&](PyObject* o) {
      entry->args.push_back(describe_argument(r, o));
      entry->given.push_back(Object::borrow(o));
    };
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) add(PyTuple_GET_ITEM(args, i));
    if (PyDict_GET_SIZE(kwargs))
      entry->names = Object(checked(PyTuple_New(PyDict_GET_SIZE(kwargs))));
    PyObject *key, *item;
    Py_ssize_t k = 0;
    for (Py_ssize_t at = 0; PyDict_Next(kwargs, &at, &key, &item); ++k) {
      PyTuple_SET_ITEM(entry->names.get(), k, Py_NewRef(key));
      add(item);
    }
    r.inputs = r.values.size();
    r.outside = CallModes::now();
    entry->default_dtype = default_dtype();
    entry->guards = Guards::snapshot(places);
    body(self)->state->begun = std::move(entry);
    recorder.recording = &body(self)->state->begun->recording;
    count_recorders(1);
    Py_RETURN_NONE;
  });
}

// Tensors from outside must be where the guards look, or they could be exchanged unseen.
void check_captured(Recording& r, PyObject* reachable) {
  for (Value& value : r.values) {
    if (value.made) continue;
    Object id(PyLong_FromVoidPtr(unwrap(value.object.get()).get()));
    int found = PySet_Contains(reachable, id.get());
    if (found < 0) throw PythonError();
    if (found) value.captured = true;  // also one that is an argument as well
    if (!found && !value.input && r.obstacle.empty())
      r.obstacle = concat("a tensor of shape ", to_string(value.kind.sizes),
                          " comes from where guards cannot look");
  }
}

// (result, reachable) -> None when calls with these arguments are replayed from now on, else why
// not. `reachable`: the addresses of the tensors behind the guarded places; None: give up.
PyObject* end(PyObject* self, PyObject* given) {
  return guarded([&]() -> PyObject* {
    PyObject *result, *reachable;
    if (!PyArg_ParseTuple(given, "OO", &result, &reachable)) throw PythonError();
    State& state = *body(self)->state;
    CHECK(state.begun, "no recording is running");
    std::unique_ptr<Entry> entry = std::move(state.begun);
    recorder.recording = nullptr;
    count_recorders(-1);
    Recording& r = entry->recording;
    if (reachable == Py_None) Py_RETURN_NONE;
    r.check_versions(false);
    if (r.obstacle.empty()) entry->output = r.describe(result);
    if (r.obstacle.empty()) check_captured(r, reachable);
    if (r.obstacle.empty() && !(CallModes::now() == r.outside))
      r.obstacle = "it leaves a mode changed";
    if (r.obstacle.empty() && default_dtype() != entry->default_dtype)
      r.obstacle = "it changes the default dtype";
    if (!r.obstacle.empty()) return PyUnicode_FromString(r.obstacle.c_str());
    if (Object broken(entry->guards.broken()); broken)
      return PyUnicode_FromFormat("it changes %U", broken.get());
    for (size_t i = 0; i < entry->args.size(); ++i)
      if (!unchanged(r, entry->args[i], entry->given[i].get()))
        return PyUnicode_FromString("it changes an argument");
    entry->given.clear();
    r.finish(entry->output);
    state.entries.push_back(std::move(entry));
    Py_RETURN_NONE;
  });
}

PyObject* clear(PyObject* self, PyObject*) {
  std::deque<std::shared_ptr<Entry>> gone;
  gone.swap(body(self)->state->entries);
  Py_RETURN_NONE;
}

PyObject* calls(PyObject* self, PyObject*) {
  Object lists(PyList_New(0));
  for (const auto& e : body(self)->state->entries) {
    Object names(PyList_New(0));
    for (const Step& step : e->recording.steps) {
      Object name(PyUnicode_FromString(step.name.c_str()));
      PyList_Append(names.get(), name.get());
    }
    PyList_Append(lists.get(), names.get());
  }
  return lists.release();
}

// (function, *args): the call as one, unrecorded inside; its result is None
PyObject* whole(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(n > 0, Type, "_whole takes a function");
    if (PyObject* result = recorded_whole(args[0], args + 1, n - 1)) return result;
    return checked(PyObject_Vectorcall(args[0], args + 1, static_cast<size_t>(n - 1), nullptr));
  });
}

PyObject* address(PyObject*, PyObject* x) {
  return guarded([&] { return PyLong_FromVoidPtr(unwrap(x).get()); });
}
PyObject* is_recording(PyObject*, PyObject*) {
  return PyBool_FromLong(recorder.recording != nullptr);
}
PyObject* meets(PyObject*, PyObject* what) {
  return guarded([&]() -> PyObject* {
    recording_meets(Arg<std::string>::get(what).c_str());
    Py_RETURN_NONE;
  });
}

// ---- the type ----

PyObject* make(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyObject *miss, *warm = Py_None;
    if (!PyArg_ParseTuple(args, "O|O", &miss, &warm)) throw PythonError();
    PyObject* o = checked(type->tp_alloc(type, 0));
    body(o)->vectorcall = vectorcall;
    body(o)->state = new State;
    body(o)->state->miss = Object::borrow(miss);
    body(o)->state->warm = Object::borrow(warm);
    return o;
  });
}

int visit_template(const Template& t, visitproc visit, void* arg) {
  Py_VISIT(t.constant.get());
  for (const Object& key : t.keys) Py_VISIT(key.get());
  for (const Template& item : t.items)
    if (int stop = visit_template(item, visit, arg)) return stop;
  return 0;
}
int visit_entry(const Entry& e, visitproc visit, void* arg) {
  Py_VISIT(e.names.get());
  Py_VISIT(e.graph.get());
  for (const Object& o : e.given) Py_VISIT(o.get());
  for (const Value& value : e.recording.values) Py_VISIT(value.object.get());
  for (const Step& step : e.recording.steps) {
    Py_VISIT(step.function.get());
    Py_VISIT(step.names.get());
    for (const Template& t : step.args)
      if (int stop = visit_template(t, visit, arg)) return stop;
  }
  for (const Template& t : e.args)
    if (int stop = visit_template(t, visit, arg)) return stop;
  if (int stop = visit_template(e.output, visit, arg)) return stop;
  return e.guards.visit(visit, arg);
}
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  State* state = body(self)->state;
  if (!state) return 0;
  Py_VISIT(state->miss.get());
  Py_VISIT(state->warm.get());
  for (const auto& e : state->entries)
    if (int stop = visit_entry(*e, visit, arg)) return stop;
  return state->begun ? visit_entry(*state->begun, visit, arg) : 0;
}
int forget(PyObject* self) {
  State* state = body(self)->state;
  if (!state) return 0;
  std::deque<std::shared_ptr<Entry>> gone;
  gone.swap(state->entries);
  state->miss = Object::borrow(Py_None);
  state->warm = Object();
  return 0;
}
void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyTypeObject* type = Py_TYPE(self);
  delete std::exchange(body(self)->state, nullptr);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {{"begin", begin, METH_VARARGS, nullptr},
                         {"end", end, METH_VARARGS, nullptr},
                         {"clear", clear, METH_NOARGS, nullptr},
                         {"calls", calls, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Compiled, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_new, reinterpret_cast<void*>(make)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(forget)},
                       {Py_tp_methods, methods},
                       {Py_tp_members, members},
                       {0, nullptr}};
PyType_Spec spec = {"lampas._core.Compiled", sizeof(Compiled), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC, slots};
PyMethodDef functions[] = {
    {"_whole", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(whole)), METH_FASTCALL,
     nullptr},
    {"_address", address, METH_O, nullptr},
    {"_is_recording", is_recording, METH_NOARGS, nullptr},
    {"_recording_meets", meets, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_compiled(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
  compiled_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  PyModule_AddObjectRef(module, "Compiled", reinterpret_cast<PyObject*>(compiled_type));
}

}  // namespace lampas::python
