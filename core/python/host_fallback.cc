// See host_fallback.h. Which operators need no help is the table below: rows, views, copies,
// factories and what is made of those alone.
#include "python/host_fallback.h"

#include <cstring>

#include "cuda/fallback.h"
#include "cuda/memory.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "python/pinning.h"
#include "tape/history.h"

namespace lampas::python {

namespace {

constexpr const char* kOnDevice[] = {
    // copies and conversions
    "clone", "contiguous", "to", "type_as", "float", "double", "half", "bfloat16", "long", "int",
    "short", "char", "byte", "bool", "chalf", "cfloat", "cdouble", "copy_", "fill_", "zero_",
    "conj", "real", "imag", "view_as_real", "view_as_complex", "detach", "detach_", "alias",
    "requires_grad_",
    // factories
    "empty", "empty_strided", "zeros", "ones", "full", "scalar_tensor", "empty_like", "zeros_like",
    "ones_like", "full_like", "new_empty", "new_zeros", "new_ones", "new_full",
    // choices among rows
    "div", "clamp", "clamp_min", "clamp_max", "float_power", "float_power_",
    // products
    "mm", "bmm", "mv", "dot", "vdot", "outer", "addmm", "baddbmm", "addbmm", "addmv", "addr",
    "matmul", "linear", "convolution", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "scaled_dot_product_attention", "lstm", "gru",
    "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell",
    // gradients and optimizers: made of rows, or refused here so that Python's step of rows is
    // taken
    "total_norm", "scale_all_", "_amp_foreach_non_finite_check_and_unscale_", "_amp_update_scale_",
    "fused_sgd_", "fused_adam_", "fused_adamax_", "fused_nadam_", "fused_radam_", "fused_rmsprop_",
    "fused_adagrad_", "fused_adadelta_", "fused_rprop_", "fused_asgd_",
    // reductions
    "sum", "nansum", "mean", "prod", "any", "all", "count_nonzero", "amax", "amin", "hash_tensor",
    "max", "min", "aminmax", "argmax", "argmin", "logsumexp", "var", "std", "var_mean", "std_mean",
    "linalg_vector_norm", "dist", "renorm", "cdist",
    // softmax and losses
    "softmax", "log_softmax", "nll_loss", "cross_entropy", "mse_loss", "l1_loss", "smooth_l1_loss",
    "huber_loss", "soft_margin_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "kl_div",
    // normalisation
    "batch_norm", "native_batch_norm", "instance_norm", "layer_norm", "native_layer_norm",
    "rms_norm", "group_norm", "native_group_norm",
    // running results
    "cumsum", "cumprod", "logcumsumexp", "cummax", "cummin",
    // random numbers
    "uniform_", "normal_", "log_normal_", "exponential_", "cauchy_", "geometric_", "bernoulli_",
    "random_", "randperm_", "rand", "randn", "randint", "randperm", "rand_like", "randn_like",
    "randint_like", "normal", "bernoulli", "poisson", "binomial", "_standard_gamma",
    "_sample_dirichlet", "_check_multinomial", "_multinomial_with_replacement", "dropout",
    "dropout_", "native_dropout", "rrelu_with_noise", "rrelu", "rrelu_",
    // views
    "view", "view_as", "reshape", "reshape_as", "flatten", "ravel", "unflatten", "expand",
    "expand_as", "broadcast_to", "permute", "transpose", "swapdims", "swapaxes", "t", "numpy_T",
    "mT", "mH", "matrix_H", "adjoint", "movedim", "moveaxis", "squeeze", "unsqueeze", "select",
    "slice", "narrow", "as_strided", "diagonal", "unfold", "squeeze_", "unsqueeze_", "transpose_",
    "swapdims_", "swapaxes_", "t_", "as_strided_", "split", "split_with_sizes", "chunk", "unbind",
    "tensor_split",
    // elements found through indices and masks
    "index", "index_put", "index_put_", "index_select", "index_add", "index_add_", "index_copy",
    "index_copy_", "index_fill", "index_fill_", "index_reduce", "index_reduce_", "take", "put",
    "put_", "gather", "scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce",
    "scatter_reduce_", "embedding", "embedding_dense_backward", "embedding_renorm_", "one_hot",
    "masked_fill", "masked_fill_", "masked_select", "masked_scatter", "masked_scatter_", "nonzero",
    "argwhere", "nonzero_columns",
    // joining, repeating, cutting, ranges
    "cat", "concat", "concatenate", "stack", "repeat", "roll", "flip", "tril", "triu",
    "constant_pad_nd", "_pad_from_inside", "repeat_interleave_index", "diag_embed",
    "select_scatter", "slice_scatter", "diagonal_scatter", "as_strided_scatter", "im2col", "col2im",
    "arange", "linspace", "logspace", "eye",
    // windows over images
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "max_pool3d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
    "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
    "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "grid_sampler",
    // order and sets
    "sort", "argsort", "msort", "topk", "kthvalue", "median", "nanmedian", "mode", "_unique2",
    "unique_dim", "_unique_consecutive", "searchsorted", "bucketize", "isin", "bincount", "histc",
    "ctc_loss"};

struct Moved {
  Tensor device, host;
  uint32_t version;
  const tape::Node* node;  // of `host`, before the call
  PyObject* object;        // the argument as it was given, borrowed
};

const tape::Node* node_of(const Tensor& x) { return tape::edge_of(x).node.get(); }

bool names_cuda(const Parameter& param, PyObject* o) {
  // By value: in builds without optimisation equal texts have several addresses.
  return std::string_view(param.type) == Arg<Device>::name && o != Py_None &&
         to_device(o).is_cuda();
}

class HostCall {
 public:
  // The slot's value with everything that lies on a GPU copied to the host; new reference.
  PyObject* taken(PyObject* o) {
    if (is_tensor(o)) return unwrap(o).device().is_cuda() ? copied(o) : Py_NewRef(o);
    if (PyTuple_Check(o) || PyList_Check(o)) {
      Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
      Object tuple(checked(PyTuple_New(n)));
      for (Py_ssize_t i = 0; i < n; ++i)
        PyTuple_SET_ITEM(tuple.get(), i, taken(PySequence_Fast_GET_ITEM(o, i)));
      return tuple.release();
    }
    return Py_NewRef(o);
  }
  PyObject* taken(const Parameter& param, PyObject* o) {
    if (!names_cuda(param, o)) return taken(o);
    target_ = device_memory.resolve(to_device(o));
    return wrap(Device{});
  }

  PyObject* returned(PyObject* made) {
    Object owner(made);
    if (is_tensor(made)) {
      const Tensor& x = unwrap(made);
      for (const Moved& m : moved_)
        if (m.host.is(x)) return Py_NewRef(m.object);
      return x.device().is_cpu() ? wrap(ops::to(x, target_)) : owner.release();
    }
    if (!PyTuple_Check(made)) return owner.release();
    Py_ssize_t n = PyTuple_GET_SIZE(made);
    Object tuple(checked(PyTuple_New(n)));
    for (Py_ssize_t i = 0; i < n; ++i)
      PyTuple_SET_ITEM(tuple.get(), i, returned(Py_NewRef(PyTuple_GET_ITEM(made, i))));
    return tuple.release();
  }

  void write_back() {
    for (const Moved& m : moved_) {
      if (m.host.storage()->version == m.version) continue;
      if (node_of(m.host) != m.node) {  // the write was recorded: its history becomes the tensor's
        ops::copy_(m.device, m.host);
        continue;
      }
      ops::copy_values(m.device, m.host);
      bump_version(m.device);
    }
  }

 private:
  PyObject* copied(PyObject* o) {
    for (const Moved& m : moved_)
      if (m.object == o) return wrap(m.host);
    const Tensor& x = unwrap(o);
    target_ = x.device();
    Tensor host = ops::to(x, Device{});
    moved_.push_back({x, host, host.storage()->version, node_of(host), o});
    return wrap(host);
  }

  std::vector<Moved> moved_;
  Device target_;
};

bool lies_on_cuda(const Parameter& param, PyObject* o) {
  if (is_tensor(o)) return unwrap(o).device().is_cuda();
  if (!PyTuple_Check(o) && !PyList_Check(o)) return names_cuda(param, o);
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (PyObject* item = PySequence_Fast_GET_ITEM(o, i);
        is_tensor(item) && unwrap(item).device().is_cuda())
      return true;
  return false;
}

// Tensors of the host among those of a GPU are a mistake, except numbers; a factory has no tensors.
void check_same_device(const Overload& overload, PyObject* const* slots) {
  const Tensor *on_cuda = nullptr, *on_host = nullptr;
  auto look = [&](PyObject* o) {
    if (!is_tensor(o)) return;
    const Tensor& x = unwrap(o);
    if (x.device().is_cuda()) {
      if (on_cuda && on_cuda->device() != x.device()) fail_devices(on_cuda->device(), x.device());
      on_cuda = &x;
    } else if (x.dim() > 0) {
      on_host = &x;
    }
  };
  for (size_t i = 0; i < overload.signature.params.size(); ++i) {
    PyObject* o = slots[i];
    if (!PyTuple_Check(o) && !PyList_Check(o)) {
      look(o);
      continue;
    }
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); ++k)
      look(PySequence_Fast_GET_ITEM(o, k));
  }
  if (on_cuda && on_host) fail_devices(on_cuda->device(), on_host->device());
}

}  // namespace

void mark_operators_on_device() {
  overriding.devices = cuda::possible();
  for (const char* name : kOnDevice)
    if (Operator* op = find_operator(name)) op->on_device = true;
  let_factories_pin();
}

bool names_device(const Overload& overload, PyObject* const* slots) {
  for (size_t i = 0; i < overload.signature.params.size(); ++i)
    if (lies_on_cuda(overload.signature.params[i], slots[i])) return true;
  return false;
}

PyObject* invoke_on_host(const Operator& op, const Overload& overload, PyObject** slots) {
  check_same_device(overload, slots);
  cuda::warn_of_fallback(op.name);
  HostCall call;
  std::vector<Object> keep;
  for (size_t i = 0; i < overload.signature.params.size(); ++i) {
    keep.emplace_back(call.taken(overload.signature.params[i], slots[i]));
    slots[i] = keep.back().get();
  }
  Object made(overload.invoke(slots, overload.context));
  call.write_back();
  return call.returned(made.release());
}

}  // namespace lampas::python
