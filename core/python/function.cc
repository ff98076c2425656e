// The C++ half of autograd.Function: its node, what it saved, and the recording of its outputs. The
// Python half (apply, save_for_backward, ...) is lampas/autograd/function.py.
#include "python/function.h"

#include "python/convert.h"
#include "python/recording.h"
#include "tape/history.h"
#include "tape/hooks.h"

namespace lampas::python {

namespace {

struct PythonNode;

// Base type of ctx. The node owns its ctx; ctx only points back.
struct ContextObject {
  PyObject_HEAD PythonNode* node;
  PyObject* dict;
  PyObject* weakrefs;
};
PyTypeObject* context_type;

struct PythonNode final : tape::Node {
  Object context;
  Object backward;  // bound: backward(*grads)
  std::vector<tape::Saved> kept;
  bool released = false, materialize = true;

  ~PythonNode() override {
    if (context) reinterpret_cast<ContextObject*>(context.get())->node = nullptr;
  }
  void release() override {
    released = true;
    kept.clear();
  }
  Tensors apply(const Tensors& grads) override;
};

Tensors PythonNode::apply(const Tensors& grads) {
  Object args(checked(PyTuple_New(static_cast<Py_ssize_t>(outputs.size()))));
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor g = i < grads.size() ? grads[i] : Tensor();
    if (!g.defined() && materialize)
      g = tape::arithmetic.zeros(outputs[i].sizes, outputs[i].dtype, outputs[i].device);
    PyTuple_SET_ITEM(args.get(), static_cast<Py_ssize_t>(i), wrap(g));
  }
  Object made(checked(PyObject_Call(backward.get(), args.get(), nullptr)));
  Object tuple = PyTuple_Check(made.get()) ? made : Object(checked(PyTuple_Pack(1, made.get())));
  size_t given = static_cast<size_t>(PyTuple_GET_SIZE(tuple.get()));
  for (size_t i = edges.size(); i < given; ++i)
    CHECK(PyTuple_GET_ITEM(tuple.get(), i) == Py_None, "function ", name,
          " returned an incorrect number of gradients (expected ", edges.size(), ", got ", given,
          ")");
  CHECK(given >= edges.size(), "function ", name,
        " returned an incorrect number of gradients (expected ", edges.size(), ", got ", given,
        ")");
  Tensors results(edges.size());
  for (size_t i = 0; i < edges.size(); ++i) {
    PyObject* g = PyTuple_GET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i));
    if (g == Py_None) continue;
    CHECK(is_tensor(g), "expected Variable or None (got ", type_name(g), ")");
    results[i] = unwrap(g);
  }
  return results;
}

void context_dealloc(PyObject* self) {
  auto* o = reinterpret_cast<ContextObject*>(self);
  PyObject_GC_UnTrack(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(o->dict);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}
int context_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<ContextObject*>(self)->dict);
  return 0;
}
int context_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<ContextObject*>(self)->dict);
  return 0;
}
PyObject* saved_tensors(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    PythonNode* node = reinterpret_cast<ContextObject*>(self)->node;
    if (!node) {
      // Not on the tape (yet): what save_for_backward was given.
      PyObject* given = PyObject_GetAttrString(self, "_to_save");
      if (!given) {
        PyErr_Clear();
        return PyTuple_New(0);
      }
      return given;
    }
    if (node->released) tape::fail_released();
    PyObject* t = checked(PyTuple_New(static_cast<Py_ssize_t>(node->kept.size())));
    for (size_t i = 0; i < node->kept.size(); ++i)
      PyTuple_SET_ITEM(t, static_cast<Py_ssize_t>(i), wrap(node->kept[i].unpack(node)));
    return t;
  });
}
PyGetSetDef context_getset[] = {
    {"saved_tensors", saved_tensors, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef context_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(ContextObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(ContextObject, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot context_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(context_dealloc)},
                               {Py_tp_traverse, reinterpret_cast<void*>(context_traverse)},
                               {Py_tp_clear, reinterpret_cast<void*>(context_clear)},
                               {Py_tp_getset, context_getset},
                               {Py_tp_members, context_members},
                               {0, nullptr}};
PyType_Spec context_spec = {"lampas._core.FunctionContext", sizeof(ContextObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                            context_slots};

bool contains(PyObject* list, PyObject* item) {
  if (!list || list == Py_None) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); ++i)
    if (PySequence_Fast_GET_ITEM(list, i) == item) return true;
  return false;
}

// (name, ctx, backward, args, outputs, to_save, dirty, non_differentiable, materialize) -> outputs
PyObject* record_function(PyObject*, PyObject* const* a, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    recording_meets("a custom autograd.Function");
    CHECK(n == 9, "_record_function takes 9 arguments");
    PyObject *ctx = a[1], *args = a[3], *outputs = a[4], *save = a[5], *dirty = a[6], *fixed = a[7];
    auto* node = new PythonNode;
    Ref<tape::Node> owner = Ref<tape::Node>::adopt(node);
    tape::extras_of(node).own_name = Arg<std::string>::get(a[0]);
    node->name = node->extras->own_name.c_str();
    node->context = Object::borrow(ctx);
    node->backward = Object::borrow(a[2]);
    node->materialize = PyObject_IsTrue(a[8]) == 1;
    Tensors inputs;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
      PyObject* arg = PyTuple_GET_ITEM(args, i);
      inputs.push_back(is_tensor(arg) ? unwrap(arg) : Tensor());
    }
    for (Py_ssize_t i = 0; dirty != Py_None && i < PySequence_Fast_GET_SIZE(dirty); ++i) {
      PyObject* written = PySequence_Fast_GET_ITEM(dirty, i);
      CHECK_KIND(is_tensor(written), Type, "mark_dirty can only accept variables, but argument ", i,
                 " is of type ", type_name(written));
      tape::check_write(unwrap(written));
    }
    tape::attach(node, inputs);
    Py_ssize_t count = PyTuple_GET_SIZE(outputs);
    Object made(checked(PyTuple_New(count)));
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* out = PyTuple_GET_ITEM(outputs, i);
      if (!is_tensor(out)) {
        node->outputs.push_back({});
        PyTuple_SET_ITEM(made.get(), i, Py_NewRef(out));
        continue;
      }
      Tensor y = unwrap(out);
      bool is_input = contains(args, out), written = contains(dirty, out);
      if (contains(fixed, out) || !is_differentiable(y.dtype())) {
        node->outputs.push_back({y.sizes(), y.dtype(), y.device()});
        if (is_input) y = alias_of(y);
      } else if (written && !tape::is_view(y)) {
        uint32_t slot = static_cast<uint32_t>(node->outputs.size());
        node->outputs.push_back({y.sizes(), y.dtype(), y.device()});
        tape::Meta& meta = tape::meta_of(y);
        meta.grad_fn = owner;
        meta.output = slot;
        y->requires_grad = true;
      } else if (written) {
        CHECK(count == 1, "a Function that writes a view in place may have one output only");
        tape::set_written(owner, y);
      } else {
        // An output that already has a place on the tape (an input, or a view of one) becomes a
        // fresh tensor.
        if (is_input || (y->meta && (y->meta->grad_fn || y->meta->base.defined())) ||
            y->requires_grad)
          y = alias_of(y);
        tape::set_output(node, y);
      }
      PyTuple_SET_ITEM(made.get(), i, y.is(unwrap(out)) ? Py_NewRef(out) : wrap(y));
    }
    for (Py_ssize_t i = 0; save != Py_None && i < PySequence_Fast_GET_SIZE(save); ++i) {
      PyObject* item = PySequence_Fast_GET_ITEM(save, i);
      if (item == Py_None) {
        node->kept.push_back(tape::Saved());
        continue;
      }
      CHECK_KIND(is_tensor(item), Type, "save_for_backward can only save variables, but argument ",
                 i, " is of type ", type_name(item));
      for (Py_ssize_t j = 0; j < count; ++j)  // an output may have been replaced above
        if (PyTuple_GET_ITEM(outputs, j) == item) item = PyTuple_GET_ITEM(made.get(), j);
      Tensor x = unwrap(item);
      bool is_output = x->meta && x->meta->grad_fn.get() == node;
      node->kept.push_back(tape::Saved(x, is_output));
    }
    reinterpret_cast<ContextObject*>(ctx)->node = node;
    return made.release();
  });
}

PyMethodDef functions[] = {
    {"_record_function",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(record_function)), METH_FASTCALL,
     nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_function(PyObject* module) {
  context_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&context_spec)));
  PyModule_AddObjectRef(module, "FunctionContext", reinterpret_cast<PyObject*>(context_type));
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
