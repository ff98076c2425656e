// Moving elements between memory of any strides: what joining, flipping and the gradients of views
// share. Strides may be negative here. Elementwise arithmetic is not here: see cpu/walk.h.
#pragma once
#include <array>

#include "runtime/tensor.h"

namespace lampas::cpu {

// A box of indices over K operands: neighbouring dimensions that every operand walks as one are
// merged, dimensions of size 1 dropped. Strides are in elements. Dimensions are added outermost
// first.
template <int K>
struct Box {
  SmallVector<int64_t, 6> sizes;
  std::array<SmallVector<int64_t, 6>, K> strides;

  void add(int64_t size, const std::array<int64_t, K>& steps) {
    if (size == 1) return;
    bool merges = !sizes.empty();
    for (int k = 0; merges && k < K; ++k) merges = strides[k].back() == steps[k] * size;
    if (!merges) {
      sizes.push_back(size);
      for (int k = 0; k < K; ++k) strides[k].push_back(steps[k]);
      return;
    }
    sizes.back() *= size;
    for (int k = 0; k < K; ++k) strides[k].back() = steps[k];
  }
  // Takes the innermost dimension away (size 1 when there is none): the row of a loop nest.
  int64_t take_row(std::array<int64_t, K>& steps) {
    steps.fill(0);
    if (sizes.empty()) return 1;
    int64_t size = sizes.back();
    sizes.pop_back();
    for (int k = 0; k < K; ++k) {
      steps[k] = strides[k].back();
      strides[k].pop_back();
    }
    return size;
  }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : sizes) n *= s;
    return n;
  }
};

// The element offsets of K operands at one index of a box, stepping in row-major order.
template <int K>
class Cursor {
 public:
  Cursor(const Box<K>& box, int64_t position) : box_(box), index_(box.sizes.size()) {
    at.fill(0);
    for (size_t d = index_.size(); d-- > 0;) {
      index_[d] = position % box.sizes[d];
      position /= box.sizes[d];
      for (int k = 0; k < K; ++k) at[k] += index_[d] * box.strides[k][d];
    }
  }
  void next() {
    for (size_t d = index_.size(); d-- > 0;) {
      if (++index_[d] < box_.sizes[d]) {
        for (int k = 0; k < K; ++k) at[k] += box_.strides[k][d];
        return;
      }
      index_[d] = 0;
      for (int k = 0; k < K; ++k) at[k] -= (box_.sizes[d] - 1) * box_.strides[k][d];
    }
  }
  std::array<int64_t, K> at;

 private:
  const Box<K>& box_;
  SmallVector<int64_t, 6> index_;
};

// y[index * y_strides] = x[index * x_strides] over `sizes`; both pointers at index 0, elements of
// `item` bytes. The order of dimensions is chosen here.
void move(void* y, Span y_strides, const void* x, Span x_strides, Span sizes, int64_t item);

// y += g in order, where elements of y may share an address: one thread, one order.
void add_strided(Tensor& y, const Tensor& g);

}  // namespace lampas::cpu
