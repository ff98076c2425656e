// Values of images at places given by a grid: cpu/grid_sampling.h on a GPU. The gradient's gradient
// is the CPU's.
#pragma once
#include "cpu/grid_sampling.h"
#include "cuda/fallback.h"

namespace lampas::cuda {

struct On;

// It holds no addresses: grid_sample_second may run on copies.
template <>
inline constexpr bool is_plain<cpu::GridShape> = true;

void grid_sample(On, const Tensor& y, const Tensor& x, const Tensor& grid, const cpu::GridShape& s,
                 const char* name);
// Sums of dx have no order.
void grid_sample_backward(On, const Tensor& dgrid, const Tensor& dx, const Tensor& g,
                          const Tensor& x, const Tensor& grid, const cpu::GridShape& s,
                          const char* name);

}  // namespace lampas::cuda
