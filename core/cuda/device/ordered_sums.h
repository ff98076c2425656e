// Sums of what an index sends to one place, in the order of the index: positions are sorted by
// where they lead, and one thread adds up all that meet.
#pragma once
#include "cuda/device/combine.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct OrderedArguments {
  void* x;
  const void* y;
  const int64_t *targets, *order;  // where positions lead, in units of `stride`; -1: nowhere
  int64_t n, stride, y_step, columns;
  Walk<2> outside;  // x, y
};

template <class T>
inline void add_in_order(const OrderedArguments& a) {
  using C = std::conditional_t<is_narrow<T>, float, T>;
  for (int64_t i = first_of_grid(); i < a.n * a.columns; i += step_of_grid()) {
    int64_t k = i / a.columns, column = i - k * a.columns, at[2];
    int64_t target = a.targets[a.order[k]];
    if (target < 0 || (k > 0 && a.targets[a.order[k - 1]] == target)) continue;
    place<uint64_t>(a.outside, static_cast<uint64_t>(column), at);
    T* x = static_cast<T*>(a.x) + target * a.stride + at[0];
    const T* y = static_cast<const T*>(a.y) + at[1];
    C sum = convert<C>(*x);
    while (k < a.n) {  // four at a time: their loads do not wait for each other
      C v[4];
      int count = 0;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        bool meets = k + j < a.n && a.targets[a.order[k + j]] == target && count == j;
        v[j] = meets ? convert<C>(y[a.order[k + j] * a.y_step]) : C{};
        count += meets;
      }
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (j < count) sum = Add::of(sum, v[j]);
      if (count < 4) break;
      k += 4;
    }
    *x = convert<T>(sum);
  }
}

}  // namespace lampas::device
