// See pooling.h. Compiled once per instruction set.
#include "cpu/simd/pooling.h"

#include <limits>
#include <type_traits>

namespace lampas::LAMPAS_ISA {

namespace {

constexpr int64_t kChunk = 64;  // outputs held at a time
template <class T>
using Place = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

// The outputs of [from, to) whose tap, at o * stride + shift, lies in the line.
struct Inside {
  int64_t begin, end;
};
inline Inside inside(const PoolRow& r, int64_t shift, int64_t from, int64_t to) {
  int64_t begin = shift >= 0 ? 0 : (-shift + r.stride - 1) / r.stride;
  int64_t end = shift >= r.in ? 0 : (r.in - shift + r.stride - 1) / r.stride;
  begin = begin > from ? begin : from;
  end = end < to ? end : to;
  return {begin, end > begin ? end : begin};
}

// body(constant stride or 0) with the strides that are worth loops of their own.
template <class F>
inline void with_stride(int64_t stride, F&& body) {
  if (stride == 1)
    body(std::integral_constant<int64_t, 1>{});
  else if (stride == 2)
    body(std::integral_constant<int64_t, 2>{});
  else
    body(std::integral_constant<int64_t, 0>{});
}

// body(place in the plane, first output, number of outputs), outputs from `from` on, for every tap.
template <class F>
inline void each_tap(const PoolRow& r, int64_t from, int64_t to, F&& body) {
  for (int64_t l = 0; l < r.count; ++l)
    for (int64_t k = 0; k < r.kernel; ++k) {
      int64_t shift = k * r.dilation - r.padding;
      Inside o = inside(r, shift, from, to);
      if (o.begin < o.end)
        body(r.lines[l] + o.begin * r.stride + shift, o.begin - from, o.end - o.begin);
    }
}

template <class T, bool Indexed>
void max_chunk(T* y, int64_t* indices, const T* plane, const PoolRow& r, int64_t from, int64_t to) {
  T best[kChunk];
  Place<T> place[kChunk];
  for (int64_t i = 0; i < kChunk; ++i) best[i] = -std::numeric_limits<T>::infinity();
  if constexpr (Indexed)
    for (int64_t o = from; o < to; ++o) {
      int64_t first = o * r.stride - r.padding;
      if (first < 0) first += (-first + r.dilation - 1) / r.dilation * r.dilation;
      place[o - from] = static_cast<Place<T>>(r.lines[0] + first);
    }
  with_stride(r.stride, [&](auto constant) {
    const int64_t step = constant() ? constant() : r.stride;
    each_tap(r, from, to, [&](int64_t at, int64_t begin, int64_t n) {
      const T* __restrict x = plane + at;
      T* __restrict b = best + begin;
      if constexpr (Indexed) {
        Place<T>* __restrict p = place + begin;
        Place<T> here = static_cast<Place<T>>(at), stride = static_cast<Place<T>>(step);
        for (int64_t i = 0; i < n; ++i) {
          T value = x[i * step];
          bool more = (value > b[i]) | (value != value);  // a NaN stays, unless another one comes
          b[i] = more ? value : b[i];
          p[i] = more ? static_cast<Place<T>>(here + static_cast<Place<T>>(i) * stride) : p[i];
        }
      } else {
        for (int64_t i = 0; i < n; ++i) {
          T value = x[i * step];
          bool more = (value > b[i]) | (value != value);
          b[i] = more ? value : b[i];
        }
      }
    });
  });
  for (int64_t o = from; o < to; ++o) y[o] = best[o - from];
  if constexpr (Indexed)
    for (int64_t o = from; o < to; ++o) indices[o] = place[o - from];
}

template <class T>
void max_row(T* y, int64_t* indices, const T* plane, const PoolRow& r) {
  for (int64_t from = 0; from < r.out; from += kChunk) {
    int64_t to = from + kChunk < r.out ? from + kChunk : r.out;
    if (indices)
      max_chunk<T, true>(y, indices, plane, r, from, to);
    else
      max_chunk<T, false>(y, nullptr, plane, r, from, to);
  }
}

template <class T>
void average_row(T* y, const T* plane, const T* divisors, const PoolRow& r) {
  for (int64_t from = 0; from < r.out; from += kChunk) {
    int64_t to = from + kChunk < r.out ? from + kChunk : r.out;
    T sums[kChunk] = {};
    with_stride(r.stride, [&](auto constant) {
      const int64_t step = constant() ? constant() : r.stride;
      each_tap(r, from, to, [&](int64_t at, int64_t begin, int64_t n) {
        const T* __restrict x = plane + at;
        T* __restrict s = sums + begin;
        for (int64_t i = 0; i < n; ++i) s[i] += x[i * step];
      });
    });
    for (int64_t o = from; o < to; ++o)
      y[o] = divisors[o] != 0 ? sums[o - from] / divisors[o] : T(0);
  }
}

template <class T>
void spread_row(T* plane, const T* g, const T* divisors, const PoolRow& r) {
  for (int64_t from = 0; from < r.out; from += kChunk) {
    int64_t to = from + kChunk < r.out ? from + kChunk : r.out;
    T shares[kChunk];
    for (int64_t o = from; o < to; ++o)
      shares[o - from] = divisors[o] != 0 ? g[o] / divisors[o] : T(0);
    with_stride(r.stride, [&](auto constant) {
      const int64_t step = constant() ? constant() : r.stride;
      each_tap(r, from, to, [&](int64_t at, int64_t begin, int64_t n) {
        T* __restrict x = plane + at;
        const T* __restrict s = shares + begin;
        for (int64_t i = 0; i < n; ++i) x[i * step] += s[i];
      });
    });
  }
}

}  // namespace

#define DEFINE(T)                                                                    \
  void max_pool_row(T* y, int64_t* indices, const T* plane, const PoolRow& r) {      \
    max_row(y, indices, plane, r);                                                   \
  }                                                                                  \
  void average_pool_row(T* y, const T* plane, const T* divisors, const PoolRow& r) { \
    average_row(y, plane, divisors, r);                                              \
  }                                                                                  \
  void spread_pool_row(T* plane, const T* g, const T* divisors, const PoolRow& r) {  \
    spread_row(plane, g, divisors, r);                                               \
  }
DEFINE(float)
DEFINE(double)

}  // namespace lampas::LAMPAS_ISA
