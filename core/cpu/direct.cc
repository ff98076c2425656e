// Direct convolution: padded copies of images, packed weights, and the cut into parallel pieces.
// The loops over windows are in simd/direct.cc.
#include "cpu/direct.h"

#include <algorithm>
#include <vector>

#include "cpu/division.h"
#include "cpu/gathering.h"
#include "cpu/scratch.h"
#include "cpu/simd/direct.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kImage = int64_t{1} << 16;      // elements of a padded copy that stay near
constexpr int64_t kTogether = 12;                 // rows of outputs that share the image
constexpr int64_t kPieceWork = int64_t{1} << 19;  // multiplications worth handing to another thread

#ifdef LAMPAS_HAVE_AVX512
#define BY_ISA_512(call) \
  if (isa() == Isa::avx512) return avx512::call;
#else
#define BY_ISA_512(call)
#endif
#ifdef LAMPAS_HAVE_AVX2
#define BY_ISA_2(call) \
  if (isa() >= Isa::avx2) return avx2::call;
#else
#define BY_ISA_2(call)
#endif
#define BY_ISA(call) BY_ISA_512(call) BY_ISA_2(call) return baseline::call

int64_t block_of(int64_t outputs, int64_t width, int64_t item) {
  BY_ISA(direct_block(outputs, width, item));
}
template <class T>
void row(const DirectRow<T>& r) {
  BY_ISA(direct_row(r));
}
template <class T>
void weights(const DirectWeights<T>& w) {
  BY_ISA(direct_weights(w));
}
int64_t rounded(int64_t n) { return ceil_div(n, kDirectSlack) * kDirectSlack; }

// Outputs [begin, end) of the depth and height of one image.
struct Band {
  int64_t depth[2], height[2];
};

// A copy of channels with their padding, for the windows of a band. A row is split by the column's
// remainder modulo the stride, so that neighbouring outputs read neighbouring elements.
struct Padded {
  int64_t pitch, row, planes, rows;  // of one remainder; of a row; how many planes and rows
  std::vector<int64_t> offsets;      // of the taps of one channel

  Padded(const ConvShape& s, int64_t depth, int64_t height) {
    auto extent = [&](int d, int64_t outputs) {
      return (outputs - 1) * s.stride[d] + (s.kernel[d] - 1) * s.dilation[d] + 1;
    };
    pitch = rounded(s.out[2]) + (s.kernel[2] - 1) * s.dilation[2] / s.stride[2];
    row = pitch * s.stride[2];
    planes = extent(0, depth);
    rows = extent(1, height);
    for (int64_t i = 0; i < s.kernel[0]; ++i)
      for (int64_t j = 0; j < s.kernel[1]; ++j)
        for (int64_t k = 0; k < s.kernel[2]; ++k) {
          int64_t column = k * s.dilation[2];
          offsets.push_back((i * s.dilation[0] * rows + j * s.dilation[1]) * row +
                            column % s.stride[2] * pitch + column / s.stride[2]);
        }
  }
  int64_t channel() const { return planes * rows * row; }

  template <class T>
  static void fill_row(T* to, const T* from, const ConvShape& s, int64_t pitch) {
    int64_t step = s.stride[2], in = s.in[2], pad = s.padding[2];
    for (int64_t f = 0; f < step; ++f, to += pitch) {
      // Column j of this remainder is column j * step + f - pad of the image.
      int64_t begin = std::clamp<int64_t>(f >= pad ? 0 : ceil_div(pad - f, step), 0, pitch);
      int64_t end =
          in + pad > f ? std::clamp<int64_t>(ceil_div(in + pad - f, step), begin, pitch) : begin;
      std::fill(to, to + begin, T(0));
      if (step == 1)
        std::copy(from + begin - pad, from + end - pad, to + begin);
      else
        for (int64_t j = begin; j < end; ++j) to[j] = from[j * step + f - pad];
      std::fill(to + end, to + pitch, T(0));
    }
  }
  // Rows that are not split are padded planes.
  template <class T>
  void fill_planes(T* to, const T* image, const ConvShape& s, int64_t channels, int64_t first_depth,
                   int64_t first_height) const {
    PaddedPlane p;
    p.rows = rows;
    p.cols = p.pitch = row;
    p.row = first_height * s.stride[1] - s.padding[1];
    p.col = -s.padding[2];
    p.row_step = p.col_step = p.item = p.item_pitch = p.in_item_pitch = 1;
    p.in_rows = s.in[1];
    p.in_cols = p.in_pitch = s.in[2];
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < planes; ++i, to += rows * row) {
        int64_t d = first_depth * s.stride[0] + i - s.padding[0];
        if (d < 0 || d >= s.in[0])
          std::fill_n(to, rows * row, T(0));
        else
          gather::pad(to, image + (c * s.in[0] + d) * s.in[1] * s.in[2], p);
      }
  }
  template <class T>
  void fill(T* to, const T* image, const ConvShape& s, int64_t channels, int64_t first_depth,
            int64_t first_height) const {
    if (s.stride[2] == 1) return fill_planes(to, image, s, channels, first_depth, first_height);
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < planes; ++i)
        for (int64_t j = 0; j < rows; ++j, to += row) {
          int64_t d = first_depth * s.stride[0] + i - s.padding[0],
                  h = first_height * s.stride[1] + j - s.padding[1];
          if (d < 0 || d >= s.in[0] || h < 0 || h >= s.in[1])
            std::fill_n(to, row, T(0));
          else
            fill_row(to, image + ((c * s.in[0] + d) * s.in[1] + h) * s.in[2], s, pitch);
        }
  }
};

// Weights in the order the loops read them: (groups, blocks, channels, taps, block); the last block
// of a group is as narrow as it is. weight(group, output, channel, tap) reads them.
template <class T, class F>
void pack(T* to, const ConvShape& s, int64_t block, F&& weight) {
  int64_t C = s.group_channels(), O = s.group_outputs(), taps = s.taps();
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t o = 0; o < O; o += block)
      for (int64_t c = 0; c < C; ++c)
        for (int64_t t = 0; t < taps; ++t)
          for (int64_t b = o; b < std::min(o + block, O); ++b) *to++ = weight(g, b, c, t);
}

// How the outputs of one image are cut: along the depth where there is one, else along the height.
struct Bands {
  bool by_depth;
  int64_t step, count;

  explicit Bands(const ConvShape& s) : by_depth(s.out[0] > 1) {
    int64_t length = by_depth ? s.out[0] : s.out[1];
    Padded whole(s, s.out[0], s.out[1]);
    int64_t pieces = std::max(ceil_div(whole.channel() * s.group_channels(), kImage * 4),
                              ceil_div(s.work(), kPieceWork * 4));
    step = ceil_div(length, std::clamp<int64_t>(pieces, 1, length));
    count = ceil_div(length, step);
  }
  Band band(const ConvShape& s, int64_t i) const {
    int64_t begin = i * step, end = std::min(begin + step, by_depth ? s.out[0] : s.out[1]);
    return by_depth ? Band{{begin, end}, {0, s.out[1]}} : Band{{0, s.out[0]}, {begin, end}};
  }
};

template <class T>
void band_of_outputs(T* y, const T* x, const T* packed, const T* bias, const ConvShape& s,
                     const Padded& padded, const Band& band, int64_t block) {
  int64_t C = s.group_channels(), O = s.group_outputs(), taps = s.taps();
  DirectRow<T> r;
  r.offsets = padded.offsets.data();
  r.channel_step = padded.channel();
  r.channels = C;
  r.taps = taps;
  r.y_step = s.out_volume();
  r.width = s.out[2];
  r.x_row = s.stride[1] * padded.row;
  auto run = [&](int64_t o, int64_t d, int64_t h, int64_t end) {
    r.rows = end - h;
    r.block = std::min(block, O - o);
    r.weights = packed + o * C * taps;
    r.bias = bias ? bias + o : nullptr;
    r.x = x + (d - band.depth[0]) * s.stride[0] * padded.rows * padded.row +
          (h - band.height[0]) * r.x_row;
    r.y = y + o * r.y_step + (d * s.out[1] + h) * s.out[2];
    row(r);
  };
  // What is larger is read once: the weights or the image.
  bool outputs_first = O * C * taps > padded.channel() * C;
  if (outputs_first) {
    for (int64_t o = 0; o < O; o += block)
      for (int64_t d = band.depth[0]; d < band.depth[1]; ++d)
        run(o, d, band.height[0], band.height[1]);
    return;
  }
  for (int64_t d = band.depth[0]; d < band.depth[1]; ++d)
    for (int64_t h = band.height[0]; h < band.height[1]; h += kTogether)
      for (int64_t o = 0; o < O; o += block) run(o, d, h, std::min(h + kTogether, band.height[1]));
}

template <class T, class F>
void convolve_with(T* y, const T* x, const T* bias, const ConvShape& s, F&& weight) {
  int64_t C = s.group_channels(), O = s.group_outputs(), K = C * s.taps();
  int64_t block = block_of(O, s.out[2], sizeof(T));
  Scratch<T> packed(s.groups * O * K);
  pack(packed.data(), s, block, weight);
  Bands bands(s);
  int64_t grain = std::max<int64_t>(kPieceWork / std::max<int64_t>(s.work() / bands.count, 1), 1);
  parallel_for(s.batch * s.groups * bands.count, grain, [&](int64_t begin, int64_t end) {
    Padded padded(s, bands.by_depth ? bands.step : s.out[0],
                  bands.by_depth ? s.out[1] : bands.step);
    Scratch<T> image(padded.channel() * C + kDirectSlack);
    for (int64_t i = begin; i < end; ++i) {
      int64_t n = i / bands.count, group = n % s.groups;
      Band band = bands.band(s, i % bands.count);
      padded.fill(image.data(), x + n * C * s.in_volume(), s, C, band.depth[0], band.height[0]);
      band_of_outputs(y + n * O * s.out_volume(), image.data(), packed.data() + group * O * K,
                      bias ? bias + group * O : nullptr, s, padded, band, block);
    }
  });
}

// Where products of matrices are not better: few channels, so that columns would be read only a few
// times.
bool suits(const ConvShape& s) {
  int64_t largest = std::max({s.stride[0], s.stride[1], s.stride[2]});
  return s.taps() > 1 && largest <= 4 && s.dilation[2] * s.kernel[2] <= 256 &&
         s.group_channels() * s.taps() <= 8192;
}

}  // namespace

// A result of gathered products is turned around before it is stored: dear where it is the sum of
// few. Pixels in the lanes want rows that fill them.
bool prefers_direct(const ConvShape& s, int64_t item) {
  int64_t lanes = gather::lanes(item), width = s.out[2];
  return !s.last && suits(s) && s.group_channels() * s.taps() <= 64 && s.stride[2] == 1 &&
         width * 5 >= ceil_div(width, lanes) * lanes * 4;
}

// Channels that fill a part of a vector only waste the rest of every product; pixels may fill more.
bool prefers_direct_input(const ConvShape& s, int64_t item) {
  int64_t lanes = gather::lanes(item), width = s.in[2], channels = s.group_channels();
  return !s.last && channels < lanes && 5 * ceil_div(width, lanes) * channels < 4 * width;
}

template <class T>
bool direct_convolve(T* y, const T* x, const T* w, const T* bias, const ConvShape& s) {
  if (!suits(s)) return false;
  int64_t C = s.group_channels(), O = s.group_outputs(), taps = s.taps();
  convolve_with(y, x, bias, s, [=](int64_t g, int64_t o, int64_t c, int64_t t) {
    return w[((g * O + o) * C + c) * taps + t];
  });
  return true;
}

// With stride 1 the gradient of the input is a convolution too: of g, padded so far that every
// window that touched an element is seen, with the window turned around.
template <class T>
bool direct_convolve_input(T* dx, const T* g, const T* w, const T* bias, const ConvShape& s) {
  ConvShape t = s;
  t.channels = s.outputs;
  t.outputs = s.channels;
  for (int d = 0; d < 3; ++d) {
    if (s.stride[d] != 1) return false;
    t.in[d] = s.out[d];
    t.out[d] = s.in[d];
    t.padding[d] = s.dilation[d] * (s.kernel[d] - 1) - s.padding[d];
  }
  if (!suits(t)) return false;
  int64_t C = s.group_channels(), O = s.group_outputs(), taps = s.taps();
  convolve_with(dx, g, bias, t, [=](int64_t group, int64_t c, int64_t o, int64_t tap) {
    return w[((group * O + o) * C + c) * taps + taps - 1 - tap];
  });
  return true;
}

template <class T>
bool direct_convolve_weight(T* dw, const T* g, const T* x, const ConvShape& s) {
  if (!suits(s)) return false;
  int64_t C = s.group_channels(), O = s.group_outputs(), K = C * s.taps(),
          rows = s.out[0] * s.out[1];
  Padded padded(s, s.out[0], s.out[1]);
  int64_t pitch = rounded(s.out[2]), x_image = padded.channel() * C, g_image = O * rows * pitch;
  if (x_image + g_image > kImage * 8) return false;
  // The end sums of a tile must be few beside its products.
  if (rows * ceil_div(s.out[2], 8) < 16 && s.batch < 4) return false;
  int64_t images = std::clamp<int64_t>(
      std::max(kImage / (x_image + g_image), kPieceWork * 2 / std::max<int64_t>(s.work(), 1)), 1,
      s.batch);
  images = std::min(images, std::max<int64_t>(kImage * 8 / (x_image + g_image), 1));
  int64_t parts = ceil_div(s.batch, images), size = s.groups * O * K;
  if (parts > 1 && parts * size > kImage * 64) return false;
  std::vector<int64_t> offsets;
  for (int64_t c = 0; c < C; ++c)
    for (int64_t offset : padded.offsets) offsets.push_back(c * padded.channel() + offset);
  Scratch<T> partial(parts > 1 ? size * (parts - 1) : 0);
  PaddedPlane lines;  // of g, filled up to whole vectors
  lines.rows = lines.in_rows = O * rows;
  lines.cols = lines.pitch = pitch;
  lines.in_cols = lines.in_pitch = s.out[2];
  lines.row = lines.col = 0;
  lines.row_step = lines.col_step = lines.item = lines.item_pitch = lines.in_item_pitch = 1;
  parallel_for(parts * s.groups, 1, [&](int64_t begin, int64_t end) {
    Scratch<T> image(images * x_image + kDirectSlack), gradient(images * g_image);
    for (int64_t i = begin; i < end; ++i) {
      int64_t part = i / s.groups, group = i % s.groups, first = part * images,
              count = std::min(images, s.batch - first);
      for (int64_t n = 0; n < count; ++n) {
        int64_t at = (first + n) * s.groups + group;
        padded.fill(image.data() + n * x_image, x + at * C * s.in_volume(), s, C, 0, 0);
        gather::pad(gradient.data() + n * g_image, g + at * O * s.out_volume(), lines);
      }
      DirectWeights<T> job;
      job.g = gradient.data();
      job.x = image.data();
      job.offsets = offsets.data();
      job.images = count;
      job.g_image = g_image;
      job.x_image = x_image;
      job.g_step = rows * pitch;
      job.depth = s.out[0];
      job.height = s.out[1];
      job.width = s.out[2];
      job.pitch = pitch;
      job.x_depth = s.stride[0] * padded.rows * padded.row;
      job.x_height = s.stride[1] * padded.row;
      job.block = O;
      job.taps = K;
      job.dw = (part ? partial.data() + (part - 1) * size : dw) + group * O * K;
      job.dw_step = K;
      weights(job);
    }
  });
  for (int64_t part = 1; part < parts; ++part) {
    const T* from = partial.data() + (part - 1) * size;
    for (int64_t i = 0; i < size; ++i) dw[i] += from[i];
  }
  return true;
}

#define INSTANTIATE(T)                                                                        \
  template bool direct_convolve<T>(T*, const T*, const T*, const T*, const ConvShape&);       \
  template bool direct_convolve_input<T>(T*, const T*, const T*, const T*, const ConvShape&); \
  template bool direct_convolve_weight<T>(T*, const T*, const T*, const ConvShape&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lampas::cpu
