// What kernel texts stand on: the few pieces of the C++ library and of gcc's builtins that the
// shared headers of ops/ use. Where tests compile the texts for the host,
// tests/cuda/emulated_grid.h plays the grid instead; the texts themselves see no difference.
#pragma once
#define LAMPAS_DEVICE
#define LAMPAS_ISA device

#ifdef __CUDACC_RTC__

#define LAMPAS_INLINE __device__ __forceinline__

using int8_t = signed char;
using int16_t = short;
using int32_t = int;
using int64_t = long long;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using uint64_t = unsigned long long;

namespace std {

template <class T, T v>
struct integral_constant {
  static constexpr T value = v;
};
template <bool v>
using bool_constant = integral_constant<bool, v>;
template <class A, class B>
inline constexpr bool is_same_v = false;
template <class A>
inline constexpr bool is_same_v<A, A> = true;
template <bool, class A, class B>
struct conditional {
  using type = A;
};
template <class A, class B>
struct conditional<false, A, B> {
  using type = B;
};
template <bool c, class A, class B>
using conditional_t = typename conditional<c, A, B>::type;

template <class T>
inline constexpr bool is_floating_point_v = is_same_v<T, float> || is_same_v<T, double>;

// Whole numbers with the types of their size and either sign.
template <class T>
struct whole {
  static constexpr bool known = false, is_signed = false;
};
#define LAMPAS_WHOLE(s, u)                   \
  template <>                                \
  struct whole<s> {                          \
    static constexpr bool known = true;      \
    static constexpr bool is_signed = true;  \
    using with_sign = s;                     \
    using without_sign = u;                  \
  };                                         \
  template <>                                \
  struct whole<u> : whole<s> {               \
    static constexpr bool is_signed = false; \
  };
LAMPAS_WHOLE(signed char, unsigned char)
LAMPAS_WHOLE(short, unsigned short)
LAMPAS_WHOLE(int, unsigned int)
LAMPAS_WHOLE(long, unsigned long)
LAMPAS_WHOLE(long long, unsigned long long)
#undef LAMPAS_WHOLE
template <class T>
using make_signed_t = typename whole<T>::with_sign;
template <class T>
using make_unsigned_t = typename whole<T>::without_sign;
template <class T>
inline constexpr bool is_integral_v = whole<T>::known || is_same_v<T, bool> || is_same_v<T, char>;
template <class T>
inline constexpr bool is_arithmetic_v = is_integral_v<T> || is_floating_point_v<T>;
template <class T>
inline constexpr bool is_signed_v = whole<T>::is_signed || is_floating_point_v<T>;
template <class T>
inline constexpr bool is_unsigned_v = is_arithmetic_v<T> && !is_signed_v<T>;

template <class To, class From>
constexpr To bit_cast(const From& x) {
  return __builtin_bit_cast(To, x);
}

template <class T>
struct numeric_limits {
  static constexpr T min() { return is_signed_v<T> ? T(T(1) << (sizeof(T) * 8 - 1)) : T(0); }
};
template <>
struct numeric_limits<float> {
  static constexpr float min() { return 1.17549435e-38f; }
  static constexpr float infinity() { return bit_cast<float>(0x7f800000); }
  static constexpr float quiet_NaN() { return bit_cast<float>(0x7fc00000); }
};
template <>
struct numeric_limits<double> {
  static constexpr double min() { return 2.2250738585072014e-308; }
  static constexpr double infinity() { return bit_cast<double>(0x7ff0000000000000ll); }
  static constexpr double quiet_NaN() { return bit_cast<double>(0x7ff8000000000000ll); }
};

inline double copysign(double x, double sign) { return ::copysign(x, sign); }

}  // namespace std

#define __builtin_sqrtf ::sqrtf
#define __builtin_sqrt ::sqrt
#define __builtin_floorf ::floorf
#define __builtin_floor ::floor
#define __builtin_ceilf ::ceilf
#define __builtin_ceil ::ceil
#define __builtin_truncf ::truncf
#define __builtin_trunc ::trunc
#define __builtin_sinf ::sinf
#define __builtin_sin ::sin
#define __builtin_cosf ::cosf
#define __builtin_cos ::cos
#define __builtin_tanf ::tanf
#define __builtin_tan ::tan
#define __builtin_sinh ::sinh
#define __builtin_cosh ::cosh
#define __builtin_exp ::exp
#define __builtin_fabs ::fabs
#define __builtin_log1p ::log1p
#define __builtin_lgamma ::lgamma
#define __builtin_log ::log
#define __builtin_pow ::pow
#define __builtin_hypotf ::hypotf
#define __builtin_hypot ::hypot
#define __builtin_fmodf ::fmodf
#define __builtin_fmod ::fmod
#define __builtin_modf ::modf
#define __builtin_nextafterf ::nextafterf
#define __builtin_nextafter ::nextafter
#define __builtin_j0 ::j0
#define __builtin_j1 ::j1
#define __builtin_y0 ::y0
#define __builtin_y1 ::y1
inline double lgamma_r(double x, int* sign) {
  *sign = x < 0 && ::fmod(::floor(x), 2.0) != 0 ? -1 : 1;
  return ::lgamma(x);
}

// A kernel has one argument, a struct.
#define LAMPAS_KERNEL(name, Arguments) extern "C" __global__ void name(const Arguments a)

#else

#include "emulated_grid.h"

#endif

namespace lampas::rows {
// Whole numbers divided by zero give what the hardware makes of it, as PyTorch's do on a GPU.
inline void divided_by_zero() {}
}  // namespace lampas::rows
