// Sliding blocks of images as columns, and their sum: cpu/folding.h on a GPU.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cuda {

struct On;

void unfold(On, const Tensor& columns, const Tensor& x, const cpu::ConvShape& s);
void fold(On, const Tensor& x, const Tensor& columns, const cpu::ConvShape& s);

}  // namespace lampas::cuda
