// Resizing of planes: each dimension by a table of taps and weights. Planes are contiguous, of up
// to three dimensions; missing ones come first and have size 1.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

enum class Filter : uint8_t {
  nearest,
  nearest_exact,
  linear,
  cubic,
  linear_antialiased,
  cubic_antialiased
};

struct ResizeAxis {
  int64_t in = 1, out = 1;
  double scale = 0;  // output elements per input element; 0: as the sizes say
};

struct ResizeShape {
  int64_t planes = 1;
  ResizeAxis axes[3];
  Filter filter = Filter::nearest;
  bool align_corners = false;  // first and last elements keep their places
  bool planar = false;         // two dimensions: nearest places are found in single precision
};

// Floats, and uint8 rounded after each dimension.
void resize(const Tensor& y, const Tensor& x, const ResizeShape& s, const char* name);
// The adjoint; floats.
void resize_backward(const Tensor& dx, const Tensor& g, const ResizeShape& s, const char* name);

}  // namespace lampas::cpu
