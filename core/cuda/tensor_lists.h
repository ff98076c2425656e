// Kernels over lists of tensors: how a list is cut into launches and blocks, and what is done to
// all gradients of a model. Steps of optimizers are in optim.h.
#pragma once
#include <algorithm>
#include <vector>

#include "runtime/tensor.h"

namespace lampas::cuda {

// TensorTable of cuda/device/tensor_lists.h.
template <int columns, int most>
struct TensorTable {
  static constexpr int kMost = most;
  void* data[most][columns];
  int64_t n[most];
  unsigned first[most];
  int count;
  int64_t chunk;
};

// Elements of a block: enough blocks for every multiprocessor, and not too little for any.
int64_t chunk_for(int64_t elements, int device);

// Fills tables with tensors 0 .. count-1 and launches each: n_of(i), put(data, i), launch(blocks).
template <class Table, class Size, class Put, class Launch>
void each_table(Table& table, int64_t count, int64_t chunk, Size n_of, Put put, Launch launch) {
  table.chunk = chunk;
  for (int64_t i = 0; i < count;) {
    table.count = 0;
    int64_t blocks = 0;
    for (; i < count && table.count < Table::kMost; ++i) {
      int64_t n = n_of(i), own = (n + chunk - 1) / chunk;
      if (n == 0) continue;
      if (table.count && blocks + own > 0x7fffffff) break;
      int at = table.count++;
      table.n[at] = n;
      table.first[at] = static_cast<unsigned>(blocks);
      put(table.data[at], i);
      blocks += own;
    }
    if (table.count) launch(static_cast<unsigned>(blocks));
  }
}

// Whether kernels over lists take these: floating, dense, of one dtype, on one GPU.
bool takes_list(const Tensors& tensors);

// --- lists that takes_list takes ---
// The norm of all elements as if they were one vector; 0-d, of their dtype. p is
// not 0.
Tensor total_norm(const Tensors& tensors, double p);
// Multiplied by a number, or by `factor` (float or double, one element, on the device) where it is
// defined.
// `found` (float, one element), where it is defined, becomes 1 if an element is infinite or NaN.
void scale_list(const Tensors& tensors, double number, const Tensor& factor, const Tensor& found);

// The scale of losses after a step: see amp.GradScaler. Elements of one GPU: float, int32, float.
void update_scale(const Tensor& scale, const Tensor& good_steps, const Tensor& found, double growth,
                  double backoff, int64_t interval);

}  // namespace lampas::cuda
