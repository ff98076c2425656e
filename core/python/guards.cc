// Snapshots of containers and their comparison: pointers first, then values of constants.
#include "python/guards.h"

#include "python/recording.h"

namespace lampas::python {

namespace {

bool same(const Object& expected, PyObject* found) {
  if (expected.get() == found) return true;
  return expected && found && same_constant(expected.get(), found);
}

Object attribute_of(PyObject* o, PyObject* name) {
  Object found(PyObject_GetAttr(o, name));
  PyErr_Clear();
  return found;
}

}  // namespace

Guards Guards::snapshot(PyObject* places) {
  Guards all;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(places); ++i) {
    PyObject* place = PyList_GET_ITEM(places, i);
    PyObject* container = PyTuple_GET_ITEM(place, 0);
    Guard g{Kind::Dict, Object::borrow(container), {}, {}};
    if (PyTuple_GET_SIZE(place) == 3) {
      g.kind = Kind::Attribute;
      g.keys.push_back(Object::borrow(PyTuple_GET_ITEM(place, 2)));
      g.values.push_back(attribute_of(container, g.keys[0].get()));
    } else if (PyTuple_GET_SIZE(place) == 2) {
      g.kind = Kind::Entry;
      g.keys.push_back(Object::borrow(PyTuple_GET_ITEM(place, 1)));
      g.values.push_back(Object::borrow(PyDict_GetItemWithError(container, g.keys[0].get())));
    } else if (PyDict_Check(container)) {
      PyObject *key, *value;
      for (Py_ssize_t at = 0; PyDict_Next(container, &at, &key, &value);) {
        g.keys.push_back(Object::borrow(key));
        g.values.push_back(Object::borrow(value));
      }
    } else if (PyList_Check(container)) {
      g.kind = Kind::List;
      for (Py_ssize_t k = 0; k < PyList_GET_SIZE(container); ++k)
        g.values.push_back(Object::borrow(PyList_GET_ITEM(container, k)));
    } else if (PyCell_Check(container)) {
      g.kind = Kind::Cell;
      g.values.push_back(Object::borrow(PyCell_GET(container)));
    } else {
      CHECK_KIND(PyAnySet_Check(container), Type, "no place to guard: ", type_name(container));
      g.kind = Kind::Set;
      g.values.push_back(Object(checked(PyFrozenSet_New(container))));
    }
    all.guards_.push_back(std::move(g));
  }
  return all;
}

bool Guards::Guard::holds() const {
  PyObject* c = container.get();
  switch (kind) {
    case Kind::Dict: {
      if (PyDict_GET_SIZE(c) != static_cast<Py_ssize_t>(values.size())) return false;
      PyObject *key, *value;
      size_t i = 0;
      for (Py_ssize_t at = 0; PyDict_Next(c, &at, &key, &value); ++i)
        if (key != keys[i].get() || !same(values[i], value)) return false;
      return true;
    }
    case Kind::Entry: {
      PyObject* found = PyDict_GetItemWithError(c, keys[0].get());
      return same(values[0], found);
    }
    case Kind::List:
      if (PyList_GET_SIZE(c) != static_cast<Py_ssize_t>(values.size())) return false;
      for (size_t i = 0; i < values.size(); ++i)
        if (!same(values[i], PyList_GET_ITEM(c, static_cast<Py_ssize_t>(i)))) return false;
      return true;
    case Kind::Cell:
      return same(values[0], PyCell_GET(c));
    case Kind::Set: {
      int equal = PyObject_RichCompareBool(c, values[0].get(), Py_EQ);
      if (equal < 0) PyErr_Clear();
      return equal == 1;
    }
    case Kind::Attribute:
      return same(values[0], attribute_of(c, keys[0].get()).get());
  }
  return false;
}

bool Guards::hold() const {
  for (const Guard& g : guards_)
    if (!g.holds()) return false;
  return true;
}

PyObject* Guards::broken() const {
  static const char* const kinds[] = {"a dict", "an entry of a dict", "a list",
                                      "a set",  "a variable",         "an attribute"};
  for (const Guard& g : guards_) {
    if (g.holds()) continue;
    const char* kind = kinds[static_cast<int>(g.kind)];
    if (g.kind == Kind::Entry || g.kind == Kind::Attribute)
      return PyUnicode_FromFormat("%s (%R)", kind, g.keys[0].get());
    if (g.kind == Kind::Dict &&
        PyDict_GET_SIZE(g.container.get()) == static_cast<Py_ssize_t>(g.values.size())) {
      PyObject *key, *value;
      size_t i = 0;
      for (Py_ssize_t at = 0; PyDict_Next(g.container.get(), &at, &key, &value); ++i)
        if (!same(g.values[i], value)) return PyUnicode_FromFormat("%s (key %R)", kind, key);
    }
    return PyUnicode_FromString(kind);
  }
  return nullptr;
}

int Guards::visit(visitproc visit, void* arg) const {
  for (const Guard& g : guards_) {
    Py_VISIT(g.container.get());
    for (const Object& key : g.keys) Py_VISIT(key.get());
    for (const Object& value : g.values) Py_VISIT(value.get());
  }
  return 0;
}

}  // namespace lampas::python
