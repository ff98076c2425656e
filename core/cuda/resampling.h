// Resizing of planes: cpu/resampling.h on a GPU.
#pragma once
#include "cpu/resampling.h"

namespace lampas::cuda {

struct On;

void resize(On, const Tensor& y, const Tensor& x, const cpu::ResizeShape& s, const char* name);
void resize_backward(On, const Tensor& dx, const Tensor& g, const cpu::ResizeShape& s,
                     const char* name);

}  // namespace lampas::cuda
