// The orders were found by experiment; tests/core/test_ordered_sums.py holds them to PyTorch's.
#include "cpu/ordered_sums.h"

namespace lampas::cpu {

namespace {

typedef float Lanes __attribute__((vector_size(16)));
typedef float Wide __attribute__((vector_size(32)));

void add(Wide& sum, const float* x) {
  Wide v;
  __builtin_memcpy(&v, x, sizeof(v));
  sum += v;
}

// Four sums of eight lanes, emptied into the next level after every 16 rows of it.
struct Cascade {
  static constexpr int kLevels = 4, kRows = 16;
  Wide level[kLevels][4] = {};

  void empty(int k) {
    for (int i = 0; i < 4; ++i) {
      level[k + 1][i] += level[k][i];
      level[k][i] = Wide{};
    }
  }
  // After `rows` rows, a multiple of kRows.
  void carry(int64_t rows) {
    for (int k = 0; k + 1 < kLevels; ++k, rows /= kRows) {
      if (rows % kRows) return;
      empty(k);
    }
  }
};

// Four sums of four lanes over blocks of 16, the rest in pieces of eight and four, the last
// elements one by one onto the first lane; no fused multiply-add.
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

float ordered_sum(const float* x, int64_t n) {
  if (n < 8) {  // four sums of single elements
    float sum[4] = {};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
      for (int k = 0; k < 4; ++k) sum[k] += x[i + k];
    for (; i < n; ++i) sum[0] += x[i];
    return sum[0] + sum[1] + sum[2] + sum[3];
  }
  Cascade c;
  int64_t rows = n / 32, i = 0;
  for (int64_t row = 0; row < rows;) {
    for (int k = 0; k < 4; ++k, i += 8) add(c.level[0][k], x + i);
    if (++row % Cascade::kRows == 0) c.carry(row);
  }
  Wide* sum = c.level[0];
  for (int k = 1; k < Cascade::kLevels; ++k)
    for (int j = 0; j < 4; ++j) sum[j] += c.level[k][j];
  for (; i + 8 <= n; i += 8) add(sum[0], x + i);
  Wide total = sum[0] + sum[1] + sum[2] + sum[3];
  float y = 0;
  for (; i < n; ++i) y += x[i];
  for (int k = 0; k < 8; ++k) y += total[k];
  return y;
}

float dot(const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t n) {
  if (a_step == 1 && b_step == 1) return ordered(n, [&](int64_t i) { return a[i] * b[i]; });
  return ordered(n, [&](int64_t i) { return a[i * a_step] * b[i * b_step]; });
}

}  // namespace lampas::cpu
