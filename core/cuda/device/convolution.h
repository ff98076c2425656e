// Convolutions of one to three dimensions and their two adjoints as products whose factors are
// gathered while they are read (no columns in memory); where cuDNN is, it takes floats. Any
// distances. `Last`: channels are neighbours in memory, so they are the fastest part of the inner
// index; else places are.
#pragma once
#include "cuda/device/gemm.h"

namespace lampas::device {

// Of ConvolutionArguments in cuda/convolution.cc. x: the input's side (batch, group * channel, in),
// w (group * output, channel, kernel), y: the result's side; missing dimensions come first.
struct ConvolutionArguments {
  void *x, *w, *y;   // the one that is written: the map's result, or sums where splits > 1
  const void* bias;  // one for each channel of what is written, or null
  const void* sums;
  int64_t batch, groups, channels, outputs;  // channels and outputs of one group
  int64_t in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
  int64_t x_steps[5], w_steps[5], y_steps[5];
  int64_t splits, each;  // of the inner dimension of the weight's gradient
};

struct Place {
  int at[3];
};
LAMPAS_INLINE Place place_of(uint32_t flat, const int64_t* sizes) {
  auto high = static_cast<uint32_t>(sizes[1]), wide = static_cast<uint32_t>(sizes[2]);
  uint32_t row = flat / wide;
  return {
      {static_cast<int>(row / high), static_cast<int>(row % high), static_cast<int>(flat % wide)}};
}
LAMPAS_INLINE int64_t offset_of(const Place& p, const int64_t* steps) {
  return p.at[0] * steps[2] + p.at[1] * steps[3] + p.at[2] * steps[4];
}
LAMPAS_INLINE uint32_t volume(const int64_t* sizes) {
  return static_cast<uint32_t>(sizes[0] * sizes[1] * sizes[2]);
}

// An inner or outer index that counts channels and places: which of them runs faster is `Last`'s.
template <bool Last>
LAMPAS_INLINE void split_index(uint32_t flat, uint32_t channels, uint32_t places, uint32_t& channel,
                               uint32_t& place) {
  channel = Last ? flat % channels : flat / places;
  place = Last ? flat / channels : flat % places;
}

// Where tap `t` of the window at `q` lies in the input; false: in the padding.
LAMPAS_INLINE bool input_place(const ConvolutionArguments& g, const Place& q, const Place& t,
                               Place& p) {
  bool inside = true;
  for (int d = 0; d < 3; ++d) {
    p.at[d] = static_cast<int>(q.at[d] * g.stride[d] - g.padding[d] + t.at[d] * g.dilation[d]);
    inside = inside && p.at[d] >= 0 && p.at[d] < g.in[d];
  }
  return inside;
}
// The window whose tap `t` lies at `p`; false: there is none.
LAMPAS_INLINE bool output_place(const ConvolutionArguments& g, const Place& p, const Place& t,
                                Place& q) {
  bool inside = true;
  for (int d = 0; d < 3; ++d) {
    int from = static_cast<int>(p.at[d] + g.padding[d] - t.at[d] * g.dilation[d]);
    int stride = static_cast<int>(g.stride[d]);
    q.at[d] = from / stride;
    inside = inside && from >= 0 && from % stride == 0 && q.at[d] < g.out[d];
  }
  return inside;
}

// Which tile of which group a block makes.
struct Tile {
  int64_t row, column, group, split;
};
template <int R>
LAMPAS_INLINE Tile tile_of_block(int64_t m, int64_t n, int64_t groups) {
  constexpr int kTile = 16 * R;
  const int64_t high = (m + kTile - 1) / kTile, wide = (n + kTile - 1) / kTile;
  int64_t block = blockIdx.x;
  Tile t;
  t.row = block % high * kTile;
  block /= high;
  t.column = block % wide * kTile;
  block /= wide;
  t.group = block % groups;
  t.split = block / groups;
  return t;
}

// y[o, (b, q)] = sum over (c, t) of w[o, c, t] x[b, c, place].
template <class T, class Acc, int R, bool Last>
inline void convolve(const ConvolutionArguments& g) {
  const uint32_t taps = volume(g.kernel), places = volume(g.out);
  const int64_t n = g.batch * places, k = g.channels * taps;
  const Tile tile = tile_of_block<R>(g.outputs, n, g.groups);
  const T* w = static_cast<const T*>(g.w) + tile.group * g.outputs * g.w_steps[0];
  const T* x = static_cast<const T*>(g.x) + tile.group * g.channels * g.x_steps[1];
  const auto channels = static_cast<uint32_t>(g.channels);
  auto read_a = [&](int i, int64_t p) {
    if (tile.row + i >= g.outputs) return Acc{};
    uint32_t c, t;
    split_index<Last>(static_cast<uint32_t>(p), channels, taps, c, t);
    return convert<Acc>(w[(tile.row + i) * g.w_steps[0] + c * g.w_steps[1] +
                          offset_of(place_of(t, g.kernel), g.w_steps)]);
  };
  auto read_b = [&](int64_t p, int j) {
    if (tile.column + j >= n) return Acc{};
    auto column = static_cast<uint32_t>(tile.column + j);
    uint32_t c, t, b = column / places;
    split_index<Last>(static_cast<uint32_t>(p), channels, taps, c, t);
    Place at;
    if (!input_place(g, place_of(column % places, g.out), place_of(t, g.kernel), at)) return Acc{};
    return convert<Acc>(x[b * g.x_steps[0] + c * g.x_steps[1] + offset_of(at, g.x_steps)]);
  };
  const T* bias = static_cast<const T*>(g.bias);
  auto write = [&](int i, int j, Acc sum) {
    if (tile.row + i >= g.outputs || tile.column + j >= n) return;
    auto column = static_cast<uint32_t>(tile.column + j);
    int64_t o = tile.group * g.outputs + tile.row + i;
    T* y = static_cast<T*>(g.y) + column / places * g.y_steps[0] + o * g.y_steps[1] +
           offset_of(place_of(column % places, g.out), g.y_steps);
    finish(y, sum, bias ? bias + o : nullptr, 1, 0);
  };
  tile_product<Acc, R>(0, k, true, !Last, read_a, read_b, write);
}

// x[c, (b, p)] = sum over (o, t) of w[o, c, t] y[b, o, window]: a transposed convolution of y.
template <class T, class Acc, int R, bool Last>
inline void convolve_input(const ConvolutionArguments& g) {
  const uint32_t taps = volume(g.kernel), places = volume(g.in);
  const int64_t n = g.batch * places, k = g.outputs * taps;
  const Tile tile = tile_of_block<R>(g.channels, n, g.groups);
  const T* w = static_cast<const T*>(g.w) + tile.group * g.outputs * g.w_steps[0];
  const T* y = static_cast<const T*>(g.y) + tile.group * g.outputs * g.y_steps[1];
  const auto outputs = static_cast<uint32_t>(g.outputs);
  auto read_a = [&](int i, int64_t p) {
    if (tile.row + i >= g.channels) return Acc{};
    uint32_t o, t;
    split_index<Last>(static_cast<uint32_t>(p), outputs, taps, o, t);
    return convert<Acc>(w[o * g.w_steps[0] + (tile.row + i) * g.w_steps[1] +
                          offset_of(place_of(t, g.kernel), g.w_steps)]);
  };
  auto read_b = [&](int64_t p, int j) {
    if (tile.column + j >= n) return Acc{};
    auto column = static_cast<uint32_t>(tile.column + j);
    uint32_t o, t, b = column / places;
    split_index<Last>(static_cast<uint32_t>(p), outputs, taps, o, t);
    Place at;
    if (!output_place(g, place_of(column % places, g.in), place_of(t, g.kernel), at)) return Acc{};
    return convert<Acc>(y[b * g.y_steps[0] + o * g.y_steps[1] + offset_of(at, g.y_steps)]);
  };
  const T* bias = static_cast<const T*>(g.bias);
  auto write = [&](int i, int j, Acc sum) {
    if (tile.row + i >= g.channels || tile.column + j >= n) return;
    auto column = static_cast<uint32_t>(tile.column + j);
    int64_t c = tile.group * g.channels + tile.row + i;
    T* x = static_cast<T*>(g.x) + column / places * g.x_steps[0] + c * g.x_steps[1] +
           offset_of(place_of(column % places, g.in), g.x_steps);
    finish(x, sum, bias ? bias + c : nullptr, 1, 0);
  };
  tile_product<Acc, R>(0, k, !Last, !Last, read_a, read_b, write);
}

template <class T, bool Last>
LAMPAS_INLINE T* weight_at(const ConvolutionArguments& g, int64_t group, int64_t o, uint32_t n) {
  uint32_t c, t;
  split_index<Last>(n, static_cast<uint32_t>(g.channels), volume(g.kernel), c, t);
  return static_cast<T*>(g.w) + (group * g.outputs + o) * g.w_steps[0] + c * g.w_steps[1] +
         offset_of(place_of(t, g.kernel), g.w_steps);
}

// w[o, (c, t)] = sum over (b, q) of y[b, o, q] x[b, c, place].
template <class T, class Acc, int R, bool Last>
inline void convolve_weight(const ConvolutionArguments& g) {
  const uint32_t taps = volume(g.kernel), places = volume(g.out);
  const int64_t n = g.channels * taps, k = g.batch * places;
  const Tile tile = tile_of_block<R>(g.outputs, n, g.groups);
  const T* y = static_cast<const T*>(g.y) + tile.group * g.outputs * g.y_steps[1];
  const T* x = static_cast<const T*>(g.x) + tile.group * g.channels * g.x_steps[1];
  auto read_a = [&](int i, int64_t p) {
    if (tile.row + i >= g.outputs) return Acc{};
    auto flat = static_cast<uint32_t>(p);
    return convert<Acc>(y[flat / places * g.y_steps[0] + (tile.row + i) * g.y_steps[1] +
                          offset_of(place_of(flat % places, g.out), g.y_steps)]);
  };
  auto read_b = [&](int64_t p, int j) {
    if (tile.column + j >= n) return Acc{};
    auto flat = static_cast<uint32_t>(p);
    uint32_t c, t;
    split_index<Last>(static_cast<uint32_t>(tile.column + j), static_cast<uint32_t>(g.channels),
                      taps, c, t);
    Place at;
    if (!input_place(g, place_of(flat % places, g.out), place_of(t, g.kernel), at)) return Acc{};
    return convert<Acc>(
        x[flat / places * g.x_steps[0] + c * g.x_steps[1] + offset_of(at, g.x_steps)]);
  };
  auto write = [&](int i, int j, Acc sum) {
    int64_t o = tile.row + i, column = tile.column + j;
    if (o >= g.outputs || column >= n) return;
    if (g.splits > 1)
      static_cast<Acc*>(g.w)[((tile.split * g.groups + tile.group) * g.outputs + o) * n + column] =
          sum;
    else
      *weight_at<T, Last>(g, tile.group, o, static_cast<uint32_t>(column)) = convert<T>(sum);
  };
  int64_t begin = tile.split * g.each, end = begin + g.each < k ? begin + g.each : k;
  tile_product<Acc, R>(begin, end, !Last, Last, read_a, read_b, write);
}

// Adds the sums of all splits, in their order. One thread an element of w.
template <class T, class Acc, bool Last>
inline void finish_weight(const ConvolutionArguments& g) {
  const int64_t n = g.channels * volume(g.kernel), count = g.groups * g.outputs * n;
  const int64_t at = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (at >= count) return;
  const Acc* sums = static_cast<const Acc*>(g.sums) + at;
  Acc sum = sums[0];
  for (int64_t s = 1; s < g.splits; ++s) sum = sum + sums[s * count];
  *weight_at<T, Last>(g, at / n / g.outputs, at / n % g.outputs, static_cast<uint32_t>(at % n)) =
      convert<T>(sum);
}

}  // namespace lampas::device
