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
// y (a scalar of any float type) = sum(losses), or the mean: over total = sum(weights), which is
// written where it is defined. For a few thousand losses: one block does it.
void total_loss(On, const Tensor& y, const Tensor& total, const Tensor& losses,
                const Tensor& weights);
// scale = g weights / total, 0 where weights are. g: one element, or as many; total may be
// undefined.
void line_scales(On, const Tensor& scale, const Tensor& g, const Tensor& weights,
                 const Tensor& total);
void check_probabilities(On, const Tensor& x);  // x contiguous, all between 0 and 1

}  // namespace lampas::cuda
