// The inner loops of pooling with windows of a fixed size, by instruction set: one row of outputs.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// The windows of a row read `count` lines of the plane, which begin at `lines`; along each line as
// said by in, out, kernel, stride, padding and dilation.
struct PoolRow {
  const int64_t* lines;
  int64_t count;
  int64_t in, out, kernel, stride, padding, dilation;
};

inline constexpr int64_t kPoolSlack = 64;

// Maxima of planes of two dimensions: first along rows, then along columns.
struct MaxPlane {
  int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
  void* lines;      // (in[0], out[1]) values: the maxima along rows
  int32_t* places;  // the same of their places; null: not wanted
};

#define DECLARE_FOR(T)                                                                \
  /* indices may be null */                                                           \
  void max_pool_row(T* y, int64_t* indices, const T* plane, const PoolRow& row);      \
  void max_pool_plane(T* y, int64_t* indices, const T* plane, const MaxPlane& p);     \
  /* y = sums / divisors, one for each output */                                      \
  void average_pool_row(T* y, const T* plane, const T* divisors, const PoolRow& row); \
  /* plane += g / divisors, spread over the windows */                                \
  void spread_pool_row(T* plane, const T* g, const T* divisors, const PoolRow& row);
#define DECLARE(isa)  \
  namespace isa {     \
  DECLARE_FOR(float)  \
  DECLARE_FOR(double) \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE
#undef DECLARE_FOR

}  // namespace lampas
