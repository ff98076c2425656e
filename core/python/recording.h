// What lampas.compile records of a function: the calls of the core that it makes, in order, with
// their arguments as constants or as results of earlier calls. Replaying them is replay.cc's.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ops/chain.h"
#include "python/operator.h"

namespace lampas::python {

// An argument or result: a constant, a value of the recording, or a tuple, list or dict of such.
struct Template {
  enum class Kind : uint8_t { Constant, Value, Tuple, List, Dict };
  Kind kind = Kind::Constant;
  int value = -1;               // of Value
  Object constant;              // of Constant; of Tuple its type when that is not tuple
  std::vector<Object> keys;     // of Dict
  std::vector<Template> items;  // of Tuple, List, Dict
};

// The modes of the thread under which a call is made.
struct CallModes {
  bool grad = true, inference = false;
  Autocast autocast;
  bool operator==(const CallModes&) const = default;
  static CallModes now();
  void set() const;
};

// Shape and kind of a tensor: what guards compare and what a replayed call must give again.
struct TensorKind {
  DType dtype = DType::Undefined;
  Device device;
  Dims sizes, strides;
  bool requires_grad = false, leaf = true, inference = false;
  static TensorKind of(const Tensor& x);
  bool fits(const Tensor& x) const;
};

struct Step {
  std::shared_ptr<ops::ChainedRow> row;        // when the call may be joined with its neighbours
  std::shared_ptr<ops::ChainProgram> program;  // run in place of the function
  std::string name;                            // of the function, for people
  Object function;                             // called with `args`, the last of them by `names`
  Object names;                                // tuple of keywords, or null
  std::vector<Template> args;                  // positional, then keywords
  std::vector<int> results;                    // values made, by element; -1: None
  bool single = false;                         // the one result is no tuple
  CallModes modes;
  std::vector<int> dead;  // values that no later step and no output reads
};

struct Value {
  Object object;             // of a captured tensor: itself. While recording, every value's
  PyObject* type = nullptr;  // of the tensor's object; types of tensors are never freed here
  TensorKind kind;           // as it was when the value came up
  bool input = false, captured = false, made = false;
  int grad_known = -1;  // at the start: 1 .grad was there, 0 it was None, -1 nobody asked
};

struct Recording {
  std::vector<Step> steps;
  std::vector<Value> values;
  std::string obstacle;  // why this cannot be replayed; empty while it can
  CallModes outside;     // the modes when the recording began
  size_t inputs = 0;     // so many values come first

  int input(PyObject* tensor);     // an argument of the function
  int value_of(PyObject* tensor);  // known, or captured from outside
  Template describe(PyObject* o);  // sets `obstacle` for what is no constant
  void note(PyObject* function, const std::string& name, PyObject* const* args, Py_ssize_t n,
            PyObject* names, PyObject* result);
  void add_whole(Step step);
  void check_versions(bool take_over);
  // Which values die after which step; drops what only the recording needed.
  void finish(const Template& output);

 private:
  void join_rows(const std::vector<bool>& read_outside);
  bool note_grad(const std::string& name, PyObject* const* args, PyObject* result);
  std::unordered_map<TensorImpl*, int> known_;
  std::unordered_map<Storage*, uint32_t> versions_;
  bool grads_changed_ = false;  // since the start, by a recorded call
};

// --- the hook: override.cc asks while a recording runs on this thread ---
struct Recorder {
  Recording* recording = nullptr;  // null: none, or a recorded call is running
  bool inside = false;             // a recorded call is running
  bool value_read = false;         // it took a tensor as a number
};
extern thread_local Recorder recorder;

// Runs the call and notes it; null when it is none to be noted (its inner calls are).
PyObject* recorded(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names);
// The same for a function of the module lampas._core. Null while nothing is recorded.
PyObject* recorded_function(const char* name, PyObject* const* args, Py_ssize_t n);
// A call of a Python function as one step, which may hold any object. Null while nothing is
// recorded.
PyObject* recorded_whole(PyObject* function, PyObject* const* args, Py_ssize_t n);
// What a replay could not repeat: the recording is given up, `what` tells why.
void recording_meets(const char* what);
// The value of a tensor becomes a number, for Python or for the call that is running.
void recording_meets_number();
// While something is recorded: a dict or set is asked for a tensor. Which argument it is would
// have to be guarded.
void recording_meets_key(PyObject* tensor);

bool is_constant(PyObject* o);                 // of an immutable type, compared by value
bool same_constant(PyObject* a, PyObject* b);  // also in type; floats bit by bit
// Whether the call is one of a row, with its arguments as the row takes them.
bool row_of_call(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names,
                 rows::Row* row, ops::RowArgs* row_args, PyObject** operands);
void count_recorders(int change);  // override.cc: calls come here while the count is not zero
bool is_python_operator(PyObject* o);
const char* operator_name(PyObject* o, bool* inplace);  // of a native callable, else null

}  // namespace lampas::python
