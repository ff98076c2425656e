// Largest and smallest elements with their places: cpu/extremes.h on a GPU.
#pragma once
#include "cpu/lines.h"

namespace lampas::cuda {

struct On;

void extremes(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
              bool largest);

}  // namespace lampas::cuda
