// Convolutions on a GPU: cuDNN where it is and can, else kernels of our own. All tensors of one
// type, (batch or outputs, channels, one to three spatial dimensions), at any distances for our
// kernels; cuDNN is fastest where channels are last.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cuda {

struct On;  // see kernels.h

// As cpu/convolution.h has them; `last` of the shape says that the channels are neighbours.
void convolve(On, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias,
              const cpu::ConvShape& s);
void convolve_input(On, const Tensor& dx, const Tensor& g, const Tensor& w, const Tensor& bias,
                    const cpu::ConvShape& s);
void convolve_weight(On, const Tensor& dw, const Tensor& g, const Tensor& x,
                     const cpu::ConvShape& s);

// cudnn_convolution.cc: false where the library is missing or refuses the problem. x, w and y as in
// the forward map; the one that `map` names is written. Bias: of `result` only.
bool convolve_by_library(cpu::ConvMap map, const Tensor& x, const Tensor& w, const Tensor& y,
                         const Tensor& bias, const cpu::ConvShape& s);

}  // namespace lampas::cuda
