// What the loop nest of the reductions (reduce.cc) asks of one row of ops/reduce.def and one
// element type. The steps are compiled once per instruction set (simd/reduce.cc).
#pragma once
#include "cpu/isa.h"
#include "cpu/reduce.h"

namespace lampas::cpu {

// Lanes on which a short row of results is folded: the steps have a loop of this fixed length.
inline constexpr int64_t kFold = 64;

// Addresses only: `acc` are accumulators, `c` centres, y results.
struct Steps {
  int64_t item, a_size, y_size, c_size, stored_size;  // bytes of an element of each
  DType y, centre;                                    // dtypes of results and stored centres
  bool centred;
  void (*identity)(char* acc, int64_t n);
  void (*combine)(char* into, const char* from, int64_t n);
  // acc[l] gathers x[r * row_stride + l] for every r < rows.
  void (*add)(char* acc, const char* x, const char* c, int64_t lanes, int64_t rows,
              int64_t row_stride, double p);
  void (*finish)(char* y, int64_t stride, const char* acc, const char* c, int64_t n, double p,
                 int64_t count);
  void (*load_centre)(char* c, const char* stored, int64_t stride, int64_t n);
};

// Null when the row has no kernel for this type; label then names it.
const Steps* reduction_steps(Reduction row, DType dtype);

}  // namespace lampas::cpu

#define LAMPAS_REDUCTION_STEPS(isa)                              \
  namespace lampas::isa {                                        \
  const cpu::Steps* reduction_steps(Reduction row, DType dtype); \
  }
LAMPAS_REDUCTION_STEPS(baseline)
LAMPAS_REDUCTION_STEPS(avx2)
LAMPAS_REDUCTION_STEPS(avx512)
#undef LAMPAS_REDUCTION_STEPS
