// im2col and its adjoint: the windows of a convolution as the columns of a matrix.
#pragma once
#include <algorithm>

#include "cpu/convolution.h"

namespace lampas::cpu {

// Rows of outputs are counted over (out[0], out[1]); a row has out[2] of them.
struct OutputRows {
  int64_t begin, end;
  int64_t count(const ConvShape& s) const { return (end - begin) * s.out[2]; }
};

namespace detail {

// Whole numbers wrap around; of bools, either.
template <class T>
T plus(T a, T b) {
  if constexpr (std::is_same_v<T, bool>) {
    return a || b;
  } else if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  } else {
    return T(a + b);
  }
}

// The outputs o whose tap lies inside: 0 <= o * stride + shift < in.
inline void inside(int64_t shift, int64_t stride, int64_t in, int64_t out, int64_t& begin,
                   int64_t& end) {
  begin = shift >= 0 ? 0 : std::min(out, (-shift + stride - 1) / stride);
  end = shift >= in ? begin : std::clamp((in - shift + stride - 1) / stride, begin, out);
}

// Calls body(where in the columns, where in the image, begin, end) for every tap and every row of
// outputs: outputs begin..end of the row read the image, at multiples of the stride from that
// place; the others lie outside.
template <class F>
void each_tap_row(const ConvShape& s, int64_t channels, OutputRows rows, F&& body) {
  int64_t width = rows.count(s), matrix_row = 0;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t kd = 0; kd < s.kernel[0]; ++kd)
      for (int64_t kh = 0; kh < s.kernel[1]; ++kh)
        for (int64_t kw = 0; kw < s.kernel[2]; ++kw, ++matrix_row) {
          int64_t shift = kw * s.dilation[2] - s.padding[2], begin, end;
          inside(shift, s.stride[2], s.in[2], s.out[2], begin, end);
          for (int64_t r = rows.begin; r < rows.end; ++r) {
            int64_t d = r / s.out[1] * s.stride[0] + kd * s.dilation[0] - s.padding[0];
            int64_t h = r % s.out[1] * s.stride[1] + kh * s.dilation[1] - s.padding[1];
            bool in = d >= 0 && d < s.in[0] && h >= 0 && h < s.in[1];
            int64_t line = ((c * s.in[0] + d) * s.in[1] + h) * s.in[2];
            body(matrix_row * width + (r - rows.begin) * s.out[2], in ? line + shift : 0,
                 in ? begin : s.out[2], in ? end : s.out[2]);
          }
        }
}

}  // namespace detail

// columns (channels * taps, outputs in rows) from an image (channels, in).
template <class T>
void to_columns(T* columns, const T* image, const ConvShape& s, int64_t channels, OutputRows rows) {
  int64_t step = s.stride[2], width = s.out[2];
  detail::each_tap_row(s, channels, rows,
                       [&](int64_t at, int64_t from, int64_t begin, int64_t end) {
                         T* to = columns + at;
                         std::fill(to, to + begin, T(0));
                         if (step == 1) {
                           if (end > begin)
                             std::copy(image + from + begin, image + from + end, to + begin);
                         } else {
                           for (int64_t o = begin; o < end; ++o) to[o] = image[from + o * step];
                         }
                         std::fill(to + end, to + width, T(0));
                       });
}

// Adds columns back into the image.
template <class T>
void from_columns(T* image, const T* columns, const ConvShape& s, int64_t channels,
                  OutputRows rows) {
  int64_t step = s.stride[2];
  detail::each_tap_row(s, channels, rows, [&](int64_t at, int64_t to, int64_t begin, int64_t end) {
    const T* from = columns + at;
    for (int64_t o = begin; o < end; ++o) {
      T& target = image[to + o * step];
      target = detail::plus(target, from[o]);
    }
  });
}

}  // namespace lampas::cpu
