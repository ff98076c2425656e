// The last pass over a line of memory whose successor is wanted next. Private to one instruction
// set.
#pragma once
#include "ops/math.h"

namespace lampas::LAMPAS_ISA {
namespace {

template <class T>
LAMPAS_INLINE void fetch(const T* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(x + i);
}
// Runs f over 0 .. n - 1 while the elements after each x[n - 1], the next line, are fetched: the
// last pass over a line is the time to do so. Beyond the end of an array a prefetch does nothing.
template <class F, class... T>
LAMPAS_INLINE void last_pass(int64_t n, F f, const T*... x) {
  constexpr int64_t kStep = 256;
  for (int64_t begin = 0; begin < n; begin += kStep) {
    int64_t end = begin + kStep < n ? begin + kStep : n;
    (fetch(x + n + begin, end - begin), ...);
    for (int64_t i = begin; i < end; ++i) f(i);
  }
}

}  // namespace
}  // namespace lampas::LAMPAS_ISA
