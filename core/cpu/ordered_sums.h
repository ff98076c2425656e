// Sums of float32 that add in the order of PyTorch's CPU kernels: equal to the last bit, so that
// the losses a program prints are.
#pragma once
#include <cstdint>

namespace lampas::cpu {

// Lines from this length on are shared out among threads in PyTorch; the order is not its here.
inline constexpr int64_t kOrderedMost = 32768;

float ordered_sum(const float* x, int64_t n);
// The inner product, in the order of PyTorch's BLAS for aligned vectors.
float dot(const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t n);

}  // namespace lampas::cpu
