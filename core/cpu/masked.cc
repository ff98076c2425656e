// Loops of cpu/masked.h.
#include "cpu/masked.h"

#include "cpu/strided.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 65536;

Box<2> box_of(const Tensor& x, const Tensor& mask) {
  Box<2> box;
  for (int64_t d = 0; d < x.dim(); ++d) box.add(x.size(d), {x.stride(d), mask.stride(d)});
  return box;
}

// Calls body(x offset, mask offset, steps, n) for each row in row-major order.
template <class F>
void each_row(const Tensor& x, const Tensor& mask, F&& body) {
  if (x.numel() == 0) return;
  Box<2> box = box_of(x, mask);
  std::array<int64_t, 2> step;
  int64_t row = box.take_row(step);
  Cursor<2> cursor(box, 0);
  for (int64_t r = 0, rows = box.numel(); r < rows; ++r, cursor.next())
    body(cursor.at[0], cursor.at[1], step, row);
}

}  // namespace

void masked_fill(Tensor& y, const Tensor& mask, const Tensor& value) {
  if (y.numel() == 0) return;
  Box<2> box = box_of(y, mask);
  std::array<int64_t, 2> step;
  int64_t row = box.take_row(step), rows = box.numel();
  int64_t piece = rows == 1 ? std::min(row, kGrain) : row, pieces = (row + piece - 1) / piece;
  const uint8_t* on = static_cast<const uint8_t*>(mask.raw());
  dispatch_size(y.item_size(), [&](auto tag) {
    using T = decltype(tag);
    T v = *value.data<T>(), *to = y.data<T>();
    parallel_for(rows * pieces, std::max<int64_t>(kGrain / piece, 1),
                 [&](int64_t begin, int64_t end) {
                   Cursor<2> cursor(box, begin / pieces);
                   for (int64_t item = begin; item < end; ++item) {
                     int64_t first = item % pieces * piece, n = std::min(piece, row - first);
                     T* a = to + cursor.at[0] + first * step[0];
                     const uint8_t* m = on + cursor.at[1] + first * step[1];
                     if (step[0] == 1 && step[1] == 1) {
                       for (int64_t j = 0; j < n; ++j) a[j] = m[j] ? v : a[j];
                     } else {
                       for (int64_t j = 0; j < n; ++j)
                         if (m[j * step[1]]) a[j * step[0]] = v;
                     }
                     if (item % pieces == pieces - 1) cursor.next();
                   }
                 });
  });
}

void masked_select(Tensor& y, const Tensor& x, const Tensor& mask) {
  const uint8_t* on = static_cast<const uint8_t*>(mask.raw());
  int64_t count = y.numel(), found = 0;
  dispatch_size(x.item_size(), [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = x.data<T>();
    each_row(x, mask, [&](int64_t a, int64_t m, const auto& step, int64_t n) {
      for (int64_t j = 0; j < n && found < count; ++j)
        if (on[m + j * step[1]]) to[found++] = from[a + j * step[0]];
    });
  });
}

void masked_scatter(Tensor& y, const Tensor& mask, const Tensor& source) {
  const uint8_t* on = static_cast<const uint8_t*>(mask.raw());
  int64_t count = source.numel(), used = 0;
  dispatch_size(y.item_size(), [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = source.data<T>();
    each_row(y, mask, [&](int64_t a, int64_t m, const auto& step, int64_t n) {
      for (int64_t j = 0; j < n; ++j) {
        if (!on[m + j * step[1]]) continue;
        CHECK(used < count, "Number of elements of source < number of ones in mask");
        to[a + j * step[0]] = from[used++];
      }
    });
  });
}

}  // namespace lampas::cpu
