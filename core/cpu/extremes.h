// Largest and smallest elements with their places.
#pragma once
#include "cpu/lines.h"

namespace lampas::cpu {

// values, indices: one element per line of x (contiguous); the first of equal elements, or the
// first NaN. values may be undefined. Lines are not empty.
void extremes(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
              bool largest);

}  // namespace lampas::cpu
