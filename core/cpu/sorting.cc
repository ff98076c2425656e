// Sorting and selecting along lines, on pairs of key and place.
#include "cpu/sorting.h"

#include "cpu/order.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr int64_t kGrain = 1 << 12;

template <class T, class K>
void fill_keys(std::vector<Keyed<K>>& line, const T* first, const Lines& lines, bool descending) {
  line.resize(lines.n);
  for (int64_t j = 0; j < lines.n; ++j) line[j] = {key_of(first[j * lines.inner], descending), j};
}

// Calls body(line of keyed elements, spare, first element, line number) for each line.
template <class T, class F>
void each_line(const T* x, const Lines& lines, bool descending, F&& body) {
  using K = key_t<T>;
  int64_t grain = std::max<int64_t>(kGrain / std::max<int64_t>(lines.n, 1), 1);
  parallel_for(lines.count(), grain, [&](int64_t begin, int64_t end) {
    std::vector<Keyed<K>> line, spare;
    for (int64_t i = begin; i < end; ++i) {
      const T* first = x + lines.start(i);
      fill_keys(line, first, lines, descending);
      body(line, spare, first, i);
    }
  });
}

// Where line i of a result with k elements per line begins.
int64_t start_of(const Lines& lines, int64_t i, int64_t k) {
  return i / lines.inner * k * lines.inner + i % lines.inner;
}

// The order of equal keys is that of the C++ library's algorithms on (key, place), as PyTorch's is.
template <class K>
void take_lowest(std::vector<Keyed<K>>& line, int64_t k, bool sorted) {
  int64_t n = static_cast<int64_t>(line.size());
  if (k * 64 <= n) {
    std::partial_sort(line.begin(), line.begin() + k, line.end());
    return;
  }
  std::nth_element(line.begin(), line.begin() + (k - 1), line.end());
  if (sorted) std::sort(line.begin(), line.begin() + (k - 1));
}

// Where keys repeat, an unstable sort shows: only then is the slower library sort run.
template <class K>
bool repeats(const std::vector<Keyed<K>>& sorted) {
  for (size_t j = 1; j < sorted.size(); ++j)
    if (sorted[j].key == sorted[j - 1].key) return true;
  return false;
}

// As std::sort orders them; where no keys repeat, a radix sort is quicker.
template <class T, class K>
void sort_as_library(std::vector<Keyed<K>>& line, std::vector<Keyed<K>>& spare, const T* first,
                     const Lines& lines, bool descending) {
  sort_keyed(line, spare);
  if (!repeats(line)) return;
  fill_keys(line, first, lines, descending);
  std::sort(line.begin(), line.end());
}

// Hoare's selection with the median of three as pivot (R. Sedgewick, "Implementing quicksort
// programs", 1978): line[k] is what sorting would put there. Which of equal elements that is shows.
template <class K>
void select(std::vector<Keyed<K>>& line, int64_t k) {
  int64_t low = 0, high = static_cast<int64_t>(line.size()) - 1;
  auto order = [&](int64_t a, int64_t b) {
    if (line[b] < line[a]) std::swap(line[a], line[b]);
  };
  while (low < high) {
    if (high == low + 1) return order(low, high);
    std::swap(line[(low + high) / 2], line[low + 1]);
    order(low + 1, high);
    order(low, high);
    order(low + 1, low);  // the pivot is at low, no greater one before it, no lower one behind
    int64_t i = low + 1, j = high;
    while (true) {
      while (line[++i] < line[low]) {
      }
      while (line[low] < line[--j]) {
      }
      if (j < i) break;
      std::swap(line[i], line[j]);
    }
    std::swap(line[low], line[j]);
    if (j <= k) low = i;
    if (j >= k) high = j - 1;
  }
}

template <class T>
bool is_nan(T x) {
  if constexpr (is_floating_v<T>)
    return static_cast<compute_t<T>>(x) != static_cast<compute_t<T>>(x);
  else
    return false;
}

// The place of the lower median in a line, which is reordered.
template <class T, class K>
int64_t middle(std::vector<Keyed<K>>& line, const T* first, const Lines& lines, bool ignore_nan) {
  int64_t left = lines.n;
  for (int64_t j = 0; j < lines.n; ++j) {
    if (!is_nan(first[j * lines.inner])) continue;
    if (!ignore_nan) return j;
    --left;
  }
  auto at = line.begin() + std::max<int64_t>(left - 1, 0) / 2;
  std::nth_element(line.begin(), at, line.end(), before<K>);
  return at->place;
}

}  // namespace

void sort(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          bool descending, bool stable) {
  if (x.numel() == 0) return;
  dispatch<RealsAndBool>(x.dtype(), "sort", [&](auto tag) {
    using T = decltype(tag);
    int64_t* places = indices.data<int64_t>();
    T* y = values.data<T>();
    each_line(x.data<T>(), lines, descending,
              [&](auto& line, auto& spare, const T* first, int64_t i) {
                if (stable)
                  sort_keyed(line, spare);
                else
                  sort_as_library(line, spare, first, lines, descending);
                int64_t at = lines.start(i);
                for (int64_t j = 0; j < lines.n; ++j, at += lines.inner) {
                  places[at] = line[j].place;
                  y[at] = first[line[j].place * lines.inner];
                }
              });
  });
}

void topk(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          int64_t k, bool largest, bool sorted) {
  if (x.numel() == 0 || k == 0) return;
  dispatch<Reals>(x.dtype(), "topk_cpu", [&](auto tag) {
    using T = decltype(tag);
    int64_t* places = indices.data<int64_t>();
    T* y = values.data<T>();
    each_line(x.data<T>(), lines, largest, [&](auto& line, auto&, const T* first, int64_t i) {
      take_lowest(line, k, sorted);
      int64_t at = start_of(lines, i, k);
      for (int64_t j = 0; j < k; ++j, at += lines.inner) {
        places[at] = line[j].place;
        y[at] = first[line[j].place * lines.inner];
      }
    });
  });
}

void kth(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
         int64_t k) {
  if (x.numel() == 0) return;
  dispatch<Reals>(x.dtype(), "kthvalue_cpu", [&](auto tag) {
    using T = decltype(tag);
    int64_t* places = indices.data<int64_t>();
    T* y = values.data<T>();
    each_line(x.data<T>(), lines, false, [&](auto& line, auto&, const T* first, int64_t i) {
      select(line, k);
      places[i] = line[k].place;
      y[i] = first[line[k].place * lines.inner];
    });
  });
}

void median(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
            bool ignore_nan) {
  if (x.numel() == 0) return;
  dispatch<Reals>(x.dtype(), "median_cpu", [&](auto tag) {
    using T = decltype(tag);
    int64_t* places = indices.data<int64_t>();
    T* y = values.data<T>();
    each_line(x.data<T>(), lines, false, [&](auto& line, auto&, const T* first, int64_t i) {
      places[i] = middle(line, first, lines, ignore_nan);
      y[i] = first[places[i] * lines.inner];
    });
  });
}

void mode(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines) {
  if (x.numel() == 0) return;
  dispatch<RealsAndBool>(x.dtype(), "mode", [&](auto tag) {
    using T = decltype(tag);
    int64_t* places = indices.data<int64_t>();
    T* y = values.data<T>();
    each_line(x.data<T>(), lines, false, [&](auto& line, auto& spare, const T* first, int64_t i) {
      sort_as_library(line, spare, first, lines, false);
      int64_t best = 0, best_length = 0;
      for (int64_t j = 0, run = 0; j < lines.n; ++j) {
        run = j && line[j].key == line[j - 1].key ? run + 1 : 1;
        if (run > best_length) best_length = run, best = j;
      }
      places[i] = line[best].place;
      y[i] = first[line[best].place * lines.inner];
    });
  });
}

}  // namespace lampas::cpu
