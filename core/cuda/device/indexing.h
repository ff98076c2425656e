// x[i, :, j] read and written: rows in the widest words that fit, or element by element. Elements
// that are combined with what is there are in scatter.h.
#pragma once
#include "cuda/device/failures.h"
#include "cuda/device/walk.h"

namespace lampas::device {

// Rows of `words` words; `lanes` threads (a power of two) copy one. Strides and steps are in words,
// offsets in elements.
struct RowArguments {
  void *x, *y;
  Indices index;
  int64_t n, rows;  // positions; n times the dimensions outside
  int64_t words, y_step, lanes;
  int64_t shift;    // a word holds 1 << shift elements
  Walk<2> outside;  // x, y
};
template <class Word, class Index, bool put>
inline void move_rows(const RowArguments& a) {
  unsigned lanes = static_cast<unsigned>(a.lanes), lane = threadIdx.x & (lanes - 1);
  unsigned rows_of_block = blockDim.x / lanes;
  int64_t step = static_cast<int64_t>(gridDim.x) * rows_of_block;
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * rows_of_block + threadIdx.x / lanes;
       r < a.rows; r += step) {
    Index n = static_cast<Index>(a.n), o = static_cast<Index>(r) / n,
          k = static_cast<Index>(r) - o * n;
    int64_t at[2];
    place<Index>(a.outside, o, at);
    int64_t offset = offset_of(a.index, a.index.at[k]);
    Word* x = static_cast<Word*>(a.x) + at[0] + (offset >> a.shift);
    Word* y = static_cast<Word*>(a.y) + at[1] + static_cast<int64_t>(k) * a.y_step;
    if (offset < 0) {
      if constexpr (!put)
        for (int64_t j = lane; j < a.words; j += lanes) y[j] = Word{};
      continue;
    }
    Word* from = put ? y : x;
    Word* to = put ? x : y;
    int64_t j = lane;
    for (; j + 3 * lanes < a.words; j += 4 * lanes) {  // four loads under way at once
      Word w[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) w[i] = from[j + i * lanes];
#pragma unroll
      for (int i = 0; i < 4; ++i) to[j + i * lanes] = w[i];
    }
    for (; j < a.words; j += lanes) to[j] = from[j];
  }
}

struct ElementArguments {
  void *x, *y;
  Indices index;
  int64_t n;
  Walk<3> walk;  // x, y, position
};
template <class Word, class Index, bool put>
inline void move_elements(const ElementArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t at[3];
    place<Index>(a.walk, static_cast<Index>(i), at);
    int64_t offset = offset_of(a.index, a.index.at[at[2]]);
    Word* y = static_cast<Word*>(a.y) + at[1];
    Word* x = static_cast<Word*>(a.x) + at[0] + offset;
    if constexpr (put) {
      if (offset >= 0) *x = *y;
    } else {
      *y = offset >= 0 ? *x : Word{};
    }
  }
}

struct OffsetArguments {
  int64_t* offsets;
  Indices index;
  int64_t n, accumulate;
  Walk<1> walk;  // of the index tensor
  Walk<1> x;     // linear offsets only: the indexed tensor
};
// offsets[k] (+)= where index[k] leads; -1 when that, or what it was added to, is nowhere.
template <class Index>
inline void index_offsets(const OffsetArguments& a) {
  for (int64_t k = first_of_grid(); k < a.n; k += step_of_grid()) {
    int64_t at[1];
    place<Index>(a.walk, static_cast<Index>(k), at);
    int64_t offset = offset_of(a.index, a.index.at[at[0]]);
    if (a.accumulate && offset >= 0) offset = a.offsets[k] < 0 ? -1 : a.offsets[k] + offset;
    a.offsets[k] = offset;
  }
}
inline void linear_offsets(const OffsetArguments& a) {
  for (int64_t k = first_of_grid(); k < a.n; k += step_of_grid()) {
    int64_t at[1], offset[1];
    place<uint64_t>(a.walk, static_cast<uint64_t>(k), at);
    int64_t i = offset_of(a.index, a.index.at[at[0]]);
    place<uint64_t>(a.x, static_cast<uint64_t>(i < 0 ? 0 : i), offset);
    a.offsets[k] = i < 0 ? -1 : offset[0];
  }
}

struct CountArguments {
  unsigned long long* counts;
  Indices index;
  int64_t n;
  Walk<1> walk;
};
inline void count_index(const CountArguments& a) {
  for (int64_t k = first_of_grid(); k < a.n; k += step_of_grid()) {
    int64_t at[1];
    place<uint64_t>(a.walk, static_cast<uint64_t>(k), at);
    int64_t i = a.index.at[at[0]];
    if (i >= 0 && i < a.index.report.size) atomicAdd(a.counts + i, 1ull);
  }
}

}  // namespace lampas::device
