// Softmax and its kin along lines of contiguous tensors. The loops are in simd/softmax.cc.
#pragma once
#include "cpu/isa.h"
#include "cpu/lines.h"

namespace lampas::cpu {

void softmax(const Tensor& y, const Tensor& x, const Lines& lines, bool log);
// dx from the gradient g and the result y.
void softmax_backward(const Tensor& dx, const Tensor& g, const Tensor& y, const Lines& lines,
                      bool log);
// lse: log of the sum of exponentials of each line, float for 16-bit floats.
void log_sum(const Tensor& lse, const Tensor& x, const Lines& lines);
// dx = scale * (softmax(x) - [class == target]); scale, lse: compute type; target int64; one per
// line.
void cross_entropy_backward(const Tensor& dx, const Tensor& x, const Tensor& lse,
                            const Tensor& target, const Tensor& scale, const Lines& lines);

// What one tile of lines asks of the instruction set: `width` neighbouring lines of n elements,
// `stride` apart; width 1 and stride 1 is a line by itself, written past the caches where `past`
// (at most kStreamedRow bytes). Addresses are those of the first elements.
struct SoftmaxTiles {
  void (*forward)(void* y, const void* x, int64_t n, int64_t stride, int64_t width, bool log,
                  bool past);
  void (*backward)(void* dx, const void* g, const void* y, int64_t n, int64_t stride, int64_t width,
                   bool log, bool past);
  void (*log_sum)(void* lse, const void* x, int64_t n, int64_t stride, int64_t width);
  void (*cross_entropy_backward)(void* dx, const void* x, const void* lse, const void* scale,
                                 int64_t n, int64_t stride, int64_t width);
};
inline constexpr int64_t kSoftmaxColumns = 64;  // the largest width

}  // namespace lampas::cpu

// Null for other types than the floats.
#define LAMPAS_SOFTMAX(isa)                            \
  namespace lampas::isa {                              \
  const cpu::SoftmaxTiles* softmax_tiles(DType dtype); \
  }
LAMPAS_SOFTMAX(baseline)
LAMPAS_SOFTMAX(avx2)
LAMPAS_SOFTMAX(avx512)
#undef LAMPAS_SOFTMAX
