// Keys whose unsigned order is the order of elements (NaN above everything, -0 equal to 0), as
// cpu/order.h has them.
#pragma once
#include "cuda/device/combine.h"

namespace lampas::device {

template <class T>
using Key = typename Bits<sizeof(T)>::type;

template <class T>
inline Key<T> key_of(T x) {
  using K = Key<T>;
  constexpr K top = static_cast<K>(K(1) << (sizeof(T) * 8 - 1));
  if constexpr (is_float_lane<T> || is_narrow<T>) {
    if (is_nan(x)) return static_cast<K>(~K(0));
    if (convert<double>(x) == 0) return top;
    K bits = std::bit_cast<K>(x);
    return bits & top ? static_cast<K>(~bits) : static_cast<K>(bits | top);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<K>(static_cast<K>(x) ^ top);
  } else {
    return static_cast<K>(x);
  }
}
template <class T>
inline Key<T> key_of(T x, bool descending) {
  Key<T> key = key_of(x);
  return descending ? static_cast<Key<T>>(~key) : key;
}
// What comes first is best: the largest or the smallest element, but a NaN before either.
template <bool largest, class T>
inline Key<T> rank_of(T x) {
  if (is_nan(x)) return 0;
  return key_of(x, largest);
}

}  // namespace lampas::device
