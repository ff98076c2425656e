// The inner loops of direct convolution, by instruction set.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// Neighbouring rows of outputs of `block` neighbouring output channels. Reading may pass a row's
// end by less than kDirectSlack elements.
template <class T>
struct DirectRow {
  const T* x;              // the padded image where the first window begins
  const int64_t* offsets;  // of each tap from there
  int64_t channel_step;    // from one input channel of the image to the next
  int64_t channels, taps, block;
  const T* weights;  // (channels, taps, block)
  const T* bias;     // (block), may be null
  T* y;
  int64_t y_step;  // from one output channel to the next
  int64_t width;
  int64_t rows, x_row;  // how many rows, and from one to the next in x; in y they are `width` apart
};

// The gradient of `block` x `taps` weights: sums over images and rows of g times the image.
template <class T>
struct DirectWeights {
  const T* g;  // (images, outputs, depth * height, pitch), of the first output channel
  const T* x;
  const int64_t* offsets;            // of each tap
  int64_t images, g_image, x_image;  // distances between images
  int64_t g_step;                    // between output channels
  int64_t depth, height, width, pitch;
  int64_t x_depth, x_height;  // distances in x between rows of outputs
  int64_t block, taps;        // any numbers: cut into tiles inside
  T* dw;                      // (block, taps), rows dw_step apart: written
  int64_t dw_step;
};

inline constexpr int64_t kDirectSlack = 16;
inline constexpr int64_t kDirectBlock = 6;  // the largest block of DirectRow

#define DECLARE(isa)                                                  \
  namespace isa {                                                     \
  int64_t direct_block(int64_t outputs, int64_t width, int64_t item); \
  void direct_row(const DirectRow<float>& r);                         \
  void direct_row(const DirectRow<double>& r);                        \
  void direct_weights(const DirectWeights<float>& w);                 \
  void direct_weights(const DirectWeights<double>& w);                \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE

}  // namespace lampas
