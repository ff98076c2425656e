// The callable objects behind lampas.<name>, Tensor.<name>, Tensor.<name>_ : one C type for all
// operators.
#pragma once
#include <string>
#include <vector>

#include "python/convert.h"
#include "python/signature.h"

namespace lampas::python {

enum Forms : unsigned {
  FN = 1,
  METHOD = 2,
  INPLACE = 4,
  OUT = 8,
  PRIVATE = 16,
  ANY_NUMBER = 32,
  LAST_NUMBER = 64,
  ONE_NUMBER = 128
};

struct Overload {
  Signature signature;
  PyObject* (*invoke)(PyObject* const* slots, const void* context);  // new reference, or throws
  const void* context = nullptr;
  // Native in-place and out= forms (rows have them); null: the result is written over afterwards.
  PyObject* (*invoke_inplace)(PyObject* const* slots, const void* context) = nullptr;
  PyObject* (*invoke_out)(PyObject* const* slots, PyObject* out, const void* context) = nullptr;
  std::string formula = {};  // of a row: for the documentation
};

// How a callable is used: texts differ.
enum class Use : uint8_t { Function, Method, Inplace };

// What an operator does with floating arguments under autocast.
enum class Precision : uint8_t { AsGiven, Lower, Float32, Widest };

struct Operator {
  const char* name;
  unsigned forms = 0;
  Precision precision[2] = {Precision::AsGiven, Precision::AsGiven};  // on the CPU, on a GPU
  bool on_device = false;  // works on memory of a GPU as it is (host_fallback.cc)
  std::vector<Overload> overloads;
};

// Calls the first overload that accepts the arguments. Throws.
PyObject* call(const Operator& op, PyObject* const* args, Py_ssize_t n, PyObject* names, Use use);

Operator& operator_named(const char* name);  // made on first use
Operator* find_operator(const char* name);   // null when there is none
// The overload that a call without out= and in-place writing would run, its slots bound; else null.
const Overload* bound_overload(PyObject* function, PyObject* const* args, Py_ssize_t n,
                               PyObject* names, PyObject** slots, Object* keep);
void add_operator_type(PyObject* module);
void add_autocast(PyObject* module);
void publish(PyObject* module);  // makes functions and methods of all operators

// Arguments in the precision that autocast wants, in place of those given; see autocast.cc.
struct Autocast {
  bool enabled = false;  // on either kind of device
  bool on[2] = {false, false};
  DType lower[2] = {DType::BFloat16, DType::Half};
  bool operator==(const Autocast&) const = default;
};
extern thread_local Autocast autocast;
inline bool may_cast(const Operator& op) {
  bool listed = op.precision[0] != Precision::AsGiven || op.precision[1] != Precision::AsGiven;
  return listed && autocast.enabled;
}
void cast_arguments(const Operator& op, size_t count, PyObject** slots, std::vector<Object>& keep);

// `result` (a tensor or tuple) written into `out`, resized as PyTorch does.
PyObject* write_out(const char* op, PyObject* out, PyObject* result, Py_ssize_t which = 0);

template <auto F>
struct Caller;
template <class R, class... A, R (*F)(A...)>
struct Caller<F> {
  template <size_t... I>
  static PyObject* run(PyObject* const* slots, std::index_sequence<I...>) {
    std::tuple<held_t<A>...> held{Arg<std::remove_cvref_t<A>>::get(slots[I])...};
    if constexpr (std::is_void_v<R>) {
      F(std::get<I>(held)...);
      Py_RETURN_NONE;
    } else {
      return result(F(std::get<I>(held)...));
    }
  }
  static PyObject* invoke(PyObject* const* slots, const void*) {
    return run(slots, std::index_sequence_for<A...>());
  }
  static void describe(Signature& s) {
    size_t i = 0;
    (void)i;
    CHECK(s.params.size() == sizeof...(A), "an operator's row names ", s.params.size(),
          " parameters, its C++ function has ", sizeof...(A));
    ((s.params[i].accepts = Arg<std::remove_cvref_t<A>>::accepts,
      s.params[i].type = Arg<std::remove_cvref_t<A>>::name, ++i),
     ...);
  }
};

template <auto F>
void define(const char* name, const char* text, unsigned forms) {
  Operator& op = operator_named(name);
  op.forms |= forms;
  Overload overload{Signature::parse(name, text), &Caller<F>::invoke};
  try {
    Caller<F>::describe(overload.signature);
  } catch (const Error& e) {
    fail(name, ": ", e.what());
  }
  op.overloads.push_back(std::move(overload));
}

}  // namespace lampas::python
