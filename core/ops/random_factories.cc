// New tensors of random numbers: rand, randn, randint, randperm and the forms like another tensor.
#include "ops/pointwise.h"
#include "ops/primitives.h"

namespace lampas::ops {
namespace {

// Where a factory writes: `out`, resized, or a new tensor.
Tensor target(Span sizes, const Tensor& out, DType standard, Optional<DType> dtype,
              Optional<Device> device) {
  for (int64_t size : sizes) {
    CHECK(size >= 0, "Trying to create tensor with negative dimension ", size, ": ",
          to_string(sizes));
  }
  if (!out.defined()) return empty(sizes, dtype.value_or(standard), device.value_or(Device{}));
  CHECK(!dtype || *dtype == out.dtype(), "dtype ", label(dtype.value_or(standard)),
        " does not match dtype of out parameter (", label(out.dtype()), ")");
  Tensor y = out;
  resize_output(y, sizes);
  return y;
}

Tensor marked(Tensor y, bool requires_grad) {
  if (requires_grad) {
    CHECK(is_differentiable(y.dtype()),
          "Only Tensors of floating point and complex dtype can require gradients");
    y->requires_grad = true;
  }
  return y;
}

Tensor like(const Tensor& x, Optional<DType> dtype, Optional<Device> device,
            Optional<MemoryFormat> format) {
  return make_empty_like(x, dtype, device, false, false, format);
}

}  // namespace

Tensor rand(Span sizes, Generator* generator, const Tensor& out, Optional<DType> dtype,
            Optional<Device> device, bool requires_grad, bool) {
  Tensor y = target(sizes, out, default_dtype(), dtype, device);
  return marked(uniform_(y, 0, 1, generator), requires_grad);
}

Tensor randn(Span sizes, Generator* generator, const Tensor& out, Optional<DType> dtype,
             Optional<Device> device, bool requires_grad, bool) {
  Tensor y = target(sizes, out, default_dtype(), dtype, device);
  return marked(normal_(y, 0, 1, generator), requires_grad);
}

Tensor normal_sized(double mean, double std, Span sizes, Generator* generator, const Tensor& out,
                    Optional<DType> dtype, Optional<Device> device, bool requires_grad, bool) {
  Tensor y = target(sizes, out, default_dtype(), dtype, device);
  return marked(normal_(y, mean, std, generator), requires_grad);
}

Tensor randint_from(int64_t low, int64_t high, Span sizes, Generator* generator, const Tensor& out,
                    Optional<DType> dtype, Optional<Device> device, bool requires_grad, bool) {
  Tensor y = target(sizes, out, DType::Int64, dtype, device);
  return marked(random_from_(y, low, high, generator), requires_grad);
}

Tensor randint(int64_t high, Span sizes, Generator* generator, const Tensor& out,
               Optional<DType> dtype, Optional<Device> device, bool requires_grad,
               bool pin_memory) {
  return randint_from(0, high, sizes, generator, out, dtype, device, requires_grad, pin_memory);
}

Tensor randperm(int64_t n, Generator* generator, const Tensor& out, Optional<DType> dtype,
                Optional<Device> device, bool requires_grad, bool) {
  int64_t sizes[] = {n};
  Tensor y = target(sizes, out, DType::Int64, dtype, device);
  return marked(randperm_(y, generator), requires_grad);
}

Tensor rand_like(const Tensor& x, Optional<DType> dtype, Optional<Device> device,
                 bool requires_grad, bool, Optional<MemoryFormat> format) {
  return marked(uniform_(like(x, dtype, device, format), 0, 1, nullptr), requires_grad);
}

Tensor randn_like(const Tensor& x, Optional<DType> dtype, Optional<Device> device,
                  bool requires_grad, bool, Optional<MemoryFormat> format) {
  return marked(normal_(like(x, dtype, device, format), 0, 1, nullptr), requires_grad);
}

Tensor randint_like_from(const Tensor& x, int64_t low, int64_t high, Optional<DType> dtype,
                         Optional<Device> device, bool requires_grad, bool,
                         Optional<MemoryFormat> format) {
  return marked(random_from_(like(x, dtype, device, format), low, high, nullptr), requires_grad);
}

Tensor randint_like(const Tensor& x, int64_t high, Optional<DType> dtype, Optional<Device> device,
                    bool requires_grad, bool pin_memory, Optional<MemoryFormat> format) {
  return randint_like_from(x, 0, high, dtype, device, requires_grad, pin_memory, format);
}

}  // namespace lampas::ops
