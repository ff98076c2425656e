// Matrix products by own kernels: one pass over the result with bias and activation, operands of
// any strides, the left one packed once for many calls. float and double.
#pragma once
#include <memory>

#include "cpu/scratch.h"
#include "cpu/simd/gemm.h"

namespace lampas::cpu {

// Element (i, j) at data[i * row_step + j * col_step]. Steps may be anything; a product is fastest
// where one of them is 1.
template <class T>
struct Strided {
  const T* data;
  int64_t rows, cols, row_step, col_step;
};

template <class T>
Strided<T> turned(const Strided<T>& x) {
  return {x.data, x.cols, x.rows, x.col_step, x.row_step};
}

// A left operand in the order of the kernel: worth making once when it meets many right operands.
// Pieces run on the pool. The matrix it was made from may go.
template <class T>
class PackedLeft {
 public:
  explicit PackedLeft(const Strided<T>& a);
  // To be filled by put(): columns [col, col + a.cols) become those of `a`, on the calling thread.
  PackedLeft(int64_t rows, int64_t depth);
  void put(const Strided<T>& a, int64_t col);
  int64_t rows() const { return rows_; }
  int64_t depth() const { return depth_; }
  int64_t height() const { return height_; }
  int64_t stretch() const;  // the inner dimension is cut into stretches of this
  // The panels of rows from `row` (a multiple of height()) over the stretch [from, from + count).
  const T* panels(int64_t row, int64_t from, int64_t count) const {
    return store_->data() + from * rows_ + row * count;
  }

 private:
  int64_t rows_, depth_, height_;
  std::unique_ptr<Scratch<T>> store_;
};

// A right operand in the order of the kernel.
template <class T>
class PackedRight {
 public:
  explicit PackedRight(const Strided<T>& b);
  int64_t depth() const { return depth_; }
  int64_t cols() const { return cols_; }
  // Columns (a multiple of the tile's) that make a piece of at least `flops` with `rows` on the
  // left.
  int64_t grain(int64_t rows, int64_t flops) const;
  // The panels from column `col` (a multiple of the tile's) over the stretch [from, from + count).
  const T* panels(int64_t col, int64_t from, int64_t count) const {
    return store_->data() + from * wide_ + col * count;
  }

 private:
  int64_t depth_, cols_, wide_;  // wide_: cols_ rounded up to lanes
  std::unique_ptr<Scratch<T>> store_;
};

// c = a @ b, row-major with leading dimension ldc, then what `end` says (bias and relu see the
// finished sum; end.add: c += ...). Results do not depend on the number of threads: each element is
// one chain of additions over the inner dimension. Pieces run on the pool; inside a parallel region
// everything happens on the calling thread. An inner dimension of 0 gives zeros.
template <class T>
void gemm(const Strided<T>& a, const Strided<T>& b, T* c, int64_t ldc, const GemmEnd<T>& end = {});
template <class T>
void gemm(const PackedLeft<T>& a, const Strided<T>& b, T* c, int64_t ldc,
          const GemmEnd<T>& end = {});
// Columns [begin, stop) of c, begin a multiple of b.grain(); on the calling thread alone.
template <class T>
void gemm(const PackedLeft<T>& a, const PackedRight<T>& b, T* c, int64_t ldc, const GemmEnd<T>& end,
          int64_t begin, int64_t stop);

}  // namespace lampas::cpu
