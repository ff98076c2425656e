// Convolutions: the choice of a method, and the general one, by columns and matrix products.
#include "cpu/convolution.h"

#include <algorithm>

#include "cpu/blas.h"
#include "cpu/columns.h"
#include "cpu/direct.h"
#include "cpu/division.h"
#include "cpu/gathered.h"
#include "cpu/matmul.h"
#include "cpu/scratch.h"
#include "cpu/single_tap.h"
#include "cpu/winograd.h"
#include "cpu/winograd_rows.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kTile = int64_t{1} << 17;       // elements of one matrix of columns
constexpr int64_t kPieceWork = int64_t{1} << 20;  // multiplications worth handing to another thread
constexpr int64_t kPartials = int64_t{1} << 22;   // elements of partial gradients of a weight

using Types = lampas::Types<float, double, ComplexFloat, ComplexDouble, uint8_t, int8_t, int16_t,
                            int32_t, int64_t>;

template <class T>
constexpr bool kBlas = std::is_floating_point_v<T> || is_complex_v<T>;

// Opened on the calling thread, where an exception is at home.
template <class T>
void open_blas() {
  if constexpr (kBlas<T>) blas::symbol("cblas_sgemm");
}

template <class T>
Matrix matrix(const T* data, int64_t rows, int64_t cols, int64_t ld, bool transposed = false) {
  return {const_cast<T*>(data), rows, cols, ld, transposed};
}

template <class T>
void fill_bias(T* y, const T* bias, int64_t rows, int64_t cols, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i) std::fill_n(y + i * ld, cols, bias ? bias[i] : T(0));
}

// The window is one element that visits every place: columns would be the image itself.
bool is_pointwise(const ConvShape& s) {
  for (int d = 0; d < 3; ++d)
    if (s.kernel[d] != 1 || s.stride[d] != 1 || s.padding[d] != 0 || s.in[d] != s.out[d])
      return false;
  return true;
}

int64_t rows_in_tile(const ConvShape& s, int64_t channels) {
  int64_t row = std::max<int64_t>(channels * s.taps() * s.out[2], 1);
  return std::clamp<int64_t>(kTile / row, 1, std::max<int64_t>(s.out[0] * s.out[1], 1));
}

template <class T>
struct Columns {
  const ConvShape& s;
  int64_t C = s.group_channels(), O = s.group_outputs(), K = C * s.taps(), L = s.out_volume();
  int64_t rows = s.out[0] * s.out[1];
  DType dtype = dtype_of<T>;
  bool pointwise = is_pointwise(s);

  // --- y = w (O, K) @ columns (K, L) ---
  void forward_tile(T* y, const T* x, const T* w, OutputRows tile, T* columns) const {
    int64_t cols = tile.count(s), from = tile.begin * s.out[2];
    if (!pointwise) to_columns(columns, x, s, C, tile);
    Matrix b = pointwise ? matrix(x + from, K, cols, L) : matrix(columns, K, cols, cols);
    matmul(dtype, matrix(w, O, K, K), b, matrix(y + from, O, cols, L), true);
  }
  void forward(T* y, const T* x, const T* w, const T* bias) const {
    int64_t step = rows_in_tile(s, C), tiles = ceil_div(rows, step);
    int64_t grain = std::max<int64_t>(kPieceWork / std::max<int64_t>(s.work() / tiles, 1), 1);
    parallel_for(s.batch * s.groups * tiles, grain, [&](int64_t begin, int64_t end) {
      Scratch<T> columns(pointwise ? 0 : K * step * s.out[2]);
      for (int64_t i = begin; i < end; ++i) {
        int64_t image = i / tiles, group = image % s.groups, first = i % tiles * step;
        OutputRows tile{first, std::min(first + step, rows)};
        T* out = y + image * O * L;
        fill_bias(out + first * s.out[2], bias ? bias + group * O : nullptr, O, tile.count(s), L);
        forward_tile(out, x + image * C * s.in_volume(), w + group * O * K, tile, columns.data());
      }
    });
  }

  // --- columns (K, L) = w^T (K, O) @ g (O, L), added back into dx; cut by channels, which do not
  // meet ---
  void input_channels(T* dx, const T* g, const T* w, int64_t channels, T* columns) const {
    int64_t step = rows_in_tile(s, channels), k = channels * s.taps();
    if (pointwise) {
      matmul(dtype, matrix(w, k, O, K, true), matrix(g, O, L, L), matrix(dx, k, L, L), true);
      return;
    }
    for (int64_t first = 0; first < rows; first += step) {
      OutputRows tile{first, std::min(first + step, rows)};
      int64_t cols = tile.count(s);
      matmul(dtype, matrix(w, k, O, K, true), matrix(g + first * s.out[2], O, cols, L),
             matrix(columns, k, cols, cols), false);
      from_columns(dx, columns, s, channels, tile);
    }
  }
  void input(T* dx, const T* g, const T* w, const T* bias) const {
    int64_t block = channel_block(), blocks = ceil_div(C, block);
    int64_t grain = std::max<int64_t>(kPieceWork / std::max<int64_t>(s.work() / blocks, 1), 1);
    parallel_for(s.batch * s.groups * blocks, grain, [&](int64_t begin, int64_t end) {
      Scratch<T> columns(pointwise ? 0 : block * s.taps() * rows_in_tile(s, block) * s.out[2]);
      for (int64_t i = begin; i < end; ++i) {
        int64_t image = i / blocks, group = image % s.groups, c = i % blocks * block;
        int64_t channels = std::min(block, C - c);
        T* to = dx + (image * C + c) * s.in_volume();
        fill_bias(to, bias ? bias + group * C + c : nullptr, channels, s.in_volume(),
                  s.in_volume());
        input_channels(to, g + image * O * L, w + group * O * K + c * s.taps(), channels,
                       columns.data());
      }
    });
  }

  // --- dw (O, K) = sum over images of g (O, L) @ columns^T (L, K), a block of channels at a time
  // ---
  void weight_channels(T* dw, const T* g, const T* x, int64_t channels, T* columns) const {
    int64_t step = rows_in_tile(s, channels), k = channels * s.taps();
    if (pointwise) {
      matmul(dtype, matrix(g, O, L, L), matrix(x, L, k, L, true), matrix(dw, O, k, K), true);
      return;
    }
    for (int64_t first = 0; first < rows; first += step) {
      OutputRows tile{first, std::min(first + step, rows)};
      int64_t cols = tile.count(s);
      to_columns(columns, x, s, channels, tile);
      matmul(dtype, matrix(g + first * s.out[2], O, cols, L), matrix(columns, cols, k, cols, true),
             matrix(dw, O, k, K), true);
    }
  }
  void weight(T* dw, const T* g, const T* x) const {
    int64_t block = channel_block(), blocks = ceil_div(C, block), units = s.groups * blocks;
    // Too few blocks to share out: images are cut too, each part with a gradient of its own.
    int64_t size = s.groups * O * K, parts = 1;
    if (units < 8)
      parts = std::clamp<int64_t>(s.batch * s.groups * s.work() / (4 * kPieceWork), 1,
                                  std::min<int64_t>(s.batch, 8));
    parts = std::clamp<int64_t>(kPartials / std::max<int64_t>(size, 1), 1, parts);
    int64_t images = ceil_div(s.batch, parts);
    parts = ceil_div(s.batch, images);
    Scratch<T> partial(parts > 1 ? size * (parts - 1) : 0);
    int64_t grain =
        std::max<int64_t>(kPieceWork / std::max<int64_t>(s.work() / blocks * images, 1), 1);
    parallel_for(units * parts, grain, [&](int64_t begin, int64_t end) {
      Scratch<T> columns(pointwise ? 0 : block * s.taps() * rows_in_tile(s, block) * s.out[2]);
      for (int64_t i = begin; i < end; ++i) {
        int64_t part = i / units, group = i % units / blocks, c = i % blocks * block;
        int64_t channels = std::min(block, C - c);
        T* to = (part ? partial.data() + (part - 1) * size : dw) + group * O * K + c * s.taps();
        fill_bias(to, static_cast<const T*>(nullptr), O, channels * s.taps(), K);
        for (int64_t n = part * images; n < std::min((part + 1) * images, s.batch); ++n) {
          int64_t image = n * s.groups + group;
          weight_channels(to, g + image * O * L, x + (image * C + c) * s.in_volume(), channels,
                          columns.data());
        }
      }
    });
    for (int64_t part = 1; part < parts; ++part) {
      const T* from = partial.data() + (part - 1) * size;
      for (int64_t i = 0; i < size; ++i) dw[i] = detail::plus(dw[i], from[i]);
    }
  }

  // Channels whose columns for one row of outputs fill a tile: wide enough for the product to pay.
  int64_t channel_block() const {
    int64_t least = ceil_div(64, s.taps());
    return std::clamp<int64_t>(ceil_div(C, 8), std::min(least, C), C);
  }
};

template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

template <class F>
void by_type(const Tensor& x, F&& body) {
  dispatch<Types>(x.dtype(), "slow_conv2d_cpu", std::forward<F>(body));
}

template <class T>
void zero(const Tensor& x) {
  std::fill_n(x.data<T>(), x.numel(), T(0));
}

}  // namespace

bool convolves_last(ConvMap map, const ConvShape& s, DType dtype) {
  if (dtype != DType::Float && dtype != DType::Double) return false;
  int64_t item = item_size(dtype);
  if (map != ConvMap::weight && single_tap_last(s)) return true;
  return map == ConvMap::result  ? gathers(s, item)
         : map == ConvMap::input ? gathers_input(s, item)
                                 : gathers_weight(s, item);
}

void convolve(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias,
              const ConvShape& s) {
  if (y.numel() == 0) return;
  by_type(y, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_floating_point_v<T>) {
      if (single_tap_convolve(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
        return;
      if constexpr (std::is_same_v<T, float>)
        if (winograd_convolve(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias), s) ||
            winograd_rows_convolve(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
          return;
      if (prefers_direct(s, sizeof(T)) &&
          direct_convolve(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
        return;
      if (gathered_convolve(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
        return;
      if (direct_convolve(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias), s)) return;
    }
    open_blas<T>();
    Columns<T>{s}.forward(y.data<T>(), x.data<T>(), w.data<T>(), data_or_null<T>(bias));
  });
}

void convolve_input(const Tensor& dx, const Tensor& g, const Tensor& w, const Tensor& bias,
                    const ConvShape& s) {
  if (dx.numel() == 0) return;
  by_type(dx, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_floating_point_v<T>) {
      if (single_tap_convolve_input(dx.data<T>(), g.data<T>(), w.data<T>(), data_or_null<T>(bias),
                                    s))
        return;
      if (prefers_direct_input(s, sizeof(T)) &&
          direct_convolve_input(dx.data<T>(), g.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
        return;
      if constexpr (std::is_same_v<T, float>)
        if (winograd_convolve_input(dx.data<T>(), g.data<T>(), w.data<T>(), data_or_null<T>(bias),
                                    s) ||
            winograd_rows_convolve_input(dx.data<T>(), g.data<T>(), w.data<T>(),
                                         data_or_null<T>(bias), s))
          return;
      if (gathered_convolve_input(dx.data<T>(), g.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
        return;
      if (direct_convolve_input(dx.data<T>(), g.data<T>(), w.data<T>(), data_or_null<T>(bias), s))
        return;
    }
    open_blas<T>();
    Columns<T>{s}.input(dx.data<T>(), g.data<T>(), w.data<T>(), data_or_null<T>(bias));
  });
}

void convolve_weight(const Tensor& dw, const Tensor& g, const Tensor& x, const ConvShape& s) {
  if (dw.numel() == 0) return;
  by_type(dw, [&](auto tag) {
    using T = decltype(tag);
    if (s.batch == 0 || s.out_volume() == 0) return zero<T>(dw);
    if constexpr (std::is_floating_point_v<T>) {
      if (single_tap_convolve_weight(dw.data<T>(), g.data<T>(), x.data<T>(), s)) return;
      if constexpr (std::is_same_v<T, float>)
        if (winograd_convolve_weight(dw.data<T>(), g.data<T>(), x.data<T>(), s) ||
            winograd_rows_convolve_weight(dw.data<T>(), g.data<T>(), x.data<T>(), s))
          return;
      if (gathered_convolve_weight(dw.data<T>(), g.data<T>(), x.data<T>(), s)) return;
      if (direct_convolve_weight(dw.data<T>(), g.data<T>(), x.data<T>(), s)) return;
    }
    open_blas<T>();
    Columns<T>{s}.weight(dw.data<T>(), g.data<T>(), x.data<T>());
  });
}

}  // namespace lampas::cpu
