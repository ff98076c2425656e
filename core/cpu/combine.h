// How a written element takes in a new value: the combining functions of scatter and index kernels.
#pragma once
#include "runtime/dtype.h"

namespace lampas::cpu {

enum class Combine : uint8_t { Assign, Add, Multiply, Maximum, Minimum };

namespace detail {
// Integer arithmetic wraps; done without sign so that it is defined.
template <class T>
inline constexpr bool wraps = std::is_integral_v<T> && !std::is_same_v<T, bool>;
template <class T>
bool is_nan(T v) {
  if constexpr (is_floating_v<T>)
    return v != v;
  else
    return false;
}
}  // namespace detail

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (detail::wraps<T>)
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    else if constexpr (std::is_same_v<T, bool>)
      return a || b;
    else
      return convert<T>(convert<compute_t<T>>(a) + convert<compute_t<T>>(b));
  }
};
struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (detail::wraps<T>)
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    else if constexpr (std::is_same_v<T, bool>)
      return a && b;
    else
      return convert<T>(convert<compute_t<T>>(a) * convert<compute_t<T>>(b));
  }
};
struct Maximum {  // NaN wins
  template <class T>
  T operator()(T a, T b) const {
    return detail::is_nan(a) || !(b > a || detail::is_nan(b)) ? a : b;
  }
};
struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    return detail::is_nan(a) || !(b < a || detail::is_nan(b)) ? a : b;
  }
};

}  // namespace lampas::cpu
