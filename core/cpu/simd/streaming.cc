// Non-temporal stores, where the machine has them: a memcpy elsewhere.
#include "cpu/streaming.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampas::LAMPAS_ISA {
namespace {

constexpr int64_t kLine = 64;  // bytes: write-combining buffers are flushed a line at a time

#if defined(__AVX512F__)
inline void store_line(char* to, const char* from) {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
}
#elif defined(__AVX__)
inline void store_line(char* to, const char* from) {
  auto* y = reinterpret_cast<__m256i*>(to);
  auto* x = reinterpret_cast<const __m256i*>(from);
  __m256i a = _mm256_loadu_si256(x), b = _mm256_loadu_si256(x + 1);
  _mm256_stream_si256(y, a);
  _mm256_stream_si256(y + 1, b);
}
#elif defined(__x86_64__)
inline void store_line(char* to, const char* from) {
  auto* y = reinterpret_cast<__m128i*>(to);
  auto* x = reinterpret_cast<const __m128i*>(from);
  for (int i = 0; i < 4; ++i) _mm_stream_si128(y + i, _mm_loadu_si128(x + i));
}
#endif

}  // namespace

void stream(void* to, const void* from, int64_t bytes) {
  auto* y = static_cast<char*>(to);
  auto* x = static_cast<const char*>(from);
#if defined(__x86_64__)
  int64_t head = -reinterpret_cast<intptr_t>(y) & (kLine - 1);
  if (head > bytes) head = bytes;
  std::memcpy(y, x, static_cast<size_t>(head));
  for (y += head, x += head, bytes -= head; bytes >= kLine; y += kLine, x += kLine, bytes -= kLine)
    store_line(y, x);
#endif
  std::memcpy(y, x, static_cast<size_t>(bytes));
}

void stream_end() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace lampas::LAMPAS_ISA
