// Calls that others take over: types with __torch_function__ and modes of it; and whether calls are
// profiled. Every way into the core asks `overriding.active` first, one test of a global while
// nobody takes part.
#pragma once
#include <initializer_list>

#include "python/object.h"

namespace lampas::python {

struct Overriding {
  bool active = false;     // somebody may take part: ask further
  bool types = false;      // a tensor of a type that takes calls over has been made
  int modes = 0;           // modes on the stacks of all threads
  int transforms = 0;      // open transforms (forward-mode levels, vmaps) of all threads
  bool profiling = false;  // calls leave events behind (profiler.h)
  int recorders = 0;       // recordings that run (recording.h)
  bool devices = false;    // there may be a GPU: arguments may lie on it (host_fallback.h)
};
extern Overriding overriding;

// What the arguments' types or a mode make of `function(*args)`; null when they leave it alone.
// `names` are the keywords of the last arguments, as in vectorcall. Throws.
PyObject* taken_over(PyObject* function, PyObject* const* args, Py_ssize_t n, PyObject* names);
// The same for an attribute of Tensor: a method or slot, a getter, a setter.
PyObject* method_taken_over(const char* name, std::initializer_list<PyObject*> args);
PyObject* method_taken_over(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t n,
                            PyObject* names);
PyObject* getter_taken_over(const char* name, PyObject* self);
bool setter_taken_over(const char* name, PyObject* self, PyObject* value);

bool takes_over(PyTypeObject* type);  // has a __torch_function__ that is not the disabled one
void note_type(PyTypeObject* type);   // an object of this subclass of Tensor is being made
void set_profiling(bool on);
void add_override(PyObject* module);

}  // namespace lampas::python
