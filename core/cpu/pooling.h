// Pooling of contiguous tensors: planes of up to three spatial dimensions; missing ones come first
// and have size 1.
#pragma once
#include <algorithm>

#include "runtime/tensor.h"

namespace lampas::cpu {

// The windows of one dimension: the elements begin(o), begin(o) + dilation, ... below end(o).
struct PoolAxis {
  int64_t in = 1, out = 1;
  int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  bool adaptive = false;       // windows share `in` out evenly; kernel and the rest do not count
  bool count_padding = false;  // elements of padding enter the divisor of an average

  int64_t begin(int64_t o) const {
    if (adaptive) return o * in / out;
    int64_t first = o * stride - padding;
    return first >= 0 ? first : first + (-first + dilation - 1) / dilation * dilation;
  }
  int64_t end(int64_t o) const {
    if (adaptive) return ((o + 1) * in + out - 1) / out;
    return std::min(o * stride - padding + (kernel - 1) * dilation + 1, in);
  }
  int64_t count(int64_t o) const {
    int64_t last =
        adaptive || !count_padding ? end(o) : std::min(o * stride - padding + kernel, in + padding);
    return std::max<int64_t>(last - (adaptive || !count_padding ? begin(o) : o * stride - padding),
                             0);
  }
};

struct PoolShape {
  int64_t planes = 1;
  PoolAxis axes[3];
  int64_t divisor = 0;  // of an average; 0: the number of elements

  int64_t in_volume() const { return axes[0].in * axes[1].in * axes[2].in; }
  int64_t out_volume() const { return axes[0].out * axes[1].out * axes[2].out; }
};

// `indices` (int64, of y's shape, may be undefined): the place of each maximum in its plane. A NaN
// is larger than anything. `name` is for "not implemented for" errors.
void max_pool(const Tensor& y, const Tensor& indices, const Tensor& x, const PoolShape& s,
              const char* name);
// dx = zeros with every g added at its index; raises for an index outside the plane.
void max_pool_backward(const Tensor& dx, const Tensor& g, const Tensor& indices,
                       const PoolShape& s);
void average_pool(const Tensor& y, const Tensor& x, const PoolShape& s, const char* name);
// dx: every g spread over its window.
void average_pool_backward(const Tensor& dx, const Tensor& g, const PoolShape& s, const char* name);

}  // namespace lampas::cpu
