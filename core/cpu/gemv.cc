// A vector times a matrix: rows are added up where they are contiguous, columns are dotted where
// those are; other matrices are walked element by element.
#include "cpu/gemv.h"

#include <algorithm>

#include "cpu/simd/gemv.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kPieceElements = 1 << 18;  // of the matrix: worth a hand-off
constexpr int64_t kPieceCols = 1024;         // the least of a row that memory streams well

template <class T>
void walk(const T* x, int64_t x_step, const Strided<T>& b, T* y, int64_t y_step, bool add) {
  for (int64_t j = 0; j < b.cols; ++j) {
    T sum = 0;
    for (int64_t k = 0; k < b.rows; ++k)
      sum += x[k * x_step] * b.data[k * b.row_step + j * b.col_step];
    y[j * y_step] = add ? y[j * y_step] + sum : sum;
  }
}

}  // namespace

template <class T>
void gemv(const T* x, int64_t x_step, const Strided<T>& b, T* y, int64_t y_step, bool add) {
  int64_t k = b.rows, n = b.cols, least = kPieceElements / std::max<int64_t>(k, 1);
  bool dots = b.row_step == 1 || k == 1, rows = !dots && (b.col_step == 1 || n == 1);
  if (!dots && !rows) return walk(x, x_step, b, y, y_step, add);
  Scratch<T> line(x_step == 1 ? 0 : k), out(rows && y_step != 1 ? n : 0);
  if (x_step != 1) {
    for (int64_t i = 0; i < k; ++i) line.data()[i] = x[i * x_step];
    x = line.data();
  }
  if (dots) {
    parallel_for(n, std::max<int64_t>(least, 1), [&](int64_t begin, int64_t end) {
      LAMPAS_BEST(gemv_dots(x, b.data + begin * b.col_step, b.col_step, k, end - begin,
                            y + begin * y_step, y_step, add));
    });
    return;
  }
  T* target = y_step == 1 ? y : out.data();
  parallel_for(n, std::max(least, kPieceCols), [&](int64_t begin, int64_t end) {
    LAMPAS_BEST(gemv_rows(x, b.data + begin, b.row_step, k, end - begin, target + begin,
                          add && y_step == 1));
  });
  if (y_step != 1)
    for (int64_t j = 0; j < n; ++j) y[j * y_step] = (add ? y[j * y_step] : T(0)) + target[j];
}

template void gemv(const float*, int64_t, const Strided<float>&, float*, int64_t, bool);
template void gemv(const double*, int64_t, const Strided<double>&, double*, int64_t, bool);

}  // namespace lampas::cpu
