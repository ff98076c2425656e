// cat, flip, triangles and repeat_interleave's index: cpu/joining.h on a GPU.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;

void place_run(On, const Tensor& y, int64_t at, const Tensor& x);
// Contiguous parts of y's type into the contiguous y, side by side along d from `start` on.
struct JoinedPart {
  Tensor x;
  int64_t start;
};
void join(On, const Tensor& y, std::span<const JoinedPart> parts, int64_t d);
void flip(On, Tensor& y, const Tensor& x, uint64_t dims);
void triangle(On, Tensor& y, const Tensor& x, int64_t k, bool upper);
// i, repeats[i] times, for each i. Waits for the device unless the length is given.
Tensor repeat_index(On, const Tensor& repeats, Optional<int64_t> length);

}  // namespace lampas::cuda
