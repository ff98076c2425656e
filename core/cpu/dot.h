// The inner product of two float32 vectors.
#pragma once
#include <cstdint>

namespace lampas::cpu {

float dot(const float* a, int64_t a_step, const float* b, int64_t b_step, int64_t n);

}  // namespace lampas::cpu
