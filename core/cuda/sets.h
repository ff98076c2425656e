// Sets and histograms: cpu/sets.h on a GPU.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cuda {

struct On;

void order_rows(On, const Tensor& order, const Tensor& x, int64_t n, int64_t width);
// Waits for the device: the number of runs is the size of a result.
int64_t group_rows(On, const Tensor& group, const Tensor& x, const Tensor& order, int64_t n,
                   int64_t width);
void describe_groups(On, const Tensor& first, const Tensor& counts, const Tensor& group,
                     const Tensor& order);
void search(On, const Tensor& places, const Tensor& edges, const Tensor& values,
            const Tensor& sorter, bool right);
void count_values(On, const Tensor& totals, const Tensor& x, const Tensor& weights);
void count_bins(On, const Tensor& totals, const Tensor& x, const Tensor& weights, double low,
                double high);

}  // namespace lampas::cuda
