// A product of matrices whose left factor is read where it lies: what convolutions and their
// gradients are. And the transposition that turns its results into planes of channels.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

// c[places[i]] = start + sum over k of a[rows[i] + steps[k]] * b[k], for i < count: rows of `width`
// elements of b, c and start.
template <class T>
struct GatheredProduct {
  const T* a;
  const int64_t* rows;   // (count)
  const int64_t* steps;  // (depth)
  int64_t count, depth;
  const T* b;             // (depth, width), aligned to a vector
  int64_t width;          // gathered_width of the instruction set, or fewer vectors
  T* c;                   // rows of `width` elements, aligned to a vector
  const int64_t* places;  // (count)
  const T* start;         // (width), aligned; null: what is in c
};

// A copy of a plane with zeros around it: element (i, j) of (rows, cols) is the source's (row + i *
// row_step, col + j * col_step) where that lies inside (in_rows, in_cols). An element is a group of
// `item` neighbours in memory.
struct PaddedPlane {
  int64_t rows, cols, row, col, row_step, col_step;
  int64_t in_rows, in_cols, item;
  int64_t pitch, item_pitch;        // of the copy: from row to row, from element to element
  int64_t in_pitch, in_item_pitch;  // of the source
};

#define DECLARE_FOR(T)                                                                     \
  void gathered_product(const GatheredProduct<T>& p);                                      \
  /* to[j * to_pitch + i] = from[i * from_pitch + j] for i < rows, j < cols */             \
  void transpose(T* to, int64_t to_pitch, const T* from, int64_t from_pitch, int64_t rows, \
                 int64_t cols);                                                            \
  void pad_plane(T* to, const T* from, const PaddedPlane& p);
#define DECLARE(isa)                                                                   \
  namespace isa {                                                                      \
  /* lanes of a vector, and the most elements of a row of b, for items of this size */ \
  int64_t gathered_lanes(int64_t item);                                                \
  int64_t gathered_width(int64_t item);                                                \
  DECLARE_FOR(float)                                                                   \
  DECLARE_FOR(double)                                                                  \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE
#undef DECLARE_FOR

}  // namespace lampas
