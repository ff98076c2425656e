// Complex numbers as the row formulas see them: laid out as std::complex, with plain products and
// Smith's quotient; functions are the C library's, which fix branch cuts and special cases, and on
// devices those of cuda/device/complex_functions.h.
#pragma once
#include "ops/math.h"

namespace lampas::LAMPAS_ISA {

template <class T>
struct Complex {
  T re, im;
  LAMPAS_INLINE friend Complex operator+(Complex a, Complex b) {
    return {a.re + b.re, a.im + b.im};
  }
  LAMPAS_INLINE friend Complex operator-(Complex a, Complex b) {
    return {a.re - b.re, a.im - b.im};
  }
  LAMPAS_INLINE friend Complex operator-(Complex a) { return {-a.re, -a.im}; }
  LAMPAS_INLINE friend Complex operator*(Complex a, Complex b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  friend Complex operator/(Complex a, Complex b) {
    if (math::abs(b.re) >= math::abs(b.im)) {
      if (b.re == 0 && b.im == 0) return {a.re / math::abs(b.re), a.im / math::abs(b.im)};
      T r = b.im / b.re, d = b.re + b.im * r;
      return {(a.re + a.im * r) / d, (a.im - a.re * r) / d};
    }
    T r = b.re / b.im, d = b.re * r + b.im;
    return {(a.re * r + a.im) / d, (a.im * r - a.re) / d};
  }
  LAMPAS_INLINE friend bool operator==(Complex a, Complex b) {
    return (a.re == b.re) & (a.im == b.im);
  }
  LAMPAS_INLINE friend bool operator!=(Complex a, Complex b) { return !(a == b); }
};

}  // namespace lampas::LAMPAS_ISA

#ifdef LAMPAS_DEVICE
#include "cuda/device/complex_functions.h"
#endif

namespace lampas::LAMPAS_ISA {
namespace math {

#ifndef LAMPAS_DEVICE
inline Complex<float> wrap(_Complex float z) { return {__real__ z, __imag__ z}; }
inline Complex<double> wrap(_Complex double z) { return {__real__ z, __imag__ z}; }
inline _Complex float unwrap(Complex<float> x) {
  _Complex float z;
  __real__ z = x.re, __imag__ z = x.im;
  return z;
}
inline _Complex double unwrap(Complex<double> x) {
  _Complex double z;
  __real__ z = x.re, __imag__ z = x.im;
  return z;
}

// The C library's function on both widths.
#define LAMPAS_COMPLEX(word)                                                                     \
  inline Complex<float> word(Complex<float> x) { return wrap(__builtin_c##word##f(unwrap(x))); } \
  inline Complex<double> word(Complex<double> x) { return wrap(__builtin_c##word(unwrap(x))); }

LAMPAS_COMPLEX(exp)
LAMPAS_COMPLEX(log)
LAMPAS_COMPLEX(sqrt)
LAMPAS_COMPLEX(sin)
LAMPAS_COMPLEX(cos)
LAMPAS_COMPLEX(tan)
LAMPAS_COMPLEX(asin)
LAMPAS_COMPLEX(acos)
LAMPAS_COMPLEX(atan)
LAMPAS_COMPLEX(sinh)
LAMPAS_COMPLEX(cosh)
LAMPAS_COMPLEX(tanh)
LAMPAS_COMPLEX(asinh)
LAMPAS_COMPLEX(acosh)
LAMPAS_COMPLEX(atanh)
#undef LAMPAS_COMPLEX

inline float magnitude(Complex<float> x) { return __builtin_hypotf(x.re, x.im); }
inline double magnitude(Complex<double> x) { return __builtin_hypot(x.re, x.im); }

inline Complex<float> pow(Complex<float> x, Complex<float> y) {
  if (y.re == 0 && y.im == 0) return {1, 0};
  return wrap(__builtin_cpowf(unwrap(x), unwrap(y)));
}
inline Complex<double> pow(Complex<double> x, Complex<double> y) {
  if (y.re == 0 && y.im == 0) return {1, 0};
  return wrap(__builtin_cpow(unwrap(x), unwrap(y)));
}
#endif

template <class T>
inline Complex<T> log2(Complex<T> x) {
  Complex<T> l = log(x);
  return {l.re * T(1.4426950408889634), l.im * T(1.4426950408889634)};
}
template <class T>
inline Complex<T> log10(Complex<T> x) {
  Complex<T> l = log(x);
  return {l.re * T(0.43429448190325183), l.im * T(0.43429448190325183)};
}
// log |1 + z| without losing the digits of a small z: log1p(re (re + 2) + im^2) / 2.
template <class T>
inline Complex<T> log1p(Complex<T> x) {
  T re = T(0.5) * math::log1p(x.re * (x.re + 2) + x.im * x.im);
  if (!(magnitude(x) < 1)) return log(Complex<T>{1 + x.re, x.im});
  return {re, math::atan2(x.im, 1 + x.re)};
}
// e^z - 1 = expm1(re) cos(im) - 2 sin(im / 2)^2 + i e^re sin(im)
template <class T>
inline Complex<T> expm1(Complex<T> x) {
  T half, s, c;
  if constexpr (is_single<T>) {
    half = __builtin_sinf(x.im / 2), s = __builtin_sinf(x.im), c = __builtin_cosf(x.im);
  } else {
    half = __builtin_sin(x.im / 2), s = __builtin_sin(x.im), c = __builtin_cos(x.im);
  }
  if (x.im == 0) return {math::expm1(x.re), x.im};
  return {math::expm1(x.re) * c - 2 * half * half, math::exp(x.re) * s};
}
template <class T>
inline Complex<T> exp2(Complex<T> x) {
  return exp(Complex<T>{x.re * T(0.69314718055994531), x.im * T(0.69314718055994531)});
}

}  // namespace math
}  // namespace lampas::LAMPAS_ISA
