// Convolutions by cuDNN.
#include "cuda/convolution.h"

namespace lampas::cuda {

bool convolve_by_library(cpu::ConvMap, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                         const cpu::ConvShape&) {
  return false;
}

}  // namespace lampas::cuda
