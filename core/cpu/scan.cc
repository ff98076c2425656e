// Running results along lines. Neighbouring lines run side by side; a single line is sequential, in
// double for float sums, as its rounding errors would add up.
#include "cpu/scan.h"

#include <cmath>

#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kColumns = 256;

template <Scan Kind, class C>
inline C join(C a, C b) {
  if constexpr (Kind == Scan::Sum)
    return a + b;
  else if constexpr (Kind == Scan::Product)
    return a * b;
  else if constexpr (is_complex_v<C>) {
    if (std::isnan(a.real()) || std::isnan(a.imag()) || std::isnan(b.real()) ||
        std::isnan(b.imag()))
      return C(NAN, NAN);
    if (std::isinf(a.real()) && a.real() < 0) return b;
    if (std::isinf(b.real()) && b.real() < 0) return a;
    C lo = a.real() < b.real() ? a : b, hi = a.real() < b.real() ? b : a;
    return hi + std::log(C(1) + std::exp(lo - hi));
  } else {
    C lo = a < b || a != a ? a : b, hi = a < b || a != a ? b : a;
    if (lo != hi || std::isfinite(lo))
      return lo == lo && hi == hi ? std::log1p(std::exp(lo - hi)) + hi : lo + hi;
    return hi;
  }
}

template <class T, Scan Kind>
struct Running {
  using type = compute_t<T>;
};
template <>
struct Running<float, Scan::Sum> {
  using type = double;
};
template <>
struct Running<Half, Scan::Sum> {
  using type = float;
};
template <>
struct Running<float, Scan::Product> {
  using type = double;
};
template <>
struct Running<ComplexFloat, Scan::Sum> {
  using type = ComplexDouble;
};
template <>
struct Running<ComplexFloat, Scan::Product> {
  using type = ComplexDouble;
};
template <>
struct Running<bool, Scan::Sum> {
  using type = int64_t;
};

template <class T, Scan Kind>
void columns(T* y, const T* x, int64_t n, int64_t stride, int64_t width) {
  using C = typename Running<T, Kind>::type;
  if (width == 1) {
    C sum = convert<C>(x[0]);
    y[0] = convert<T>(sum);
    for (int64_t i = 1; i < n; ++i)
      y[i * stride] = convert<T>(sum = join<Kind>(sum, convert<C>(x[i * stride])));
    return;
  }
  C running[kColumns];
  for (int64_t l = 0; l < width; ++l) y[l] = convert<T>(running[l] = convert<C>(x[l]));
  for (int64_t i = 1; i < n; ++i) {
    x += stride;
    y += stride;
    for (int64_t l = 0; l < width; ++l)
      y[l] = convert<T>(running[l] = join<Kind>(running[l], convert<C>(x[l])));
  }
}

// body(first element, width): tiles of neighbouring lines.
template <class F>
void over_columns(const Lines& lines, F&& body) {
  int64_t tiles = (lines.inner + kColumns - 1) / kColumns, width = std::min(lines.inner, kColumns);
  int64_t grain = std::max<int64_t>(kGrain / (lines.n * width), 1);
  parallel_for(lines.outer * tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t column = i % tiles * kColumns;
      body(i / tiles * lines.n * lines.inner + column, std::min(kColumns, lines.inner - column));
    }
  });
}

template <Scan Kind, class Set>
void run(const Tensor& y, const Tensor& x, const Lines& lines, const char* name) {
  dispatch<Set>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    T* to = y.data<T>();
    const T* from = x.data<T>();
    over_columns(lines, [&](int64_t at, int64_t width) {
      columns<T, Kind>(to + at, from + at, lines.n, lines.inner, width);
    });
  });
}

}  // namespace

void scan(const Tensor& y, const Tensor& x, const Lines& lines, Scan kind) {
  if (x.numel() == 0) return;
  switch (kind) {
    case Scan::Sum:
      return run<Scan::Sum, Numbers>(y, x, lines, "cumsum_out_cpu");
    case Scan::Product:
      return run<Scan::Product, Numbers>(y, x, lines, "cumprod_out_cpu");
    case Scan::LogSumExp:
      return run<Scan::LogSumExp, FloatsAndComplex>(y, x, lines, "logcumsumexp_out_cpu");
  }
}

void scan_extremes(const Tensor& values, const Tensor& indices, const Tensor& x, const Lines& lines,
                   bool largest) {
  if (x.numel() == 0) return;
  dispatch<RealsAndBool>(x.dtype(), largest ? "cummax_cpu" : "cummin_cpu", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    T* y = values.data<T>();
    int64_t* places = indices.data<int64_t>();
    const T* from = x.data<T>();
    over_columns(lines, [&](int64_t at, int64_t width) {
      for (int64_t l = 0; l < width; ++l) {
        int64_t first = at + l, best = 0;
        C top = convert<C>(from[first]);
        for (int64_t i = 0; i < lines.n; ++i) {
          int64_t here = first + i * lines.inner;
          C v = convert<C>(from[here]);
          bool wins = top == top && (v != v || (largest ? v >= top : v <= top));
          if (wins || v != v) top = v, best = i;
          y[here] = convert<T>(top);
          places[here] = best;
        }
      }
    });
  });
}

}  // namespace lampas::cpu
