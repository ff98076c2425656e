// The transforms of F(m, r) along rows, m + r = 7: m neighbouring results of a row from six
// elements by 6 products instead of m * r, with the points 0, 1, -1, 1/2, -2 and infinity, which
// round least. Channels lie in the lanes. Sources: A. Lavin, S. Gray, "Fast algorithms for
// convolutional neural networks", 2016; B. Barabasz et al., "Error analysis and improving the
// accuracy of Winograd convolution for deep neural networks", 2020 (the points).
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// A row of pixels as tiles of m results. With a stride neighbouring pixels, of one phase each, are
// one pixel here and their channels lie side by side.
// Value k of tile t and channel c is at planes[k * plane + t * channels + c].
struct RowTiles {
  int64_t m, tiles, channels;
  int64_t pitch, plane;  // elements from pixel to pixel, from value to value
};

// The taps of a window's row, six values for each phase: tap j of phase p is j * phases + p.
struct RowTaps {
  int64_t m, taps, phases;
  int64_t width;        // lanes of a tap, whole vectors
  int64_t plane, step;  // of the six values; from phase to phase
  bool turned;          // the last tap first
};

#define DECLARE(isa)                                                                             \
  namespace isa {                                                                                \
  /* B^T x. Reads whole vectors of channels, and writes them: a row's end needs a vector's room, \
   */                                                                                            \
  /* and rows are made in order. */                                                              \
  void winograd_row_image(float* planes, const float* x, const RowTiles& r);                     \
  /* A g; channels are whole vectors. */                                                         \
  void winograd_row_gradient(float* planes, const float* g, const RowTiles& r);                  \
  /* y = A^T planes + bias for the first `cols` results; true when all of it is finite. */       \
  bool winograd_row_result(float* y, const float* planes, const float* bias, const RowTiles& r,  \
                           int64_t cols);                                                        \
  /* G w of one window's row (taps, width), and its adjoint, true when all of it is finite. */   \
  void winograd_row_weights(float* planes, const float* w, const RowTaps& r);                    \
  bool winograd_row_weight_gradient(float* dw, const float* planes, const RowTaps& r);           \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE

}  // namespace lampas
