// Parsing parameter strings and binding arguments to them.
#include "python/signature.h"

#include <cstring>

namespace lampas::python {

namespace {

std::string trimmed(const std::string& s) {
  size_t a = s.find_first_not_of(" \n\t"), b = s.find_last_not_of(" \n\t");
  return a == std::string::npos ? "" : s.substr(a, b - a + 1);
}

// Splits at commas outside brackets and quotes.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  int depth = 0;
  bool quoted = false;
  std::string part;
  for (char c : text) {
    if (c == '\'') quoted = !quoted;
    if (c == '[' || c == '(') ++depth;
    if (c == ']' || c == ')') --depth;
    if (c == ',' && depth == 0 && !quoted) {
      parts.push_back(trimmed(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!trimmed(part).empty()) parts.push_back(trimmed(part));
  return parts;
}

PyObject* literal(const std::string& text) {
  if (text == "None") Py_RETURN_NONE;
  if (text == "True") Py_RETURN_TRUE;
  if (text == "False") Py_RETURN_FALSE;
  if (text == "[]" || text == "()") return PyTuple_New(0);
  if (text == "inf") return PyFloat_FromDouble(HUGE_VAL);
  if (text[0] == '\'')
    return PyUnicode_FromStringAndSize(text.data() + 1, static_cast<Py_ssize_t>(text.size()) - 2);
  if (text.find_first_of(".e") != std::string::npos) return PyFloat_FromDouble(std::stod(text));
  return PyLong_FromString(text.c_str(), nullptr, 10);
}

PyTypeObject* named_result(const char* op, const std::string& fields) {
  std::vector<std::string> names = parts_of(fields);
  Object list(PyTuple_New(static_cast<Py_ssize_t>(names.size())));
  for (size_t i = 0; i < names.size(); ++i)
    PyTuple_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                     PyUnicode_FromString(names[i].c_str()));
  Object module(PyImport_ImportModule("lampas.return_types"));
  checked(module.get());
  return reinterpret_cast<PyTypeObject*>(
      checked(PyObject_CallMethod(module.get(), "make", "sO", op, list.get())));
}

// Every factory takes layout=; only dense tensors are made.
void require_strided(PyObject* layout) {
  if (layout == Py_None) return;
  Object text(checked(PyObject_Repr(layout)));
  std::string name = PyUnicode_AsUTF8(text.get());
  CHECK_KIND(name == "torch.strided", NotImplemented, "only layout=torch.strided is offered, not ",
             name);
}

// Why an argument is refused: PyTorch names the element of a list that is no tensor.
std::string refusal(const Parameter& p, PyObject* given, const char* op, size_t position) {
  bool list = PyList_Check(given) || PyTuple_Check(given);
  if (list && !std::strcmp(p.type, "tuple of Tensors"))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(given); ++i)
      if (PyObject* item = PySequence_Fast_GET_ITEM(given, i); !is_tensor(item))
        return concat("expected Tensor as element ", i, " in argument ", position - 1, ", but got ",
                      type_name(item));
  std::string name = PyUnicode_AsUTF8(p.name);
  if (list && !std::strcmp(p.type, "tuple of ints"))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(given); ++i) {
      PyObject* item = PySequence_Fast_GET_ITEM(given, i);
      if (is_integer(item) || (i && PyBool_Check(item))) continue;
      if (i)
        return concat(op, "(): argument '", name, "' failed to unpack the object at pos ", i + 1,
                      " with error \"type must be tuple of ints,but got ", type_name(item), "\"");
      return concat(op, "(): argument '", name, "' (position ", position,
                    ") must be tuple of ints, but found element of type ", type_name(item),
                    " at pos 0");
    }
  std::string place = p.keyword_only ? "" : concat("(position ", position, ") ");
  return concat(op, "(): argument '", name, "' ", place, "must be ", p.type, ", not ",
                type_name(given));
}

bool all_ints(PyObject* const* args, Py_ssize_t n) {
  for (Py_ssize_t i = 0; i < n; ++i)
    if (!is_integer(args[i])) return false;
  return n > 0;
}

}  // namespace

Signature Signature::parse(const char* op, const char* text) {
  Signature s;
  std::string all = text;
  if (size_t arrow = all.find("->"); arrow != std::string::npos) {
    s.result_type = named_result(op, all.substr(arrow + 2));
    all = all.substr(0, arrow);
  }
  bool keyword_only = false;
  for (std::string part : parts_of(all)) {
    if (part == "*") {
      keyword_only = true;
      continue;
    }
    Parameter p{};
    p.keyword_only = keyword_only;
    if (size_t eq = part.find('='); eq != std::string::npos) {
      p.standard = checked(literal(trimmed(part.substr(eq + 1))));
      part = trimmed(part.substr(0, eq));
    }
    if (part.size() > 3 && part.ends_with("...")) {
      p.greedy = true;
      part = part.substr(0, part.size() - 3);
    }
    p.name = checked(PyUnicode_InternFromString(part.c_str()));
    s.makes_tensors |= part == "device";
    s.params.push_back(p);
    if (!keyword_only) s.positional = s.params.size();
  }
  CHECK(s.params.size() <= kMaxParams, op, ": too many parameters");
  return s;
}

bool Signature::bind(PyObject* const* args, Py_ssize_t n, PyObject* names, PyObject** slots,
                     PyObject** out, Object* keep, std::string* why, const char* op,
                     bool self_given) const {
  size_t count = params.size(), given = static_cast<size_t>(n);
  for (size_t i = 0; i < count; ++i) slots[i] = nullptr;
  size_t position = 0;
  for (size_t a = 0; a < given; ++a) {
    if (position >= positional) {
      size_t most = positional - self_given, got = given - self_given;
      if (why)
        *why = concat(op, "() takes ", most, " positional argument", most == 1 ? "" : "s", " but ",
                      got, got == 1 ? " was given" : " were given");
      return false;
    }
    const Parameter& p = params[position];
    // x.view(2, 3): the rest of the positional arguments are one list of ints.
    if (p.greedy && position + 1 == positional && (given - a > 1 || PyLong_Check(args[a])) &&
        all_ints(args + a, static_cast<Py_ssize_t>(given - a))) {
      PyObject* tuple = checked(PyTuple_New(static_cast<Py_ssize_t>(given - a)));
      for (size_t i = a; i < given; ++i) {
        Py_INCREF(args[i]);
        PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i - a), args[i]);
      }
      *keep = Object(tuple);
      slots[position++] = tuple;
      break;
    }
    slots[position++] = args[a];
  }
  if (names) {
    Py_ssize_t k = PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < k; ++i) {
      PyObject* name = PyTuple_GET_ITEM(names, i);
      PyObject* value = args[n + i];
      size_t at = 0;
      while (at < count && params[at].name != name) ++at;
      if (at == count) {
        at = 0;
        while (at < count && PyUnicode_Compare(params[at].name, name) != 0) ++at;
      }
      if (at == count) {
        const char* word = PyUnicode_AsUTF8(name);
        // PyTorch's NumPy-like spellings.
        const char* other =
            !std::strcmp(word, "axis")       ? "dim"
            : !std::strcmp(word, "keepdims") ? "keepdim"
            : !std::strcmp(word, "x1")       ? "input"
            : !std::strcmp(word, "x2")       ? "other"
            : !std::strcmp(word, "self") || !std::strcmp(word, "x") || !std::strcmp(word, "a")
                ? "input"
                : nullptr;
        if (other) {
          at = 0;
          while (at < count && PyUnicode_CompareWithASCIIString(params[at].name, other) != 0) ++at;
        }
        if (at == count && out && !std::strcmp(word, "out")) {
          *out = value == Py_None ? nullptr : value;
          continue;
        }
        if (at == count && !std::strcmp(word, "layout") && makes_tensors) {
          require_strided(value);
          continue;
        }
        if (at == count) {
          if (why) *why = concat(op, "() got an unexpected keyword argument '", word, "'");
          return false;
        }
      }
      if (slots[at]) {
        if (why)
          *why = concat(op, "() got multiple values for argument '",
                        PyUnicode_AsUTF8(params[at].name), "'");
        return false;
      }
      slots[at] = value;
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Parameter& p = params[i];
    if (!slots[i]) {
      if (!p.standard) {
        if (!why) return false;
        std::string missing;
        size_t lacking = 0;
        for (size_t j = i; j < count; ++j)
          if (!slots[j] && !params[j].standard)
            missing += concat(lacking++ ? ", " : "", "\"", PyUnicode_AsUTF8(params[j].name), "\"");
        *why = concat(op, "() missing ", lacking, " required positional argument",
                      lacking == 1 ? "s" : "", ": ", missing);  // so PyTorch counts
        return false;
      }
      slots[i] = p.standard;
    } else if (p.accepts && !p.accepts(slots[i]) && slots[i] != p.standard) {
      if (why) *why = refusal(p, slots[i], op, i + 1 - self_given);
      return false;
    }
  }
  return !one_tensor || is_tensor(slots[0]) || is_tensor(slots[1]);
}

std::string Signature::text(const char* op, bool self_given, const char* out) const {
  std::string s = concat(op, "(");
  bool star = false;
  for (size_t i = self_given; i < params.size(); ++i) {
    if (i > self_given) s += ", ";
    if (params[i].keyword_only && !star) {
      s += "*, ";
      star = true;
    }
    s += concat(params[i].type, " ", PyUnicode_AsUTF8(params[i].name));
    if (params[i].standard) {
      Object r(PyObject_Repr(params[i].standard));
      s += concat(" = ", PyUnicode_AsUTF8(r.get()));
    }
  }
  if (out) s += concat(params.empty() ? "" : ", ", star ? "" : "*, ", out, " out = None");
  return s + ")";
}

}  // namespace lampas::python
