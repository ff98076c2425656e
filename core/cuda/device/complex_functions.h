// Elementary functions of complex numbers for devices, which have no C library of them: exponential
// and hyperbolic functions by parts, inverse ones by Kahan's formulas ("Branch cuts for complex
// elementary functions", 1987), which keep the sign of zero on branch cuts.
#pragma once

namespace lampas::LAMPAS_ISA::math {

template <class T>
struct SinCos {
  T sin, cos;
};
template <class T>
inline SinCos<T> turn(T x) {  // any x
  if constexpr (is_single<T>)
    return {__builtin_sinf(x), __builtin_cosf(x)};
  else
    return {__builtin_sin(x), __builtin_cos(x)};
}
template <class T>
inline T magnitude(Complex<T> x) {
  if constexpr (is_single<T>)
    return __builtin_hypotf(x.re, x.im);
  else
    return __builtin_hypot(x.re, x.im);
}
// i z and -i z without touching signs of zero.
template <class T>
inline Complex<T> times_i(Complex<T> z) {
  return {-z.im, z.re};
}
template <class T>
inline Complex<T> over_i(Complex<T> z) {
  return {z.im, -z.re};
}

template <class T>
inline Complex<T> exp(Complex<T> z) {
  if (z.im == 0) return {math::exp(z.re), z.im};
  if (z.re == infinity<T> && !math::isfinite(z.im)) return {z.re, nan<T>};
  if (z.re == -infinity<T> && !math::isfinite(z.im)) return {0, 0};
  auto [s, c] = turn(z.im);
  T half = math::exp_shifted(z.re, -1);  // e^re may overflow where the result does not
  return {half * c * 2, half * s * 2};
}
// log |z| near the unit circle is log1p((|z| - 1)(|z| + 1)) / 2 to keep its digits.
template <class T>
inline Complex<T> log(Complex<T> z) {
  T angle = math::atan2(z.im, z.re), m = magnitude(z);
  if (math::isfinite(m) && m > T(0.5) && m < T(1.5)) {
    T a = math::abs(z.re), b = math::abs(z.im), hi = a > b ? a : b, lo = a > b ? b : a;
    return {T(0.5) * math::log1p((hi - 1) * (hi + 1) + lo * lo), angle};
  }
  return {math::log(m), angle};
}
template <class T>
inline Complex<T> sqrt(Complex<T> z) {
  if (z.re == 0 && z.im == 0) return {0, z.im};
  if (math::isinf(z.im)) return {infinity<T>, z.im};
  if (z.re == -infinity<T>) {
    bool unknown = z.im != z.im;
    return {unknown ? nan<T> : T(0), unknown ? infinity<T> : math::copysign(infinity<T>, z.im)};
  }
  if (z.re == infinity<T>) return {z.re, z.im != z.im ? z.im : math::copysign(T(0), z.im)};
  // Scaled by a power of four, so that |z| neither overflows nor loses its digits.
  constexpr T far = is_single<T> ? T(1e30) : T(1e300), near = is_single<T> ? T(1e-30) : T(1e-290);
  T size = math::abs(z.re) + math::abs(z.im), up = 1, down = 1;
  if (size > far) up = T(0.0625), down = 4;
  if (size < near) up = is_single<T> ? T(0x1p48) : T(0x1p108), down = 1 / math::sqrt(up);
  z = {z.re * up, z.im * up};
  T t = math::sqrt(T(0.5) * (math::abs(z.re) + magnitude(z)));
  if (z.re >= 0) return {t * down, z.im / (2 * t) * down};
  return {math::abs(z.im) / (2 * t) * down, math::copysign(t, z.im) * down};
}
// From here on both are e^|re| / 2 to the last bit; squared in two steps, for the product with a
// small sine may be finite.
template <class T>
inline constexpr T hyperbolic_limit = is_single<T> ? T(60) : T(600);
template <class T>
inline Complex<T> half_exp(T size, SinCos<T> angle) {
  T h = math::exp(size / 2);
  return {T(0.5) * h * angle.cos * h, T(0.5) * h * angle.sin * h};
}
template <class T>
inline Complex<T> sinh(Complex<T> z) {
  if (z.im == 0) return {math::sinh(z.re), z.im};
  SinCos<T> angle = turn(z.im);
  if (z.re == 0) return {math::isfinite(z.im) ? z.re * angle.cos : z.re, angle.sin};
  if (math::abs(z.re) > hyperbolic_limit<T>) {
    Complex<T> y = half_exp(math::abs(z.re), angle);
    return {z.re < 0 ? -y.re : y.re, y.im};
  }
  return {math::sinh(z.re) * angle.cos, math::cosh(z.re) * angle.sin};
}
template <class T>
inline Complex<T> cosh(Complex<T> z) {
  if (z.im == 0)
    return {math::cosh(z.re), z.re == 0 ? z.re * z.im : math::copysign(z.im, z.re * z.im)};
  SinCos<T> angle = turn(z.im);
  if (z.re == 0) return {angle.cos, math::isfinite(z.im) ? z.re * angle.sin : z.re};
  if (math::abs(z.re) > hyperbolic_limit<T>) {
    Complex<T> y = half_exp(math::abs(z.re), angle);
    return {y.re, z.re < 0 ? -y.im : y.im};
  }
  return {math::cosh(z.re) * angle.cos, math::sinh(z.re) * angle.sin};
}
// (t / cos^2 + i tan) over ..., with t = sinh cosh of the real part; beyond `far` it is 1.
template <class T>
inline Complex<T> tanh(Complex<T> z) {
  constexpr T far = is_single<T> ? T(11) : T(22);
  if (z.im == 0) return {math::tanh(z.re), z.im};
  if (math::abs(z.re) > far) {
    auto [s, c] = turn(z.im);
    T e = math::exp(-2 * math::abs(z.re));
    T im = math::isfinite(z.im) ? 4 * s * c * e : T(0);
    return {math::copysign(T(1), z.re), im};
  }
  auto [s, c] = turn(z.im);
  T tangent = s / c, beta = 1 + tangent * tangent, sh = math::sinh(z.re);
  T rho = math::sqrt(1 + sh * sh), bottom = 1 + beta * sh * sh;
  if (math::isinf(tangent)) return {rho / sh, 1 / tangent};
  return {beta * rho * sh / bottom, tangent / bottom};
}
template <class T>
inline Complex<T> sin(Complex<T> z) {
  return over_i(sinh(times_i(z)));
}
template <class T>
inline Complex<T> cos(Complex<T> z) {
  return cosh(times_i(z));
}
template <class T>
inline Complex<T> tan(Complex<T> z) {
  return over_i(tanh(times_i(z)));
}
template <class T>
inline Complex<T> asin(Complex<T> z) {
  Complex<T> a = sqrt(Complex<T>{1 - z.re, -z.im}), b = sqrt(Complex<T>{1 + z.re, z.im});
  T re = math::atan2(z.re, a.re * b.re - a.im * b.im);
  return {re, math::asinh(a.re * b.im - a.im * b.re)};
}
template <class T>
inline Complex<T> acos(Complex<T> z) {
  Complex<T> a = sqrt(Complex<T>{1 - z.re, -z.im}), b = sqrt(Complex<T>{1 + z.re, z.im});
  return {2 * math::atan2(a.re, b.re), math::asinh(b.re * a.im - b.im * a.re)};
}
template <class T>
inline Complex<T> asinh(Complex<T> z) {
  return over_i(asin(times_i(z)));
}
template <class T>
inline Complex<T> acosh(Complex<T> z) {
  Complex<T> a = sqrt(Complex<T>{z.re - 1, z.im}), b = sqrt(Complex<T>{z.re + 1, z.im});
  return {math::asinh(a.re * b.re + a.im * b.im), 2 * math::atan2(a.im, b.re)};
}
template <class T>
inline Complex<T> atanh(Complex<T> z) {
  // Real part: log of |1 + z|^2 / |1 - z|^2 over 4. For large z it is re / |z|^2 and a right angle.
  constexpr T far = is_single<T> ? T(1e18) : T(1e150);
  T right = math::copysign(T(1.5707963267948966), z.im);
  T size = math::abs(z.re) > math::abs(z.im) ? math::abs(z.re) : math::abs(z.im);
  if (size > far) {
    T x = z.re / size, y = z.im / size;
    return {math::isinf(size) ? math::copysign(T(0), z.re) : x / (x * x + y * y) / size, right};
  }
  T x = math::abs(z.re), apart = 1 - x, square = z.im * z.im, below = apart * apart + square, re;
  if (below < T(1e-3))  // squares may vanish
    re = T(0.5) * (math::log(magnitude(Complex<T>{1 + x, z.im})) -
                   math::log(magnitude(Complex<T>{apart, z.im})));
  else
    re = T(0.25) * math::log1p(4 * x / below);
  T im = T(0.5) * math::atan2(2 * z.im, apart * (1 + x) - square);
  return {math::copysign(re, z.re), im};
}
template <class T>
inline Complex<T> atan(Complex<T> z) {
  return over_i(atanh(times_i(z)));
}
template <class T>
inline Complex<T> pow(Complex<T> x, Complex<T> y) {
  if (y.re == 0 && y.im == 0) return {1, 0};
  if (x.re == 0 && x.im == 0 && y.re > 0) return {0, 0};
  Complex<T> l = log(x);
  return exp(Complex<T>{l.re * y.re - l.im * y.im, l.re * y.im + l.im * y.re});
}

}  // namespace lampas::LAMPAS_ISA::math
