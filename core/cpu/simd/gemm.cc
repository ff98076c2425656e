// See gemm.h. Compiled once per instruction set. Source of the scheme: K. Goto, R. van de Geijn,
// "Anatomy of High-Performance Matrix Multiplication", 2008.
#include "cpu/simd/gemm.h"

#include "cpu/simd/vectors.h"

namespace lampas::LAMPAS_ISA {

namespace {

// Accumulators, a row of b and one element of a must fit into the registers.
#if defined(__AVX512F__)
constexpr int kRows = 14, kVectors = 2;
#elif defined(__aarch64__)
constexpr int kRows = 12, kVectors = 2;
#else
constexpr int kRows = 6, kVectors = 2;
#endif

template <class T>
struct Place {
  T* c;
  int64_t ldc, last;  // last: lanes of the last vector that exist
  bool add;
  const T *row_bias, *col_bias;
  bool relu;
};

// M rows x N vectors.
template <class T, int M, int N>
void tile(int64_t depth, const T* a, const T* b, const Place<T>& p) {
  using X = Vec<T>;
  using V = typename X::V;
  V acc[M][N] = {};
  // Rows of c are often a power of two apart and have left the caches since the last stretch.
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) __builtin_prefetch(p.c + m * p.ldc + n * X::kLanes, 1);
#pragma GCC unroll 4
  for (int64_t k = 0; k < depth; ++k, a += M, b += N * X::kLanes) {
    V x[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) x[n] = X::load(b + n * X::kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      V w = X::all(a[m]);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) acc[m][n] += w * x[n];
    }
  }
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n) {
    int64_t lanes = n + 1 < N ? X::kLanes : p.last;
    V shift = p.col_bias ? X::load_first(p.col_bias + n * X::kLanes, lanes) : V{};
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
      T* c = p.c + m * p.ldc + n * X::kLanes;
      V y = acc[m][n];
      if (p.add) y = (lanes == X::kLanes ? X::load(c) : X::load_first(c, lanes)) + y;
      if (p.col_bias) y += shift;
      if (p.row_bias) y += p.row_bias[m];
      if (p.relu) y = y < T(0) ? V{} : y;
      if (lanes == X::kLanes)
        X::store(c, y);
      else
        X::store_first(c, y, lanes);
    }
  }
}

template <class T>
using Tile = void (*)(int64_t, const T*, const T*, const Place<T>&);

template <class T, int M>
constexpr Tile<T> tile_of(int64_t vectors) {
  return vectors == 1 ? tile<T, M, 1> : tile<T, M, 2>;
}

template <class T>
Tile<T> tile_of(int64_t rows, int64_t vectors) {
  switch (rows) {
#define ROWS(M) \
  case M:       \
    return tile_of<T, M>(vectors)
    ROWS(1);
    ROWS(2);
    ROWS(3);
    ROWS(4);
    ROWS(5);
    ROWS(6);
#if defined(__AVX512F__) || defined(__aarch64__)
    ROWS(7);
    ROWS(8);
    ROWS(9);
    ROWS(10);
    ROWS(11);
    ROWS(12);
#endif
#if defined(__AVX512F__)
    ROWS(13);
    ROWS(14);
#endif
#undef ROWS
  }
  return nullptr;
}

template <class T>
void block_of(const GemmBlock<T>& g) {
  constexpr int64_t lanes = Vec<T>::kLanes, width = lanes * kVectors;
  int64_t whole = g.rows / g.height * g.height, rest = g.rows - whole;
  for (int64_t col = 0; col < g.cols; col += width) {
    int64_t left = g.cols - col < width ? g.cols - col : width,
            vectors = (left + lanes - 1) / lanes;
    const T* b = g.b + col * g.depth;
    Place<T> p{g.c + col, g.ldc,          left - (vectors - 1) * lanes,
               g.end.add, g.end.row_bias, g.end.col_bias ? g.end.col_bias + col : nullptr,
               g.end.relu};
    Tile<T> full = tile_of<T>(g.height, vectors);
    int64_t row = 0;
    auto run = [&](Tile<T> f, int64_t rows) {
      f(g.depth, g.a + row * g.depth, b, p);
      p.c += rows * g.ldc;
      if (p.row_bias) p.row_bias += rows;
    };
    for (; row < whole; row += g.height) run(full, g.height);
    if (rest) run(tile_of<T>(rest, vectors), rest);
  }
}

// x: `rows` lines of `depth` neighbouring elements; to[k * to_step + r] = x[r * step + k] for r
// below `rows`, at most a vector; zeros up to `width`.
template <class T>
void turn(const T* x, int64_t step, int64_t rows, int64_t depth, T* to, int64_t to_step,
          int64_t width, int64_t ahead) {
  using X = Vec<T>;
  constexpr int64_t lanes = X::kLanes;
  for (int64_t k = 0; k < depth; k += lanes) {
    int64_t count = depth - k < lanes ? depth - k : lanes;
    // The panel after this one, which is packed when this one's product is done.
#pragma GCC unroll 16
    for (int r = 0; r < lanes; ++r) __builtin_prefetch(x + (r + ahead) * step + k, 0, 2);
    typename X::V v[lanes];
    if (count == lanes && rows == lanes) {
#pragma GCC unroll 16
      for (int r = 0; r < lanes; ++r) v[r] = X::load(x + r * step + k);
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < lanes; ++r)
        v[r] = r < rows ? X::load_first(x + r * step + k, count) : typename X::V{};
    }
    X::transpose(v);
    T* line = to + k * to_step;
    if (count == lanes && width == lanes) {
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) X::store(line + i * to_step, v[i]);
    } else {
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i)
        if (i < count) X::store_first(line + i * to_step, v[i], width);
    }
  }
}

// to[k * to_step + r] = x[k * step + r] for r below `rows`, zeros up to `width`.
template <class T>
void lines(const T* x, int64_t step, int64_t rows, int64_t depth, T* to, int64_t to_step,
           int64_t width) {
  using X = Vec<T>;
  constexpr int64_t lanes = X::kLanes;
  int64_t whole = rows / lanes * lanes;
  for (int64_t k = 0; k < depth; ++k, x += step, to += to_step) {
    for (int64_t r = 0; r < whole; r += lanes) X::store(to + r, X::load(x + r));
    if (whole < width)
      X::store_first(to + whole, X::load_first(x + whole, rows - whole), width - whole);
  }
}

template <class T>
void singly(const T* x, int64_t row_step, int64_t step, int64_t rows, int64_t depth, T* to,
            int64_t to_step, int64_t width) {
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t r = 0; r < rows; ++r) to[k * to_step + r] = x[r * row_step + k * step];
    for (int64_t r = rows; r < width; ++r) to[k * to_step + r] = T(0);
  }
}

// One panel: `rows` of x become the fast dimension, `width` elements wide.
template <class T>
void panel(const T* x, int64_t row_step, int64_t depth_step, int64_t rows, int64_t depth,
           int64_t width, T* to) {
  constexpr int64_t lanes = Vec<T>::kLanes;
  if (row_step == 1) return lines(x, depth_step, rows, depth, to, width, width);
  if (depth_step != 1) return singly(x, row_step, depth_step, rows, depth, to, width, width);
  for (int64_t r = 0; r < width; r += lanes) {
    int64_t left = rows - r, wide = width - r;
    turn(x + r * row_step, row_step, left < lanes ? left : lanes, depth, to + r, width,
         wide < lanes ? wide : lanes, width);
  }
}

template <class T>
void pack_left(const T* x, int64_t row_step, int64_t col_step, int64_t rows, int64_t depth,
               int64_t height, T* panels) {
  if (row_step == 1) {  // line by line through all panels: lines are often a power of two apart
    constexpr int64_t kAhead = 12;  // lines; too far apart for the processor to see them coming
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t row = 0; row < rows; row += height) {
        int64_t count = rows - row < height ? rows - row : height;
        const T* line = x + k * col_step + row;
        __builtin_prefetch(line + kAhead * col_step);
        lines(line, 0, count, 1, panels + row * depth + k * count, 0, count);
      }
    return;
  }
  for (int64_t row = 0; row < rows; row += height) {
    int64_t count = rows - row < height ? rows - row : height;
    panel(x + row * row_step, row_step, col_step, count, depth, count, panels + row * depth);
  }
}

template <class T>
void pack_right(const T* x, int64_t row_step, int64_t col_step, int64_t depth, int64_t cols,
                T* panels) {
  constexpr int64_t lanes = Vec<T>::kLanes, width = lanes * kVectors;
  for (int64_t col = 0; col < cols; col += width) {
    int64_t count = cols - col < width ? cols - col : width,
            wide = (count + lanes - 1) / lanes * lanes;
    panel(x + col * col_step, col_step, row_step, count, depth, wide, panels + col * depth);
  }
}

}  // namespace

GemmTile gemm_tile(int64_t item) {
  int64_t lanes = kVectorBytes / item;
  return {kRows, lanes * kVectors, lanes};
}

#define KINDS(T)                                                                                   \
  void gemm_block(const GemmBlock<T>& block) { block_of(block); }                                  \
  void gemm_pack_left(const T* x, int64_t row_step, int64_t col_step, int64_t rows, int64_t depth, \
                      int64_t height, T* panels) {                                                 \
    pack_left(x, row_step, col_step, rows, depth, height, panels);                                 \
  }                                                                                                \
  void gemm_pack_right(const T* x, int64_t row_step, int64_t col_step, int64_t depth,              \
                       int64_t cols, T* panels) {                                                  \
    pack_right(x, row_step, col_step, depth, cols, panels);                                        \
  }
KINDS(float)
KINDS(double)
#undef KINDS

}  // namespace lampas::LAMPAS_ISA
