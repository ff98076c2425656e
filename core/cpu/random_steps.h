// The vector loops of the random fills, compiled once per instruction set (simd/random_steps.cc).
#pragma once
#include <cstdint>

#include "cpu/isa.h"

#define LAMPAS_RANDOM_STEPS(isa)                                              \
  namespace lampas::isa {                                                     \
  /* y = width * y + low, fused */                                            \
  void stretch(float* y, int64_t n, float width, float low);                  \
  void stretch(double* y, int64_t n, double width, double low);               \
  /* Blocks of 16 uniform numbers become normal ones in place (Box-Muller) */ \
  void normal_blocks(float* y, int64_t blocks, float mean, float std);        \
  }
LAMPAS_RANDOM_STEPS(baseline)
LAMPAS_RANDOM_STEPS(avx2)
LAMPAS_RANDOM_STEPS(avx512)
#undef LAMPAS_RANDOM_STEPS
