// float16 runs: eight at a time where the machine converts them itself, else in software.
#include "cpu/half.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace lampas::LAMPAS_ISA {

void half_to_float(void* to, const void* from, int64_t n) {
  auto* y = static_cast<float*>(to);
  auto* x = static_cast<const _Float16*>(from);
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(eight));
  }
#endif
  for (; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

void float_to_half(void* to, const void* from, int64_t n) {
  auto* y = static_cast<_Float16*>(to);
  auto* x = static_cast<const float*>(from);
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    __m128i eight = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), eight);
  }
#endif
  for (; i < n; ++i) y[i] = static_cast<_Float16>(x[i]);
}

}  // namespace lampas::LAMPAS_ISA
