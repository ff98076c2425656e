// Loops of cpu/indexing.h. Every index is checked before memory is touched.
#include "cpu/indexing.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/division.h"
#include "cpu/strided.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 32768;  // elements moved by one chunk
constexpr int64_t kPiece = 512;    // elements of a row that one thread writes
constexpr int64_t kAhead = 8192;   // bytes of rows that are fetched before they are copied

// Calls body(k, index) for every position k in [begin, end) of an index tensor.
template <class F>
void each_index(const Tensor& index, int64_t begin, int64_t end, F&& body) {
  const int64_t* data = index.data<int64_t>();
  if (index.is_contiguous()) {
    for (int64_t k = begin; k < end; ++k) body(k, data[k]);
    return;
  }
  Box<1> box;
  for (int64_t d = 0; d < index.dim(); ++d) box.add(index.size(d), {index.stride(d)});
  Cursor<1> cursor(box, begin);
  for (int64_t k = begin; k < end; ++k, cursor.next()) body(k, data[cursor.at[0]]);
}

// Rows that are copied from anywhere: the CPU foresees no row's beginning, so it is told the row
// that comes kAhead bytes later. The rest of a row longer than a page it foresees itself.
class RowsAhead {
 public:
  explicit RowsAhead(int64_t row_bytes)
      : count_(ceil_div(kAhead, row_bytes)), bytes_(std::min<int64_t>(row_bytes, 4096)) {}
  // at[k ... stop): offsets of rows from `source` that are about to be copied, by this chunk or the
  // next.
  template <class T>
  void begin(const T* source, const int64_t* at, int64_t k, int64_t stop) const {
    for (int64_t i = k; i < std::min(stop, k + count_); ++i) fetch(source + at[i]);
  }
  // Row k is about to be copied.
  template <class T>
  void next(const T* source, const int64_t* at, int64_t k, int64_t stop) const {
    if (k + count_ < stop) fetch(source + at[k + count_]);
  }

 private:
  void fetch(const void* row) const {
    for (int64_t i = 0; i < bytes_; i += 64) __builtin_prefetch(static_cast<const char*>(row) + i);
  }

  int64_t count_, bytes_;
};

// Rows that one chunk copies. Cut finely enough that threads end together once there is so much
// work that waking one pays.
int64_t rows_grain(int64_t rows, int64_t row) {
  int64_t grain = rows * row >= 2 * kGrain ? kGrain / 2 : kGrain;
  return std::max<int64_t>(grain / row, 1);
}

// The dimensions outside the block, those with large steps in the written tensor first.
Box<2> outside(const IndexPlan& plan, Span written_strides) {
  Dims order(plan.sizes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return written_strides[a] > written_strides[b]; });
  Box<2> box;
  for (int64_t d : order) box.add(plan.sizes[d], {plan.x_strides[d], plan.y_strides[d]});
  return box;
}

bool any_empty(const IndexPlan& plan) {
  return std::any_of(plan.sizes.begin(), plan.sizes.end(), [](int64_t s) { return s == 0; });
}

template <class T, class F>
void put(T* x, const T* values, const Tensor& offsets, const IndexPlan& plan, F combine) {
  int64_t n = offsets.numel();
  const int64_t* at = offsets.data<int64_t>();
  Box<2> box = outside(plan, plan.x_strides);
  std::array<int64_t, 2> step;
  int64_t row = box.take_row(step), pieces = (row + kPiece - 1) / kPiece;
  // One thread writes a piece of every row in order of k: two positions may name one row.
  int64_t work = n * std::min(row, kPiece);
  parallel_for(box.numel() * pieces, kGrain / std::max<int64_t>(work, 1) + 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t item = begin; item < end; ++item) {
                   Cursor<2> cursor(box, item / pieces);
                   int64_t first = item % pieces * kPiece, count = std::min(kPiece, row - first);
                   T* to = x + cursor.at[0] + first * step[0];
                   const T* from = values + cursor.at[1] + first * step[1];
                   for (int64_t k = 0; k < n; ++k, from += plan.y_step) {
                     T* target = to + at[k];
                     if (step[0] == 1 && step[1] == 1) {
                       for (int64_t j = 0; j < count; ++j) target[j] = combine(target[j], from[j]);
                     } else {
                       for (int64_t j = 0; j < count; ++j)
                         target[j * step[0]] = combine(target[j * step[0]], from[j * step[1]]);
                     }
                   }
                 }
               });
}

struct Assign {
  template <class T>
  T operator()(T, T b) const {
    return b;
  }
};

}  // namespace

void index_offsets(Tensor& offsets, const Tensor& index, int64_t size, int64_t stride, int64_t dim,
                   Bounds bounds, bool accumulate) {
  int64_t* to = offsets.data<int64_t>();
  int64_t low = bounds.negatives ? -size : 0;
  parallel_for(index.numel(), kGrain, [&](int64_t begin, int64_t end) {
    each_index(index, begin, end, [&](int64_t k, int64_t i) {
      if (i < low || i >= size) bounds.raise(i, dim, size);
      int64_t offset = (i < 0 ? i + size : i) * stride;
      to[k] = accumulate ? to[k] + offset : offset;
    });
  });
}

void linear_offsets(Tensor& offsets, const Tensor& index, const Tensor& x, Bounds bounds) {
  int64_t size = x.numel();
  if (x.is_contiguous()) return index_offsets(offsets, index, size, 1, 0, bounds, false);
  int64_t* to = offsets.data<int64_t>();
  parallel_for(index.numel(), kGrain / 4, [&](int64_t begin, int64_t end) {
    each_index(index, begin, end, [&](int64_t k, int64_t i) {
      if (i < -size || i >= size) bounds.raise(i, 0, size);
      int64_t rest = i < 0 ? i + size : i, offset = 0;
      for (int64_t d = x.dim(); d-- > 0; rest /= x.size(d))
        offset += rest % x.size(d) * x.stride(d);
      to[k] = offset;
    });
  });
}

void index(Tensor& y, const Tensor& x, const Tensor& offsets, const IndexPlan& plan) {
  int64_t n = offsets.numel();
  if (n == 0 || any_empty(plan)) return;
  const int64_t* at = offsets.data<int64_t>();
  Box<2> box = outside(plan, plan.y_strides);
  std::array<int64_t, 2> step{0, 0};
  // The loop inside is the one with the smaller steps in y: a row of x, or the block itself.
  bool rows = !box.sizes.empty() && (n == 1 || box.strides[1].back() < plan.y_step);
  int64_t row = rows ? box.take_row(step) : 1, outer = box.numel();
  dispatch_size(x.item_size(), [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = x.data<T>();
    bool copied = rows && step[0] == 1 && step[1] == 1;
    RowsAhead ahead(row * x.item_size());
    parallel_for(outer * n, rows_grain(outer * n, row), [&](int64_t begin, int64_t end) {
      Cursor<2> cursor(box, begin / n);
      for (int64_t k = begin % n, left = end - begin; left > 0; k = 0, cursor.next()) {
        int64_t stop = std::min(n, k + left);
        left -= stop - k;
        const T* source = from + cursor.at[0];
        T* target = to + cursor.at[1] + k * plan.y_step;
        if (copied) ahead.begin(source, at, k, n);
        for (; k < stop; ++k, target += plan.y_step) {
          const T* element = source + at[k];
          if (copied) {
            ahead.next(source, at, k, n);
            std::copy_n(element, row, target);
          } else if (!rows)
            *target = *element;
          else
            for (int64_t j = 0; j < row; ++j) target[j * step[1]] = element[j * step[0]];
        }
      }
    });
  });
}

void index_put(Tensor& x, const Tensor& values, const Tensor& offsets, const IndexPlan& plan,
               Combine combine, const char* name) {
  if (offsets.numel() == 0 || any_empty(plan)) return;
  if (combine == Combine::Assign) {
    return dispatch_size(x.item_size(), [&](auto tag) {
      using T = decltype(tag);
      put(x.data<T>(), values.data<T>(), offsets, plan, Assign{});
    });
  }
  auto run = [&](auto tag, auto f) {
    using T = decltype(tag);
    put(x.data<T>(), values.data<T>(), offsets, plan, f);
  };
  using NumbersAndBool = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t,
                               int64_t, ComplexFloat, ComplexDouble, bool>;
  switch (combine) {
    case Combine::Add:
      return dispatch<NumbersAndBool>(x.dtype(), name, [&](auto t) { run(t, Add{}); });
    case Combine::Multiply:
      return dispatch<NumbersAndBool>(x.dtype(), name, [&](auto t) { run(t, Multiply{}); });
    case Combine::Maximum:
      return dispatch<RealsAndBool>(x.dtype(), name, [&](auto t) { run(t, Maximum{}); });
    default:
      return dispatch<RealsAndBool>(x.dtype(), name, [&](auto t) { run(t, Minimum{}); });
  }
}

namespace {

using NonzeroTypes = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t,
                           int64_t, ComplexFloat, ComplexDouble, bool>;

// What memory of T is read as: a bool from elsewhere may be a byte other than 0 and 1.
template <class T>
using Plain = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <class T>
bool is_true(T v) {
  return convert<bool>(v);
}

// Calls body(position, element) over x in row-major order.
template <class T, class F>
void each_element(const Tensor& x, F&& body) {
  const T* data = x.data<T>();
  if (x.is_contiguous()) {
    for (int64_t k = 0, n = x.numel(); k < n; ++k) body(k, data[k]);
    return;
  }
  Box<1> box;
  for (int64_t d = 0; d < x.dim(); ++d) box.add(x.size(d), {x.stride(d)});
  Cursor<1> cursor(box, 0);
  for (int64_t k = 0, n = x.numel(); k < n; ++k, cursor.next()) body(k, data[cursor.at[0]]);
}

}  // namespace

int64_t count_nonzero(const Tensor& x) {
  int64_t count = 0;
  if (x.numel() == 0) return 0;
  dispatch<NonzeroTypes>(x.dtype(), "nonzero_count_cpu", [&](auto tag) {
    each_element<Plain<decltype(tag)>>(x, [&](int64_t, auto v) { count += is_true(v); });
  });
  return count;
}

void nonzero(Tensor& y, const Tensor& x) {
  int64_t count = y.size(1), found = 0;
  if (count == 0 || x.dim() == 0) return;
  int64_t* to = y.data<int64_t>();
  dispatch<NonzeroTypes>(x.dtype(), "nonzero", [&](auto tag) {
    each_element<Plain<decltype(tag)>>(x, [&](int64_t position, auto v) {
      if (!is_true(v) || found == count) return;
      for (int64_t d = x.dim(); d-- > 0; position /= x.size(d))
        to[d * count + found] = position % x.size(d);
      ++found;
    });
  });
}

std::pair<int64_t, int64_t> extremes(const Tensor& index) {
  int64_t low = std::numeric_limits<int64_t>::max(), high = std::numeric_limits<int64_t>::min();
  each_index(index, 0, index.numel(), [&](int64_t, int64_t i) {
    low = std::min(low, i);
    high = std::max(high, i);
  });
  return {low, high};
}

void count_index(Tensor& counts, const Tensor& index) {
  int64_t* to = counts.data<int64_t>();
  int64_t size = counts.numel();
  each_index(index, 0, index.numel(), [&](int64_t, int64_t i) {
    if (i >= 0 && i < size) ++to[i];
  });
}

void renorm_rows(Tensor& weight, const Tensor& index, double max_norm, double norm_type) {
  int64_t rows = weight.size(0), width = weight.size(1);
  std::vector<bool> done(static_cast<size_t>(rows), false);
  dispatch<Floats>(weight.dtype(), "embedding_renorm_", [&](auto tag) {
    using T = decltype(tag);
    each_index(index, 0, index.numel(), [&](int64_t, int64_t i) {
      if (i < 0 || i >= rows) fail(ErrorKind::Index, "index out of range in self");
      if (done[static_cast<size_t>(i)]) return;
      done[static_cast<size_t>(i)] = true;
      T* row = weight.data<T>() + i * weight.stride(0);
      int64_t step = weight.stride(1);
      double norm = 0;
      for (int64_t j = 0; j < width; ++j) {
        double v = std::abs(static_cast<double>(row[j * step]));
        if (norm_type == 2)
          norm += v * v;
        else if (std::isinf(norm_type))
          norm = std::max(norm, v);
        else
          norm += norm_type == 1 ? v : std::pow(v, norm_type);
      }
      if (norm_type == 2)
        norm = std::sqrt(norm);
      else if (norm_type != 1 && !std::isinf(norm_type))
        norm = std::pow(norm, 1 / norm_type);
      norm = static_cast<double>(T(static_cast<compute_t<T>>(norm)));
      if (norm <= max_norm) return;
      auto scale = static_cast<compute_t<T>>(max_norm / (norm + 1e-7));
      for (int64_t j = 0; j < width; ++j)
        row[j * step] = T(static_cast<compute_t<T>>(row[j * step]) * scale);
    });
  });
}

}  // namespace lampas::cpu
