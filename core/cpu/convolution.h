// Convolutions of contiguous tensors and their two adjoints. Every rank is seen with three spatial
// dimensions; missing ones come first and have size 1.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// x (batch, channels, in), w (outputs, channels / groups, kernel), y (batch, outputs, out).
struct ConvShape {
  int64_t batch, groups, channels, outputs;
  int64_t in[3], kernel[3], out[3];
  int64_t stride[3], padding[3], dilation[3];
  bool last = false;  // x and y have their channels last in memory; only some methods can

  int64_t in_volume() const { return in[0] * in[1] * in[2]; }
  int64_t out_volume() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t group_channels() const { return channels / groups; }
  int64_t group_outputs() const { return outputs / groups; }
  // Multiplications of one image and group.
  int64_t work() const { return group_channels() * group_outputs() * taps() * out_volume(); }
};

// Whether x and y may have their channels last in memory (ConvShape::last): for the map to the
// result, to the input's side, to the weight's side.
enum class ConvMap { result, input, weight };
bool convolves_last(ConvMap map, const ConvShape& s, DType dtype);

// One type for all tensors: float, double, complex or an integer type. `bias` may be undefined.
// y = w over x, plus bias (outputs).
void convolve(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias,
              const ConvShape& s);
// dx from the gradient g of y; with a bias (channels) this is the transposed convolution.
void convolve_input(const Tensor& dx, const Tensor& g, const Tensor& w, const Tensor& bias,
                    const ConvShape& s);
// dw from the gradient g of y.
void convolve_weight(const Tensor& dw, const Tensor& g, const Tensor& x, const ConvShape& s);

}  // namespace lampas::cpu
