// The buffer of a profile's events. Events are opened and closed under the GIL, so it needs no
// lock; each thread has its own stack of open ones.
#include "python/profiler.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

#include "python/convert.h"
#include "python/types.h"
#include "runtime/allocator.h"
#include "tape/engine.h"

namespace lampas::python {

namespace {

struct Event {
  std::string name;
  EventKind kind;
  int64_t parent;           // index of the event that it runs in, -1 for none
  long thread;              // as the operating system numbers it
  int64_t start, end = -1;  // nanoseconds of the monotonic clock; -1: still open
  int64_t memory;           // bytes that stay allocated: at its start, then the difference
  Object inputs, stack;     // null when not asked for
};

struct Profile {
  std::vector<Event> events;
  bool inputs = false, memory = false;
  Object stack;  // called for the Python frames above an event; null: not asked for
};
Profile* profile = nullptr;
uint64_t generation = 0;  // of the profile: an event may outlive the one it was opened in
thread_local std::vector<uint64_t> open_events;

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

uint64_t handle_of(size_t index) { return generation << 32 | static_cast<uint32_t>(index); }
Event* event_of(uint64_t handle) {
  if (!profile || handle >> 32 != generation) return nullptr;
  return &profile->events[handle & 0xffffffff];
}

// A tensor as (sizes, strides, dtype), a sequence as a list of such, numbers as they are.
Object described(PyObject* o) {
  if (is_tensor(o)) {
    const Tensor& x = unwrap(o);
    Object strides(checked(PyTuple_New(x.dim())));
    for (int64_t i = 0; i < x.dim(); ++i)
      PyTuple_SET_ITEM(strides.get(), i, checked(PyLong_FromLongLong(x.stride(i))));
    Object sizes(checked(wrap_size(x.sizes()))), dtype(checked(wrap(x.dtype())));
    return Object(checked(PyTuple_Pack(3, sizes.get(), strides.get(), dtype.get())));
  }
  if (PyTuple_Check(o) || PyList_Check(o)) {
    Object list(checked(PyList_New(0)));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
      if (PyList_Append(list.get(), described(PySequence_Fast_GET_ITEM(o, i)).get()) < 0)
        throw PythonError();
    return list;
  }
  bool plain = PyLong_Check(o) || PyFloat_Check(o) || PyComplex_Check(o);
  return Object::borrow(plain ? o : Py_None);
}

Object described(PyObject* const* args, Py_ssize_t n) {
  Object list(checked(PyList_New(0)));
  for (Py_ssize_t i = 0; i < n; ++i)
    if (PyList_Append(list.get(), described(args[i]).get()) < 0) throw PythonError();
  return list;
}

uint64_t enter(std::string name, EventKind kind, Object inputs) {
  Object stack;
  if (profile->stack) stack = Object(checked(PyObject_CallNoArgs(profile->stack.get())));
  while (!open_events.empty() && !event_of(open_events.back())) open_events.pop_back();
  int64_t parent = open_events.empty() ? -1 : static_cast<int64_t>(open_events.back() & 0xffffffff);
  static thread_local const long thread = syscall(SYS_gettid);
  uint64_t handle = handle_of(profile->events.size());
  open_events.push_back(handle);
  profile->events.push_back(
      {std::move(name), kind, parent, thread, 0, -1, 0, std::move(inputs), std::move(stack)});
  Event& event = profile->events.back();
  if (profile->memory) event.memory = static_cast<int64_t>(memory::bytes_requested());
  event.start = now();
  return handle;
}

// Closes the event and those that were opened inside it and left open.
void leave(uint64_t handle) {
  int64_t end = now();
  while (!open_events.empty()) {
    uint64_t last = open_events.back();
    if (last == handle || !event_of(last)) break;
    open_events.pop_back();
  }
  if (!open_events.empty() && open_events.back() == handle) open_events.pop_back();
  Event* event = event_of(handle);
  if (!event) return;
  event->end = end;
  if (profile->memory)
    event->memory = static_cast<int64_t>(memory::bytes_requested()) - event->memory;
}

uint64_t enter_node(const tape::Node* node, bool whole, const Tensors& grads) {
  Object inputs;
  if (profile->inputs && !whole) {
    inputs = Object(checked(PyList_New(0)));
    for (const Tensor& g : grads) {
      Object wrapped(g.defined() ? wrap(g) : Py_NewRef(Py_None));
      if (PyList_Append(inputs.get(), described(wrapped.get()).get()) < 0) throw PythonError();
    }
  }
  std::string name =
      whole ? concat("autograd::engine::evaluate_function: ", node->name) : std::string(node->name);
  return enter(std::move(name), whole ? EventKind::Operator : EventKind::BackwardNode,
               std::move(inputs));
}
constexpr tape::NodeWatch kNodeWatch{enter_node, leave};

Object as_tuple(const Event& e) {
  auto given = [](const Object& o) { return o ? o.get() : Py_None; };
  return Object(checked(Py_BuildValue(
      "(siLlLLLOO)", e.name.c_str(), static_cast<int>(e.kind), static_cast<long long>(e.parent),
      e.thread, static_cast<long long>(e.start), static_cast<long long>(e.end),
      static_cast<long long>(e.memory), given(e.inputs), given(e.stack))));
}

// (inputs, memory, stack): what events note besides their times; stack: a function or None
PyObject* start(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int inputs, memory;
    PyObject* stack;
    if (!PyArg_ParseTuple(args, "ppO", &inputs, &memory, &stack)) throw PythonError();
    CHECK(!profile, "Profiler is already enabled on this thread");
    profile = new Profile;
    profile->inputs = inputs;
    profile->memory = memory;
    if (stack != Py_None) profile->stack = Object::borrow(stack);
    ++generation;
    set_profiling(true);
    tape::node_watch = &kNodeWatch;
    Py_RETURN_NONE;
  });
}

// -> the events in the order of their starts, each (name, kind, parent, thread, start, end, memory,
// inputs, stack)
PyObject* stop(PyObject*, PyObject*) {
  return guarded([]() -> PyObject* {
    CHECK(profile, "Can't disable Kineto profiler when it's not running");
    set_profiling(false);
    tape::node_watch = nullptr;
    std::unique_ptr<Profile> ended(std::exchange(profile, nullptr));
    Object list(checked(PyList_New(static_cast<Py_ssize_t>(ended->events.size()))));
    int64_t end = now();
    for (size_t i = 0; i < ended->events.size(); ++i) {
      Event& e = ended->events[i];
      if (e.end < 0) {  // still running
        e.end = end;
        e.memory = ended->memory ? static_cast<int64_t>(memory::bytes_requested()) - e.memory : 0;
      }
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), as_tuple(e).release());
    }
    return list.release();
  });
}

// (name) -> a handle for _profile_leave, 0 while no profile is on
PyObject* enter_label(PyObject*, PyObject* name) {
  return guarded([&]() -> PyObject* {
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) throw PythonError();
    return PyLong_FromUnsignedLongLong(profile ? enter(text, EventKind::Label, {}) : 0);
  });
}
PyObject* leave_label(PyObject*, PyObject* handle) {
  return guarded([&]() -> PyObject* {
    uint64_t event = PyLong_AsUnsignedLongLong(handle);
    if (PyErr_Occurred()) throw PythonError();
    if (event) leave(event);
    Py_RETURN_NONE;
  });
}
PyObject* profiling(PyObject*, PyObject*) { return PyBool_FromLong(profile != nullptr); }

PyMethodDef functions[] = {{"_profile_start", start, METH_VARARGS, nullptr},
                           {"_profile_stop", stop, METH_NOARGS, nullptr},
                           {"_profile_enter", enter_label, METH_O, nullptr},
                           {"_profile_leave", leave_label, METH_O, nullptr},
                           {"_profiling", profiling, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void Span::open(const char* name, PyObject* const* args, Py_ssize_t n) {
  if (!profile) return;
  Object inputs;
  if (profile->inputs) inputs = described(args, n);
  event_ = enter(name, EventKind::Operator, std::move(inputs));
}
void Span::close() noexcept { leave(event_); }

void add_profiler(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
