// Sorting and selecting along lines. Inputs are contiguous; values and indices as stated.
#pragma once
#include "cpu/lines.h"

namespace lampas::cpu {

// values and indices: contiguous, the shape of x.
void sort(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          bool descending, bool stable);
// The first k of each line in that order: lines of k elements.
void topk(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          int64_t k, bool largest, bool sorted);
// One element per line: the one of rank k (from 0).
void kth(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
         int64_t k);
// The lower median; the first NaN, unless NaNs are ignored.
void median(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
            bool ignore_nan);
// The smallest of the most frequent elements, at the last of its places as std::sort leaves them.
void mode(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines);

}  // namespace lampas::cpu
