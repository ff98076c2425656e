// The order of elements of one line: keys whose unsigned order is PyTorch's (NaN above everything,
// -0 equal to 0), and stable sorting of (key, place) pairs.
#pragma once
#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "runtime/dtype.h"

namespace lampas::cpu {

template <size_t Bytes>
struct word_of;
template <>
struct word_of<1> {
  using type = uint8_t;
};
template <>
struct word_of<2> {
  using type = uint16_t;
};
template <>
struct word_of<4> {
  using type = uint32_t;
};
template <>
struct word_of<8> {
  using type = uint64_t;
};
template <class T>
using key_t = typename word_of<sizeof(T)>::type;

template <class T>
inline key_t<T> key_of(T x) {
  using K = key_t<T>;
  constexpr K top = K(1) << (sizeof(T) * 8 - 1);
  if constexpr (is_floating_v<T>) {
    auto value = static_cast<compute_t<T>>(x);
    if (value != value) return ~K(0);
    if (value == 0) return top;
    K bits;
    std::memcpy(&bits, &x, sizeof(T));
    return bits & top ? K(~bits) : K(bits | top);
  } else if constexpr (std::is_signed_v<T>) {
    return K(static_cast<K>(x) ^ top);
  } else {
    return static_cast<K>(x);
  }
}
// The key by which a descending (or largest-first) order ascends.
template <class T>
inline key_t<T> key_of(T x, bool descending) {
  key_t<T> key = key_of(x);
  return descending ? key_t<T>(~key) : key;
}

template <class K>
struct Keyed {
  K key;
  int64_t place;
  friend bool operator<(const Keyed& a, const Keyed& b) { return a.key < b.key; }
};
// Orders equal keys by place: what makes a partial sort stable.
template <class K>
inline bool before(const Keyed<K>& a, const Keyed<K>& b) {
  return a.key != b.key ? a.key < b.key : a.place < b.place;
}

// Stable, ascending. Short lines by merging; long ones by radix, digits in which all keys agree
// skipped. `spare` is working room.
template <class K>
void sort_keyed(std::vector<Keyed<K>>& line, std::vector<Keyed<K>>& spare) {
  size_t n = line.size();
  constexpr size_t few = sizeof(K) <= 2 ? 128 : sizeof(K) == 4 ? 512 : 2048;
  if (n <= few) {
    std::stable_sort(line.begin(), line.end());
    return;
  }
  constexpr int digits = sizeof(K);
  std::vector<size_t> counts(digits * 256);
  for (const auto& item : line)
    for (int d = 0; d < digits; ++d) ++counts[d * 256 + (item.key >> (8 * d) & 255)];
  spare.resize(n);
  for (int d = 0; d < digits; ++d) {
    size_t* count = &counts[d * 256];
    if (count[line[0].key >> (8 * d) & 255] == n) continue;
    size_t at = 0;
    for (int v = 0; v < 256; ++v) at += std::exchange(count[v], at);
    for (const auto& item : line) spare[count[item.key >> (8 * d) & 255]++] = item;
    line.swap(spare);
  }
}

}  // namespace lampas::cpu
