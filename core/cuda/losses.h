// Picking the entries of class targets, as cpu/losses.h has it. A bad target is found by the kernel
// that follows it: an assertion on the device, as PyTorch's.
#pragma once
#include "runtime/tensor.h"

namespace lampas {
struct Lines;
}
namespace lampas::cuda {

struct On;  // see kernels.h

void check_classes(On, const Tensor& target, int64_t n, int64_t ignored);
void pick_losses(On, const Tensor& losses, const Tensor& weights, const Tensor& x,
                 const Tensor& lse, const Tensor& target, const Tensor& weight, int64_t ignored,
                 const Lines& lines);
void scatter_losses(On, const Tensor& dx, const Tensor& target, const Tensor& scale,
                    const Lines& lines);
void check_probabilities(On, const Tensor& x);  // x contiguous, all between 0 and 1

}  // namespace lampas::cuda
