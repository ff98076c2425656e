// How a product is cut: stretches of the inner dimension that keep a panel of the right operand in
// the first-level cache, blocks of rows that keep the left operand in the second, pieces of the
// longer side of the result for the pool. The smaller operand is packed once for all pieces, the
// larger one piece by piece.
#include "cpu/gemm.h"

#include <algorithm>
#include <cstring>

#include "cpu/division.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kDepthBytes = 1280;       // of a stretch of the inner dimension
constexpr int64_t kBlockBytes = 512 << 10;  // of the left operand in the second-level cache
constexpr int64_t kPieceFlops = 4 << 20;    // worth a hand-off
constexpr int64_t kPackPiece = 1 << 16;     // elements to pack, worth a hand-off
constexpr int64_t kPackedBytes = 32 << 20;  // the most that is packed at once

template <class T>
const GemmTile& tile() {
  static const GemmTile chosen = LAMPAS_BEST(gemm_tile(sizeof(T)));
  return chosen;
}

template <class T>
int64_t height_of(int64_t rows) {
  return share(rows, tile<T>().rows);
}

template <class T>
int64_t depth_of(int64_t depth) {
  return share(depth, kDepthBytes / static_cast<int64_t>(sizeof(T)));
}

template <class T>
void pack_left(const Strided<T>& a, int64_t height, T* to) {
  LAMPAS_BEST(gemm_pack_left(a.data, a.row_step, a.col_step, a.rows, a.cols, height, to));
}

template <class T>
void pack_right(const Strided<T>& b, T* to) {
  LAMPAS_BEST(gemm_pack_right(b.data, b.row_step, b.col_step, b.rows, b.cols, to));
}

template <class T>
Strided<T> part(const Strided<T>& x, int64_t row, int64_t rows, int64_t col, int64_t cols) {
  return {x.data + row * x.row_step + col * x.col_step, rows, cols, x.row_step, x.col_step};
}

// The end of a block at (row, col) of the stretch that begins at `from` and ends at `to` of depth.
template <class T>
GemmEnd<T> end_of(const GemmEnd<T>& end, int64_t row, int64_t col, bool first, bool last) {
  GemmEnd<T> own;
  own.add = end.add || !first;
  if (last) {
    own.row_bias = end.row_bias ? end.row_bias + row : nullptr;
    own.col_bias = end.col_bias ? end.col_bias + col : nullptr;
    own.relu = end.relu;
  }
  return own;
}

// How many of `units`, each of `flops`, make a piece: enough for a hand-off, few enough for eight
// threads, at most `most`.
int64_t units_in_piece(int64_t units, int64_t flops, int64_t most) {
  int64_t enough = std::max<int64_t>(1, kPieceFlops / std::max<int64_t>(flops, 1));
  return share(units, std::max(enough, std::min(most, ceil_div(units, 8))));
}

// All rows of a packed left operand, columns in pieces, each packed by who needs it.
template <class T>
void by_columns(const PackedLeft<T>& a, const Strided<T>& b, T* c, int64_t ldc,
                const GemmEnd<T>& end) {
  const GemmTile& t = tile<T>();
  int64_t m = a.rows(), n = b.cols, k = a.depth(), stretch = depth_of<T>(k);
  int64_t panels = ceil_div(n, t.cols);
  int64_t grain = units_in_piece(panels, 2 * m * k * t.cols, 8) * t.cols;
  int64_t block = std::max(a.height(), kBlockBytes / (stretch * static_cast<int64_t>(sizeof(T))) /
                                           a.height() * a.height());
  parallel_for(n, grain, [&](int64_t begin, int64_t stop) {
    Scratch<T> packed(stretch * ceil_div(stop - begin, t.lanes) * t.lanes);
    for (int64_t p = 0; p < k; p += stretch) {
      int64_t depth = std::min(stretch, k - p);
      for (int64_t row = 0; row < m; row += block) {
        int64_t rows = std::min(block, m - row);
        for (int64_t col = begin; col < stop; col += t.cols) {
          int64_t cols = std::min(t.cols, stop - col);
          T* panel = packed.data() + (col - begin) * depth;
          if (row == 0) pack_right(part(b, p, depth, col, cols), panel);
          LAMPAS_BEST(gemm_block(GemmBlock<T>{a.panels(row, p, depth), panel, rows, cols, depth,
                                              a.height(), c + row * ldc + col, ldc,
                                              end_of(end, row, col, p == 0, p + depth == k)}));
        }
      }
    }
  });
}

// All columns of a right operand that is packed first, rows in pieces.
template <class T>
void by_rows(const Strided<T>& a, const Strided<T>& b, T* c, int64_t ldc, const GemmEnd<T>& end) {
  int64_t m = a.rows, n = b.cols, k = a.cols, stretch = depth_of<T>(k);
  int64_t height = height_of<T>(m);
  PackedRight<T> right(b);
  int64_t grain = units_in_piece(ceil_div(m, height), 2 * n * k * height, 4) * height;
  parallel_for(m, grain, [&](int64_t begin, int64_t stop) {
    int64_t rows = stop - begin;
    Scratch<T> left(rows * stretch);
    for (int64_t p = 0; p < k; p += stretch) {
      int64_t depth = std::min(stretch, k - p);
      pack_left(part(a, begin, rows, p, depth), height, left.data());
      LAMPAS_BEST(gemm_block(GemmBlock<T>{left.data(), right.panels(0, p, depth), rows, n, depth,
                                          height, c + begin * ldc, ldc,
                                          end_of(end, begin, 0, p == 0, p + depth == k)}));
    }
  });
}

// No inner dimension: zeros, and what the end adds.
template <class T>
void without_depth(int64_t m, int64_t n, T* c, int64_t ldc, const GemmEnd<T>& end) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      T y = end.add ? c[i * ldc + j] : T(0);
      if (end.row_bias) y += end.row_bias[i];
      if (end.col_bias) y += end.col_bias[j];
      c[i * ldc + j] = end.relu && y < 0 ? T(0) : y;
    }
}

}  // namespace

template <class T>
PackedLeft<T>::PackedLeft(int64_t rows, int64_t depth)
    : rows_(rows),
      depth_(depth),
      height_(height_of<T>(rows)),
      store_(std::make_unique<Scratch<T>>(rows * depth)) {}

template <class T>
void PackedLeft<T>::put(const Strided<T>& a, int64_t col) {
  int64_t stretch = depth_of<T>(depth_), stop = col + a.cols;
  for (int64_t from = col, to; from < stop; from = to) {
    int64_t p = from / stretch * stretch, depth = std::min(stretch, depth_ - p);
    to = std::min(stop, p + depth);
    for (int64_t row = 0; row < rows_; row += height_) {
      int64_t rows = std::min(height_, rows_ - row);
      pack_left(part(a, row, rows, from - col, to - from), height_,
                store_->data() + p * rows_ + row * depth + (from - p) * rows);
    }
  }
}

template <class T>
PackedLeft<T>::PackedLeft(const Strided<T>& a) : PackedLeft(a.rows, a.cols) {
  int64_t stretch = depth_of<T>(depth_);
  for (int64_t p = 0; p < depth_; p += stretch) {
    int64_t depth = std::min(stretch, depth_ - p);
    int64_t grain = std::max<int64_t>(1, kPackPiece / (depth * height_)) * height_;
    parallel_for(rows_, grain, [&](int64_t begin, int64_t end) {
      pack_left(part(a, begin, end - begin, p, depth), height_,
                store_->data() + p * rows_ + begin * depth);
    });
  }
}

template <class T>
int64_t PackedLeft<T>::stretch() const {
  return depth_of<T>(depth_);
}

template <class T>
PackedRight<T>::PackedRight(const Strided<T>& b) : depth_(b.rows), cols_(b.cols) {
  const GemmTile& t = tile<T>();
  wide_ = ceil_div(cols_, t.lanes) * t.lanes;
  store_ = std::make_unique<Scratch<T>>(depth_ * wide_);
  int64_t stretch = depth_of<T>(depth_);
  for (int64_t p = 0; p < depth_; p += stretch) {
    int64_t depth = std::min(stretch, depth_ - p);
    int64_t grain = std::max<int64_t>(1, kPackPiece / (depth * t.cols)) * t.cols;
    parallel_for(cols_, grain, [&](int64_t begin, int64_t stop) {
      pack_right(part(b, p, depth, begin, stop - begin),
                 store_->data() + p * wide_ + begin * depth);
    });
  }
}

template <class T>
int64_t PackedRight<T>::grain(int64_t rows, int64_t flops) const {
  int64_t unit = tile<T>().cols, own = std::max<int64_t>(1, 2 * rows * depth_ * unit);
  return share(ceil_div(cols_, unit), std::max<int64_t>(1, flops / own)) * unit;
}

template <class T>
void gemm(const PackedLeft<T>& a, const PackedRight<T>& b, T* c, int64_t ldc, const GemmEnd<T>& end,
          int64_t begin, int64_t stop) {
  if (a.rows() == 0 || begin >= stop) return;
  int64_t k = a.depth(), stretch = depth_of<T>(k);
  for (int64_t p = 0; p < k; p += stretch) {
    int64_t depth = std::min(stretch, k - p);
    LAMPAS_BEST(gemm_block(GemmBlock<T>{a.panels(0, p, depth), b.panels(begin, p, depth), a.rows(),
                                        stop - begin, depth, a.height(), c + begin, ldc,
                                        end_of(end, 0, begin, p == 0, p + depth == k)}));
  }
}

template <class T>
void gemm(const PackedLeft<T>& a, const Strided<T>& b, T* c, int64_t ldc, const GemmEnd<T>& end) {
  if (a.rows() == 0 || b.cols == 0) return;
  if (a.depth() == 0) return without_depth(a.rows(), b.cols, c, ldc, end);
  by_columns(a, b, c, ldc, end);
}

template <class T>
void gemm(const Strided<T>& a, const Strided<T>& b, T* c, int64_t ldc, const GemmEnd<T>& end) {
  int64_t m = a.rows, n = b.cols, k = a.cols, item = sizeof(T);
  if (m == 0 || n == 0) return;
  if (k == 0) return without_depth(m, n, c, ldc, end);
  if (m > n) {
    int64_t most =
        std::max(tile<T>().cols, kPackedBytes / (k * item) / tile<T>().cols * tile<T>().cols);
    for (int64_t col = 0; col < n; col += most)
      by_rows(a, part(b, 0, k, col, std::min(most, n - col)), c + col, ldc,
              end_of(end, 0, col, true, true));
    return;
  }
  int64_t most = std::max(tile<T>().rows, kPackedBytes / (k * item));
  for (int64_t row = 0; row < m; row += most)
    by_columns(PackedLeft<T>(part(a, row, std::min(most, m - row), 0, k)), b, c + row * ldc, ldc,
               end_of(end, row, 0, true, true));
}

template class PackedLeft<float>;
template class PackedLeft<double>;
template class PackedRight<float>;
template class PackedRight<double>;
template void gemm(const Strided<float>&, const Strided<float>&, float*, int64_t,
                   const GemmEnd<float>&);
template void gemm(const Strided<double>&, const Strided<double>&, double*, int64_t,
                   const GemmEnd<double>&);
template void gemm(const PackedLeft<float>&, const Strided<float>&, float*, int64_t,
                   const GemmEnd<float>&);
template void gemm(const PackedLeft<double>&, const Strided<double>&, double*, int64_t,
                   const GemmEnd<double>&);

template void gemm(const PackedLeft<float>&, const PackedRight<float>&, float*, int64_t,
                   const GemmEnd<float>&, int64_t, int64_t);
template void gemm(const PackedLeft<double>&, const PackedRight<double>&, double*, int64_t,
                   const GemmEnd<double>&, int64_t, int64_t);

}  // namespace lampas::cpu
