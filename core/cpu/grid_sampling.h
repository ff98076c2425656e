// Values of images at places given by a grid. Contiguous tensors, seen in three spatial dimensions;
// missing ones come first and have size 1.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

enum class Sampling : uint8_t { linear, nearest, cubic };
enum class Outside : uint8_t { zeros, border, reflection };

// x (batch, channels, in), grid (batch, places, spatial) with the last dimension's coordinate
// first, y (batch, channels, places).
struct GridShape {
  int64_t batch, channels, places;
  int64_t in[3];
  int spatial;  // 2 or 3
  Sampling sampling;
  Outside outside;
  bool align_corners;  // -1 and 1 are the centres of the outer elements, not their edges
};

void grid_sample(const Tensor& y, const Tensor& x, const Tensor& grid, const GridShape& s,
                 const char* name);
// dx may be undefined.
void grid_sample_backward(const Tensor& dgrid, const Tensor& dx, const Tensor& g, const Tensor& x,
                          const Tensor& grid, const GridShape& s, const char* name);
// The gradient of grid_sample_backward by g, x and grid, given those of dx and dgrid. All defined.
void grid_sample_second(const Tensor& dg, const Tensor& dx, const Tensor& dgrid,
                        const Tensor& of_dx, const Tensor& of_dgrid, const Tensor& g,
                        const Tensor& x, const Tensor& grid, const GridShape& s, const char* name);

}  // namespace lampas::cpu
