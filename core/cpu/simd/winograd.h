// The transforms of F(2x2, 3x3): tiles of 2 x 2 results from patches of 4 x 4 elements by 16
// products instead of 36. Channels lie in the lanes. Source: A. Lavin, S. Gray, "Fast algorithms
// for convolutional neural networks", 2016.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// A row of tiles, of an image whose channels are neighbours in memory. Patches may reach beyond it:
// zeros are read there, nothing is written. `planes` are the 16 values of every tile: value k of
// tile t and channel c is at planes[k * plane + t * tile + c].
struct WinogradRow {
  int64_t rows, cols, pitch;  // of the image; elements from pixel to pixel
  int64_t row, col;           // of the first patch
  int64_t tiles, channels;    // channels: whole vectors
  int64_t plane, tile;
};

inline constexpr int64_t kWinogradMost = 1024;  // channels of a row

#define DECLARE(isa)                                                                            \
  namespace isa {                                                                               \
  /* planes of patches 4 x 4, two apart: B^T x B */                                             \
  void winograd_image(float* planes, const float* x, const WinogradRow& r);                     \
  /* planes of patches 2 x 2: A g A^T */                                                        \
  void winograd_gradient(float* planes, const float* g, const WinogradRow& r);                  \
  /* y = A^T planes A + bias for patches 2 x 2; true when all of it is finite */                \
  bool winograd_result(float* y, const float* planes, const float* bias, const WinogradRow& r); \
  /* planes [k * plane] of `count` windows (9, width), whole vectors: G w G^T; its adjoint      \
    (true when all of it is finite) */                                                          \
  void winograd_weights(float* planes, int64_t plane, const float* w, int64_t count,            \
                        int64_t width, bool turned);                                            \
  bool winograd_weight_gradient(float* dw, const float* planes, int64_t plane, int64_t count,   \
                                int64_t width);                                                 \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE

}  // namespace lampas
