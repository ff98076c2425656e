// Largest and smallest elements with their places.
#include "cpu/extremes.h"

#include <memory>

#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr int64_t kGrain = 1 << 16;
constexpr int64_t kBlock =
    64;  // elements whose best is found by SIMD before a look at their places
constexpr int64_t kColumns = 256;

// Does a beat b, the best so far? A NaN beats every number; nothing beats a NaN.
template <bool Largest, class C>
inline bool beats(C a, C b) {
  bool better = Largest ? a > b : a < b;
  return better | ((a != a) & (b == b));
}

template <bool Largest, class T>
int64_t best_of_line(const T* x, int64_t n, int64_t begin) {
  using C = compute_t<T>;
  int64_t place = begin, i = begin;
  C best = convert<C>(x[begin]);
  // Flags as wide as the elements: the loop is then SIMD code.
  using Flag = std::conditional_t<sizeof(C) == 8, int64_t,
                                  std::conditional_t<sizeof(C) == 4, int32_t, int8_t>>;
  for (; i + kBlock <= n; i += kBlock) {
    Flag any = 0;
    for (int64_t l = 0; l < kBlock; ++l)
      any |= static_cast<Flag>(beats<Largest>(convert<C>(x[i + l]), best));
    if (!any) continue;
    for (int64_t l = i; l < i + kBlock; ++l) {
      C v = convert<C>(x[l]);
      if (beats<Largest>(v, best)) best = v, place = l;
    }
  }
  for (; i < n; ++i) {
    C v = convert<C>(x[i]);
    if (beats<Largest>(v, best)) best = v, place = i;
  }
  return place;
}

// One long line: its parts in parallel, then the best of the parts in order.
template <bool Largest, class T>
int64_t best_of_long_line(const T* x, int64_t n) {
  int64_t parts = (n + kGrain - 1) / kGrain;
  std::unique_ptr<int64_t[]> places(new int64_t[parts]);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      places[i] = best_of_line<Largest>(x, std::min(n, (i + 1) * kGrain), i * kGrain);
  });
  using C = compute_t<T>;
  int64_t place = places[0];
  for (int64_t i = 1; i < parts; ++i)
    if (beats<Largest>(convert<C>(x[places[i]]), convert<C>(x[place]))) place = places[i];
  return place;
}

// Up to kColumns neighbouring lines together.
template <bool Largest, class T>
void best_of_columns(const T* x, int64_t n, int64_t stride, int64_t columns, int64_t* places) {
  using C = compute_t<T>;
  C best[kColumns];
  for (int64_t l = 0; l < columns; ++l) best[l] = convert<C>(x[l]), places[l] = 0;
  for (int64_t i = 1; i < n; ++i) {
    const T* row = x + i * stride;
    for (int64_t l = 0; l < columns; ++l) {
      C v = convert<C>(row[l]);
      bool wins = beats<Largest>(v, best[l]);
      best[l] = wins ? v : best[l];
      places[l] = wins ? i : places[l];
    }
  }
}

template <bool Largest, class T>
void run(int64_t* indices, const T* x, const Lines& lines) {
  if (lines.inner == 1) {
    if (lines.outer < 8 && lines.n >= 2 * kGrain) {
      for (int64_t i = 0; i < lines.outer; ++i)
        indices[i] = best_of_long_line<Largest>(x + i * lines.n, lines.n);
      return;
    }
    parallel_for(lines.outer, std::max<int64_t>(kGrain / lines.n, 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i)
                     indices[i] = best_of_line<Largest>(x + i * lines.n, lines.n, 0);
                 });
    return;
  }
  int64_t tiles = (lines.inner + kColumns - 1) / kColumns;
  int64_t grain = std::max<int64_t>(kGrain / (lines.n * std::min(lines.inner, kColumns)), 1);
  parallel_for(lines.outer * tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t column = i % tiles * kColumns, first = i / tiles;
      best_of_columns<Largest>(x + first * lines.n * lines.inner + column, lines.n, lines.inner,
                               std::min(kColumns, lines.inner - column),
                               indices + first * lines.inner + column);
    }
  });
}

}  // namespace

void extremes(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
              bool largest) {
  if (indices.numel() == 0) return;
  int64_t* to = indices.data<int64_t>();
  dispatch<RealsAndBool>(x.dtype(), largest ? "max_cpu" : "min_cpu", [&](auto tag) {
    using T = decltype(tag);
    using Word = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    const Word* from = x.data<Word>();
    if (largest)
      run<true>(to, from, lines);
    else
      run<false>(to, from, lines);
    if (!values.defined()) return;
    Word* best = values.data<Word>();
    for (int64_t i = 0; i < lines.count(); ++i)
      best[i] = from[lines.start(i) + to[i] * lines.inner];
  });
}

}  // namespace lampas::cpu
