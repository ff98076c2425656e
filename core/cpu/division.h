// Whole parts of whole numbers.
#pragma once
#include <algorithm>
#include <cstdint>

namespace lampas::cpu {

// The quotient rounded up; a >= 0, b > 0.
inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Equal shares of n, multiples of `unit`, of at most `most` where a unit is no larger.
inline int64_t share(int64_t n, int64_t most, int64_t unit = 1) {
  int64_t parts = std::max<int64_t>(1, ceil_div(n, most));
  return std::max(unit, ceil_div(ceil_div(n, parts), unit) * unit);
}

}  // namespace lampas::cpu
