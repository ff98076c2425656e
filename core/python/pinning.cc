// See pinning.h. A factory with the parameter is called through `pinnable`; others pay nothing.
#include "python/pinning.h"

#include "cuda/driver.h"
#include "cuda/pinned.h"
#include "ops/copy.h"
#include "python/types.h"
#include "tape/history.h"

namespace lampas::python {

namespace {

constexpr const char* kFactories[] = {
    "empty",      "empty_strided", "zeros",     "ones",      "full",       "empty_like",
    "zeros_like", "ones_like",     "full_like", "new_empty", "new_zeros",  "new_ones",
    "new_full",   "arange",        "range",     "linspace",  "logspace",   "eye",
    "rand",       "randn",         "randint",   "rand_like", "randn_like", "randint_like",
    "randperm",   "normal"};

struct Factory {
  Overload original;
  size_t pin;  // the parameter
};

Tensor pinned_like(const Tensor& x) {
  size_t bytes = checked_bytes(x.sizes(), x.strides(), 0, x.item_size());
  return from_storage(cuda::pinned_storage(bytes), x.dtype(), x.sizes(), x.strides(), 0);
}

PyObject* pinnable(PyObject* const* slots, const void* context) {
  const auto& factory = *static_cast<const Factory*>(context);
  const Overload& original = factory.original;
  if (slots[factory.pin] != Py_True) [[likely]]
    return original.invoke(slots, original.context);
  CHECK(cuda::device_count(),
        "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator "
        "is available on this system.");
  Object made(original.invoke(slots, original.context));
  const Tensor& x = unwrap(made.get());
  CHECK(x.device().is_cpu(), "Only dense CPU tensors can be pinned");
  Tensor y = pinned_like(x);
  ops::copy_values(y, x);
  y->requires_grad = x->requires_grad;
  return wrap(y);
}

}  // namespace

Tensor pin_memory(const Tensor& x) {
  CHECK(cuda::device_count(), "Cannot access accelerator device when none is available.");
  CHECK(x.device().is_cpu(), "cannot pin '", x.device().is_cuda() ? "torch.cuda." : "torch.",
        "FloatTensor' only dense CPU tensors can be pinned");
  if (x.storage() && x.storage()->data && cuda::is_pinned(x.storage()->data)) return x;
  Tensor dense = is_dense(x.sizes(), x.strides()) ? x : ops::contiguous(x);
  Tensor y = pinned_like(dense);
  ops::copy_(y, x);
  return y;
}

void let_factories_pin() {
  for (const char* name : kFactories) {
    Operator* op = find_operator(name);
    for (size_t i = 0; op && i < op->overloads.size(); ++i) {
      Overload& overload = op->overloads[i];
      const auto& params = overload.signature.params;
      for (size_t p = 0; p < params.size(); ++p) {
        if (std::string_view(PyUnicode_AsUTF8(params[p].name)) != "pin_memory") continue;
        overload.context = new Factory{overload, p};  // lives as long as the operator
        overload.invoke = pinnable;
        break;
      }
    }
  }
}

}  // namespace lampas::python
