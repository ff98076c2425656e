// im2col and col2im over a batch. An element of an image gathers what the columns say of it.
#pragma once
#include "cuda/device/combine.h"
#include "cuda/device/walk.h"

namespace lampas::device {

struct FoldArguments {
  void *columns, *x;
  int64_t n;
  int64_t channels, in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
};

// columns (batch, channels, kernel, out) from x (batch, channels, in).
template <class Word>
inline void unfold(const FoldArguments& a) {
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    int64_t rest = n, o[3], t[3];
    for (int d = 2; d >= 0; --d) o[d] = rest % a.out[d], rest /= a.out[d];
    for (int d = 2; d >= 0; --d) t[d] = rest % a.kernel[d], rest /= a.kernel[d];
    bool inside = true;
    for (int d = 0; d < 3; ++d) {
      int64_t i = o[d] * a.stride[d] - a.padding[d] + t[d] * a.dilation[d];
      inside = inside && i >= 0 && i < a.in[d];
      rest = rest * a.in[d] + i;
    }
    static_cast<Word*>(a.columns)[n] = inside ? static_cast<const Word*>(a.x)[rest] : Word{};
  }
}
template <class T>
inline void fold(const FoldArguments& a) {
  using C = std::conditional_t<is_narrow<T>, float, T>;
  for (int64_t n = first_of_grid(); n < a.n; n += step_of_grid()) {
    int64_t plane = n, i[3];
    for (int d = 2; d >= 0; --d) i[d] = plane % a.in[d], plane /= a.in[d];
    C sum{};
    for (int64_t p = 0; p < a.kernel[0]; ++p)
      for (int64_t q = 0; q < a.kernel[1]; ++q)
        for (int64_t r = 0; r < a.kernel[2]; ++r) {
          int64_t t[3] = {p, q, r},
                  at = ((plane * a.kernel[0] + p) * a.kernel[1] + q) * a.kernel[2] + r;
          bool inside = true;
          for (int d = 0; d < 3; ++d) {
            int64_t from = i[d] + a.padding[d] - t[d] * a.dilation[d], o = from / a.stride[d];
            inside = inside && from >= 0 && o * a.stride[d] == from && o < a.out[d];
            at = at * a.out[d] + o;
          }
          if (inside) sum = Add::of(sum, convert<C>(static_cast<const T*>(a.columns)[at]));
        }
    static_cast<T*>(a.x)[n] = convert<T>(sum);
  }
}

}  // namespace lampas::device
