// Recording: every call of the core made by Python code arrives here once, is run, and noted.
// Calls made inside a recorded call (backward's formulas, an optimizer's step) belong to it.
#include "python/recording.h"

#include <algorithm>
#include <cstring>

#include "python/types.h"

namespace lampas::python {

thread_local Recorder recorder;

namespace {

constexpr size_t kMostSteps = 100000;
constexpr size_t kMostJoined = 32;  // calls in one pass: their scratch must fit the cache

bool among(const char* const* begin, const char* const* end, const std::string& name) {
  return std::any_of(begin, end, [&](const char* each) { return name == each; });
}
template <size_t n>
bool among(const char* const (&names)[n], const std::string& name) {
  return among(names, names + n, name);
}

// Answers that follow from what guards compare. Nothing is noted of them.
constexpr const char* kFacts[] = {
    "shape",           "dtype",      "device",      "ndim",          "itemsize",
    "nbytes",          "is_leaf",    "is_cpu",      "requires_grad", "is_cuda",
    "is_meta",         "is_sparse",  "layout",      "is_sparse_csr", "is_quantized",
    "is_mkldnn",       "is_nested",  "is_mps",      "is_xpu",        "is_xla",
    "is_vulkan",       "names",      "dim",         "ndimension",    "numel",
    "nelement",        "is_conj",    "is_neg",      "element_size",  "storage_offset",
    "is_signed",       "is_complex", "size",        "stride",        "is_floating_point",
    "is_inference",    "__len__",    "_is_view",    "is_contiguous", "retains_grad",
    "output_nr",       "is_tensor",  "result_type", "promote_types", "can_cast",
    "is_same_size",    "is_storage", "get_device",  "is_pinned",     "is_shared",
    "broadcast_shapes"};
// Their results' shapes depend on the values of their arguments.
constexpr const char* kDataShaped[] = {"nonzero",
                                       "argwhere",
                                       "masked_select",
                                       "unique",
                                       "_unique",
                                       "_unique2",
                                       "unique_dim",
                                       "bincount",
                                       "unique_consecutive",
                                       "repeat_interleave",
                                       "repeat_interleave_index",
                                       "nonzero_columns",
                                       "_unique_consecutive",
                                       "_unique_dim",
                                       "_repeat_interleave",
                                       "_nonzero"};
// They write gradients of leaves.
constexpr const char* kGradWriters[] = {"_backward", "_run_backward", "grad.__set__"};

bool is_number_exactly(PyObject* o) {
  return PyBool_Check(o) || PyLong_CheckExact(o) || PyFloat_CheckExact(o) ||
         PyComplex_CheckExact(o);
}
bool is_atom(PyObject* o) {
  return o == Py_None || o == Py_Ellipsis || is_number_exactly(o) || PyUnicode_CheckExact(o) ||
         is_dtype(o) || Py_TYPE(o) == device_type || Py_TYPE(o) == token_type ||
         o == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
         o == reinterpret_cast<PyObject*>(&PyLong_Type) ||
         o == reinterpret_cast<PyObject*>(&PyBool_Type);
}
bool is_sequence(PyObject* o) { return PyTuple_CheckExact(o) || Py_TYPE(o) == size_type; }
}  // namespace

bool is_constant(PyObject* o) {
  if (is_atom(o)) return true;
  if (PySlice_Check(o)) {
    auto* s = reinterpret_cast<PySliceObject*>(o);
    return is_atom(s->start) && is_atom(s->stop) && is_atom(s->step);
  }
  if (!is_sequence(o)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(o); ++i)
    if (!is_constant(PyTuple_GET_ITEM(o, i))) return false;
  return true;
}

bool same_constant(PyObject* a, PyObject* b) {
  if (a == b) return true;
  if (Py_TYPE(a) != Py_TYPE(b)) return false;
  if (PyFloat_CheckExact(a)) {
    double x = PyFloat_AS_DOUBLE(a), y = PyFloat_AS_DOUBLE(b);
    return !std::memcmp(&x, &y, sizeof x);
  }
  if (PyComplex_CheckExact(a)) {
    Py_complex x = PyComplex_AsCComplex(a), y = PyComplex_AsCComplex(b);
    return !std::memcmp(&x, &y, sizeof x);
  }
  if (is_sequence(a)) {
    if (PyTuple_GET_SIZE(a) != PyTuple_GET_SIZE(b)) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a); ++i)
      if (!same_constant(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i))) return false;
    return true;
  }
  if (!is_constant(a)) return false;
  int same = PyObject_RichCompareBool(a, b, Py_EQ);
  if (same < 0) PyErr_Clear();
  return same == 1;
}

namespace {

bool holds_mask(PyObject* key) {
  if (is_tensor(key))
    return unwrap(key).dtype() == DType::Bool || unwrap(key).dtype() == DType::UInt8;
  if (!PyTuple_Check(key) && !PyList_Check(key)) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(key); ++i)
    if (holds_mask(PySequence_Fast_GET_ITEM(key, i))) return true;
  return false;
}

// "add", "add_", "shape", "grad.__set__": what the tables above call a function.
std::string name_of(PyObject* function) {
  bool inplace = false;
  if (const char* name = operator_name(function, &inplace)) return concat(name, inplace ? "_" : "");
  Object name(PyObject_GetAttrString(function, "__name__"));
  PyErr_Clear();
  std::string text = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : "?";
  if (text != "__get__" && text != "__set__") return text;
  Object descriptor(PyObject_GetAttrString(function, "__self__"));
  Object own(descriptor ? PyObject_GetAttrString(descriptor.get(), "__name__") : nullptr);
  PyErr_Clear();
  std::string attribute = own ? PyUnicode_AsUTF8(own.get()) : "?";
  return text == "__get__" ? attribute : attribute + ".__set__";
}

// Hides the recording while a recorded call runs.
class Inside {
 public:
  Inside() : recording_(std::exchange(recorder.recording, nullptr)) {
    recorder.inside = true;
    recorder.value_read = false;
  }
  ~Inside() {
    recorder.recording = recording_;
    recorder.inside = false;
  }
  Inside(const Inside&) = delete;
  Recording* recording() const { return recording_; }

 private:
  Recording* recording_;
};

PyObject* run_and_note(PyObject* function, const std::string& name, PyObject* const* args,
                       Py_ssize_t n, PyObject* names) {
  Recording& r = *recorder.recording;
  CallModes before = CallModes::now();
  r.check_versions(false);
  PyObject* made = nullptr;
  {
    Inside inside;
    made = PyObject_Vectorcall(function, args, static_cast<size_t>(n), names);
  }
  if (!made) {
    if (r.obstacle.empty()) r.obstacle = concat(name, "() raised an exception");
    throw PythonError();
  }
  if (!(CallModes::now() == before)) r.obstacle = concat(name, "() changed a mode");
  // The number may decide a shape, which Python code then relies on.
  if (recorder.value_read && name != "_backward" && name != "_run_backward" && r.obstacle.empty())
    r.obstacle = concat(name, "() takes a tensor as a number");
  if (r.obstacle.empty()) r.note(function, name, args, n, names, made);
  return made;
}

}  // namespace

// ---- modes and kinds ----

CallModes CallModes::now() {
  return {tape::grad_enabled(), tape::inference_enabled(), python::autocast};
}
void CallModes::set() const {
  tape::set_grad_enabled(grad);
  tape::set_inference_enabled(inference);
  python::autocast = autocast;
}

TensorKind TensorKind::of(const Tensor& x) {
  return {x.dtype(),   x.device(),        x.sizes(),
          x.strides(), x.requires_grad(), !x->meta || !x->meta->grad_fn,
          x->inference};
}
bool TensorKind::fits(const Tensor& x) const {
  return x->dtype == dtype && x->requires_grad == requires_grad && x->sizes == sizes &&
         x->strides == strides && x->inference == inference && x->device == device &&
         leaf == (!x->meta || !x->meta->grad_fn);
}

// ---- what is noted ----

int Recording::input(PyObject* tensor) {
  int value = value_of(tensor);
  values[value].captured = false;
  values[value].input = true;
  return value;
}

int Recording::value_of(PyObject* tensor) {
  const Tensor& x = unwrap(tensor);
  auto [place, fresh] = known_.try_emplace(x.get(), static_cast<int>(values.size()));
  if (!fresh) return place->second;
  Value value;
  value.object = Object::borrow(tensor);
  value.type = reinterpret_cast<PyObject*>(Py_TYPE(tensor));
  value.kind = TensorKind::of(x);
  value.captured = true;
  values.push_back(std::move(value));
  versions_.try_emplace(x.storage().get(), x.storage() ? x.storage()->version : 0);
  return place->second;
}

Template Recording::describe(PyObject* o) {
  Template t;
  if (is_tensor(o)) {
    t.kind = Template::Kind::Value;
    t.value = value_of(o);
    return t;
  }
  if (is_constant(o)) {
    t.constant = Object::borrow(o);
    return t;
  }
  bool list = PyList_CheckExact(o);
  if (list || PyTuple_Check(o)) {
    t.kind = list ? Template::Kind::List : Template::Kind::Tuple;
    if (!list && !PyTuple_CheckExact(o))
      t.constant = Object::borrow(reinterpret_cast<PyObject*>(Py_TYPE(o)));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
      t.items.push_back(describe(PySequence_Fast_GET_ITEM(o, i)));
    return t;
  }
  if (PyDict_CheckExact(o)) {
    t.kind = Template::Kind::Dict;
    PyObject *key, *item;
    for (Py_ssize_t at = 0; PyDict_Next(o, &at, &key, &item);) {
      if (!is_constant(key)) obstacle = "a dict whose keys are no constants";
      t.keys.push_back(Object::borrow(key));
      t.items.push_back(describe(item));
    }
    return t;
  }
  if (obstacle.empty()) obstacle = concat("a value of type ", type_name(o));
  return t;
}

// What is known of .grad when the function begins is guarded; later it is fetched anew.
bool Recording::note_grad(const std::string& name, PyObject* const* args, PyObject* result) {
  if (name != "grad" || grads_changed_) return false;
  Value& owner = values[value_of(args[0])];
  if (owner.made) return false;
  owner.grad_known = result != Py_None;
  return result == Py_None;
}

void Recording::note(PyObject* function, const std::string& name, PyObject* const* args,
                     Py_ssize_t n, PyObject* names, PyObject* result) {
  bool many = PyTuple_Check(result) || PyList_Check(result);
  if (among(kFacts, name) && !is_tensor(result)) return;
  if (among(kDataShaped, name) ||
      ((name == "__getitem__" || name == "index") && n == 2 && holds_mask(args[1])) ||
      (name == "where" && n == 1 && !names)) {
    obstacle = concat(name, "(): the shape of its result depends on data");
    return;
  }
  if (name == "set_" || name == "resize_" || name == "data.__set__") {
    obstacle = concat(name, " changes what a tensor shows");
    return;
  }
  if (note_grad(name, args, result)) return;
  if (steps.size() == kMostSteps) obstacle = "more than 100000 calls";
  if (n + (names ? PyTuple_GET_SIZE(names) : 0) > kMaxParams) obstacle = "too many arguments";
  Step step;
  step.name = name;
  step.function = Object::borrow(function);
  step.names = Object::borrow(names);
  step.modes = CallModes::now();
  step.single = !many;
  Py_ssize_t total = n + (names ? PyTuple_GET_SIZE(names) : 0);
  for (Py_ssize_t i = 0; i < total; ++i) step.args.push_back(describe(args[i]));
  if (!obstacle.empty()) {
    obstacle = concat(name, "(): ", obstacle);
    return;
  }
  auto add = [&](PyObject* o) {
    if (o == Py_None) {
      step.results.push_back(-1);
    } else if (is_tensor(o) && Py_TYPE(o) == tensor_type) {
      size_t before = values.size();
      int value = value_of(o);
      if (values.size() > before) {
        values[value].captured = false;
        values[value].made = true;
      }
      step.results.push_back(value);
    } else if (is_tensor(o) && known_.count(unwrap(o).get())) {
      step.results.push_back(value_of(o));  // a parameter written in place
    } else if (obstacle.empty()) {
      obstacle = concat(name, "() gives Python a value of type ", type_name(o));
    }
  };
  size_t known = values.size();
  if (!many) {
    add(result);
  } else {
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(result); ++i)
      add(PySequence_Fast_GET_ITEM(result, i));
  }
  bool fresh = !many && values.size() == known + 1;
  rows::Row row;
  ops::RowArgs row_args;
  PyObject* operands[3];
  if (fresh && obstacle.empty() && !step.modes.autocast.enabled &&
      row_of_call(function, args, n, names, &row, &row_args, operands)) {
    int of[3] = {-1, -1, -1};
    for (int i = 0; i < rows::info(row).inputs; ++i)
      if (!row_args.is_scalar[i]) of[i] = value_of(operands[i]);
    step.row = ops::chained(row, row_args, unwrap(result), of);
  }
  steps.push_back(std::move(step));
  grads_changed_ |= among(kGradWriters, name);
  check_versions(true);
}

void Recording::add_whole(Step step) {
  if (!obstacle.empty()) return;
  steps.push_back(std::move(step));
  grads_changed_ = true;
  check_versions(true);
}

// Memory written by anything but the recorded calls cannot be replayed.
void Recording::check_versions(bool take_over) {
  for (const Value& value : values) {
    const Tensor& x = unwrap(value.object.get());
    if (!x.storage()) continue;
    uint32_t& seen = versions_.try_emplace(x.storage().get(), x.storage()->version).first->second;
    if (take_over) {
      seen = x.storage()->version;
    } else if (seen != x.storage()->version && obstacle.empty()) {
      obstacle = "a tensor is written by something that is no call of the core";
    }
  }
}

namespace {
void each_value(const Template& t, const std::function<void(int)>& visit) {
  if (t.kind == Template::Kind::Value) visit(t.value);
  for (const Template& item : t.items) each_value(item, visit);
}
}  // namespace

// Neighbouring rows over results of one shape become one step.
void Recording::join_rows(const std::vector<bool>& is_output) {
  std::vector<size_t> last(values.size(), 0);  // the step after the last that reads it
  for (size_t i = 0; i < steps.size(); ++i)
    for (const Template& t : steps[i].args) each_value(t, [&](int v) { last[v] = i + 1; });
  std::vector<Step> joined;
  for (size_t i = 0; i < steps.size();) {
    size_t end = i;
    while (end < steps.size() && steps[end].row && steps[end].modes == steps[i].modes &&
           steps[end].row->sizes == steps[i].row->sizes && end - i < kMostJoined)
      ++end;
    if (end < i + 2) {
      joined.push_back(std::move(steps[i++]));
      continue;
    }
    std::vector<std::shared_ptr<ops::ChainedRow>> rows;
    std::vector<int> results;
    std::vector<bool> wanted;
    Step step;
    for (; i < end; ++i) {
      rows.push_back(steps[i].row);
      results.push_back(steps[i].results[0]);
      wanted.push_back(is_output[results.back()] || last[results.back()] > end);
      step.name += (step.name.empty() ? "" : "+") + steps[i].name;
    }
    step.modes = steps[i - 1].modes;
    step.program = ops::join(std::move(rows), results, wanted);
    for (int value : step.program->inputs) {
      if (value < 0) continue;
      Template t;
      t.kind = Template::Kind::Value;
      t.value = value;
      step.args.push_back(std::move(t));
    }
    step.results = step.program->outputs;
    if (!step.results.empty()) joined.push_back(std::move(step));
  }
  steps = std::move(joined);
}

void Recording::finish(const Template& output) {
  std::vector<bool> read(values.size(), false);
  each_value(output, [&](int value) { read[value] = true; });
  join_rows(read);
  for (size_t i = steps.size(); i-- > 0;) {
    Step& step = steps[i];
    auto last = [&](int value) {
      if (value < 0 || read[value] || !values[value].made) return;
      read[value] = true;
      step.dead.push_back(value);
    };
    for (const Template& t : step.args) each_value(t, last);
    for (int value : step.results) last(value);
  }
  for (Value& value : values)
    if (!value.captured) value.object = Object();
  known_.clear();
  versions_.clear();
}

// ---- the hook ----

PyObject* recorded(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  if (is_python_operator(function)) return nullptr;
  return run_and_note(function, name_of(function), args, n, names);
}

PyObject* recorded_function(const char* name, PyObject* const* args, Py_ssize_t n) {
  if (!recorder.recording) return nullptr;
  static PyObject* module = PyImport_AddModule("lampas._core");
  Object function(checked(PyObject_GetAttrString(module, name)));
  return run_and_note(function.get(), name, args, n, nullptr);
}

PyObject* recorded_whole(PyObject* function, PyObject* const* args, Py_ssize_t n) {
  Recording* r = recorder.recording;
  if (!r) return nullptr;
  r->check_versions(false);
  Object made;
  {
    Inside inside;
    made = Object(checked(PyObject_Vectorcall(function, args, static_cast<size_t>(n), nullptr)));
  }
  Step step;
  step.function = Object::borrow(function);
  step.name = name_of(function);
  step.modes = CallModes::now();
  step.single = true;
  step.results.push_back(-1);
  if (made.get() != Py_None) recording_meets("a call taken as one gave a result");
  for (Py_ssize_t i = 0; i < n; ++i) {
    Template t;
    t.constant = Object::borrow(args[i]);
    step.args.push_back(std::move(t));
  }
  r->add_whole(std::move(step));
  return made.release();
}

void recording_meets_key(PyObject* tensor) {
  for (const Value& value : recorder.recording->values)
    if (value.input && value.object.get() == tensor)
      return recording_meets("an argument is looked up by its identity");
}

void recording_meets_number() {
  recorder.value_read |= recorder.inside;
  recording_meets("item() gives a value to Python");
}

void recording_meets(const char* what) {
  if (recorder.recording && recorder.recording->obstacle.empty())
    recorder.recording->obstacle = what;
}

}  // namespace lampas::python
