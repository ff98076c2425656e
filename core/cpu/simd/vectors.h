// The widest vectors of an instruction set, for sources that are compiled once per set.
#pragma once
#include <cstdint>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "cpu/isa.h"

namespace lampas::LAMPAS_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T>
struct IntegerOf {
  using type = int32_t;
};
template <>
struct IntegerOf<double> {
  using type = int64_t;
};

// `Vec<T>::V` with arithmetic operators and access to lanes by index.
template <class T>
struct Vec {
  using Int = typename IntegerOf<T>::type;
  static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
  typedef T V __attribute__((vector_size(kVectorBytes)));
  typedef Int Mask __attribute__((vector_size(kVectorBytes)));
  typedef T Unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));

  static V load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static void store(T* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static V all(T value) { return value - V{}; }  // 0 + -0 would be 0

  // The first `count` lanes, 0 to kLanes; the others are zero, and memory there is not touched.
  static V load_first(const T* p, int64_t count) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
      return reinterpret_cast<V>(_mm512_maskz_loadu_ps(bits(count), p));
    else
      return reinterpret_cast<V>(_mm512_maskz_loadu_pd(static_cast<__mmask8>(bits(count)), p));
#else
    V v{};
    for (int l = 0; l < kLanes; ++l)
      if (l < count) v[l] = p[l];
    return v;
#endif
  }
  static void store_first(T* p, V v, int64_t count) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4)
      _mm512_mask_storeu_ps(p, bits(count), reinterpret_cast<__m512>(v));
    else
      _mm512_mask_storeu_pd(p, static_cast<__mmask8>(bits(count)), reinterpret_cast<__m512d>(v));
#else
    for (int l = 0; l < kLanes; ++l)
      if (l < count) p[l] = v[l];
#endif
  }

  // Always in the same order: halves are added to halves.
  static T sum(V v) {
    for (int w = kLanes / 2; w > 0; w /= 2)
      for (int l = 0; l < w; ++l) v[l] += v[l + w];
    return v[0];
  }

  // Rows become columns: x[i][j] goes to x[j][i].
  static void transpose(V (&x)[kLanes]) {
    for (int step = 1; step < kLanes; step *= 2) {
      V y[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes / 2; ++i) {
        y[2 * i] = interleaved<0>(x[i], x[i + kLanes / 2], Lanes{});
        y[2 * i + 1] = interleaved<kLanes / 2>(x[i], x[i + kLanes / 2], Lanes{});
      }
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) x[i] = y[i];
    }
  }

 private:
#if defined(__AVX512F__)
  static __mmask16 bits(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }
#endif
  using Lanes = std::make_integer_sequence<int, kLanes>;
  // a[From], b[From], a[From + 1], ...
  template <int From, int... L>
  static V interleaved(V a, V b, std::integer_sequence<int, L...>) {
    return __builtin_shufflevector(a, b, (From + L / 2 + (L % 2) * kLanes)...);
  }
};

}  // namespace lampas::LAMPAS_ISA
