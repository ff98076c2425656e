// See rnn.h. Compiled once per instruction set.
#include "cpu/simd/rnn.h"

#include "ops/math.h"

namespace lampas::LAMPAS_ISA {
namespace {

// math::sigmoid and math::tanh by exponentials of negative numbers, which need no care at the ends:
// half of the instructions. Any x; 2.5 units in the last place, but sigmoid is zero below -87.6
// (float), -708.7 (double): there the power of two has the exponent of zero.
template <class T>
LAMPAS_INLINE T least_exponent() {
  return sizeof(T) == 4 ? T(-88) : T(-709.1);
}
template <class T>
LAMPAS_INLINE T sigmoid(T x) {
  T u = -math::abs(x), low = least_exponent<T>();
  auto [r, k] = math::reduce_ln2(u < low ? low : u);
  T z = (1 + math::expm1_small(r)) * math::power_of_two<T>(k);
  return (x < 0 ? z : T(1)) / (1 + z);
}
template <class T>
LAMPAS_INLINE T tanh(T x) {
  T u = -2 * math::abs(x), low = T(-80);
  auto [r, k] = math::reduce_ln2(u < low ? low : u);
  T s = math::power_of_two<T>(k);
  T e = s * math::expm1_small(r) + (s - 1);
  return math::copysign(e / (e + 2), x);
}

// Rows ahead of the one at work, whose memory is asked for: rows lie too far apart for the
// processor to see them coming.
constexpr int64_t kAhead = 4;

template <class T>
LAMPAS_INLINE void fetch(const T* row, int64_t gates, int64_t size, int64_t count) {
  for (int64_t g = 0; g < gates; ++g)
    for (int64_t j = 0; j < count; j += 64 / static_cast<int64_t>(sizeof(T)))
      __builtin_prefetch(row + g * size + j);
}

// The loops read and write distinct memory, element by element: `ivdep` says so.
template <class T>
void lstm(const RnnGates<T>& r) {
  int64_t n = r.size;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* __restrict x = r.x + row * 4 * n, * __restrict h = r.h + row * 4 * n;
    const T* __restrict before = r.c_before + row * n;
    T* __restrict kept = r.kept + row * 4 * n, * __restrict c = r.c + row * n, * __restrict y = r.y + row * n;
    if (row + kAhead < r.rows) {
      fetch(x + kAhead * 4 * n, 4, n, r.count);
      fetch(kept + kAhead * 4 * n, 4, n, r.count);
      fetch(y + kAhead * n, 1, n, r.count);
      fetch(c + kAhead * n, 1, n, r.count);
    }
#pragma GCC ivdep
    for (int64_t j = 0; j < r.count; ++j) {
      T in = sigmoid(x[j] + h[j]), forget = sigmoid(x[n + j] + h[n + j]),
        cell = tanh(x[2 * n + j] + h[2 * n + j]), out = sigmoid(x[3 * n + j] + h[3 * n + j]);
      T now = forget * before[j] + in * cell;
      kept[j] = in;
      kept[n + j] = forget;
      kept[2 * n + j] = cell;
      kept[3 * n + j] = out;
      c[j] = now;
      y[j] = out * tanh(now);
    }
  }
}

template <class T>
void lstm_gradient(const RnnGatesGradient<T>& r) {
  int64_t n = r.size;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* __restrict kept = r.kept + row * 4 * n, * __restrict before = r.c_before + row * n;
    const T* __restrict c = r.c + row * n, * __restrict dy = r.dy ? r.dy + row * n : nullptr;
    T* __restrict dh = r.dh + row * n, * __restrict dc = r.dc + row * n, * __restrict dx = r.dx + row * 4 * n;
    if (row + kAhead < r.rows) {
      fetch(kept + kAhead * 4 * n, 4, n, r.count);
      fetch(dx + kAhead * 4 * n, 4, n, r.count);
      fetch(before + kAhead * n, 1, n, r.count);
      fetch(c + kAhead * n, 1, n, r.count);
      if (dy) fetch(dy + kAhead * n, 1, n, r.count);
    }
#pragma GCC ivdep
    for (int64_t j = 0; j < r.count; ++j) {
      T in = kept[j], forget = kept[n + j], cell = kept[2 * n + j], out = kept[3 * n + j];
      T g = dy ? dh[j] + dy[j] : dh[j], wide = tanh(c[j]);
      T through = dc[j] + g * out * (1 - wide * wide);
      dx[j] = through * cell * in * (1 - in);
      dx[n + j] = through * before[j] * forget * (1 - forget);
      dx[2 * n + j] = through * in * (1 - cell * cell);
      dx[3 * n + j] = g * wide * out * (1 - out);
      dc[j] = through * forget;
      dh[j] = 0;
    }
  }
}

template <class T>
void gru(const RnnGates<T>& r) {
  int64_t n = r.size;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* __restrict x = r.x + row * 3 * n, * __restrict h = r.h + row * 3 * n;
    const T* __restrict before = r.h_before + row * n;
    T* __restrict kept = r.kept + row * 4 * n, * __restrict y = r.y + row * n;
    if (row + kAhead < r.rows) {
      fetch(x + kAhead * 3 * n, 3, n, r.count);
      fetch(kept + kAhead * 4 * n, 4, n, r.count);
      fetch(y + kAhead * n, 1, n, r.count);
    }
#pragma GCC ivdep
    for (int64_t j = 0; j < r.count; ++j) {
      T reset = sigmoid(x[j] + h[j]), update = sigmoid(x[n + j] + h[n + j]), from_h = h[2 * n + j],
        fresh = tanh(x[2 * n + j] + reset * from_h);
      kept[j] = reset;
      kept[n + j] = update;
      kept[2 * n + j] = fresh;
      kept[3 * n + j] = from_h;
      y[j] = (before[j] - fresh) * update + fresh;
    }
  }
}

template <class T>
void gru_gradient(const RnnGatesGradient<T>& r) {
  int64_t n = r.size;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* __restrict kept = r.kept + row * 4 * n, * __restrict before = r.h_before + row * n;
    const T* __restrict dy = r.dy ? r.dy + row * n : nullptr;
    T* __restrict dh = r.dh + row * n, * __restrict dx = r.dx + row * 3 * n, * __restrict dg = r.dg + row * 3 * n;
    if (row + kAhead < r.rows) {
      fetch(kept + kAhead * 4 * n, 4, n, r.count);
      fetch(dx + kAhead * 3 * n, 3, n, r.count);
      fetch(dg + kAhead * 3 * n, 3, n, r.count);
      fetch(before + kAhead * n, 1, n, r.count);
      if (dy) fetch(dy + kAhead * n, 1, n, r.count);
    }
#pragma GCC ivdep
    for (int64_t j = 0; j < r.count; ++j) {
      T reset = kept[j], update = kept[n + j], fresh = kept[2 * n + j], from_h = kept[3 * n + j];
      T g = dy ? dh[j] + dy[j] : dh[j];
      T d_fresh = g * (1 - update) * (1 - fresh * fresh);
      T d_update = g * (before[j] - fresh) * update * (1 - update);
      T d_reset = d_fresh * from_h * reset * (1 - reset);
      dx[j] = d_reset;
      dx[n + j] = d_update;
      dx[2 * n + j] = d_fresh;
      dg[j] = d_reset;
      dg[n + j] = d_update;
      dg[2 * n + j] = d_fresh * reset;
      dh[j] = g * update;
    }
  }
}

template <class T>
void simple(const RnnGates<T>& r) {
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* __restrict x = r.x + row * r.size, * __restrict h = r.h + row * r.size;
    T* __restrict y = r.y + row * r.size;
    if (r.cell == RnnCell::Tanh)
      for (int64_t j = 0; j < r.count; ++j) y[j] = tanh(x[j] + h[j]);
    else
      for (int64_t j = 0; j < r.count; ++j) {
        T sum = x[j] + h[j];
        y[j] = sum < 0 ? T(0) : sum;
      }
  }
}

template <class T>
void simple_gradient(const RnnGatesGradient<T>& r) {
  bool is_tanh = r.cell == RnnCell::Tanh;
  for (int64_t row = 0; row < r.rows; ++row) {
    const T* __restrict y = r.y + row * r.size, * __restrict dy =
                                                    r.dy ? r.dy + row * r.size : nullptr;
    T* __restrict dh = r.dh + row * r.size, * __restrict dx = r.dx + row * r.size;
    for (int64_t j = 0; j < r.count; ++j) {
      T g = dy ? dh[j] + dy[j] : dh[j];
      T kept = y[j] > 0 ? g : T(0);
      dx[j] = is_tanh ? g * (1 - y[j] * y[j]) : kept;
      dh[j] = 0;
    }
  }
}

template <class T>
void gates(const RnnGates<T>& r) {
  r.cell == RnnCell::Lstm ? lstm(r) : r.cell == RnnCell::Gru ? gru(r) : simple(r);
}

template <class T>
void gates_gradient(const RnnGatesGradient<T>& r) {
  r.cell == RnnCell::Lstm  ? lstm_gradient(r)
  : r.cell == RnnCell::Gru ? gru_gradient(r)
                           : simple_gradient(r);
}

}  // namespace

void rnn_gates(const RnnGates<float>& r) { gates(r); }
void rnn_gates(const RnnGates<double>& r) { gates(r); }
void rnn_gates_gradient(const RnnGatesGradient<float>& r) { gates_gradient(r); }
void rnn_gates_gradient(const RnnGatesGradient<double>& r) { gates_gradient(r); }

}  // namespace lampas::LAMPAS_ISA
