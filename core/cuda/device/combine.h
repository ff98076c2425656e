// How a written element takes in a new value, as cpu/combine.h has it, and the same as one atomic
// step.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

template <class T>
inline bool is_nan(T x) {
  if constexpr (is_narrow<T>)
    return widen(x) != widen(x);
  else if constexpr (is_float_lane<T>)
    return x != x;
  else
    return false;
}
template <class T>
inline bool less(T a, T b) {
  if constexpr (is_narrow<T>)
    return widen(a) < widen(b);
  else
    return a < b;
}

struct Add {
  template <class T>
  static inline T of(T a, T b) {
    if constexpr (std::is_same_v<T, bool>)
      return a || b;
    else if constexpr (is_narrow<T>)
      return convert<T>(widen(a) + widen(b));
    else if constexpr (is_complex<T>)
      return {a.re + b.re, a.im + b.im};
    else if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else
      return a + b;
  }
};
struct Multiply {
  template <class T>
  static inline T of(T a, T b) {
    if constexpr (std::is_same_v<T, bool>)
      return a && b;
    else if constexpr (is_narrow<T>)
      return convert<T>(widen(a) * widen(b));
    else if constexpr (is_complex<T>)
      return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
    else if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else
      return a * b;
  }
};
struct Maximum {  // NaN wins
  template <class T>
  static inline T of(T a, T b) {
    return is_nan(a) || !(less(a, b) || is_nan(b)) ? a : b;
  }
};
struct Minimum {
  template <class T>
  static inline T of(T a, T b) {
    return is_nan(a) || !(less(b, a) || is_nan(b)) ? a : b;
  }
};

template <size_t bytes>
struct Bits;
template <>
struct Bits<1> {
  using type = uint8_t;
};
template <>
struct Bits<2> {
  using type = uint16_t;
};
template <>
struct Bits<4> {
  using type = uint32_t;
};
template <>
struct Bits<8> {
  using type = unsigned long long;
};

// Elements of one and two bytes are changed within the four that hold them.
template <class Op, class T>
inline void combine_by_exchange(T* p, T v) {
  using Own = typename Bits<sizeof(T)>::type;
  using Word = typename Bits<(sizeof(T) < 4 ? 4 : sizeof(T))>::type;
  auto address = reinterpret_cast<unsigned long long>(p);
  auto* word =
      reinterpret_cast<Word*>(address & ~static_cast<unsigned long long>(sizeof(Word) - 1));
  unsigned shift = static_cast<unsigned>(address & (sizeof(Word) - 1)) * 8;
  Word seen = *word, taken;
  do {
    taken = seen;
    T old = std::bit_cast<T>(static_cast<Own>(taken >> shift));
    Own made = std::bit_cast<Own>(Op::of(old, v));
    Word changed = static_cast<Word>(made);
    if constexpr (sizeof(T) < 4)
      changed =
          (taken & ~(static_cast<Word>(static_cast<Own>(~Own(0))) << shift)) | (changed << shift);
    seen = atomicCAS(word, taken, changed);
  } while (seen != taken);
}

template <class T>
inline void atomic_add(T* p, T v) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
    atomicAdd(p, v);
  else if constexpr (is_complex<T>) {
    atomicAdd(&p->re, v.re);
    atomicAdd(&p->im, v.im);
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> && sizeof(T) == 4)
    atomicAdd(reinterpret_cast<uint32_t*>(p), static_cast<uint32_t>(v));
  else if constexpr (std::is_integral_v<T> && sizeof(T) == 8)
    atomicAdd(reinterpret_cast<unsigned long long*>(p), static_cast<unsigned long long>(v));
#ifdef __CUDACC_RTC__
  else if constexpr (std::is_same_v<T, Half>)
    asm volatile("red.global.add.noftz.f16 [%0], %1;" ::"l"(p), "h"(v.bits) : "memory");
#if __CUDA_ARCH__ >= 900
  else if constexpr (std::is_same_v<T, BFloat16>)
    asm volatile("red.global.add.noftz.bf16 [%0], %1;" ::"l"(p), "h"(v.bits) : "memory");
#endif
#endif
  else
    combine_by_exchange<Add>(p, v);
}

template <class Op, class T>
inline void atomic_combine(T* p, T v) {
  if constexpr (std::is_same_v<Op, Add>)
    atomic_add(p, v);
  else
    combine_by_exchange<Op>(p, v);
}

}  // namespace lampas::device
