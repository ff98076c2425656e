// What ran when: one event for each call of an operator, node of a backward pass and labelled
// block, while a profile is on. Reading the events into tables and traces is Python's
// (autograd/profiler*).
#pragma once
#include <initializer_list>

#include "python/override.h"

namespace lampas::python {

enum class EventKind : uint8_t { Operator, BackwardNode, Label };

// Opens an event and closes it at the end of its life; nothing while no profile is on.
class Span {
 public:
  Span(const char* name, std::initializer_list<PyObject*> args) {
    if (overriding.profiling) [[unlikely]]
      open(name, args.begin(), static_cast<Py_ssize_t>(args.size()));
  }
  Span(const char* name, PyObject* const* args, Py_ssize_t n) {
    if (overriding.profiling) [[unlikely]]
      open(name, args, n);
  }
  ~Span() {
    if (event_) [[unlikely]]
      close();
  }
  Span(const Span&) = delete;

 private:
  void open(const char* name, PyObject* const* args, Py_ssize_t n);
  void close() noexcept;
  uint64_t event_ = 0;
};

void add_profiler(PyObject* module);

}  // namespace lampas::python
