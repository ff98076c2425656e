// Loops of the normalisations. Compiled once per instruction set.
// Source of merged moments: T. Chan, G. Golub, R. LeVeque, "Updating formulae and a pairwise
// algorithm for computing sample variances", 1979.
#include "cpu/normalize.h"

#include "cpu/simd/last_pass.h"

namespace lampas::LAMPAS_ISA {
namespace {

constexpr int64_t kWide = 64;     // partial sums side by side: four vectors hide the latency
constexpr int64_t kNarrow = 16;   // the same for runs shorter than that
constexpr int64_t kBlock = 4096;  // elements summed in the compute type before doubles take over
constexpr int64_t kRows = cpu::kNormRows;
constexpr int64_t kColumns = cpu::kNormColumns;

template <int64_t lanes_, class C>
double total(C* lanes) {
  for (int64_t w = lanes_ / 2; w > 0; w /= 2)
    for (int64_t l = 0; l < w; ++l) lanes[l] += lanes[l + w];
  return lanes[0];
}

struct Sums {
  double a = 0, b = 0;
};

// Sums of two terms of every i below n; `terms(i, a, b)` adds them.
template <int64_t lanes_, class C, class F>
Sums sums_on(int64_t n, F&& terms) {
  C a[lanes_] = {}, b[lanes_] = {};
  int64_t i = 0;
  for (; i + lanes_ <= n; i += lanes_)
    for (int64_t l = 0; l < lanes_; ++l) terms(i + l, a[l], b[l]);
  for (int64_t l = 0; i + l < n; ++l) terms(i + l, a[l], b[l]);
  return {total<lanes_>(a), total<lanes_>(b)};
}
template <class C, class F>
Sums block_sums(int64_t n, F&& terms) {
  return n < kWide ? sums_on<kNarrow, C>(n, terms) : sums_on<kWide, C>(n, terms);
}

template <class C, class F>
Sums all_sums(int64_t n, F&& terms) {
  Sums sums;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    int64_t count = n - begin < kBlock ? n - begin : kBlock;
    Sums block = block_sums<C>(count, [&](int64_t i, C& a, C& b) { terms(begin + i, a, b); });
    sums.a += block.a;
    sums.b += block.b;
  }
  return sums;
}

// Moments of `count` more values join those of `seen`.
void merge(double& mean, double& m2, int64_t seen, double other_mean, double other_m2,
           int64_t count) {
  double n = static_cast<double>(seen + count), delta = other_mean - mean;
  mean += delta * (static_cast<double>(count) / n);
  m2 += other_m2 + delta * delta * (static_cast<double>(seen) * static_cast<double>(count) / n);
}

template <class T>
struct Tiles {
  using C = compute_t<T>;
  static const T* in(const void* x) { return static_cast<const T*>(x); }
  static C at(const T* x, int64_t i) { return static_cast<C>(x[i]); }

  static void moments(double* mean, double* m2, const void* from, int64_t n) {
    const T* x = in(from);
    *mean = *m2 = 0;
    for (int64_t begin = 0; begin < n; begin += kBlock) {
      int64_t count = n - begin < kBlock ? n - begin : kBlock;
      const T* part = x + begin;
      Sums plain = block_sums<C>(count, [part](int64_t i, C& a, C&) { a += at(part, i); });
      double size = static_cast<double>(count);
      C centre = static_cast<C>(plain.a / size);
      Sums around = block_sums<C>(count, [part, centre](int64_t i, C& a, C& b) {
        C d = at(part, i) - centre;
        a += d;
        b += d * d;
      });
      double off = around.a / size;  // what rounding left in the centre
      merge(*mean, *m2, begin, static_cast<double>(centre) + off, around.b - around.a * off, count);
    }
  }

  static void column_moments(double* mean, double* m2, const void* from, int64_t rows,
                             int64_t stride, int64_t width) {
    const T* x = in(from);
    for (int64_t l = 0; l < width; ++l) mean[l] = m2[l] = 0;
    for (int64_t begin = 0; begin < rows; begin += kRows) {
      int64_t count = rows - begin < kRows ? rows - begin : kRows;
      C centre[kColumns] = {}, off[kColumns] = {}, squares[kColumns] = {};
      for (int64_t r = 0; r < count; ++r) {
        const T* row = x + (begin + r) * stride;
        for (int64_t l = 0; l < width; ++l) centre[l] += at(row, l);
      }
      C size = static_cast<C>(count);
      for (int64_t l = 0; l < width; ++l) centre[l] /= size;
      for (int64_t r = 0; r < count; ++r) {
        const T* row = x + (begin + r) * stride;
        for (int64_t l = 0; l < width; ++l) {
          C d = at(row, l) - centre[l];
          off[l] += d;
          squares[l] += d * d;
        }
      }
      double n = static_cast<double>(count);
      for (int64_t l = 0; l < width; ++l) {
        double rest = static_cast<double>(off[l]) / n;
        merge(mean[l], m2[l], begin, static_cast<double>(centre[l]) + rest,
              static_cast<double>(squares[l]) - static_cast<double>(off[l]) * rest, count);
      }
    }
  }

  static void affine(void* to, const void* from, int64_t n, double mean, double scale,
                     double shift) {
    T* __restrict y = static_cast<T*>(to);
    const T* __restrict x = in(from);
    C m = static_cast<C>(mean), s = static_cast<C>(scale), b = static_cast<C>(shift);
    for (int64_t i = 0; i < n; ++i) y[i] = T((at(x, i) - m) * s + b);
  }

  static void narrow(C* to, const double* from, int64_t n) {
    for (int64_t l = 0; l < n; ++l) to[l] = static_cast<C>(from[l]);
  }

  static void column_affine(void* to, const void* from, int64_t rows, int64_t stride, int64_t width,
                            const double* mean, const double* scale, const double* shift) {
    C m[kColumns], s[kColumns], b[kColumns];
    narrow(m, mean, width);
    narrow(s, scale, width);
    narrow(b, shift, width);
    for (int64_t r = 0; r < rows; ++r) {
      T* __restrict y = static_cast<T*>(to) + r * stride;
      const T* __restrict x = in(from) + r * stride;
      for (int64_t l = 0; l < width; ++l) y[l] = T((at(x, l) - m[l]) * s[l] + b[l]);
    }
  }

  static void sums(double* sg, double* sgx, const void* gradient, const void* from, int64_t n,
                   double mean) {
    const T *g = in(gradient), *x = in(from);
    C m = static_cast<C>(mean);
    Sums s = all_sums<C>(n, [g, x, m](int64_t i, C& a, C& b) {
      C v = at(g, i);
      a += v;
      b += v * (at(x, i) - m);
    });
    *sg = s.a;
    *sgx = s.b;
  }

  static void column_sums(double* sg, double* sgx, const void* gradient, const void* from,
                          int64_t rows, int64_t stride, int64_t width, const double* mean) {
    C m[kColumns];
    narrow(m, mean, width);
    for (int64_t begin = 0; begin < rows; begin += kRows) {
      int64_t end = rows - begin < kRows ? rows : begin + kRows;
      C a[kColumns] = {}, b[kColumns] = {};
      for (int64_t r = begin; r < end; ++r) {
        const T *g = in(gradient) + r * stride, *x = in(from) + r * stride;
        for (int64_t l = 0; l < width; ++l) {
          C v = at(g, l);
          a[l] += v;
          b[l] += v * (at(x, l) - m[l]);
        }
      }
      for (int64_t l = 0; l < width; ++l) sg[l] += a[l], sgx[l] += b[l];
    }
  }

  static void slope(void* to, const void* gradient, const void* from, int64_t n, double mean,
                    double a, double p, double q) {
    T* __restrict dx = static_cast<T*>(to);
    const T* __restrict g = in(gradient);
    const T* __restrict x = in(from);
    C m = static_cast<C>(mean), fa = static_cast<C>(a), fp = static_cast<C>(p),
      fq = static_cast<C>(q);
    for (int64_t i = 0; i < n; ++i) dx[i] = T(fa * at(g, i) + fp * (at(x, i) - m) + fq);
  }

  static void column_slope(void* to, const void* gradient, const void* from, int64_t rows,
                           int64_t stride, int64_t width, const double* mean, const double* a,
                           const double* p, const double* q) {
    C m[kColumns], fa[kColumns], fp[kColumns], fq[kColumns];
    narrow(m, mean, width);
    narrow(fa, a, width);
    narrow(fp, p, width);
    narrow(fq, q, width);
    for (int64_t r = 0; r < rows; ++r) {
      T* __restrict dx = static_cast<T*>(to) + r * stride;
      const T* __restrict g = in(gradient) + r * stride;
      const T* __restrict x = in(from) + r * stride;
      for (int64_t l = 0; l < width; ++l)
        dx[l] = T(fa[l] * at(g, l) + fp[l] * (at(x, l) - m[l]) + fq[l]);
    }
  }

  static void row_affine(void* to, const void* from, int64_t n, const void* weight,
                         const void* bias, double mean, double rstd, bool past) {
    T* __restrict y = static_cast<T*>(to);
    const T* __restrict x = in(from);
    const C* __restrict w = static_cast<const C*>(weight);
    const C* __restrict b = static_cast<const C*>(bias);
    C m = static_cast<C>(mean), s = static_cast<C>(rstd);
    auto scaled = [=](int64_t i) { return (at(x, i) - m) * s; };
    if (w && b)
      last_pass(y, past, n, [=](int64_t i) { return T(scaled(i) * w[i] + b[i]); }, x);
    else if (w)
      last_pass(y, past, n, [=](int64_t i) { return T(scaled(i) * w[i]); }, x);
    else if (b)
      last_pass(y, past, n, [=](int64_t i) { return T(scaled(i) + b[i]); }, x);
    else
      last_pass(y, past, n, [=](int64_t i) { return T(scaled(i)); }, x);
  }

  static void row_sums(double* sg, double* sgx, const void* gradient, const void* from,
                       const void* weight, int64_t n, double mean) {
    if (!weight) return sums(sg, sgx, gradient, from, n, mean);
    const T *g = in(gradient), *x = in(from);
    const C* w = static_cast<const C*>(weight);
    C m = static_cast<C>(mean);
    Sums s = all_sums<C>(n, [g, x, w, m](int64_t i, C& a, C& b) {
      C v = at(g, i) * w[i];
      a += v;
      b += v * (at(x, i) - m);
    });
    *sg = s.a;
    *sgx = s.b;
  }

  // The mean is taken off the gradient first: exactly nothing is left of a row of one element.
  static void row_slope(void* to, const void* gradient, const void* from, const void* weight,
                        int64_t n, double mean, double a, double p, double q, bool past) {
    T* __restrict dx = static_cast<T*>(to);
    const T* __restrict g = in(gradient);
    const T* __restrict x = in(from);
    const C* __restrict w = static_cast<const C*>(weight);
    C m = static_cast<C>(mean), fa = static_cast<C>(a), fp = static_cast<C>(p),
      fq = static_cast<C>(q);
    auto slope = [=](int64_t i, C v) { return T(fa * (v - fq) + fp * (at(x, i) - m)); };
    if (w)
      last_pass(dx, past, n, [=](int64_t i) { return slope(i, at(g, i) * w[i]); }, g, x);
    else
      last_pass(dx, past, n, [=](int64_t i) { return slope(i, at(g, i)); }, g, x);
  }

  // Columns in pieces whose sums stay in the first-level cache from row to row.
  static void rows_into_parameters(void* dw, void* db, const void* gradient, const void* from,
                                   int64_t rows, int64_t n, const double* mean,
                                   const double* rstd) {
    constexpr int64_t kColumnsAtOnce = 512;
    for (int64_t begin = 0; begin < n; begin += kColumnsAtOnce) {
      int64_t count = n - begin < kColumnsAtOnce ? n - begin : kColumnsAtOnce;
      C* __restrict a = static_cast<C*>(dw) + begin;
      C* __restrict b = static_cast<C*>(db) + begin;
      for (int64_t r = 0; r < rows; ++r) {
        const T* __restrict g = in(gradient) + r * n + begin;
        const T* __restrict x = in(from) + r * n + begin;
        C m = static_cast<C>(mean[r]), s = static_cast<C>(rstd[r]);
        for (int64_t i = 0; i < count; ++i) {
          C v = at(g, i);
          a[i] += v * ((at(x, i) - m) * s);
          b[i] += v;
        }
      }
    }
  }

  static void empty_into(double* __restrict sums, void* values, int64_t n) {
    C* __restrict v = static_cast<C*>(values);
    for (int64_t i = 0; i < n; ++i) sums[i] += static_cast<double>(v[i]), v[i] = 0;
  }

  static void row_parameters(double* dw, double* db, const void* gradient, const void* from,
                             int64_t rows, int64_t stride, int64_t width, const double* mean,
                             const double* rstd) {
    for (int64_t begin = 0; begin < rows; begin += kRows) {
      int64_t end = rows - begin < kRows ? rows : begin + kRows;
      C a[kColumns] = {}, b[kColumns] = {};
      for (int64_t r = begin; r < end; ++r) {
        const T *g = in(gradient) + r * stride, *x = in(from) + r * stride;
        C m = static_cast<C>(mean[r]), s = static_cast<C>(rstd[r]);
        for (int64_t l = 0; l < width; ++l) {
          C v = at(g, l);
          a[l] += v * ((at(x, l) - m) * s);
          b[l] += v;
        }
      }
      for (int64_t l = 0; l < width; ++l) dw[l] += a[l], db[l] += b[l];
    }
  }

  static constexpr cpu::NormTiles tiles = {
      moments,    column_moments, affine,     column_affine, sums,      column_sums,
      slope,      column_slope,   row_affine, row_sums,      row_slope, rows_into_parameters,
      empty_into, row_parameters};
};

}  // namespace

const cpu::NormTiles* norm_tiles(DType dtype) {
  switch (dtype) {
    case DType::Float:
      return &Tiles<float>::tiles;
    case DType::Double:
      return &Tiles<double>::tiles;
    case DType::Half:
      return &Tiles<Half>::tiles;
    case DType::BFloat16:
      return &Tiles<BFloat16>::tiles;
    default:
      return nullptr;
  }
}

}  // namespace lampas::LAMPAS_ISA
