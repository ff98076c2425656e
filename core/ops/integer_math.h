// Arithmetic of whole numbers as PyTorch defines it: results wrap, dividing by zero raises, shifts
// by any amount have a value.
#pragma once
#include "ops/math.h"

#ifndef LAMPAS_DEVICE
namespace lampas::rows {
[[noreturn]] void divided_by_zero();  // RuntimeError "ZeroDivisionError" (rows.cc)
}
#endif

namespace lampas::LAMPAS_ISA::math {

// The unsigned type in which T wraps without undefined behaviour: at least 32 bits, because
// narrower ones are promoted to int.
template <class T>
using Wrapping = std::conditional_t<(sizeof(T) < 4), uint32_t, std::make_unsigned_t<T>>;
template <class T>
LAMPAS_INLINE Wrapping<T> wrapping(T x) {
  return static_cast<Wrapping<T>>(x);
}
template <class T>
inline constexpr int bit_count = sizeof(T) * 8;

template <class T>
inline T div_trunc_int(T a, T b) {
  if (b == 0) rows::divided_by_zero();
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(0 - wrapping(a));  // the least number has no positive
  }
  return static_cast<T>(a / b);
}
template <class T>
inline T fmod_int(T a, T b) {
  if (b == 0) rows::divided_by_zero();
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return static_cast<T>(a % b);
}
template <class T>
inline T div_floor_int(T a, T b) {
  T q = div_trunc_int(a, b);
  if constexpr (std::is_signed_v<T>) {
    if ((a < 0) != (b < 0) && fmod_int(a, b) != 0) --q;
  }
  return q;
}
template <class T>
inline T remainder_int(T a, T b) {
  T r = fmod_int(a, b);
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}
template <class T>
inline T pow_int(T base, T exponent) {
  if constexpr (std::is_signed_v<T>) {
    if (exponent < 0) {
      if (base == 1) return 1;
      return base == -1 ? (exponent % 2 == 0 ? T(1) : T(-1)) : T(0);
    }
  }
  Wrapping<T> result = 1, power = wrapping(base);
  for (auto e = static_cast<std::make_unsigned_t<T>>(exponent); e != 0; e >>= 1) {
    if (e & 1) result *= power;
    power *= power;
  }
  return static_cast<T>(result);
}
template <class T>
LAMPAS_INLINE T shift_left(T a, T b) {
  bool inside = b >= 0 && b < T(bit_count<T>);
  return inside ? static_cast<T>(wrapping(a) << (inside ? b : T(0))) : T(0);
}
// Too far means every bit has become the sign.
template <class T>
LAMPAS_INLINE T shift_right(T a, T b) {
  bool inside = b >= 0 && b < T(bit_count<T>);
  if constexpr (std::is_unsigned_v<T>)
    return inside ? static_cast<T>(a >> (inside ? b : T(0))) : T(0);
  return static_cast<T>(a >> (inside ? b : T(bit_count<T> - 1)));
}
template <class T>
inline std::make_unsigned_t<T> absolute(T x) {
  return static_cast<std::make_unsigned_t<T>>(x < 0 ? 0 - wrapping(x) : wrapping(x));
}
template <class T>
inline T gcd_int(T a, T b) {
  auto x = absolute(a), y = absolute(b);
  while (y != 0) {
    auto r = static_cast<decltype(x)>(x % y);
    x = y;
    y = r;
  }
  return static_cast<T>(x);
}
// Its size is taken before it is cut to T, as PyTorch does.
template <class T>
inline T lcm_int(T a, T b) {
  T d = gcd_int(a, b);
  if (d == 0) return 0;
  auto y = wrapping(div_trunc_int(a, d)) * wrapping(b);
  bool negative = std::is_signed_v<T> && static_cast<std::make_signed_t<decltype(y)>>(y) < 0;
  return static_cast<T>(negative ? 0 - y : y);
}

}  // namespace lampas::LAMPAS_ISA::math
