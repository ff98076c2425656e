// See gathered_product.h. Compiled once per instruction set. Columns of b lie in the lanes, a is
// broadcast, a tile of c stays in registers.
#include "cpu/simd/gathered_product.h"

#include <type_traits>
#include <utility>

namespace lampas::LAMPAS_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64, kVectors = 4;  // a vector; vectors of a row of b
constexpr int kRows[] = {0, 8, 8, 8, 6};  // rows of a tile, by its vectors
#elif defined(__AVX2__)
constexpr int kBytes = 32, kVectors = 2;
constexpr int kRows[] = {0, 8, 6};
#else
constexpr int kBytes = 16, kVectors = 2;
constexpr int kRows[] = {0, 8, 6};
#endif

template <class T>
struct Vector {
  using Int = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
  typedef T V __attribute__((vector_size(kBytes)));
  typedef T Unaligned __attribute__((vector_size(kBytes), aligned(sizeof(T)), may_alias));
  typedef Int Index __attribute__((vector_size(kBytes)));
  static V load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static void store(T* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
};

template <class T, int M, int N>
void tile(const GatheredProduct<T>& p, int64_t first) {
  using Vec = Vector<T>;
  using V = typename Vec::V;
  const T* row[M];
  V acc[M][N] = {};
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) row[i] = p.a + p.rows[first + i];
  const T* b = p.b;
  const int64_t *step = p.steps, *end = p.steps + p.depth;
  for (; step != end; ++step, b += N * Vec::kLanes) {
    int64_t at = *step;
    V w[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) w[n] = Vec::load(b + n * Vec::kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      T x = row[i][at];
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) acc[i][n] += x * w[n];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    T* to = p.c + p.places[first + i] * N * Vec::kLanes;
    const T* from = p.start ? p.start : to;
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      Vec::store(to + n * Vec::kLanes, Vec::load(from + n * Vec::kLanes) + acc[i][n]);
  }
}

template <class T, int N, int... Ms>
void some_rows(const GatheredProduct<T>& p, int64_t first, int64_t rows,
               std::integer_sequence<int, Ms...>) {
  ((rows == Ms + 1 ? tile<T, Ms + 1, N>(p, first) : void()), ...);
}

template <class T, int N>
void all_rows(const GatheredProduct<T>& p) {
  constexpr int kMost = kRows[N];
  int64_t tiles = (p.count + kMost - 1) / kMost;
  for (int64_t i = 0; i < tiles; ++i) {  // even shares: a tile of one row would wait for itself
    int64_t first = i * p.count / tiles, rows = (i + 1) * p.count / tiles - first;
    if (rows == kMost)
      tile<T, kMost, N>(p, first);
    else
      some_rows<T, N>(p, first, rows, std::make_integer_sequence<int, kMost - 1>());
  }
}

template <class T>
void product(const GatheredProduct<T>& p) {
  switch (p.width / Vector<T>::kLanes) {
    case 1:
      return all_rows<T, 1>(p);
    case 2:
      return all_rows<T, 2>(p);
    case 3:
      if constexpr (kVectors >= 3) return all_rows<T, 3>(p);
      return;
    default:
      if constexpr (kVectors >= 4) return all_rows<T, 4>(p);
  }
}

// --- transposition by rounds of interleaving: after log2(lanes) of them rows are columns ---

template <class T, int... Ls>
constexpr typename Vector<T>::Index interleaving(int from, std::integer_sequence<int, Ls...>) {
  return typename Vector<T>::Index{(from + Ls / 2 + (Ls % 2 ? Vector<T>::kLanes : 0))...};
}

template <class T>
void transpose_square(typename Vector<T>::V* r) {
  constexpr int L = Vector<T>::kLanes;
  using V = typename Vector<T>::V;
  constexpr auto low = interleaving<T>(0, std::make_integer_sequence<int, L>());
  constexpr auto high = interleaving<T>(L / 2, std::make_integer_sequence<int, L>());
#pragma GCC unroll 4
  for (int round = 1; round < L; round *= 2) {
    V next[L];
#pragma GCC unroll 8
    for (int i = 0; i < L / 2; ++i) {
      next[2 * i] = __builtin_shuffle(r[i], r[i + L / 2], low);
      next[2 * i + 1] = __builtin_shuffle(r[i], r[i + L / 2], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) r[i] = next[i];
  }
}

// One square, or what there is of it at an edge.
template <class T>
inline void transpose_part(T* to, int64_t to_pitch, const T* from, int64_t from_pitch, int64_t high,
                           int64_t wide) {
  using Vec = Vector<T>;
  constexpr int L = Vec::kLanes;
  typename Vec::V r[L];
  if (high == L && wide == L) {
#pragma GCC unroll 16
    for (int l = 0; l < L; ++l) r[l] = Vec::load(from + l * from_pitch);
    transpose_square<T>(r);
#pragma GCC unroll 16
    for (int l = 0; l < L; ++l) Vec::store(to + l * to_pitch, r[l]);
  } else if (high == L) {
    T part[L][L];
    for (int l = 0; l < L; ++l)
      for (int64_t k = 0; k < wide; ++k) part[l][k] = from[l * from_pitch + k];
#pragma GCC unroll 16
    for (int l = 0; l < L; ++l) r[l] = Vec::load(part[l]);
    transpose_square<T>(r);
#pragma GCC unroll 16
    for (int l = 0; l < L; ++l)
      if (l < wide) Vec::store(to + l * to_pitch, r[l]);
  } else {
    for (int64_t k = 0; k < wide; ++k)
      for (int64_t l = 0; l < high; ++l) to[k * to_pitch + l] = from[l * from_pitch + k];
  }
}

// Along the longer side, so that memory is walked through in few streams.
template <class T>
void transpose_all(T* to, int64_t to_pitch, const T* from, int64_t from_pitch, int64_t rows,
                   int64_t cols) {
  constexpr int L = Vector<T>::kLanes;
  auto part = [=](int64_t i, int64_t j) {
    transpose_part(to + j * to_pitch + i, to_pitch, from + i * from_pitch + j, from_pitch,
                   rows - i < L ? rows - i : L, cols - j < L ? cols - j : L);
  };
  if (rows > cols)
    for (int64_t j = 0; j < cols; j += L)
      for (int64_t i = 0; i < rows; i += L) part(i, j);
  else
    for (int64_t i = 0; i < rows; i += L)
      for (int64_t j = 0; j < cols; j += L) part(i, j);
}

template <class T>
void zero(T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = T(0);
}

template <class T>
void copy(T* __restrict to, const T* __restrict from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

// The places of [0, n) whose source first + i * step lies in [0, size).
struct Inside {
  int64_t begin, end;

  Inside(int64_t first, int64_t step, int64_t n, int64_t size) {
    begin = first >= 0 ? 0 : (-first + step - 1) / step;
    begin = begin < n ? begin : n;
    end = size > first ? (size - first + step - 1) / step : 0;
    end = end < n ? end : n;
    end = end > begin ? end : begin;
  }
};

template <class T>
void pad(T* __restrict to, const T* __restrict from, const PaddedPlane& p) {
  Inside high(p.row, p.row_step, p.rows, p.in_rows), wide(p.col, p.col_step, p.cols, p.in_cols);
  bool dense = p.item_pitch == p.item && p.col_step * p.in_item_pitch == p.item;
  zero(to, high.begin * p.pitch);
  for (int64_t i = high.begin; i < high.end; ++i) {
    T* __restrict row = to + i * p.pitch;
    const T* __restrict x = from + (p.row + i * p.row_step) * p.in_pitch +
                            (p.col + wide.begin * p.col_step) * p.in_item_pitch;
    zero(row, wide.begin * p.item_pitch);
    if (dense)
      copy(row + wide.begin * p.item, x, (wide.end - wide.begin) * p.item);
    else if (p.item == 1 && p.item_pitch == 1 && p.col_step * p.in_item_pitch == 2)
      for (int64_t j = 0; j < wide.end - wide.begin; ++j) (row + wide.begin)[j] = x[2 * j];
    else if (p.item == 1)
      for (int64_t j = wide.begin; j < wide.end; ++j, x += p.col_step * p.in_item_pitch)
        row[j * p.item_pitch] = *x;
    else
      for (int64_t j = wide.begin; j < wide.end; ++j, x += p.col_step * p.in_item_pitch)
        copy(row + j * p.item_pitch, x, p.item);
    zero(row + wide.end * p.item_pitch, (p.cols - wide.end) * p.item_pitch);
  }
  zero(to + high.end * p.pitch, (p.rows - high.end) * p.pitch);
}

}  // namespace

int64_t gathered_lanes(int64_t item) { return kBytes / item; }
int64_t gathered_width(int64_t item) { return kBytes / item * kVectors; }

#define DEFINE(T)                                                                          \
  void gathered_product(const GatheredProduct<T>& p) { product(p); }                       \
  void transpose(T* to, int64_t to_pitch, const T* from, int64_t from_pitch, int64_t rows, \
                 int64_t cols) {                                                           \
    transpose_all(to, to_pitch, from, from_pitch, rows, cols);                             \
  }                                                                                        \
  void pad_plane(T* to, const T* from, const PaddedPlane& p) { pad(to, from, p); }
DEFINE(float)
DEFINE(double)

}  // namespace lampas::LAMPAS_ISA
