// The last pass over a line of memory whose successor is wanted next. Private to one instruction
// set.
#pragma once
#include "cpu/streaming.h"
#include "ops/math.h"

namespace lampas::LAMPAS_ISA {
namespace {

template <class T>
LAMPAS_INLINE void fetch(const T* x, int64_t n) {
  for (int64_t i = 0; i < n; i += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(x + i);
}
// y[i] = value(i) for i below n, while the elements after each x[n - 1], the next line, are
// fetched: the last pass over a line is the time to do so. Beyond the end of an array a prefetch
// does nothing. Written past the caches piece by piece where `past`, so that reads and writes of
// memory alternate.
template <class T, class F, class... X>
LAMPAS_INLINE void last_pass(T* __restrict y, bool past, int64_t n, F value, const X*... x) {
  constexpr int64_t kStep = 256;
  for (int64_t begin = 0; begin < n; begin += kStep) {
    int64_t end = begin + kStep < n ? begin + kStep : n;
    (fetch(x + n + begin, end - begin), ...);
    if (!past) {
      for (int64_t i = begin; i < end; ++i) y[i] = value(i);
      continue;
    }
    alignas(64) T piece[kStep];
    for (int64_t i = begin; i < end; ++i) piece[i - begin] = value(i);
    stream(y + begin, piece, (end - begin) * static_cast<int64_t>(sizeof(T)));
  }
}

}  // namespace
}  // namespace lampas::LAMPAS_ISA
