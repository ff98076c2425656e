// Running a row: types, shapes and devices of its operands, the result, and its gradient. The rows
// themselves are in pointwise.def, their kernels in cpu/pointwise.cc.
#pragma once
#include "ops/rows.h"
#include "runtime/tensor.h"

namespace lampas::ops {

// What a row works on: a tensor, or a number that takes part in promotion as a Python number does.
class Operand {
 public:
  Operand(const Tensor& x) : tensor_(&x) {}
  Operand(const Scalar& x) : number_(x) {}
  Operand(double x) : number_(x) {}
  Operand(int64_t x) : number_(x) {}
  Operand(int x) : number_(x) {}
  Operand(bool x) : number_(x) {}

  bool is_tensor() const { return tensor_; }
  const Tensor& tensor() const { return *tensor_; }
  const Scalar& number() const { return number_; }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar number_;
};

using Operands = std::span<const Operand>;
using Params = std::span<const Scalar>;  // as many as Info::params

Tensor run(rows::Row row, Operands inputs, Params params);
// Writes into the first input, which must be a tensor of the result's shape.
void run_inplace(rows::Row row, Operands inputs, Params params);
// Writes into `out`, resizing it when its shape differs.
void run_out(rows::Row row, Tensor& out, Operands inputs, Params params);

Scalar number_of(const Tensor& x);  // of one element, on the host

// Missing parameters take the default of the signature.
Tensor run(rows::Row row, std::initializer_list<Operand> inputs,
           std::initializer_list<Scalar> params = {});

// `out` gets this shape; a warning when it held elements of another shape.
void resize_output(Tensor& out, Span sizes);
extern void (*warn)(const char* text);  // set by the Python layer; null: silence

}  // namespace lampas::ops
