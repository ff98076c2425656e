// Kernels that find elements through index tensors: x[i, :, j] read and written, take, put,
// nonzero.
#pragma once
#include "cpu/combine.h"
#include "runtime/tensor.h"

namespace lampas::cpu {

// Which indices are allowed, and the error for the others.
struct Bounds {
  bool negatives;  // -size <= i < 0 counts from the end
  void (*raise)(int64_t index, int64_t dim, int64_t size);
};

// On a GPU the offsets of one index tensor may be its positions themselves, neither multiplied nor
// checked: then `bounds` says which are allowed.
struct RawIndex {
  Bounds bounds{false, nullptr};
  int64_t size = 0, stride = 0, dim = 0;
};

// How the result y of indexing meets x. The indexed dimensions are one block whose positions have
// their element offsets in x listed; the other dimensions are walked alike in x and y.
struct IndexPlan {
  Dims sizes, x_strides, y_strides;  // of dimensions that are not indexed
  int64_t y_step = 0;                // between positions of the block, in y
  RawIndex raw;
};

// offsets[k] (+)= index[k] * stride, in row-major order of `index` (int64, any strides).
void index_offsets(Tensor& offsets, const Tensor& index, int64_t size, int64_t stride, int64_t dim,
                   Bounds bounds, bool accumulate);
// offsets[k] = where element index[k] of x, counted in row-major order, lies.
void linear_offsets(Tensor& offsets, const Tensor& index, const Tensor& x, Bounds bounds);

void index(Tensor& y, const Tensor& x, const Tensor& offsets, const IndexPlan& plan);
// x at the offsets takes in `values`, which are laid out as y in the plan. Positions that meet are
// combined in order, whatever the number of threads.
void index_put(Tensor& x, const Tensor& values, const Tensor& offsets, const IndexPlan& plan,
               Combine combine, const char* name);

std::pair<int64_t, int64_t> extremes(
    const Tensor& index);  // least and greatest; index is not empty
int64_t count_nonzero(const Tensor& x);
// y: (dims, count), contiguous: one row of coordinates per dimension.
void nonzero(Tensor& y, const Tensor& x);

// Rows of weight named in `index` get a norm of at most max_norm, each once.
void renorm_rows(Tensor& weight, const Tensor& index, double max_norm, double norm_type);
// counts[i] = how often `index` names i; others are ignored.
void count_index(Tensor& counts, const Tensor& index);

}  // namespace lampas::cpu
