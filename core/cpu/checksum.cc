// CRC-32 by folding with carry-less products where the CPU has them (V. Gopal et al., "Fast CRC
// Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009), by tables
// elsewhere.
//
// A sum is a polynomial over two elements modulo P, its bits reflected: bit 31 is the coefficient
// of x^0. A message of n more bytes multiplies what came before by x^(8n).
#include "cpu/checksum.h"

#include <array>
#include <cstring>
#include <vector>

#include "cpu/division.h"
#include "cpu/isa.h"
#include "runtime/parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampas::cpu {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320;
constexpr uint32_t kOne = uint32_t{1} << 31;  // x^0

constexpr uint32_t times_x(uint32_t a) { return a >> 1 ^ (a & 1 ? kPolynomial : 0); }

// a * b modulo P.
constexpr uint32_t product(uint32_t a, uint32_t b) {
  uint32_t sum = 0;
  for (uint32_t bit = kOne; bit; bit >>= 1, b = times_x(b))
    if (a & bit) sum ^= b;
  return sum;
}

// x^n modulo P.
constexpr uint32_t power(uint64_t n) {
  uint32_t result = kOne, square = kOne >> 1;
  for (; n; n >>= 1, square = product(square, square))
    if (n & 1) result = product(result, square);
  return result;
}

// table[k][b]: what byte b does to the sum k bytes later.
constexpr auto make_tables() {
  std::array<std::array<uint32_t, 256>, 8> table{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t a = b;
    for (int i = 0; i < 8; ++i) a = times_x(a);
    table[0][b] = a;
  }
  for (size_t k = 1; k < 8; ++k)
    for (uint32_t b = 0; b < 256; ++b)
      table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
  return table;
}
constexpr auto kTable = make_tables();

// `state` is the sum without its final inversion.
uint32_t by_tables(uint32_t state, const unsigned char* data, size_t bytes) {
  for (; bytes >= 8; bytes -= 8, data += 8) {
    uint32_t low = 0;
    for (int i = 0; i < 4; ++i) low |= static_cast<uint32_t>(data[i]) << 8 * i;
    low ^= state;
    state = kTable[7][low & 255] ^ kTable[6][low >> 8 & 255] ^ kTable[5][low >> 16 & 255] ^
            kTable[4][low >> 24] ^ kTable[3][data[4]] ^ kTable[2][data[5]] ^ kTable[1][data[6]] ^
            kTable[0][data[7]];
  }
  for (; bytes; --bytes, ++data) state = state >> 8 ^ kTable[0][(state ^ *data) & 255];
  return state;
}

#if defined(__x86_64__)
#define CARRYLESS __attribute__((target("pclmul,sse4.1")))

// The factors that move a register of 128 bits so many bits further, for its two halves. Reflected
// products come out one bit too low, so the factors are one bit higher.
struct Factors {
  uint64_t low, high;
};
constexpr Factors factors(uint64_t bits) {
  return {uint64_t{power(bits + 32)} << 1, uint64_t{power(bits - 32)} << 1};
}

CARRYLESS inline __m128i loaded(const unsigned char* data) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data));
}

CARRYLESS inline __m128i folded(__m128i x, __m128i by, __m128i next) {
  __m128i low = _mm_clmulepi64_si128(x, by, 0x00), high = _mm_clmulepi64_si128(x, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

CARRYLESS inline __m128i pair(Factors f) {
  return _mm_set_epi64x(static_cast<int64_t>(f.high), static_cast<int64_t>(f.low));
}

// At least 64 bytes. Four registers side by side, because a product takes several cycles.
CARRYLESS uint32_t by_products(uint32_t state, const unsigned char* data, size_t bytes) {
  constexpr Factors kFour = factors(512), kNext = factors(128);
  __m128i four = pair(kFour), next = pair(kNext);
  __m128i a = _mm_xor_si128(loaded(data), _mm_cvtsi32_si128(static_cast<int>(state)));
  __m128i b = loaded(data + 16), c = loaded(data + 32), d = loaded(data + 48);
  for (data += 64, bytes -= 64; bytes >= 64; data += 64, bytes -= 64) {
    a = folded(a, four, loaded(data));
    b = folded(b, four, loaded(data + 16));
    c = folded(c, four, loaded(data + 32));
    d = folded(d, four, loaded(data + 48));
  }
  a = folded(folded(folded(a, next, b), next, c), next, d);
  for (; bytes >= 16; data += 16, bytes -= 16) a = folded(a, next, loaded(data));
  unsigned char rest[16];  // has the same sum as everything so far
  std::memcpy(rest, &a, 16);
  return by_tables(by_tables(0, rest, 16), data, bytes);
}

#define WIDE_CARRYLESS __attribute__((target("pclmul,sse4.1,avx512f,vpclmulqdq")))

WIDE_CARRYLESS inline __m512i folded(__m512i x, __m512i by, const unsigned char* next) {
  __m512i low = _mm512_clmulepi64_epi128(x, by, 0x00), high = _mm512_clmulepi64_epi128(x, by, 0x11);
  return _mm512_ternarylogic_epi64(low, high, _mm512_loadu_si512(next), 0x96);
}

// At least 256 bytes: the same with registers of four such halves each.
WIDE_CARRYLESS uint32_t by_wide_products(uint32_t state, const unsigned char* data, size_t bytes) {
  constexpr Factors kFour = factors(2048);
  auto low = static_cast<int64_t>(kFour.low), high = static_cast<int64_t>(kFour.high);
  __m512i four = _mm512_set_epi64(high, low, high, low, high, low, high, low);
  __m512i first = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, state);
  __m512i a = _mm512_xor_si512(_mm512_loadu_si512(data), first);
  __m512i b = _mm512_loadu_si512(data + 64), c = _mm512_loadu_si512(data + 128);
  __m512i d = _mm512_loadu_si512(data + 192);
  for (data += 256, bytes -= 256; bytes >= 256; data += 256, bytes -= 256) {
    a = folded(a, four, data);
    b = folded(b, four, data + 64);
    c = folded(c, four, data + 128);
    d = folded(d, four, data + 192);
  }
  alignas(64) unsigned char rest[256];  // has the same sum as everything so far
  _mm512_store_si512(rest, a);
  _mm512_store_si512(rest + 64, b);
  _mm512_store_si512(rest + 128, c);
  _mm512_store_si512(rest + 192, d);
  state = by_products(0, rest, sizeof rest);
  return bytes >= 64 ? by_products(state, data, bytes) : by_tables(state, data, bytes);
}

bool has_products() {
  static const bool has = isa() != Isa::baseline && __builtin_cpu_supports("pclmul") &&
                          __builtin_cpu_supports("sse4.1");
  return has;
}
bool has_wide_products() {
  static const bool has =
      has_products() && isa() == Isa::avx512 && __builtin_cpu_supports("vpclmulqdq");
  return has;
}
#endif

}  // namespace

uint32_t crc32(const void* data, size_t bytes, uint32_t before) {
  auto* from = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
  if (bytes >= 1024 && has_wide_products()) return ~by_wide_products(~before, from, bytes);
  if (bytes >= 64 && has_products()) return ~by_products(~before, from, bytes);
#endif
  return ~by_tables(~before, from, bytes);
}

uint32_t joined_crc32(uint32_t first, uint32_t second, uint64_t second_bytes) {
  return product(power(8 * second_bytes), first) ^ second;
}

uint32_t parallel_crc32(const void* data, size_t bytes, uint32_t before) {
  auto size = static_cast<int64_t>(bytes);
  if (size <= kChecksumPiece) return crc32(data, bytes, before);
  std::vector<uint32_t> sums(static_cast<size_t>(ceil_div(size, kChecksumPiece)));
  auto* from = static_cast<const unsigned char*>(data);
  parallel_for(size, kChecksumPiece, [&](int64_t begin, int64_t end) {
    for (; begin < end; begin += kChecksumPiece) {
      int64_t length = end - begin < kChecksumPiece ? end - begin : kChecksumPiece;
      sums[static_cast<size_t>(begin / kChecksumPiece)] =
          crc32(from + begin, static_cast<size_t>(length));
    }
  });
  uint32_t sum = before, whole = power(8 * kChecksumPiece);
  for (size_t i = 0; i + 1 < sums.size(); ++i) sum = product(whole, sum) ^ sums[i];
  int64_t last = size - static_cast<int64_t>(sums.size() - 1) * kChecksumPiece;
  return joined_crc32(sum, sums.back(), static_cast<uint64_t>(last));
}

}  // namespace lampas::cpu
