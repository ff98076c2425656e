// Loops of cpu/joining.h.
#include "cpu/joining.h"

#include <cstring>

#include "cpu/strided.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

void place_run(const Tensor& y, int64_t at, const Tensor& x) {
  if (x.numel() == 0) return;
  std::memcpy(y.data<char>() + at * y.item_size(), x.raw(),
              static_cast<size_t>(x.numel() * x.item_size()));
}

void flip(Tensor& y, const Tensor& x, uint64_t dims) {
  if (x.numel() == 0) return;
  const char* last = static_cast<const char*>(x.raw());
  Dims strides = x.strides();
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (!(dims >> d & 1)) continue;
    last += (x.size(d) - 1) * strides[d] * x.item_size();
    strides[d] = -strides[d];
  }
  move(y.raw(), y.strides(), last, strides, x.sizes(), x.item_size());
}

void triangle(Tensor& y, const Tensor& x, int64_t k, bool upper) {
  if (x.numel() == 0) return;
  int64_t rank = x.dim(), rows = x.size(rank - 2), columns = x.size(rank - 1);
  int64_t step = x.stride(rank - 1);
  k = std::clamp(k, -rows - 1, columns + 1);
  Box<1> box;
  for (int64_t d = 0; d + 1 < rank; ++d) box.add(x.size(d), {x.stride(d)});
  dispatch_size(x.item_size(), [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = x.data<T>();
    parallel_for(x.numel() / columns, 32768 / columns + 1, [&](int64_t begin, int64_t end) {
      Cursor<1> cursor(box, begin);
      for (int64_t line = begin; line < end; ++line, cursor.next()) {
        // Columns before `edge` are the lower part of this row.
        int64_t edge = std::clamp<int64_t>(line % rows + k + (upper ? 0 : 1), 0, columns);
        T* row = to + line * columns;
        const T* source = from + cursor.at[0];
        for (int64_t j = 0; j < edge; ++j) row[j] = upper ? T{} : source[j * step];
        for (int64_t j = edge; j < columns; ++j) row[j] = upper ? source[j * step] : T{};
      }
    });
  });
}

namespace {
template <class F>
void each_repeat(const Tensor& repeats, F&& body) {
  using Allowed = Types<int32_t, int64_t>;
  dispatch<Allowed>(repeats.dtype(), "repeat_interleave_cpu", [&](auto tag) {
    using T = decltype(tag);
    for (int64_t i = 0; i < repeats.numel(); ++i)
      body(i, static_cast<int64_t>(repeats.data<T>()[i * repeats.stride(0)]));
  });
}
}  // namespace

int64_t total_repeats(const Tensor& repeats) {
  int64_t total = 0;
  each_repeat(repeats, [&](int64_t, int64_t n) {
    CHECK(n >= 0, "repeats can not be negative");
    CHECK(!__builtin_add_overflow(total, n, &total), "repeats are too large");
  });
  return total;
}

void repeat_index(Tensor& y, const Tensor& repeats) {
  int64_t* to = y.data<int64_t>();
  int64_t left = y.numel();
  each_repeat(repeats, [&](int64_t i, int64_t n) {
    n = std::min(n, left);
    std::fill_n(to, n, i);
    to += n;
    left -= n;
  });
}

}  // namespace lampas::cpu
