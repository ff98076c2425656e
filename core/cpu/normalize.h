// Batch, group and layer normalisation on contiguous memory. The loops are in simd/normalize.cc.
// Statistics are doubles in every case: they are few, and what is derived from them must not round
// twice.
#pragma once
#include "cpu/isa.h"
#include "runtime/tensor.h"

namespace lampas::cpu {

// x as outer x channels x inner, or outer x inner x channels when channels come last in memory. A
// unit is what belongs to one (outer, channel): `inner` elements, neighbours or `channels` apart.
struct Cut {
  int64_t outer = 1, channels = 1, inner = 1;
  bool last = false;

  int64_t units() const { return outer * channels; }
  int64_t numel() const { return outer * channels * inner; }
};

// mean and biased variance of every channel over outer and inner; double (channels,).
void channel_moments(const Tensor& mean, const Tensor& variance, const Tensor& x, const Cut& cut);
// The same of every group of channels within each outer; double (outer, groups).
void group_moments(const Tensor& mean, const Tensor& variance, const Tensor& x, const Cut& cut);
// rstd = 1 / sqrt(variance + eps); running statistics (of any float type, or undefined) move
// towards the batch's, the variance times `factor`.
void track_statistics(const Tensor& rstd, const Tensor& mean, const Tensor& variance,
                      const Tensor& running_mean, const Tensor& running_variance, double momentum,
                      double factor, double eps);
// mean and rstd from running statistics.
void known_statistics(const Tensor& mean, const Tensor& rstd, const Tensor& running_mean,
                      const Tensor& running_variance, double eps);
// y = (x - mean) * rstd * weight + bias. mean, rstd: per channel (channels,) or per group (outer,
// groups). weight, bias: (channels,) of any float type, or undefined.
void normalize(const Tensor& y, const Tensor& x, const Cut& cut, const Tensor& mean,
               const Tensor& rstd, const Tensor& weight, const Tensor& bias);
// Gradients; those undefined are not wanted. dweight, dbias: double (channels,). When `fixed` the
// statistics did not come from x.
void normalize_backward(const Tensor& g, const Tensor& dx, const Tensor& dweight,
                        const Tensor& dbias, const Tensor& x, const Cut& cut, const Tensor& mean,
                        const Tensor& rstd, const Tensor& weight, bool fixed);

// Rows of n elements, each normalised by itself: mean and rstd double, one per row; weight and bias
// (n,) in the compute type of x, or undefined. Without `centred` the mean is taken to be zero (RMS
// norm).
void normalize_rows(const Tensor& y, const Tensor& mean, const Tensor& rstd, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, int64_t n, double eps, bool centred);
void normalize_rows_backward(const Tensor& g, const Tensor& dx, const Tensor& dweight,
                             const Tensor& dbias, const Tensor& x, const Tensor& mean,
                             const Tensor& rstd, const Tensor& weight, int64_t n, bool centred);

// What the above asks of the instruction set. m2: sum of squared deviations. A tile of columns is
// `rows` rows, `stride` apart, of `width` neighbouring columns (at most kNormColumns). Coefficients
// are doubles.
struct NormTiles {
  void (*moments)(double* mean, double* m2, const void* x, int64_t n);
  void (*column_moments)(double* mean, double* m2, const void* x, int64_t rows, int64_t stride,
                         int64_t width);
  // y = (x - mean) * scale + shift
  void (*affine)(void* y, const void* x, int64_t n, double mean, double scale, double shift);
  void (*column_affine)(void* y, const void* x, int64_t rows, int64_t stride, int64_t width,
                        const double* mean, const double* scale, const double* shift);
  // sum of g and of g * (x - mean); columns add to what is there
  void (*sums)(double* sg, double* sgx, const void* g, const void* x, int64_t n, double mean);
  void (*column_sums)(double* sg, double* sgx, const void* g, const void* x, int64_t rows,
                      int64_t stride, int64_t width, const double* mean);
  // dx = a * g + p * (x - mean) + q
  void (*slope)(void* dx, const void* g, const void* x, int64_t n, double mean, double a, double p,
                double q);
  void (*column_slope)(void* dx, const void* g, const void* x, int64_t rows, int64_t stride,
                       int64_t width, const double* mean, const double* a, const double* p,
                       const double* q);
  // One row with a weight for each element (w and b may be null): y = (x - mean) * rstd * w + b,
  // the sums of g * w, and dx = a * (g * w - q) + p * (x - mean); written past the caches where
  // `past`.
  void (*row_affine)(void* y, const void* x, int64_t n, const void* w, const void* b, double mean,
                     double rstd, bool past);
  void (*row_sums)(double* sg, double* sgx, const void* g, const void* x, const void* w, int64_t n,
                   double mean);
  void (*row_slope)(void* dx, const void* g, const void* x, const void* w, int64_t n, double mean,
                    double a, double p, double q, bool past);
  // A few rows into sums of the compute type: dw += g * (x - mean) * rstd, db += g; mean and rstd
  // per row.
  void (*rows_into_parameters)(void* dw, void* db, const void* g, const void* x, int64_t rows,
                               int64_t n, const double* mean, const double* rstd);
  // sums += values, of the compute type, which become zero.
  void (*empty_into)(double* sums, void* values, int64_t n);
  // Over rows: dw += g * (x - mean) * rstd, db += g, for a tile of columns; mean and rstd per row.
  void (*row_parameters)(double* dw, double* db, const void* g, const void* x, int64_t rows,
                         int64_t stride, int64_t width, const double* mean, const double* rstd);
};
inline constexpr int64_t kNormColumns = 64;
inline constexpr int64_t kNormRows = 32;  // summed in the compute type before doubles take over

}  // namespace lampas::cpu

// Null for other types than the floats.
#define LAMPAS_NORM(isa)                         \
  namespace lampas::isa {                        \
  const cpu::NormTiles* norm_tiles(DType dtype); \
  }
LAMPAS_NORM(baseline)
LAMPAS_NORM(avx2)
LAMPAS_NORM(avx512)
#undef LAMPAS_NORM
