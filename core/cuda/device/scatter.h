// gather, scatter, and elements taken into others: one index per element, or one per row
// (index_put).
#pragma once
#include "cuda/device/combine.h"
#include "cuda/device/failures.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct ScatterArguments {
  void *x, *y;  // indexed; the other one
  Indices index;
  int64_t n;
  Walk<3> walk;  // x, y, index
};

template <class Word, class Index>
inline void gather(const ScatterArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t at[3];
    place<Index>(a.walk, static_cast<Index>(i), at);
    int64_t offset = offset_of(a.index, a.index.at[at[2]]);
    static_cast<Word*>(a.y)[at[1]] =
        offset < 0 ? Word{} : static_cast<const Word*>(a.x)[at[0] + offset];
  }
}
template <class Word, class Index>
inline void scatter(const ScatterArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t at[3];
    place<Index>(a.walk, static_cast<Index>(i), at);
    int64_t offset = offset_of(a.index, a.index.at[at[2]]);
    if (offset >= 0) static_cast<Word*>(a.x)[at[0] + offset] = static_cast<const Word*>(a.y)[at[1]];
  }
}
template <class T, class Op, class Index>
inline void scatter_combine(const ScatterArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t at[3];
    place<Index>(a.walk, static_cast<Index>(i), at);
    int64_t offset = offset_of(a.index, a.index.at[at[2]]);
    if (offset >= 0)
      atomic_combine<Op>(static_cast<T*>(a.x) + at[0] + offset, static_cast<const T*>(a.y)[at[1]]);
  }
}

template <class T, class Index>
inline void add_strided(const ScatterArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    int64_t at[3];
    place<Index>(a.walk, static_cast<Index>(i), at);
    atomic_add(static_cast<T*>(a.x) + at[0], static_cast<const T*>(a.y)[at[1]]);
  }
}

}  // namespace lampas::device
