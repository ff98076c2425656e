// See gemv.h. Compiled once per instruction set.
#include "cpu/simd/gemv.h"

#include "cpu/simd/vectors.h"

namespace lampas::LAMPAS_ISA {

namespace {

// y += R rows of b, each times its factor; the first time y is not read.
template <class T, int R>
void add_rows(const T* x, const T* b, int64_t step, int64_t cols, T* y, bool add) {
  using X = Vec<T>;
  typename X::V w[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) w[r] = X::all(x[r]);
  int64_t j = 0, whole = cols / X::kLanes * X::kLanes;
#pragma GCC unroll 2
  for (; j < whole; j += X::kLanes) {
    typename X::V sum = add ? X::load(y + j) : typename X::V{};
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum += w[r] * X::load(b + r * step + j);
    X::store(y + j, sum);
  }
  if (int64_t left = cols - j; left > 0) {
    typename X::V sum = add ? X::load_first(y + j, left) : typename X::V{};
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) sum += w[r] * X::load_first(b + r * step + j, left);
    X::store_first(y + j, sum, left);
  }
}

template <class T>
void rows_of(const T* x, const T* b, int64_t step, int64_t depth, int64_t cols, T* y, bool add) {
  int64_t k = 0;
  for (; k + 8 <= depth; k += 8, add = true)
    add_rows<T, 8>(x + k, b + k * step, step, cols, y, add);
  for (; k < depth; ++k, add = true) add_rows<T, 1>(x + k, b + k * step, step, cols, y, add);
}

// R dot products side by side, each in two chains.
template <class T, int R>
void dots(const T* x, const T* b, int64_t step, int64_t depth, T* y, int64_t y_step, bool add) {
  using X = Vec<T>;
  constexpr int64_t lanes = X::kLanes;
  typename X::V even[R] = {}, odd[R] = {};
  int64_t k = 0;
  for (; k + 2 * lanes <= depth; k += 2 * lanes) {
    typename X::V low = X::load(x + k), high = X::load(x + k + lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      even[r] += low * X::load(b + r * step + k);
      odd[r] += high * X::load(b + r * step + k + lanes);
    }
  }
  for (; k < depth; k += lanes) {
    int64_t left = depth - k < lanes ? depth - k : lanes;
    typename X::V low = X::load_first(x + k, left);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) even[r] += low * X::load_first(b + r * step + k, left);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    T sum = X::sum(even[r] + odd[r]);
    y[r * y_step] = add ? y[r * y_step] + sum : sum;
  }
}

template <class T>
void dots_of(const T* x, const T* b, int64_t step, int64_t depth, int64_t count, T* y,
             int64_t y_step, bool add) {
  int64_t j = 0;
  for (; j + 4 <= count; j += 4)
    dots<T, 4>(x, b + j * step, step, depth, y + j * y_step, y_step, add);
  for (; j < count; ++j) dots<T, 1>(x, b + j * step, step, depth, y + j * y_step, y_step, add);
}

}  // namespace

#define KINDS(T)                                                                           \
  void gemv_rows(const T* x, const T* b, int64_t step, int64_t depth, int64_t cols, T* y,  \
                 bool add) {                                                               \
    rows_of(x, b, step, depth, cols, y, add);                                              \
  }                                                                                        \
  void gemv_dots(const T* x, const T* b, int64_t step, int64_t depth, int64_t count, T* y, \
                 int64_t y_step, bool add) {                                               \
    dots_of(x, b, step, depth, count, y, y_step, add);                                     \
  }
KINDS(float)
KINDS(double)
#undef KINDS

}  // namespace lampas::LAMPAS_ISA
