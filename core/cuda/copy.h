// Copies, conversions and fills that touch a GPU.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;  // see kernels.h

void copy(On, const Tensor& to, const Tensor& from);  // `from` broadcasts to the shape of `to`
void fill(On, const Tensor& x, const Scalar& value);
// Between devices, or a device and the host.
void copy_across(const Tensor& to, const Tensor& from);

}  // namespace lampas::cuda
