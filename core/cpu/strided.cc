// Loops of cpu/strided.h.
#include "cpu/strided.h"

#include <cstring>

#include "cpu/combine.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 32768;  // elements of one chunk

// Dimensions from the largest step in y to the smallest, so that y is written in memory order.
Dims written_order(Span strides) {
  Dims order(strides.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return std::abs(strides[a]) > std::abs(strides[b]);
  });
  return order;
}

template <class T>
void move_row(T* y, int64_t y_step, const T* x, int64_t x_step, int64_t n) {
  if (y_step == 1 && x_step == 1) {
    std::memcpy(y, x, static_cast<size_t>(n) * sizeof(T));
  } else if (y_step == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i * x_step];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_step] = x[i * x_step];
  }
}

}  // namespace

void move(void* y, Span y_strides, const void* x, Span x_strides, Span sizes, int64_t item) {
  for (int64_t s : sizes)
    if (s == 0) return;
  Box<2> box;
  for (int64_t d : written_order(y_strides)) box.add(sizes[d], {y_strides[d], x_strides[d]});
  std::array<int64_t, 2> step;
  int64_t row = box.take_row(step), rows = box.numel();
  // A single long row is cut in pieces; many short ones are gathered.
  int64_t piece = rows == 1 ? std::min(row, kGrain) : row;
  int64_t pieces = (row + piece - 1) / piece;
  dispatch_size(item, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(rows * pieces, std::max<int64_t>(kGrain / piece, 1),
                 [&](int64_t begin, int64_t end) {
                   if (pieces > 1) {
                     for (int64_t p = begin; p < end; ++p) {
                       int64_t from = p * piece, n = std::min(piece, row - from);
                       move_row(static_cast<T*>(y) + from * step[0], step[0],
                                static_cast<const T*>(x) + from * step[1], step[1], n);
                     }
                     return;
                   }
                   Cursor<2> cursor(box, begin);
                   for (int64_t r = begin; r < end; ++r, cursor.next())
                     move_row(static_cast<T*>(y) + cursor.at[0], step[0],
                              static_cast<const T*>(x) + cursor.at[1], step[1], row);
                 });
  });
}

void add_strided(Tensor& y, const Tensor& g) {
  if (g.numel() == 0) return;
  Box<2> box;
  for (int64_t d = 0; d < g.dim(); ++d) box.add(g.size(d), {y.stride(d), g.stride(d)});
  std::array<int64_t, 2> step;
  int64_t row = box.take_row(step), rows = box.numel();
  dispatch<Everything>(g.dtype(), "as_strided_backward", [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = g.data<T>();
    Cursor<2> cursor(box, 0);
    for (int64_t r = 0; r < rows; ++r, cursor.next())
      for (int64_t i = 0; i < row; ++i)
        to[cursor.at[0] + i * step[0]] =
            Add{}(to[cursor.at[0] + i * step[0]], from[cursor.at[1] + i * step[1]]);
  });
}

}  // namespace lampas::cpu
