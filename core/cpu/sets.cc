// Sets and histograms.
#include "cpu/sets.h"

#include <numeric>

#include "cpu/order.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

// NaNs are equal to nothing, not even to themselves.
template <class T>
bool same_row(const T* a, const T* b, int64_t width) {
  for (int64_t i = 0; i < width; ++i)
    if (!(a[i] == b[i])) return false;
  return true;
}

template <class T>
bool less_row(const T* a, const T* b, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    auto p = key_of(a[i]), q = key_of(b[i]);
    if (p != q) return p < q;
  }
  return false;
}

using Sortable = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t,
                       bool, uint16_t, uint32_t, uint64_t>;

// First edge not below (right: above) v, by the order of keys.
template <class T>
int64_t place_of(const T* edges, const int64_t* sorter, int64_t n, T v, bool right) {
  auto key = key_of(v);
  int64_t lo = 0, hi = n;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    auto edge = key_of(edges[sorter ? sorter[mid] : mid]);
    if (right ? edge <= key : edge < key)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

}  // namespace

int64_t group_rows(const Tensor& group, const Tensor& x, const Tensor& order, int64_t n,
                   int64_t width) {
  return dispatch<Sortable>(x.dtype(), "unique", [&](auto tag) {
    using T = decltype(tag);
    const T* from = x.data<T>();
    const int64_t* rows = order.defined() ? order.data<int64_t>() : nullptr;
    int64_t* to = group.data<int64_t>();
    int64_t runs = -1, last = 0;
    for (int64_t i = 0; i < n; ++i) {
      int64_t row = rows ? rows[i] : i;
      if (i == 0 || !same_row(from + row * width, from + last * width, width)) ++runs;
      to[row] = runs;
      last = row;
    }
    return runs + 1;
  });
}

void order_rows(const Tensor& order, const Tensor& x, int64_t n, int64_t width) {
  int64_t* rows = order.data<int64_t>();
  dispatch<Sortable>(x.dtype(), "unique", [&](auto tag) {
    using T = decltype(tag);
    const T* from = x.data<T>();
    if (width == 1) {
      std::vector<Keyed<key_t<T>>> line(n), spare;
      for (int64_t i = 0; i < n; ++i) line[i] = {key_of(from[i]), i};
      sort_keyed(line, spare);
      for (int64_t i = 0; i < n; ++i) rows[i] = line[i].place;
      return;
    }
    std::iota(rows, rows + n, int64_t{0});
    std::stable_sort(rows, rows + n, [&](int64_t a, int64_t b) {
      return less_row(from + a * width, from + b * width, width);
    });
  });
}

void describe_groups(const Tensor& first, const Tensor& counts, const Tensor& group,
                     const Tensor& order) {
  const int64_t* groups = group.data<int64_t>();
  int64_t *rows = first.data<int64_t>(), *sizes = counts.data<int64_t>();
  std::fill(sizes, sizes + counts.numel(), int64_t{0});
  for (int64_t i = 0; i < group.numel(); ++i) {
    int64_t row = order.defined() ? order.data<int64_t>()[i] : i;
    if (sizes[groups[row]]++ == 0) rows[groups[row]] = row;
  }
}

void search(const Tensor& places, const Tensor& edges, const Tensor& values, const Tensor& sorter,
            bool right) {
  if (values.numel() == 0) return;
  int64_t n = edges.dim() ? edges.size(edges.dim() - 1) : 1;
  int64_t per_line = edges.dim() <= 1 ? values.numel() : values.size(values.dim() - 1);
  const int64_t* order = sorter.defined() ? sorter.data<int64_t>() : nullptr;
  dispatch<Reals>(edges.dtype(), "searchsorted_out_cpu", [&](auto tag) {
    using T = decltype(tag);
    const T *line = edges.data<T>(), *from = values.data<T>();
    parallel_for(values.numel(), 2048, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t at = edges.dim() <= 1 ? 0 : i / per_line * n;
        int64_t place = place_of(line + at, order ? order + at : nullptr, n, from[i], right);
        if (places.dtype() == DType::Int32)
          places.data<int32_t>()[i] = static_cast<int32_t>(place);
        else
          places.data<int64_t>()[i] = place;
      }
    });
  });
}

void count_values(const Tensor& totals, const Tensor& x, const Tensor& weights) {
  dispatch<Integers>(x.dtype(), "bincount_cpu", [&](auto tag) {
    using T = decltype(tag);
    const T* from = x.data<T>();
    if (!weights.defined()) {
      for (int64_t i = 0; i < x.numel(); ++i)
        ++totals.data<int64_t>()[static_cast<int64_t>(from[i])];
      return;
    }
    dispatch<RealFloats>(totals.dtype(), "bincount_cpu", [&](auto kind) {
      using W = decltype(kind);
      for (int64_t i = 0; i < x.numel(); ++i)
        totals.data<W>()[static_cast<int64_t>(from[i])] += weights.data<W>()[i];
    });
  });
}

void count_bins(const Tensor& totals, const Tensor& x, const Tensor& weights, double low,
                double high) {
  dispatch<Floats>(x.dtype(), "histogram_cpu", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    int64_t bins = totals.numel();
    C lo = static_cast<C>(low), hi = static_cast<C>(high);
    std::vector<C> sums(bins, C(0));
    for (int64_t i = 0; i < x.numel(); ++i) {
      C v = convert<C>(x.data<T>()[i]);
      if (!(v >= lo && v <= hi)) continue;
      C place = (v - lo) * static_cast<C>(bins) / (hi - lo);  // NaN when the range overflows
      int64_t bin = place < static_cast<C>(bins) ? static_cast<int64_t>(place) : bins - 1;
      sums[bin] += weights.defined() ? convert<C>(weights.data<T>()[i]) : C(1);
    }
    for (int64_t b = 0; b < bins; ++b) totals.data<T>()[b] = convert<T>(sums[b]);
  });
}

}  // namespace lampas::cpu
