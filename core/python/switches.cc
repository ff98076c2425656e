// The switches of runtime/switches.h by name.
#include "runtime/switches.h"

#include <string_view>

#include "python/convert.h"
#include "python/types.h"

namespace lampas::python {

namespace {

bool& switch_named(const char* name) {
#define ROW(field, start) \
  if (std::string_view(name) == #field) return switches.field;
  LAMPAS_SWITCHES(ROW)
#undef ROW
  fail(ErrorKind::Value, "there is no switch ", name);
}

// _switch(name) -> bool; _switch(name, value) sets it
PyObject* turn(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    const char* name;
    int value = -1;
    if (!PyArg_ParseTuple(args, "s|p", &name, &value)) throw PythonError();
    bool& kept = switch_named(name);
    if (value >= 0) kept = value != 0;
    return PyBool_FromLong(kept);
  });
}

PyMethodDef functions[] = {{"_switch", turn, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_switches(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
