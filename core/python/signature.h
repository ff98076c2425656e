// The Python side of an operator's parameters: names, defaults, keyword-only part, parsed once from
// the string in its row ("input, dim, *, dtype=None -> values, indices").
#pragma once
#include <string>
#include <vector>

#include "python/object.h"

namespace lampas::python {

inline constexpr int kMaxParams = 16;

struct Parameter {
  PyObject* name;      // interned
  PyObject* standard;  // the default; null: must be given
  bool keyword_only = false;
  bool greedy = false;  // "size...": ints may be given one by one
  bool (*accepts)(PyObject*) = nullptr;
  const char* type = "";  // as error messages spell it
};

struct Signature {
  std::vector<Parameter> params;
  size_t positional = 0;                // how many may be given by position
  PyTypeObject* result_type = nullptr;  // of named results, else null
  bool makes_tensors = false;           // has device=, so layout= is taken too
  bool one_tensor = false;              // the first or the second argument must be a tensor

  static Signature parse(const char* op, const char* text);
  // Fills slots (borrowed references; null never). Returns false, without an exception, when the
  // arguments do not fit; `why`, unless null, then tells. `out` receives the argument of that name
  // when it is given and not a parameter. A tuple made for greedy ints is put into `keep`. In texts
  // about a method (`self_given`) positions are counted after self.
  bool bind(PyObject* const* args, Py_ssize_t n, PyObject* names, PyObject** slots, PyObject** out,
            Object* keep, std::string* why, const char* op, bool self_given) const;
  // "op(Tensor input, int dim = 0)"; `out`: what out= takes, or null.
  std::string text(const char* op, bool self_given = false, const char* out = nullptr) const;
};

}  // namespace lampas::python
