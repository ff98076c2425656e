// Sorting and selecting along lines: cpu/sorting.h on a GPU. Equal keys keep their order; which of
// equal elements a selection names may differ from the CPU's.
#pragma once
#include "cpu/lines.h"

namespace lampas::cuda {

struct On;

// Lines that lie together (inner is 1), or are short. `values` may be undefined.
void sort_lines(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
                bool descending, const char* what);
// The stable order of n whole numbers from -1 to below `limit`.
void order_of(const Tensor& order, const Tensor& numbers, int64_t limit, const char* what);
void sort(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          bool descending, bool stable);
void topk(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          int64_t k, bool largest, bool sorted);
void kth(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
         int64_t k);
void median(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
            bool ignore_nan);
void mode(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines);

}  // namespace lampas::cuda
