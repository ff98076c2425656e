// The loops of pointwise kernels. A program (cuda/pointwise_text.cc) adds the formula, the types
// and the layout: contiguous (16-byte accesses) or strided (an offset calculated for each operand).
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

inline constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double Inf = std::numeric_limits<double>::infinity();

// A Python number, in whichever form the lane wants it.
struct Number {
  double re, im;
  int64_t whole;
};
template <class T>
inline T number_as(const Number& x) {
  if constexpr (is_complex<T>)
    return {static_cast<decltype(T{}.re)>(x.re), static_cast<decltype(T{}.re)>(x.im)};
  else if constexpr (is_float_lane<T>)
    return static_cast<T>(x.re);
  else if constexpr (std::is_same_v<T, bool>)
    return x.whole != 0;
  else
    return static_cast<T>(x.whole);
}

// Mirrored by cuda/pointwise.h. The written operand comes first.
constexpr int kOperands = 6, kParams = 6, kRank = 12;
struct PointwiseArguments {
  void* data[kOperands];  // null for a number
  Number numbers[kOperands];
  Number params[kParams];
  int64_t n;
  int64_t sizes[kRank];               // innermost first; strided only
  int64_t strides[kOperands][kRank];  // in bytes
  int32_t rank;
};

struct FromNumber {};  // the type in memory of an operand that is a number

template <class T>
inline T plain(Lane<T, true> x) {
  return x.v;
}
inline bool plain(bool x) { return x; }
inline double plain(double x) { return x; }
inline int plain(int x) { return x; }

template <class Lane_, class Stored>
inline Lane_ as_lane(Stored x) {
  if constexpr (std::is_same_v<Lane_, bool>)
    return convert<bool>(x);
  else
    return Lane_(convert<decltype(Lane_{}.v)>(x));
}
template <class Lane_>
inline Lane_ lane_of_number(const Number& x) {
  if constexpr (std::is_same_v<Lane_, bool>)
    return x.re != 0 || x.im != 0 || x.whole != 0;
  else
    return Lane_(number_as<decltype(Lane_{}.v)>(x));
}

// `count` neighbours, read and written as one access of up to 16 bytes.
template <class T, int count>
struct alignas(sizeof(T) * count > 16 ? 16 : sizeof(T) * count) Pack {
  T v[count];
};

// Operand i, of type Stored in memory and Lane_ in the formula.
template <int i, class Stored, class Lane_>
struct In {
  static constexpr int operand = i;
  static constexpr bool is_number = std::is_same_v<Stored, FromNumber>;
  template <int count>
  struct Vector {
    Pack<std::conditional_t<is_number, uint8_t, Stored>, count> pack;
  };
  template <int count>
  static inline void load(const PointwiseArguments& a, int64_t at, Vector<count>& to) {
    if constexpr (!is_number)
      to.pack =
          *reinterpret_cast<const decltype(to.pack)*>(static_cast<const Stored*>(a.data[i]) + at);
  }
  template <int count>
  static inline Lane_ get(const PointwiseArguments& a, const Vector<count>& from, int k) {
    if constexpr (is_number)
      return lane_of_number<Lane_>(a.numbers[i]);
    else
      return as_lane<Lane_>(from.pack.v[k]);
  }
  static inline Lane_ get_strided(const PointwiseArguments& a, int64_t offset) {
    if constexpr (is_number)
      return lane_of_number<Lane_>(a.numbers[i]);
    else
      return as_lane<Lane_>(
          *reinterpret_cast<const Stored*>(static_cast<const char*>(a.data[i]) + offset));
  }
};

// x^e, where a product or quotient does by that: what PyTorch computes, and the CPU's kernel.
template <class V>
inline V power(V x, V e) {
  if (e == 2) return x * x;
  if (e == 3) return x * x * x;
  if constexpr (!is_integer_lane<decltype(V{}.v)>) {
    if (e == 0.5) return sqrt(x);
    if (e == -0.5) return 1 / sqrt(x);
    if (e == -1) return 1 / x;
    if (e == -2) return 1 / (x * x);
  }
  return pow(x, e);
}

template <class Formula, class V>
struct Params {
  V values[Formula::numbers + 1];
  inline Params(const PointwiseArguments& a) {
    for (int i = 0; i < Formula::numbers; ++i)
      values[i] = V(number_as<decltype(V{}.v)>(a.params[i]));
  }
};

// What the formula gives, as the written element. A derivative may be a plain number.
template <class Out, class V, class R>
inline Out stored(R r) {
  if constexpr (std::is_same_v<R, int> || std::is_same_v<R, double>)
    return convert<Out>(V(r).v);
  else
    return convert<Out>(plain(r));
}

template <class Formula, class V, class Out, int width, class... Ins>
inline void contiguous_loop(const PointwiseArguments& a) {
  Params<Formula, V> p(a);
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  int64_t whole = a.n / width;
  Out* y = static_cast<Out*>(a.data[0]);
  int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (int64_t v = first; v < whole; v += step) {
    Pack<Out, width> result;
    // One vector of each operand first: all loads are under way before the first is used.
    [&](typename Ins::template Vector<width>... xs) {
      (Ins::template load<width>(a, v * width, xs), ...);
#pragma unroll
      for (int k = 0; k < width; ++k)
        result.v[k] = stored<Out, V>(Formula::f(Ins::template get<width>(a, xs, k)..., p.values));
    }(typename Ins::template Vector<width>{}...);
    *reinterpret_cast<Pack<Out, width>*>(y + v * width) = result;
  }
  for (int64_t rest = whole * width + first; rest < a.n; rest += step) {
    [&](typename Ins::template Vector<1>... xs) {
      (Ins::template load<1>(a, rest, xs), ...);
      y[rest] = stored<Out, V>(Formula::f(Ins::template get<1>(a, xs, 0)..., p.values));
    }(typename Ins::template Vector<1>{}...);
  }
}

// Where element `linear` of operand i lies. Index is uint32_t where it suffices: a division of 64
// bits costs four times as much.
template <class Index>
struct Place {
  int64_t offset[kOperands] = {};
  inline Place(const PointwiseArguments& a, Index linear, int operands) {
    for (int d = 0; d < a.rank; ++d) {
      Index size = static_cast<Index>(a.sizes[d]), rest = linear / size, at = linear - rest * size;
      linear = rest;
#pragma unroll
      for (int i = 0; i < kOperands; ++i)
        if (i < operands) offset[i] += static_cast<int64_t>(at) * a.strides[i][d];
    }
  }
};

template <class Formula, class V, class Out, class Index, class... Ins>
inline void strided_loop_of(const PointwiseArguments& a) {
  Params<Formula, V> p(a);
  int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; k < a.n;
       k += step) {
    Place<Index> at(a, static_cast<Index>(k), 1 + static_cast<int>(sizeof...(Ins)));
    Out y = [&](auto... xs) {
      return stored<Out, V>(Formula::f(xs..., p.values));
    }(Ins::get_strided(a, at.offset[Ins::operand])...);
    *reinterpret_cast<Out*>(static_cast<char*>(a.data[0]) + at.offset[0]) = y;
  }
}
template <class Formula, class V, class Out, class... Ins>
inline void strided_loop(const PointwiseArguments& a) {
  if (a.n < (int64_t(1) << 31))
    strided_loop_of<Formula, V, Out, uint32_t, Ins...>(a);
  else
    strided_loop_of<Formula, V, Out, uint64_t, Ins...>(a);
}

}  // namespace lampas::device
