// Replays the calls of a recording under the modes they were made in. A call runs exactly as from
// Python, so the tape, versions, random streams and error texts are those of the eager function.
#include "python/replay.h"

#include "python/types.h"

namespace lampas::python {

namespace {

constexpr size_t kOnStack = 64;

class Replay {
 public:
  Replay(const Recording& recording, PyObject* const* inputs);
  ~Replay() {
    outside_.set();
    for (size_t i = 0; i < count_; ++i) Py_XDECREF(values_[i]);
  }
  Replay(const Replay&) = delete;
  void run() {
    for (const Step& step : recording_.steps) this->step(step);
  }
  Object build(const Template& t) const;

 private:
  void step(const Step& step);
  void run_program(const Step& step);
  void keep(const Step& step, size_t i, PyObject* result);

  const Recording& recording_;
  CallModes outside_, current_;
  size_t count_;
  PyObject* few_[kOnStack];
  std::unique_ptr<PyObject*[]> many_;
  PyObject** values_ = few_;  // owned, null while not alive
};

Replay::Replay(const Recording& recording, PyObject* const* inputs)
    : recording_(recording),
      outside_(CallModes::now()),
      current_(outside_),
      count_(recording.values.size()) {
  if (count_ > kOnStack) {
    many_ = std::make_unique<PyObject*[]>(count_);
    values_ = many_.get();
  }
  for (size_t i = 0; i < count_; ++i) {
    const Value& value = recording.values[i];
    values_[i] = value.input ? Py_NewRef(inputs[i]) : Py_XNewRef(value.object.get());
  }
}

Object Replay::build(const Template& t) const {
  switch (t.kind) {
    case Template::Kind::Constant:
      return t.constant;
    case Template::Kind::Value:
      CHECK(values_[t.value], "a replayed function lost a value");
      return Object::borrow(values_[t.value]);
    case Template::Kind::List: {
      Object list(checked(PyList_New(static_cast<Py_ssize_t>(t.items.size()))));
      for (size_t i = 0; i < t.items.size(); ++i)
        PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), build(t.items[i]).release());
      return list;
    }
    case Template::Kind::Dict: {
      Object dict(checked(PyDict_New()));
      for (size_t i = 0; i < t.items.size(); ++i)
        if (PyDict_SetItem(dict.get(), t.keys[i].get(), build(t.items[i]).get()) < 0)
          throw PythonError();
      return dict;
    }
    case Template::Kind::Tuple:
      break;
  }
  Object tuple(checked(PyTuple_New(static_cast<Py_ssize_t>(t.items.size()))));
  for (size_t i = 0; i < t.items.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), build(t.items[i]).release());
  if (!t.constant) return tuple;
  PyObject* type = t.constant.get();  // a structseq takes the tuple, a namedtuple its items
  if (PyObject_HasAttrString(type, "_make"))
    return Object(checked(PyObject_CallMethod(type, "_make", "O", tuple.get())));
  return Object(checked(PyObject_CallFunctionObjArgs(type, tuple.get(), nullptr)));
}

// A result has the kind it had when the function was recorded: Python code relied on it.
void Replay::keep(const Step& step, size_t i, PyObject* result) {
  int value = step.results[i];
  if (value < 0) {
    CHECK(result == Py_None, "a replayed call gives a ", type_name(result),
          " where it gave None when it was recorded");
    return;
  }
  CHECK(is_tensor(result), "a replayed call gives a ", type_name(result),
        " where it gave a tensor when it was recorded");
  const TensorKind& kind = recording_.values[value].kind;
  const Tensor& x = unwrap(result);
  CHECK(!recording_.values[value].made || (x.sizes() == kind.sizes && x.dtype() == kind.dtype),
        "a replayed call gives a tensor of shape ", to_string(x.sizes()), ", recorded was ",
        to_string(kind.sizes));
  Py_INCREF(result);
  Py_XSETREF(values_[value], result);
}

// Joined rows: no Python objects for what stays inside.
void Replay::run_program(const Step& step) {
  const ops::ChainProgram& program = *step.program;
  InlineVector<char*, 16> inputs;
  for (int value : program.inputs)
    inputs.push_back(value < 0 ? nullptr : static_cast<char*>(unwrap(values_[value]).raw()));
  Tensors made = ops::run(program, inputs.begin());
  for (size_t i = 0; i < made.size(); ++i)
    Py_XSETREF(values_[step.results[i]], wrap(std::move(made[i])));
}

void Replay::step(const Step& step) {
  if (!(step.modes == current_)) {
    step.modes.set();
    current_ = step.modes;
  }
  if (step.program) {
    run_program(step);
    for (int value : step.dead) Py_CLEAR(values_[value]);
    return;
  }
  PyObject* args[kMaxParams + 1];
  Object built[kMaxParams];
  size_t made = 0, count = step.args.size();
  for (size_t i = 0; i < count; ++i) {
    const Template& t = step.args[i];
    if (t.kind == Template::Kind::Constant) {
      args[i + 1] = t.constant.get();
    } else if (t.kind == Template::Kind::Value) {
      args[i + 1] = values_[t.value];
    } else {
      built[made] = build(t);
      args[i + 1] = built[made++].get();
    }
  }
  size_t names = step.names ? static_cast<size_t>(PyTuple_GET_SIZE(step.names.get())) : 0;
  Object result(checked(PyObject_Vectorcall(step.function.get(), args + 1,
                                            (count - names) | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                            step.names.get())));
  if (step.single) {
    keep(step, 0, result.get());
  } else {
    PyObject* items = result.get();
    CHECK((PyTuple_Check(items) || PyList_Check(items)) &&
              PySequence_Fast_GET_SIZE(items) == static_cast<Py_ssize_t>(step.results.size()),
          "a replayed call gives another number of results than when it was recorded");
    for (size_t i = 0; i < step.results.size(); ++i)
      keep(step, i, PySequence_Fast_GET_ITEM(items, static_cast<Py_ssize_t>(i)));
  }
  for (int value : step.dead) Py_CLEAR(values_[value]);
}

}  // namespace

PyObject* replay(const Recording& recording, PyObject* const* inputs, const Template& output) {
  Replay replay(recording, inputs);
  replay.run();
  return replay.build(output).release();
}

}  // namespace lampas::python
