// Runs of float16 to and from float32, by instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

#define DECLARE(isa)                                         \
  namespace isa {                                            \
  void half_to_float(void* to, const void* from, int64_t n); \
  void float_to_half(void* to, const void* from, int64_t n); \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE

}  // namespace lampas
