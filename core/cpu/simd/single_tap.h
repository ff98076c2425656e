// What convolutions with windows of one element need besides gemm's tiles, by instruction set:
// lines of pixels as panels of a right operand, and lines with strides.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

#define LAMPAS_SINGLE_TAP(isa, T)                                                               \
  namespace isa {                                                                               \
  /* line k of a right operand of `depth` lines: panels[...] as gemm_block reads them */        \
  void spread_line(const T* line, int64_t cols, int64_t k, int64_t depth, T* panels);           \
  /* to[i] = from[i * step] */                                                                  \
  void pick_line(const T* from, int64_t step, int64_t count, T* to);                            \
  /* to[i * step] = from[i], and `rest` in all other places below `total` > (count - 1) step */ \
  void place_line(const T* from, int64_t count, int64_t step, T rest, int64_t total, T* to);    \
  }
#define LAMPAS_SINGLE_TAP_SET(isa) \
  LAMPAS_SINGLE_TAP(isa, float)    \
  LAMPAS_SINGLE_TAP(isa, double)
LAMPAS_SINGLE_TAP_SET(baseline)
LAMPAS_SINGLE_TAP_SET(avx2)
LAMPAS_SINGLE_TAP_SET(avx512)
#undef LAMPAS_SINGLE_TAP_SET
#undef LAMPAS_SINGLE_TAP

}  // namespace lampas
