// Which kernel multiplies: own ones for float and double (gemm.h, gemv.h), OpenBLAS for complex
// numbers, plain loops for small sizes and for integers; 16-bit floats through float where the
// machine does not multiply them (gemm_bfloat16.h).
#include "cpu/matmul.h"

#include <cstring>

#include "cpu/blas.h"
#include "cpu/convert.h"
#include "cpu/gemm_bfloat16.h"
#include "cpu/gemv.h"
#include "cpu/simd/small_matmul.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

enum Order { RowMajor = 101 };
enum Transpose { Plain = 111, Transposed = 112 };

// The size of one parallel piece: a hand-off must be worth it, and cuts must not depend on the
// thread count.
constexpr int64_t kPieceFlops = int64_t{1} << 22;

// Multiplications of a product whose operands are not worth packing.
constexpr int64_t kSmall = 4096;

template <class T>
struct Gemm;
template <>
struct Gemm<ComplexFloat> {
  using F = void(int, int, int, int, int, int, const void*, const void*, int, const void*, int,
                 const void*, void*, int);
  static constexpr const char* name = "cblas_cgemm";
};
template <>
struct Gemm<ComplexDouble> {
  using F = Gemm<ComplexFloat>::F;
  static constexpr const char* name = "cblas_zgemm";
};

template <class T>
T* at(const Matrix& x, int64_t i, int64_t j) {
  return static_cast<T*>(x.data) + (x.transposed ? j * x.ld + i : i * x.ld + j);
}

template <class T>
void zero(const Matrix& c) {
  for (int64_t i = 0; i < c.rows; ++i) std::fill_n(at<T>(c, i, 0), c.cols, T(0));
}

template <class T>
void call_blas(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  static auto* gemm = blas::function<typename Gemm<T>::F>(Gemm<T>::name);
  int m = static_cast<int>(c.rows), n = static_cast<int>(c.cols), k = static_cast<int>(a.cols);
  int ta = a.transposed ? Transposed : Plain, tb = b.transposed ? Transposed : Plain;
  auto ld = [](const Matrix& x) { return static_cast<int>(std::max<int64_t>(x.ld, 1)); };
  T one = 1, start = accumulate ? T(1) : T(0);
  gemm(RowMajor, ta, tb, m, n, k, &one, a.data, ld(a), b.data, ld(b), &start, c.data, ld(c));
}

template <class T>
void small(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  if (!accumulate) zero<T>(c);
  int64_t ai = a.transposed ? 1 : a.ld, aj = a.transposed ? a.ld : 1;
  int64_t bi = b.transposed ? 1 : b.ld, bj = b.transposed ? b.ld : 1;
  auto *x = static_cast<const T*>(a.data), *y = static_cast<const T*>(b.data);
  auto* z = static_cast<T*>(c.data);
  LAMPAS_BEST(small_matmul(x, ai, aj, y, bi, bj, z, c.ld, c.rows, c.cols, a.cols));
}

// Integers and bool, which BLAS lacks.
template <class T>
void plain(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  if (!accumulate) zero<T>(c);
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t p = 0; p < a.cols; ++p) {
      T factor = *at<T>(a, i, p);
      for (int64_t j = 0; j < c.cols; ++j) {
        T& target = *at<T>(c, i, j);
        if constexpr (std::is_same_v<T, bool>)
          target = target || (factor && *at<T>(b, p, j));
        else
          target = static_cast<T>(static_cast<uint64_t>(target) +  // unsigned: it wraps
                                  static_cast<uint64_t>(factor) *
                                      static_cast<uint64_t>(*at<T>(b, p, j)));
      }
    }
}

Matrix part(const Matrix& x, int64_t row, int64_t rows, int64_t col, int64_t cols, int64_t item) {
  int64_t shift = x.transposed ? col * x.ld + row : row * x.ld + col;
  return {static_cast<char*>(x.data) + shift * item, rows, cols, x.ld, x.transposed};
}

template <class T>
Strided<T> strided(const Matrix& x) {
  return {static_cast<const T*>(x.data), x.rows, x.cols, x.transposed ? 1 : x.ld,
          x.transposed ? x.ld : 1};
}

// Own kernels serve float and double (benchmarks/products.py has the ratios); OpenBLAS is left with
// complex numbers.
template <class T>
void own(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  int64_t m = c.rows, n = c.cols, k = a.cols;
  auto* y = static_cast<T*>(c.data);
  Strided<T> x = strided<T>(a), z = strided<T>(b);
  if (m == 1) return gemv(x.data, x.col_step, z, y, 1, accumulate);
  if (n == 1) return gemv(z.data, z.row_step, turned(x), y, c.ld, accumulate);
  if (m * n * k <= kSmall) return small<T>(a, b, c, accumulate);
  gemm(x, z, y, c.ld, {accumulate});
}

// Complex numbers, cut along the longer side of c.
template <class T>
void blas_type(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  int64_t m = c.rows, n = c.cols, k = a.cols;
  int64_t flops = 8 * m * n * k, pieces = std::max<int64_t>(1, flops / kPieceFlops);
  bool by_rows = m >= n;
  int64_t length = by_rows ? m : n;
  int64_t grain = std::max<int64_t>((length + pieces - 1) / pieces, 64);
  grain = (grain + 31) / 32 * 32;
  blas::symbol(Gemm<T>::name);  // opened here, where exceptions and the GIL are at home
  parallel_for(length, grain, [&](int64_t begin, int64_t end) {
    if (by_rows)
      call_blas<T>(part(a, begin, end - begin, 0, k, sizeof(T)), b,
                   part(c, begin, end - begin, 0, n, sizeof(T)), accumulate);
    else
      call_blas<T>(a, part(b, 0, k, begin, end - begin, sizeof(T)),
                   part(c, 0, m, begin, end - begin, sizeof(T)), accumulate);
  });
}

// Lines of x as they lie in memory, to or from packed floats.
struct Lines {
  int64_t outer, inner;
  explicit Lines(const Matrix& x)
      : outer(x.transposed ? x.cols : x.rows), inner(x.transposed ? x.rows : x.cols) {}
  template <class F>
  void each(F&& body) const {
    int64_t grain = std::max<int64_t>(1, (1 << 17) / std::max<int64_t>(inner, 1));
    parallel_for(outer, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  }
};

// A matrix of 16-bit floats as one of floats.
class Widened {
 public:
  Widened(DType dtype, const Matrix& x, bool read)
      : lines_(x), store_(lines_.outer * lines_.inner) {
    matrix_ = {store_.data(), x.rows, x.cols, lines_.inner, x.transposed};
    if (!read) return;
    Convert convert = converter(DType::Float, dtype);
    auto* from = static_cast<const char*>(x.data);
    lines_.each([&](int64_t i) {
      convert(store_.data() + i * lines_.inner, from + i * x.ld * 2, lines_.inner);
    });
  }
  void write(DType dtype, const Matrix& x) {
    Convert convert = converter(dtype, DType::Float);
    auto* to = static_cast<char*>(x.data);
    lines_.each([&](int64_t i) {
      convert(to + i * x.ld * 2, store_.data() + i * lines_.inner, lines_.inner);
    });
  }
  const Matrix& matrix() const { return matrix_; }

 private:
  Lines lines_;
  Scratch<float> store_;
  Matrix matrix_;
};

void through_float(DType dtype, const Matrix& a, const Matrix& b, const Matrix& c,
                   bool accumulate) {
  Widened x(dtype, a, true), y(dtype, b, true), z(dtype, c, accumulate);
  own<float>(x.matrix(), y.matrix(), z.matrix(), accumulate);
  z.write(dtype, c);
}

void reduced(DType dtype, const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  bool large = c.rows > 1 && c.cols > 1 && c.rows * c.cols * a.cols > kSmall;
  if (dtype == DType::BFloat16 && large && has_gemm_bfloat16())
    gemm_bfloat16(strided<uint16_t>(a), strided<uint16_t>(b), static_cast<uint16_t*>(c.data), c.ld,
                  accumulate);
  else
    through_float(dtype, a, b, c, accumulate);
}

// Every row of c becomes `bias`: the start of a product that is added to it.
template <class T>
void fill_rows(const Matrix& c, const void* bias) {
  for (int64_t i = 0; i < c.rows; ++i)
    std::memcpy(at<T>(c, i, 0), bias, static_cast<size_t>(c.cols) * sizeof(T));
}

}  // namespace

void matmul(DType dtype, Matrix a, Matrix b, Matrix c, bool accumulate) {
  if (c.rows == 0 || c.cols == 0) return;
  dispatch<Everything>(dtype, "addmm_impl_cpu_", [&](auto tag) {
    using T = decltype(tag);
    if (a.cols == 0) {
      if (!accumulate) zero<T>(c);
      return;
    }
    CHECK(c.rows < INT32_MAX && c.cols < INT32_MAX && a.cols < INT32_MAX && a.ld < INT32_MAX &&
              b.ld < INT32_MAX,
          "matmul: sizes of 2**31 and above are not supported");
    if constexpr (std::is_same_v<T, ComplexHalf>)
      fail_dtype("addmm_impl_cpu_", dtype);
    else if constexpr (is_reduced_v<T>)
      reduced(dtype, a, b, c, accumulate);
    else if constexpr (std::is_integral_v<T>)
      plain<T>(a, b, c, accumulate);
    else if constexpr (is_complex_v<T>)
      blas_type<T>(a, b, c, accumulate);
    else
      own<T>(a, b, c, accumulate);
  });
}

void matmul_batched(DType dtype, int64_t batch, Matrix a, int64_t a_step, Matrix b, int64_t b_step,
                    Matrix c, int64_t c_step, bool accumulate) {
  int64_t item = lampas::item_size(dtype);
  auto one = [&](int64_t i) {
    auto moved = [&](Matrix x, int64_t step) {
      x.data = static_cast<char*>(x.data) + i * step * item;
      return x;
    };
    matmul(dtype, moved(a, a_step), moved(b, b_step), moved(c, c_step), accumulate);
  };
  int64_t flops = 2 * c.rows * c.cols * std::max<int64_t>(a.cols, 1);
  if (batch > 1 && is_complex(dtype)) blas::symbol("cblas_cgemm");
  int64_t grain = std::max<int64_t>(1, kPieceFlops / std::max<int64_t>(flops, 1));
  if (flops >= kPieceFlops) {
    for (int64_t i = 0; i < batch; ++i) one(i);  // each product is cut itself
    return;
  }
  parallel_for(batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) one(i);
  });
}

void matmul_biased(DType dtype, Matrix a, Matrix b, Matrix c, const void* bias) {
  if (c.rows == 0 || c.cols == 0) return;
  dispatch<Everything>(dtype, "addmm_impl_cpu_", [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
      if (c.rows > 1 && c.cols > 1 && c.rows * c.cols * a.cols > kSmall)
        return gemm(strided<T>(a), strided<T>(b), static_cast<T*>(c.data), c.ld,
                    {.col_bias = static_cast<const T*>(bias)});
    fill_rows<T>(c, bias);
    matmul(dtype, a, b, c, true);
  });
}

}  // namespace lampas::cpu
