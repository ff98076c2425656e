// The order of additions is that of PyTorch's BLAS for aligned vectors, so that short products are
// equal to the last bit: four sums of four lanes over blocks of 16, the rest in pieces of eight and
// four, the last elements one by one onto the first lane; no fused multiply-add.
#include "cpu/dot.h"

namespace lampas::cpu {

namespace {

typedef float Lanes __attribute__((vector_size(16)));

template <class Read>
float ordered(int64_t n, Read&& product) {
  Lanes sum[4] = {};
  auto piece = [&](int64_t at) {
    return Lanes{product(at), product(at + 1), product(at + 2), product(at + 3)};
  };
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int k = 0; k < 4; ++k) sum[k] += piece(i + 4 * k);
  if (i + 8 <= n) {
    sum[0] += piece(i);
    sum[1] += piece(i + 4);
    i += 8;
  }
  if (i + 4 <= n) {
    sum[0] += piece(i);
    i += 4;
  }
  for (; i < n; ++i) sum[0][0] += product(i);
  Lanes total = sum[0] + sum[1] + sum[2] + sum[3];
  return (total[0] + total[2]) + (total[1] + total[3]);
}

}  // namespace

float dot(const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t n) {
  if (a_step == 1 && b_step == 1) return ordered(n, [&](int64_t i) { return a[i] * b[i]; });
  return ordered(n, [&](int64_t i) { return a[i * a_step] * b[i * b_step]; });
}

}  // namespace lampas::cpu
