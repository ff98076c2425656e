// Picking the entries of class targets. Classes are int64, one per line of contiguous x.
#pragma once
#include "cpu/lines.h"

namespace lampas::cpu {

// Raises IndexError "Target 5 is out of bounds." unless every class is below n or is ignored.
void check_classes(const Tensor& target, int64_t n, int64_t ignored);
// losses[i] = w (lse[i] - x[i, class]), or -w x[i, class] without lse; weights[i] = w, the weight
// of the class, 0 for ignored lines. losses, lse and weights in the compute type of x; `weight`
// too, or undefined.
void pick_losses(const Tensor& losses, const Tensor& weights, const Tensor& x, const Tensor& lse,
                 const Tensor& target, const Tensor& weight, int64_t ignored, const Lines& lines);
// dx[i, class] = -scale[i], zero elsewhere; scale in the compute type.
void scatter_losses(const Tensor& dx, const Tensor& target, const Tensor& scale,
                    const Lines& lines);

}  // namespace lampas::cpu
