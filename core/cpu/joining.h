// Kernels of flip, tril/triu, repeat_interleave, and of joining short runs. Joining else is
// copying: see cpu/copy.h.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// Elements of contiguous x to contiguous y of the same type, from element `at` on.
void place_run(const Tensor& y, int64_t at, const Tensor& x);
// y = x with the dimensions named by bits of `dims` running backwards.
void flip(Tensor& y, const Tensor& x, uint64_t dims);
// The contiguous y gets x on one side of the diagonal that lies `k` columns to the right, zeros
// beyond.
void triangle(Tensor& y, const Tensor& x, int64_t k, bool upper);
// Sum of repeats; raises for negative ones.
int64_t total_repeats(const Tensor& repeats);
// i, repeats[i] times, for each i.
void repeat_index(Tensor& y, const Tensor& repeats);

}  // namespace lampas::cpu
