// See pooling.h. Compiled once per instruction set.
#include "cpu/simd/pooling.h"

#include "cpu/simd/vectors.h"

#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

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

// b joins the maxima a. The first of equal ones stays, and a NaN, unless another one comes.
template <class T>
inline bool replaces(T b, T a) {
  return (b > a) | (b != b);
}

constexpr int64_t kGroup = 16;

// body(i) for i < n, a multiple of kGroup.
template <class F>
inline void each_group(int64_t n, F&& body) {
  for (int64_t begin = 0; begin < n; begin += kGroup)
    for (int64_t l = 0; l < kGroup; ++l) body(begin + l);
}

// best[i] joined by x[i], for i < n, a multiple of kGroup; where wanted places[i] by from[i] +
// shift. In vectors by hand: compilers make none of the loops.
template <class T, bool Indexed>
inline void join(int64_t n, T* best, const T* x, int32_t* places, const int32_t* from,
                 int32_t shift) {
  if constexpr (Indexed && sizeof(T) != sizeof(int32_t)) {
    for (int64_t i = 0; i < n; ++i) {
      bool more = replaces(x[i], best[i]);
      best[i] = more ? x[i] : best[i];
      places[i] = more ? from[i] + shift : places[i];
    }
  } else {
    using X = Vec<T>;
    for (int64_t i = 0; i < n; i += X::kLanes) {
      typename X::V b = X::load(best + i), v = X::load(x + i);
      typename X::Mask more = (v > b) | (v != v);
      X::store(best + i, more ? v : b);
      if constexpr (Indexed) {
        typename X::Mask old, other;
        __builtin_memcpy(&old, places + i, sizeof old);
        __builtin_memcpy(&other, from + i, sizeof other);
        old = more ? other + shift : old;
        __builtin_memcpy(places + i, &old, sizeof old);
      }
    }
  }
}

template <class T>
inline void copy(T* to, const T* from, int64_t n) {
  using X = Vec<T>;
  for (; n >= X::kLanes; n -= X::kLanes, to += X::kLanes, from += X::kLanes)
    X::store(to, X::load(from));
  if (n > 0) X::store_first(to, X::load_first(from, n), n);
}

// Two vectors' elements of even and of odd places.
template <class T, int... L>
inline void unzip(const T* line, T* even, T* odd, std::integer_sequence<int, L...>) {
  using X = Vec<T>;
  typename X::V a = X::load(line), b = X::load(line + X::kLanes);
  X::store(even, __builtin_shufflevector(a, b, (2 * L)...));
  X::store(odd, __builtin_shufflevector(a, b, (2 * L + 1)...));
}

inline void widen(int64_t* to, const int32_t* from, int64_t n) {
  typedef int32_t Narrow __attribute__((vector_size(kVectorBytes / 2)));
  typedef int64_t Wide __attribute__((vector_size(kVectorBytes)));
  for (int64_t i = 0; i < n; i += kVectorBytes / 8) {
    Narrow x;
    __builtin_memcpy(&x, from + i, sizeof x);
    Wide y = __builtin_convertvector(x, Wide);
    __builtin_memcpy(to + i, &y, sizeof y);
  }
}

constexpr int64_t kReach = 64;                       // of a window whose row is copied first
constexpr int64_t kLine = 2 * kChunk + kReach + 64;  // elements of such a copy

// Windows that are padded or hang together, strides 1 and 2: a padded copy of what a chunk of
// outputs reads, split by the stride's remainder, has no edges and whole vectors.
inline bool copies(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  return stride <= 2 && (padding > 0 || dilation * (kernel - 1) >= stride) &&
         dilation * (kernel - 1) < kReach;
}

// Maxima of `count` outputs from `from` on, up to kChunk. Writes whole groups.
template <class T, bool Indexed>
void max_copied(T* __restrict y, int32_t* __restrict places, const T* row, int32_t base, int64_t in,
                int64_t from, int64_t count, int64_t kernel, int64_t stride, int64_t padding,
                int64_t dilation) {
  constexpr T least = -std::numeric_limits<T>::infinity();
  int64_t whole = (count + kGroup - 1) / kGroup * kGroup;
  int64_t first = from * stride - padding;  // of the row, where the copy begins
  int64_t span = (whole - 1) * stride + dilation * (kernel - 1) + 1;
  int64_t low = first < 0 ? -first : 0, high = in - first < span ? in - first : span;
  T line[kLine], split[2][kLine / 2];
  for (int64_t i = 0; i < low; ++i) line[i] = least;
  if (high > low) copy(line + low, row + first + low, high - low);
  for (int64_t i = high > low ? high : low; i < span; ++i) line[i] = least;
  if (stride == 2) {
    for (int64_t i = 0; 2 * i < span; i += Vec<T>::kLanes)
      unzip(line + 2 * i, split[0] + i, split[1] + i,
            std::make_integer_sequence<int, Vec<T>::kLanes>());
  }
  auto step32 = static_cast<int32_t>(stride);
  auto start = base + static_cast<int32_t>(first);
  int32_t begins[kChunk];
  each_group(whole, [&](int64_t i) { y[i] = least; });
  if constexpr (Indexed) {
    each_group(whole, [&](int64_t i) { begins[i] = start + static_cast<int32_t>(i) * step32; });
    each_group(whole, [&](int64_t i) { places[i] = begins[i]; });
    for (int64_t i = 0; i < count && first + i * stride < 0; ++i) {
      int64_t ahead = -(first + i * stride);
      places[i] += static_cast<int32_t>((ahead + dilation - 1) / dilation * dilation);
    }
  }
  for (int64_t k = 0; k < kernel; ++k) {
    int64_t shift = k * dilation;
    const T* __restrict x = stride == 2 ? split[shift % 2] + shift / 2 : line + shift;
    join<T, Indexed>(whole, y, x, places, begins, static_cast<int32_t>(shift));
  }
}

// Lanes 0, 1, 2, ...
template <int... L>
inline typename Vec<float>::Mask count_up(std::integer_sequence<int, L...>) {
  return typename Vec<float>::Mask{L...};
}

// Maxima of n windows of two, side by side: pairs of neighbours. Writes whole vectors.
template <class T, bool Indexed>
void max_pairs(T* __restrict y, int32_t* __restrict places, const T* row, int32_t base, int64_t n) {
  using X = Vec<T>;
  constexpr int L = X::kLanes;
  for (int64_t i = 0; i < n; i += L) {
    int64_t left = 2 * (n - i);
    alignas(kVectorBytes) T line[2 * L], even[L], odd[L];
    const T* from = row + 2 * i;
    if (left < 2 * L) {
      X::store(line, X::load_first(from, left < L ? left : L));
      X::store(line + L, X::load_first(from + L, left > L ? left - L : 0));
      from = line;
    }
    unzip(from, even, odd, std::make_integer_sequence<int, L>());
    typename X::V a = X::load(even), b = X::load(odd);
    typename X::Mask more = (b > a) | (b != b);
    X::store(y + i, more ? b : a);
    if constexpr (Indexed && sizeof(T) == sizeof(int32_t)) {
      auto place = 2 * count_up(std::make_integer_sequence<int, L>()) - more +
                   (base + 2 * static_cast<int32_t>(i));
      __builtin_memcpy(places + i, &place, sizeof place);
    } else if constexpr (Indexed) {
      for (int l = 0; l < L; ++l)
        places[i + l] = base + 2 * static_cast<int32_t>(i + l) - static_cast<int32_t>(more[l]);
    }
  }
}

// Maxima of n windows along a row: the window of output o begins at o * stride + shift. A first tap
// that every output has starts them. May write up to a group beyond them.
template <class T, bool Indexed>
void max_along(T* __restrict y, int32_t* __restrict places, const T* row, int32_t base, int64_t in,
               int64_t n, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  if (copies(kernel, stride, padding, dilation)) {
    for (int64_t from = 0; from < n; from += kChunk)
      max_copied<T, Indexed>(y + from, places + (Indexed ? from : 0), row, base, in, from,
                             n - from < kChunk ? n - from : kChunk, kernel, stride, padding,
                             dilation);
    return;
  }
  if (kernel == 2 && stride == 2 && dilation == 1 && padding == 0)
    return max_pairs<T, Indexed>(y, places, row, base, n);
  PoolRow r{nullptr, 1, in, n, kernel, stride, padding, dilation};
  bool started = padding == 0;
  if (!started)
    for (int64_t o = 0; o < n; ++o) y[o] = -std::numeric_limits<T>::infinity();
  if (!started && Indexed)
    for (int64_t o = 0; o < n; ++o) {
      int64_t first = o * stride - padding;
      if (first < 0) first += (-first + dilation - 1) / dilation * dilation;
      places[o] = base + static_cast<int32_t>(first);
    }
  with_stride(stride, [&](auto constant) {
    const int64_t step = constant() ? constant() : stride;
    const auto step32 = static_cast<int32_t>(step);
    for (int64_t k = 0; k < kernel; ++k) {
      int64_t shift = k * dilation - padding;
      Inside o = inside(r, shift, 0, n);
      const T* __restrict x = row + o.begin * step + shift;
      T* __restrict best = y + o.begin;
      int32_t here = base + static_cast<int32_t>(o.begin * step + shift);
      int64_t count = o.end - o.begin;
      if (k == 0 && started) {
        for (int64_t i = 0; i < count; ++i) best[i] = x[i * step];
        if constexpr (Indexed)
          for (int64_t i = 0; i < count; ++i) places[i] = here + static_cast<int32_t>(i) * step32;
      } else if constexpr (Indexed) {
        int32_t* __restrict place = places + o.begin;
        for (int64_t i = 0; i < count; ++i) {
          T value = x[i * step];
          bool more = replaces(value, best[i]);
          best[i] = more ? value : best[i];
          place[i] = more ? here + static_cast<int32_t>(i) * step32 : place[i];
        }
      } else {
        int64_t i = 0;
        using X = Vec<T>;
        if (step <= 2)
          for (; i + X::kLanes <= count; i += X::kLanes) {
            T values[X::kLanes];
            for (int64_t l = 0; l < X::kLanes; ++l) values[l] = x[(i + l) * step];
            typename X::V b = X::load(best + i), v = X::load(values);
            X::store(best + i, (v > b) | (v != v) ? v : b);
          }
        for (; i < count; ++i) {
          T value = x[i * step];
          best[i] = replaces(value, best[i]) ? value : best[i];
        }
      }
    }
  });
}

template <class T, bool Indexed>
void max_plane(T* y, int64_t* indices, const T* plane, const MaxPlane& p) {
  T* lines = static_cast<T*>(p.lines);
  int32_t* places = p.places;
  int64_t rows = p.in[0], n = p.out[1];
  auto along = [&](int64_t row, int64_t in, int64_t count) {
    max_along<T, Indexed>(lines + row * n, places + (Indexed ? row * n : 0), plane + row * p.in[1],
                          static_cast<int32_t>(row * p.in[1]), in, count, p.kernel[1], p.stride[1],
                          p.padding[1], p.dilation[1]);
  };
  // Windows that follow each other from row to row make one long row of the plane.
  bool flat = p.padding[1] == 0 && n * p.stride[1] == p.in[1] &&
              p.dilation[1] * (p.kernel[1] - 1) < p.stride[1];
  if (flat)
    along(0, rows * p.in[1], rows * n);
  else
    for (int64_t row = 0; row < rows; ++row) along(row, p.in[1], n);
  for (int64_t o = 0; o < p.out[0]; ++o, y += n, indices += Indexed ? n : 0) {
    int64_t first = o * p.stride[0] - p.padding[0];
    int64_t end = first + p.dilation[0] * (p.kernel[0] - 1) + 1;
    if (first < 0) first += (-first + p.dilation[0] - 1) / p.dilation[0] * p.dilation[0];
    end = end < rows ? end : rows;
    for (int64_t from = 0; from < n; from += kChunk) {
      int64_t count = n - from < kChunk ? n - from : kChunk;
      // Whole vectors, into the slack beyond a line: most lines are short.
      int64_t whole = (count + kGroup - 1) / kGroup * kGroup;
      T best[kChunk];
      int32_t chosen[kChunk];
      each_group(whole, [&, start = lines + first * n + from](int64_t i) { best[i] = start[i]; });
      if constexpr (Indexed)
        each_group(whole,
                   [&, start = places + first * n + from](int64_t i) { chosen[i] = start[i]; });
      for (int64_t row = first + p.dilation[0]; row < end; row += p.dilation[0]) {
        const T* x = lines + row * n + from;
        const int32_t* place = Indexed ? places + row * n + from : nullptr;
        join<T, Indexed>(whole, best, x, chosen, place, 0);
      }
      // Short rows as whole groups, where what lies behind belongs to rows still to come.
      bool room = n < kGroup && (p.out[0] - 1 - o) * n >= whole - count;
      copy(y + from, best, room ? whole : count);
      if constexpr (Indexed) {
        int64_t wide[kChunk];
        widen(room ? indices + from : wide, chosen, whole);
        if (!room)
          __builtin_memcpy(indices + from, wide, static_cast<std::size_t>(count) * sizeof(int64_t));
      }
    }
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
  void max_pool_plane(T* y, int64_t* indices, const T* plane, const MaxPlane& p) {   \
    if (indices)                                                                     \
      max_plane<T, true>(y, indices, plane, p);                                      \
    else                                                                             \
      max_plane<T, false>(y, nullptr, plane, p);                                     \
  }                                                                                  \
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
