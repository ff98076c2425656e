// Sets and histograms: what depends on which values occur, not where.
#pragma once
#include "cpu/lines.h"

namespace lampas::cpu {

// The runs of equal neighbours among n rows of `width` elements of contiguous x, taken in the order
// `order` (undefined: as they lie). group (n) receives each row's run. Returns how many runs there
// are.
int64_t group_rows(const Tensor& group, const Tensor& x, const Tensor& order, int64_t n,
                   int64_t width);
// The stable lexicographic order of those rows.
void order_rows(const Tensor& order, const Tensor& x, int64_t n, int64_t width);
// first (runs): a row of each run; counts (runs).
void describe_groups(const Tensor& first, const Tensor& counts, const Tensor& group,
                     const Tensor& order);

// For each element of `values` its place in its line of `edges` (one line: shared by all). `right`:
// after equal ones. Positions are int32 or int64.
void search(const Tensor& places, const Tensor& edges, const Tensor& values, const Tensor& sorter,
            bool right);

// counts (int64) or sums of weights (their type) per value of x (integers below places.numel()).
void count_values(const Tensor& totals, const Tensor& x, const Tensor& weights);
// Equal bins between low and high; the last is closed. Elements outside are left out. weights may
// be undefined.
void count_bins(const Tensor& totals, const Tensor& x, const Tensor& weights, double low,
                double high);

}  // namespace lampas::cpu
