// Both operands are packed first, in pairs along the inner dimension; then pieces of the result are
// summed up in a block of floats that the second-level cache holds, and rounded.
#include "cpu/gemm_bfloat16.h"

#include <algorithm>

#include "cpu/convert.h"
#include "cpu/division.h"
#include "cpu/simd/gemm_bfloat16.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kDepth = 512;  // a stretch of the inner dimension: a panel fits the L1
constexpr int64_t kRows = 112, kCols = 256;  // at most, of a piece
constexpr int64_t kPackPiece = 1 << 16;      // elements to pack, worth a hand-off

const GemmTile& tile() {
  static const GemmTile chosen = LAMPAS_BEST(gemm_bfloat16_tile());
  return chosen;
}

// An operand in the order of the kernel; `x` has the inner dimension as columns.
class Packed {
 public:
  Packed(const Strided<uint16_t>& x, int64_t height, int64_t lanes)
      : wide_(ceil_div(x.rows, lanes) * lanes), store_((x.cols + 1) / 2 * 2 * wide_) {
    for (int64_t p = 0; p < x.cols; p += kDepth) {
      int64_t depth = std::min(kDepth, x.cols - p), even = (depth + 1) / 2 * 2;
      int64_t grain = std::max<int64_t>(1, kPackPiece / (depth * height)) * height;
      parallel_for(x.rows, grain, [&](int64_t begin, int64_t end) {
        LAMPAS_BEST(gemm_bfloat16_pack(Bfloat16Panels{
            x.data + begin * x.row_step + p * x.col_step, x.row_step, x.col_step, end - begin,
            depth, height, lanes, store_.data() + p * wide_ + begin * even}));
      });
    }
  }
  // The panels from `row` (a multiple of the height) over the stretch from `p`, `even` deep.
  const uint16_t* panels(int64_t row, int64_t p, int64_t even) {
    return store_.data() + p * wide_ + row * even;
  }

 private:
  int64_t wide_;
  Scratch<uint16_t> store_;
};

}  // namespace

bool has_gemm_bfloat16() { return tile().rows > 0; }

void gemm_bfloat16(const Strided<uint16_t>& a, const Strided<uint16_t>& b, uint16_t* c, int64_t ldc,
                   bool accumulate) {
  int64_t m = a.rows, n = b.cols, k = a.cols;
  int64_t height = ceil_div(m, ceil_div(m, tile().rows));
  Packed left(a, height, 1), right(turned(b), tile().cols, tile().lanes);
  int64_t rows = share(m, kRows, height), cols = share(n, kCols, tile().cols);
  int64_t down = ceil_div(m, rows), across = ceil_div(n, cols);
  Convert round = converter(DType::BFloat16, DType::Float),
          widen = converter(DType::Float, DType::BFloat16);
  int64_t grain = std::max<int64_t>(1, (4 << 20) / (rows * cols * k));
  parallel_for(down * across, grain, [&](int64_t begin, int64_t end) {
    Scratch<float> sums(rows * cols), start(cols);
    for (int64_t piece = begin; piece < end; ++piece) {
      int64_t row = piece / across * rows, col = piece % across * cols;
      int64_t high = std::min(rows, m - row), wide = std::min(cols, n - col);
      for (int64_t p = 0; p < k; p += kDepth) {
        int64_t even = (std::min(kDepth, k - p) + 1) / 2 * 2;
        LAMPAS_BEST(gemm_bfloat16_block(Bfloat16Block{left.panels(row, p, even),
                                                      right.panels(col, p, even), high, wide,
                                                      even / 2, height, sums.data(), wide, p > 0}));
      }
      for (int64_t i = 0; i < high; ++i) {
        float* line = sums.data() + i * wide;
        uint16_t* to = c + (row + i) * ldc + col;
        if (accumulate) {
          widen(start.data(), to, wide);
          for (int64_t j = 0; j < wide; ++j) line[j] += start.data()[j];
        }
        round(to, line, wide);
      }
    }
  });
}

}  // namespace lampas::cpu
