// One loop per pair of element types; strided moves know sizes only.
#include "cpu/convert.h"

#include <algorithm>
#include <cstring>

#include "cpu/half.h"

namespace lampas::cpu {

namespace {

template <class To, class From>
void convert_run(void* to, const void* from, int64_t n) {
  auto* __restrict y = static_cast<To*>(to);
  auto* __restrict x = static_cast<const From*>(from);
  for (int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i]);
}

template <class T>
void copy_run(void* to, const void* from, int64_t n) {
  if (n > 0) std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
}

struct Table {
  Convert runs[kDTypes][kDTypes];  // [to][from]
};

template <class To>
constexpr void fill_row(Convert* row) {
#define ROW(type, name, python, label) \
  row[static_cast<int>(DType::name)] = \
      std::is_same_v<To, type> ? &copy_run<To> : static_cast<Convert>(&convert_run<To, type>);
  LAMPAS_DTYPES(ROW)
#undef ROW
}

constexpr Table make_table() {
  Table table{};
#define ROW(type, name, python, label) fill_row<type>(table.runs[static_cast<int>(DType::name)]);
  LAMPAS_DTYPES(ROW)
#undef ROW
  return table;
}

constexpr Table kTable = make_table();

template <class T>
void move_run(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t n) {
  constexpr int64_t item = sizeof(T);
  if (to_step == item && from_step == item) {
    std::memmove(to, from, static_cast<size_t>(n) * item);
  } else if (to_step == item) {
    auto* y = reinterpret_cast<T*>(to);
    for (int64_t i = 0; i < n; ++i) y[i] = *reinterpret_cast<const T*>(from + i * from_step);
  } else if (from_step == item) {
    auto* x = reinterpret_cast<const T*>(from);
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(to + i * to_step) = x[i];
  } else {
    for (int64_t i = 0; i < n; ++i)
      *reinterpret_cast<T*>(to + i * to_step) = *reinterpret_cast<const T*>(from + i * from_step);
  }
}

}  // namespace

namespace {

struct HalfRuns {
  Convert widen = LAMPAS_BEST(half_to_float), narrow = LAMPAS_BEST(float_to_half);
};

}  // namespace

Convert converter(DType to, DType from) {
  static const HalfRuns half;
  if (to == DType::Float && from == DType::Half) return half.widen;
  if (to == DType::Half && from == DType::Float) return half.narrow;
  return kTable.runs[static_cast<int>(to)][static_cast<int>(from)];
}

void move_strided(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t bytes,
                  int64_t n) {
  dispatch_size(bytes, [&](auto tag) { move_run<decltype(tag)>(to, to_step, from, from_step, n); });
}

void repeat(void* to, const void* element, int64_t bytes, int64_t n) {
  dispatch_size(bytes, [&](auto tag) {
    using T = decltype(tag);
    T value;
    std::memcpy(&value, element, sizeof(T));
    std::fill_n(static_cast<T*>(to), n, value);
  });
}

}  // namespace lampas::cpu
