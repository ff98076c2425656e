// What a recording takes for granted of the Python objects that its function can reach: dicts,
// lists, cells and attributes hold what they held. The list of them is compiler/environment.py's.
#pragma once
#include <functional>
#include <vector>

#include "python/object.h"

namespace lampas::python {

class Guards {
 public:
  // Items of the list `places`: (container,) for all of a dict, list, set or cell;
  // (dict, key) for one entry, which may be absent; (object, None, name) for an attribute.
  static Guards snapshot(PyObject* places);
  bool hold() const;
  // Words for the first that does not hold, or null.
  PyObject* broken() const;
  int visit(visitproc visit, void* arg) const;

 private:
  enum class Kind : uint8_t { Dict, Entry, List, Set, Cell, Attribute };
  struct Guard {
    Kind kind;
    Object container;
    std::vector<Object> keys, values;  // a null value: absent
    bool holds() const;
  };
  std::vector<Guard> guards_;
};

}  // namespace lampas::python
