// Products of bfloat16 matrices where the machine multiplies them itself.
#pragma once
#include "cpu/gemm.h"

namespace lampas::cpu {

// Whether this machine does; without, such products go through float.
bool has_gemm_bfloat16();

// c = a @ b or c += a @ b, row-major with leading dimension ldc; elements are bfloat16. Sums are in
// float and rounded once. Subnormal factors count as zero. The bits do not depend on the number of
// threads. Pieces run on the pool.
void gemm_bfloat16(const Strided<uint16_t>& a, const Strided<uint16_t>& b, uint16_t* c, int64_t ldc,
                   bool accumulate);

}  // namespace lampas::cpu
