// Largest and smallest elements with their places, as cpu/extremes.h has them.
#pragma once
#include "runtime/tensor.h"

namespace lampas {
struct Lines;
}
namespace lampas::cuda {

struct On;  // see kernels.h

void extremes(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
              bool largest);

}  // namespace lampas::cuda
