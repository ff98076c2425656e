// Elements as they lie in memory and their conversion into lanes: 16-bit floats, complex halves,
// the rules of runtime/dtype.h.
#pragma once
#include "ops/lane.h"

namespace lampas::device {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
struct ComplexHalf {
  Half re, im;
};

#ifdef __CUDACC_RTC__
inline float widen(Half x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
inline Half narrow_half(float x) {
  Half y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
#else
inline float widen(Half x) { return static_cast<float>(std::bit_cast<_Float16>(x.bits)); }
inline Half narrow_half(float x) { return {std::bit_cast<uint16_t>(static_cast<_Float16>(x))}; }
#endif
inline float widen(BFloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
// To nearest, ties to even; every NaN becomes the quiet one.
inline BFloat16 narrow_bfloat16(float x) {
  uint32_t u = std::bit_cast<uint32_t>(x);
  bool nan = (u & 0x7fffffffu) > 0x7f800000u;
  uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1)) >> 16;
  return {static_cast<uint16_t>(nan ? 0x7fc0 : rounded)};
}

template <class T>
inline constexpr bool is_complex = is_complex_lane<T>;
template <class T>
inline constexpr bool is_narrow = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// As lampas::convert: complex to real drops the imaginary part, floats that do not fit an integer
// become the lowest one of int32 or int64, then wrap.
template <class To, class From>
inline To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, ComplexHalf>) {
    return convert<To>(Complex<float>{widen(x.re), widen(x.im)});
  } else if constexpr (std::is_same_v<To, ComplexHalf>) {
    auto wide = convert<Complex<float>>(x);
    return {narrow_half(wide.re), narrow_half(wide.im)};
  } else if constexpr (is_narrow<From>) {
    return convert<To>(widen(x));
  } else if constexpr (std::is_same_v<To, Half>) {
    return narrow_half(convert<float>(x));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return narrow_bfloat16(convert<float>(x));
  } else if constexpr (is_complex<From> && is_complex<To>) {
    using R = decltype(To{}.re);
    return {static_cast<R>(x.re), static_cast<R>(x.im)};
  } else if constexpr (is_complex<From>) {
    if constexpr (std::is_same_v<To, bool>)
      return x.re != 0 || x.im != 0;
    else
      return convert<To>(x.re);
  } else if constexpr (is_complex<To>) {
    return {convert<decltype(To{}.re)>(x), 0};
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (is_float_lane<From> && std::is_integral_v<To>) {
    constexpr bool small = sizeof(To) < 4 || std::is_same_v<To, int32_t>;
    using Middle = std::conditional_t<small, int32_t, int64_t>;
    constexpr From limit = small ? From(2147483648.0) : From(9223372036854775808.0);
    if constexpr (std::is_same_v<To, uint64_t>) {
      if (x >= limit && x < 2 * limit) return static_cast<To>(x);
    }
    bool inside = x >= -limit && x < limit;
    return static_cast<To>(inside ? static_cast<Middle>(x) : std::numeric_limits<Middle>::min());
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace lampas::device
