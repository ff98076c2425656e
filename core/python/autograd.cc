// autograd for Python: nodes as objects, grad modes, backward, hooks. autograd.Function is in
// function.cc.
#include "python/autograd.h"

#include <deque>

#include "python/convert.h"
#include "python/function.h"
#include "python/recording.h"
#include "python/types.h"
#include "tape/engine.h"
#include "tape/history.h"
#include "tape/hooks.h"

namespace lampas::python {

namespace {

// ---- Node ----

struct NodeObject {
  PyObject_HEAD tape::Node* node;  // owned
  PyObject* dict;
  PyObject* weakrefs;
};
PyTypeObject* node_type;

tape::Node* node_of(PyObject* self) { return reinterpret_cast<NodeObject*>(self)->node; }

void node_dealloc(PyObject* self) {
  auto* o = reinterpret_cast<NodeObject*>(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(o->dict);
  o->node->object = nullptr;
  Ref<tape::Node> dying = Ref<tape::Node>::adopt(o->node);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* node_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s object at %p>", node_of(self)->name, self);
}
// PyTorch spells out the namespace of its hand-written nodes.
PyObject* node_name(PyObject* self, PyObject*) {
  std::string name = node_of(self)->name;
  if (name == "AccumulateGrad" || name == "CopySlices" || name == "CopyBackwards")
    name = "torch::autograd::" + name;
  return PyUnicode_FromString(name.c_str());
}
PyObject* node_next(PyObject* self, void*) {
  return guarded([&] {
    tape::Node* n = node_of(self);
    PyObject* t = checked(PyTuple_New(static_cast<Py_ssize_t>(n->edges.size())));
    for (size_t i = 0; i < n->edges.size(); ++i)
      PyTuple_SET_ITEM(t, static_cast<Py_ssize_t>(i),
                       Py_BuildValue("(NI)", wrap_node(n->edges[i].node), n->edges[i].slot));
    return t;
  });
}
PyObject* node_sequence(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(node_of(self)->sequence);
}
PyObject* node_variable(PyObject* self, void*) {
  if (auto* leaf = dynamic_cast<tape::AccumulateGrad*>(node_of(self))) return wrap(leaf->leaf);
  PyErr_SetString(PyExc_AttributeError, "only AccumulateGrad has a variable");
  return nullptr;
}
PyObject* node_metadata(PyObject* self, void*) {
  auto& kept = tape::extras_of(node_of(self)).metadata;
  if (!kept)
    kept =
        std::shared_ptr<void>(PyDict_New(), [](void* p) { Py_DECREF(static_cast<PyObject*>(p)); });
  return Py_NewRef(static_cast<PyObject*>(kept.get()));
}

Tensors unpack(PyObject* o, size_t n, const char* who) {
  Tensors list;
  if (PyTuple_Check(o) || PyList_Check(o))
    list = Arg<Tensors>::get(o);
  else
    list.push_back(Arg<Tensor>::get(o));
  CHECK(list.size() == n, who, " has returned an incorrect number of values. Expected ", n,
        ", but got ", list.size());
  return list;
}
PyObject* node_register_hook(PyObject* self, PyObject* hook) {
  Object f = Object::borrow(hook);
  tape::Node* n = node_of(self);
  int64_t id = tape::next_hook_id();
  tape::extras_of(n).post.push_back(
      {id, [f](Tensors& inputs, const Tensors& outputs) {
         Object a(result(inputs)), b(result(outputs));
         Object r(checked(PyObject_CallFunctionObjArgs(f.get(), a.get(), b.get(), nullptr)));
         if (r.get() == Py_None) return false;
         inputs = unpack(r.get(), inputs.size(), "hook");
         return true;
       }});
  return PyLong_FromLongLong(id);
}
PyObject* node_register_prehook(PyObject* self, PyObject* hook) {
  Object f = Object::borrow(hook);
  int64_t id = tape::next_hook_id();
  tape::extras_of(node_of(self)).pre.push_back({id, [f](Tensors& grads) {
                                                  Object a(result(grads));
                                                  Object r(checked(PyObject_CallFunctionObjArgs(
                                                      f.get(), a.get(), nullptr)));
                                                  if (r.get() == Py_None) return false;
                                                  grads = unpack(r.get(), grads.size(), "prehook");
                                                  return true;
                                                }});
  return PyLong_FromLongLong(id);
}
PyObject* node_remove_hook(PyObject* self, PyObject* id) {
  tape::remove_hook(node_of(self), PyLong_AsLongLong(id));
  Py_RETURN_NONE;
}

PyMethodDef node_methods[] = {{"name", node_name, METH_NOARGS, nullptr},
                              {"_sequence_nr", node_sequence, METH_NOARGS, nullptr},
                              {"_register_hook", node_register_hook, METH_O, nullptr},
                              {"_register_prehook", node_register_prehook, METH_O, nullptr},
                              {"_remove_hook", node_remove_hook, METH_O, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyGetSetDef node_getset[] = {
    {"next_functions", node_next, nullptr, nullptr, nullptr},
    {"variable", node_variable, nullptr, nullptr, nullptr},
    {"metadata", node_metadata, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef node_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(NodeObject, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(NodeObject, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot node_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
                            {Py_tp_repr, reinterpret_cast<void*>(node_repr)},
                            {Py_tp_methods, node_methods},
                            {Py_tp_getset, node_getset},
                            {Py_tp_members, node_members},
                            {0, nullptr}};
PyType_Spec node_spec = {
    "torch.autograd.graph.Node", sizeof(NodeObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, node_slots};

// One Python type per node name, so that type(y.grad_fn).__name__ is "AddBackward0".
PyTypeObject* type_of_node(const char* name) {
  static PyObject* types = PyDict_New();
  if (PyObject* known = PyDict_GetItemString(types, name))
    return reinterpret_cast<PyTypeObject*>(known);
  PyType_Slot none[] = {{0, nullptr}};
  // Type names live for ever; before Python 3.11 a type keeps the pointer.
  static std::deque<std::string> names;
  names.push_back(std::string("torch.autograd.") + name);
  PyType_Spec spec = {names.back().c_str(), sizeof(NodeObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, none};
  Object bases(PyTuple_Pack(1, node_type));
  Object made(checked(PyType_FromSpecWithBases(&spec, bases.get())));
  PyDict_SetItemString(types, name, made.get());
  return reinterpret_cast<PyTypeObject*>(made.get());
}

// ---- modes ----

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(tape::grad_enabled()); }
PyObject* set_grad_mode(PyObject*, PyObject* on) {
  tape::set_grad_enabled(PyObject_IsTrue(on) == 1);
  Py_RETURN_NONE;
}
PyObject* is_inference_enabled(PyObject*, PyObject*) {
  return PyBool_FromLong(tape::inference_enabled());
}
PyObject* set_inference_mode(PyObject*, PyObject* on) {
  tape::set_inference_enabled(PyObject_IsTrue(on) == 1);
  Py_RETURN_NONE;
}
PyObject* set_anomaly(PyObject*, PyObject* args) {
  int on, nan = 1;
  if (!PyArg_ParseTuple(args, "p|p", &on, &nan)) return nullptr;
  tape::modes.anomaly = on;
  tape::modes.anomaly_checks_nan = nan;
  Py_RETURN_NONE;
}
PyObject* anomaly_enabled(PyObject*, PyObject*) { return PyBool_FromLong(tape::modes.anomaly); }

// ---- backward ----

// (roots, grads, inputs, retain_graph, create_graph, accumulate, allow_unused) -> tuple of
// gradients
PyObject* run_backward(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    if (PyObject* made = recorded_function("_run_backward", args, n)) return made;
    CHECK(n == 7, "_run_backward takes 7 arguments");
    tape::Request r;
    r.roots = Arg<Tensors>::get(args[0]);
    r.grads = Arg<Tensors>::get(args[1]);
    r.inputs = Arg<Tensors>::get(args[2]);
    r.retain_graph = PyObject_IsTrue(args[3]) == 1;
    r.create_graph = PyObject_IsTrue(args[4]) == 1;
    r.accumulate = PyObject_IsTrue(args[5]) == 1;
    r.allow_unused = PyObject_IsTrue(args[6]) == 1;
    CHECK(r.roots.size() == r.grads.size(), "got ", r.roots.size(), " tensors and ", r.grads.size(),
          " gradients");
    for (size_t i = 0; i < r.roots.size(); ++i) {
      if (r.grads[i].defined()) {
        CHECK(r.grads[i].sizes() == r.roots[i].sizes(), "Mismatch in shape: grad_output[", i,
              "] has a shape of torch.Size(", to_string(r.grads[i].sizes()), ") and output[", i,
              "] has a shape of torch.Size(", to_string(r.roots[i].sizes()), ").");
      } else if (r.roots[i].requires_grad()) {
        CHECK(r.roots[i].numel() == 1, "grad can be implicitly created only for scalar outputs");
        CHECK(is_floating(r.roots[i].dtype()),
              "grad can be implicitly created only for real scalar outputs but got torch.",
              python_name(r.roots[i].dtype()));
      }
    }
    return result(tape::backward(r));
  });
}

// The common form, loss.backward(), without a Python frame.
PyObject* tensor_backward_fast(PyObject*, PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (PyObject* made = recorded_function("_backward", &self, 1)) return made;
    const Tensor& x = unwrap(self);
    if (x.requires_grad())
      CHECK(x.numel() == 1, "grad can be implicitly created only for scalar outputs");
    CHECK(!x.requires_grad() || is_floating(x.dtype()),
          "grad can be implicitly created only for real scalar outputs but got torch.",
          python_name(x.dtype()));
    tape::Request r;
    r.roots.push_back(x);
    r.grads.push_back(Tensor());
    tape::backward(r);
    Py_RETURN_NONE;
  });
}

// ---- hooks on tensors ----

tape::TensorHook hook_from(PyObject* callable) {
  Object f = Object::borrow(callable);
  return [f](const Tensor& g) -> Tensor {
    Object arg(wrap(g));
    Object r(checked(PyObject_CallFunctionObjArgs(f.get(), arg.get(), nullptr)));
    if (r.get() == Py_None) return {};
    CHECK_KIND(is_tensor(r.get()), Type, "expected Variable, but hook returned '",
               type_name(r.get()), "'");
    return unwrap(r.get());
  };
}
PyObject* register_hook(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *x, *f;
    if (!PyArg_ParseTuple(args, "OO", &x, &f)) throw PythonError();
    recording_meets("a hook is registered");
    return PyLong_FromLongLong(tape::register_hook(unwrap(x), hook_from(f)));
  });
}
PyObject* register_after(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *x, *f;
    if (!PyArg_ParseTuple(args, "OO", &x, &f)) throw PythonError();
    recording_meets("a hook is registered");
    return PyLong_FromLongLong(
        tape::register_after_accumulate(unwrap(x), [call = hook_from(f)](const Tensor& t) {
          call(t);
          return Tensor();
        }));
  });
}
PyObject* remove_hook(PyObject*, PyObject* args) {
  PyObject* x;
  long long id;
  if (!PyArg_ParseTuple(args, "OL", &x, &id)) return nullptr;
  return guarded([&]() -> PyObject* {
    tape::remove_hook(unwrap(x), id);
    Py_RETURN_NONE;
  });
}
PyObject* push_saved_hooks(PyObject*, PyObject* args) {
  PyObject *pack, *unpack_;
  if (!PyArg_ParseTuple(args, "OO", &pack, &unpack_)) return nullptr;
  recording_meets("hooks on saved tensors");
  Object p = Object::borrow(pack), u = Object::borrow(unpack_);
  auto hooks = std::make_shared<tape::SavedHooks>();
  hooks->pack = [p](const Tensor& x) {
    Object arg(wrap(x));
    PyObject* packed = checked(PyObject_CallFunctionObjArgs(p.get(), arg.get(), nullptr));
    return std::shared_ptr<void>(packed, [](void* o) { Py_DECREF(static_cast<PyObject*>(o)); });
  };
  hooks->unpack = [u](const std::shared_ptr<void>& packed) -> Tensor {
    Object x(checked(
        PyObject_CallFunctionObjArgs(u.get(), static_cast<PyObject*>(packed.get()), nullptr)));
    CHECK_KIND(is_tensor(x.get()), Type,
               "Output of saved tensor unpack_hook expected to be a Tensor but got result of type ",
               type_name(x.get()));
    return unwrap(x.get());
  };
  tape::saved_hooks().push_back(std::move(hooks));
  Py_RETURN_NONE;
}
PyObject* pop_saved_hooks(PyObject*, PyObject*) {
  if (!tape::saved_hooks().empty()) tape::saved_hooks().pop_back();
  Py_RETURN_NONE;
}
PyObject* current_node(PyObject*, PyObject*) {
  tape::Node* n = tape::current_node();
  return wrap_node(Ref<tape::Node>(n));
}
PyObject* queue_callback(PyObject*, PyObject* f) {
  return guarded([&]() -> PyObject* {
    Object callable = Object::borrow(f);
    tape::queue_callback([callable] { Object r(checked(PyObject_CallNoArgs(callable.get()))); });
    Py_RETURN_NONE;
  });
}
// The AccumulateGrad node (or grad_fn, output) of a tensor.
PyObject* gradient_edge(PyObject*, PyObject* x) {
  return guarded([&]() -> PyObject* {
    recording_meets("a node of the graph is looked at");
    tape::Edge e = tape::edge_of(unwrap(x));
    return Py_BuildValue("(NI)", wrap_node(e.node), e.slot);
  });
}
// detach_(): the tensor forgets its history.
PyObject* forget_history(PyObject*, PyObject* self) {
  return guarded([&]() -> PyObject* {
    if (PyObject* made = recorded_function("_forget_history", &self, 1)) return made;
    const Tensor& x = unwrap(self);
    CHECK(!tape::is_view(x),
          "Can't detach views in-place. Use detach() instead. If you are using "
          "DistributedDataParallel (DDP) for "
          "training, and gradient_as_bucket_view is set as True, gradients are views of DDP "
          "buckets, and hence detach_() cannot be called on these gradients. "
          "To fix this error, please refer to the Optimizer.zero_grad() function in "
          "torch/optim/optimizer.py as the solution.");
    if (x->meta) x->meta->grad_fn.reset();
    x->requires_grad = false;
    return Py_NewRef(self);
  });
}

template <class F>
PyCFunction plain(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
// ([tensor, ...]): their versions go on, as after writing in place
PyObject* mark_written(PyObject*, PyObject* list) {
  return guarded([&]() -> PyObject* {
    CHECK_KIND(PyList_Check(list), Type, "_mark_written takes a list");
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
      CHECK_KIND(is_tensor(PyList_GET_ITEM(list, i)), Type, "increment_version expects tensors");
      bump_version(unwrap(PyList_GET_ITEM(list, i)));
    }
    Py_RETURN_NONE;
  });
}

PyMethodDef functions[] = {
    {"_mark_written", mark_written, METH_O, nullptr},
    {"is_grad_enabled", is_grad_enabled, METH_NOARGS, nullptr},
    {"_set_grad_enabled", set_grad_mode, METH_O, nullptr},
    {"is_inference_mode_enabled", is_inference_enabled, METH_NOARGS, nullptr},
    {"_set_inference_enabled", set_inference_mode, METH_O, nullptr},
    {"_set_anomaly", set_anomaly, METH_VARARGS, nullptr},
    {"is_anomaly_enabled", anomaly_enabled, METH_NOARGS, nullptr},
    {"_run_backward", plain(run_backward), METH_FASTCALL, nullptr},
    {"_backward", tensor_backward_fast, METH_O, nullptr},
    {"_register_hook", register_hook, METH_VARARGS, nullptr},
    {"_register_after_accumulate", register_after, METH_VARARGS, nullptr},
    {"_remove_hook", remove_hook, METH_VARARGS, nullptr},
    {"_push_saved_hooks", push_saved_hooks, METH_VARARGS, nullptr},
    {"_pop_saved_hooks", pop_saved_hooks, METH_NOARGS, nullptr},
    {"_current_node", current_node, METH_NOARGS, nullptr},
    {"_queue_callback", queue_callback, METH_O, nullptr},
    {"_gradient_edge", gradient_edge, METH_O, nullptr},
    {"_forget_history", forget_history, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

std::string python_stack() {
  Object module(PyImport_ImportModule("traceback"));
  if (!module) {
    PyErr_Clear();
    return "";
  }
  Object lines(PyObject_CallMethod(module.get(), "format_stack", nullptr));
  Object empty(PyUnicode_FromString(""));
  Object text(lines ? PyUnicode_Join(empty.get(), lines.get()) : nullptr);
  if (!text) {
    PyErr_Clear();
    return "";
  }
  return PyUnicode_AsUTF8(text.get());
}

}  // namespace

PyObject* wrap_node(const Ref<tape::Node>& node) {
  if (!node) Py_RETURN_NONE;
  if (node->object) return Py_NewRef(static_cast<PyObject*>(node->object));
  PyTypeObject* type = type_of_node(node->name);
  auto* o = reinterpret_cast<NodeObject*>(checked(type->tp_alloc(type, 0)));
  o->node = Ref<tape::Node>(node).release();
  node->object = o;
  return reinterpret_cast<PyObject*>(o);
}

void set_requires_grad(const Tensor& x, bool on, const char* refusal) {
  CHECK(tape::is_leaf(x) || on,
        "you can only change requires_grad flags of leaf variables. If you want to use a computed "
        "variable in a "
        "subgraph that doesn't require differentiation use var_no_grad = var.detach().");
  CHECK(!on || is_differentiable(x.dtype()), refusal);
  CHECK(!on || !x->inference || tape::inference_enabled(),
        "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
  x->requires_grad = on;
}

void retain_gradient(const Tensor& x) { tape::retain_grad(x); }

void add_autograd(PyObject* module) {
  node_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&node_spec)));
  PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(node_type));
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
  tape::script_position = python_stack;
  add_function(module);
}

}  // namespace lampas::python
