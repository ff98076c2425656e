// See single_tap.h. Compiled once per instruction set.
#include "cpu/simd/single_tap.h"

#include "cpu/simd/gemm.h"
#include "cpu/simd/vectors.h"

namespace lampas::LAMPAS_ISA {

namespace {

template <class T>
void spread(const T* line, int64_t cols, int64_t k, int64_t depth, T* panels) {
  using X = Vec<T>;
  constexpr int64_t lanes = X::kLanes;
  const int64_t width = gemm_tile(sizeof(T)).cols;
  for (int64_t col = 0; col < cols; col += width) {
    int64_t count = cols - col < width ? cols - col : width,
            wide = (count + lanes - 1) / lanes * lanes;
    const T* from = line + col;
    T* to = panels + col * depth + k * wide;
    for (; count >= lanes; count -= lanes, from += lanes, to += lanes) X::store(to, X::load(from));
    if (count) X::store(to, X::load_first(from, count));
  }
}

template <class T>
void pick(const T* from, int64_t step, int64_t count, T* to) {
  if (step == 2)
    for (int64_t i = 0; i < count; ++i) to[i] = from[2 * i];
  else
    for (int64_t i = 0; i < count; ++i) to[i] = from[i * step];
}

template <class T>
void place(const T* __restrict from, int64_t count, int64_t step, T rest, int64_t total,
           T* __restrict to) {
  if (count == 0) return;
  int64_t whole = count - 1;  // the last one may have fewer places behind it
  if (step == 2) {
    for (int64_t i = 0; i < whole; ++i) {
      to[2 * i] = from[i];
      to[2 * i + 1] = rest;
    }
  } else {
    for (int64_t i = 0; i < whole; ++i) {
      to[i * step] = from[i];
      for (int64_t j = 1; j < step; ++j) to[i * step + j] = rest;
    }
  }
  to[whole * step] = from[whole];
  for (int64_t i = whole * step + 1; i < total; ++i) to[i] = rest;
}

}  // namespace

#define KINDS(T)                                                                              \
  void spread_line(const T* line, int64_t cols, int64_t k, int64_t depth, T* panels) {        \
    spread(line, cols, k, depth, panels);                                                     \
  }                                                                                           \
  void pick_line(const T* from, int64_t step, int64_t count, T* to) {                         \
    pick(from, step, count, to);                                                              \
  }                                                                                           \
  void place_line(const T* from, int64_t count, int64_t step, T rest, int64_t total, T* to) { \
    place(from, count, step, rest, total, to);                                                \
  }
KINDS(float)
KINDS(double)
#undef KINDS

}  // namespace lampas::LAMPAS_ISA
