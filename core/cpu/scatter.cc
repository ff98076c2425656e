// Loops of cpu/scatter.h. All tensors are seen as having at least one dimension.
#include "cpu/scatter.h"

#include "cpu/strided.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 16384;  // indices of one chunk
constexpr int64_t kPiece = 256;    // indices of a row that one thread handles

int64_t size_of(const Tensor& x, int64_t d) { return x.dim() ? x.size(d) : 1; }
int64_t stride_of(const Tensor& x, int64_t d) { return x.dim() ? x.stride(d) : 1; }

// The nest around one gather or scatter: columns along d, rows (the innermost other dimension) cut
// in pieces, and everything else. Operands: the indexed tensor, the other tensor, the index.
struct Nest {
  Box<3> box;
  std::array<int64_t, 3> row_step, column_step;
  int64_t row, columns, pieces;

  Nest(const Tensor& indexed, const Tensor& other, const Tensor& index, int64_t d) {
    for (int64_t i = 0; i < index.dim(); ++i)
      if (i != d) box.add(index.size(i), {indexed.stride(i), other.stride(i), index.stride(i)});
    row = box.take_row(row_step);
    columns = size_of(index, d);
    column_step = {stride_of(indexed, d), stride_of(other, d), stride_of(index, d)};
    pieces = (row + kPiece - 1) / kPiece;
  }
  int64_t grain() const { return kGrain / (std::min(row, kPiece) * columns) + 1; }

  // Calls body(at, steps, n) for runs along a row or along d, whichever moves less in the index
  // tensor; `at` are offsets of the run's first elements. Columns come in order.
  template <class F>
  void run(F&& body) const {
    bool along_row = row_step[2] <= column_step[2] && row > 1;
    parallel_for(box.numel() * pieces, grain(), [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) {
        Cursor<3> cursor(box, item / pieces);
        int64_t first = item % pieces * kPiece, count = std::min(kPiece, row - first);
        auto at = cursor.at;
        for (int k = 0; k < 3; ++k) at[k] += first * row_step[k];
        // The indexed operand does not move with the column: its place comes from the index.
        auto columns_step = column_step;
        columns_step[0] = 0;
        if (along_row)
          step(at, columns_step, columns, row_step, count, body);
        else
          step(at, row_step, count, columns_step, columns, body);
      }
    });
  }

 private:
  template <class F>
  static void step(std::array<int64_t, 3> at, const std::array<int64_t, 3>& outer, int64_t n,
                   const std::array<int64_t, 3>& inner, int64_t m, F&& body) {
    for (int64_t i = 0; i < n; ++i) {
      body(at, inner, m);
      for (int k = 0; k < 3; ++k) at[k] += outer[k];
    }
  }
};

struct Assign {
  template <class T>
  T operator()(T, T b) const {
    return b;
  }
};

template <class T, class F>
void scatter_with(Tensor& y, int64_t d, const Tensor& index, const Tensor& source, Bounds bounds,
                  F combine) {
  T* to = y.data<T>();
  const T* from = source.data<T>();
  const int64_t* places = index.data<int64_t>();
  int64_t size = size_of(y, d), stride = stride_of(y, d), low = bounds.negatives ? -size : 0;
  Nest(y, source, index, d).run([&](const auto& at, const auto& step, int64_t n) {
    for (int64_t j = 0; j < n; ++j) {
      int64_t i = places[at[2] + j * step[2]];
      if (i < low || i >= size) bounds.raise(i, d, size);
      T& target = to[at[0] + j * step[0] + (i < 0 ? i + size : i) * stride];
      target = combine(target, from[at[1] + j * step[1]]);
    }
  });
}

using Scattered = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t,
                        ComplexFloat, ComplexDouble, bool>;

}  // namespace

void gather(Tensor& y, const Tensor& x, int64_t d, const Tensor& index, Bounds bounds) {
  if (index.numel() == 0) return;
  const int64_t* places = index.data<int64_t>();
  int64_t size = size_of(x, d), stride = stride_of(x, d);
  dispatch_size(x.item_size(), [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = x.data<T>();
    Nest(x, y, index, d).run([&](const auto& at, const auto& step, int64_t n) {
      for (int64_t j = 0; j < n; ++j) {
        int64_t i = places[at[2] + j * step[2]];
        if (i < 0 || i >= size) bounds.raise(i, d, size);
        to[at[1] + j * step[1]] = from[at[0] + j * step[0] + i * stride];
      }
    });
  });
}

void scatter(Tensor& y, int64_t d, const Tensor& index, const Tensor& source, Combine combine,
             Bounds bounds, const char* name) {
  if (index.numel() == 0) return;
  auto run = [&](auto tag, auto f) { scatter_with<decltype(tag)>(y, d, index, source, bounds, f); };
  switch (combine) {
    case Combine::Assign:
      return dispatch_size(y.item_size(), [&](auto t) { run(t, Assign{}); });
    case Combine::Add:
      return dispatch<Scattered>(y.dtype(), name, [&](auto t) { run(t, Add{}); });
    case Combine::Multiply:
      return dispatch<Scattered>(y.dtype(), name, [&](auto t) { run(t, Multiply{}); });
    case Combine::Maximum:
      return dispatch<RealsAndBool>(y.dtype(), name, [&](auto t) { run(t, Maximum{}); });
    default:
      return dispatch<RealsAndBool>(y.dtype(), name, [&](auto t) { run(t, Minimum{}); });
  }
}

}  // namespace lampas::cpu
