// See winograd.h: the cut into bands of tiles and parallel pieces. The transforms are in
// simd/winograd.cc, the products in simd/gathered_product.cc.
#include "cpu/winograd.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/division.h"
#include "cpu/gathering.h"
#include "cpu/kept_weights.h"
#include "cpu/scratch.h"
#include "cpu/simd/winograd.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kTiles = 128, kTilesLeast = 64;  // of a band
constexpr int64_t kBand = int64_t{1} << 17;        // elements of its planes, by the former bounds
constexpr int64_t kPieces = 8;                     // enough to share out
constexpr int64_t kPieceWork = int64_t{1} << 20;   // multiplications worth another thread
constexpr int64_t kPartials = int64_t{1} << 22;    // elements of partial gradients of a weight
constexpr int64_t kPacked = 16;                    // input channels packed at a time

// Elements from pixel to pixel: an odd number of cache lines.
int64_t pitch_of(int64_t channels) { return (ceil_div(channels, 16) | 1) * 16; }

// y (batch, groups * outputs, height, width) from x (batch, groups * inputs, ...).
struct Image {
  int64_t batch, groups, inputs, outputs;
  int64_t in_rows, in_cols, rows, cols, pad_row, pad_col;
  bool last;

  int64_t tile_rows() const { return ceil_div(rows, 2); }
  int64_t tile_cols() const { return ceil_div(cols, 2); }
  Layout in() const { return {groups * inputs, in_rows * in_cols, last}; }
  Layout out() const { return {groups * outputs, rows * cols, last}; }
  int64_t work() const {
    return batch * groups * tile_rows() * tile_cols() * 16 * inputs * outputs;
  }
};

Image forward_image(const ConvShape& s) {
  return {s.batch,  s.groups, s.group_channels(), s.group_outputs(), s.in[1], s.in[2],
          s.out[1], s.out[2], s.padding[1],       s.padding[2],      s.last};
}
Image adjoint_image(const ConvShape& s) {
  return {s.batch, s.groups, s.group_outputs(), s.group_channels(), s.out[1], s.out[2],
          s.in[1], s.in[2],  2 - s.padding[1],  2 - s.padding[2],   s.last};
}

// Whether fewer products outweigh the transforms of the weights (cycles for every pair of channels,
// as measured).
bool pays(const Image& m) {
  int64_t tiles = m.batch * m.tile_rows() * m.tile_cols(), pixels = m.batch * m.rows * m.cols;
  return tiles * 16 / 26 + 36 < pixels * 9 / 29;
}

bool suits(const ConvShape& s) {
  int64_t lanes = gather::lanes(sizeof(float));
  bool window = s.kernel[0] == 1 && s.in[0] == 1 && s.out[0] == 1 && s.padding[0] == 0;
  for (int d : {1, 2})
    window &= s.kernel[d] == 3 && s.stride[d] == 1 && s.dilation[d] == 1 && s.padding[d] <= 2;
  for (int64_t channels : {s.group_channels(), s.group_outputs()})
    window &= channels % lanes == 0 && channels >= 32 && channels <= kWinogradMost;
  return window && s.out[1] >= 3 && s.out[2] >= 3 && s.batch > 0;
}

// Bands of rows of tiles, or several images whole.
struct Bands {
  int64_t step, count, images, groups_of_images;

  Bands(const Image& m, int64_t channels) {
    int64_t most = std::clamp<int64_t>(kBand / (16 * channels), kTilesLeast, kTiles);
    step = std::clamp<int64_t>(most / m.tile_cols(), 1, m.tile_rows());
    count = ceil_div(m.tile_rows(), step);
    step = ceil_div(m.tile_rows(), count);
    count = ceil_div(m.tile_rows(), step);
    images = count > 1 ? 1 : std::clamp<int64_t>(most / (step * m.tile_cols()), 1, m.batch);
    groups_of_images = ceil_div(m.batch, images);
    images = ceil_div(m.batch, groups_of_images);
    groups_of_images = ceil_div(m.batch, images);
  }
};

// Rows [begin, end) of an image with its channels last: the image itself, or a copy in `staged`.
struct Rows {
  const float* data;
  int64_t pitch;

  Rows(float* staged, const float* image, const Layout& layout, int64_t channels, int64_t cols,
       int64_t begin, int64_t end) {
    if (layout.channel == 1) {
      data = image + begin * cols * layout.pixel;
      pitch = layout.pixel;
      return;
    }
    data = staged;
    pitch = pitch_of(channels);
    if (end > begin)
      gather::transpose(staged, pitch, image + begin * cols, layout.channel, channels,
                        (end - begin) * cols);
  }
};

// Tiles of rows [first, first + count) of tiles of one image, into planes.
template <class F>
void to_planes(float* planes, float* staged, const float* image, const Layout& layout,
               int64_t channels, int64_t rows, int64_t cols, int64_t first_row, int64_t first_col,
               int64_t patch, const Image& m, int64_t first, int64_t count, int64_t plane,
               int64_t tile, F&& transform) {
  int64_t begin = std::clamp<int64_t>(first_row + 2 * first, 0, rows),
          end = std::clamp<int64_t>(first_row + 2 * (first + count - 1) + patch, begin, rows);
  Rows source(staged, image, layout, channels, cols, begin, end);
  for (int64_t i = 0; i < count; ++i) {
    WinogradRow r{end - begin, cols,          source.pitch, first_row + 2 * (first + i) - begin,
                  first_col,   m.tile_cols(), channels,     plane,
                  tile};
    transform(planes + i * m.tile_cols() * tile, source.data, r);
  }
}

void image_planes(float* planes, const float* x, const WinogradRow& r) {
  LAMPAS_BEST(winograd_image(planes, x, r));
}
void gradient_planes(float* planes, const float* g, const WinogradRow& r) {
  LAMPAS_BEST(winograd_gradient(planes, g, r));
}

std::vector<int64_t> multiples(int64_t count, int64_t step) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) all[static_cast<size_t>(i)] = i * step;
  return all;
}

// --- the convolution ---

struct Winograd {
  const Image& m;
  Blocks blocks{m.outputs, sizeof(float)};
  Bands bands{m, m.inputs};
  int64_t tiles = bands.images * bands.step * m.tile_cols();  // of a full band
  int64_t tile = pitch_of(m.inputs), plane = tiles * tile;
  // Planes written side by side must not fall on each other's places in the cache.
  int64_t weight_plane = m.inputs * blocks.width + 48;

  // packed: (groups, blocks, 16, inputs, width). False when a result is not finite.
  bool piece(float* y, const float* x, const float* packed, const float* starts, int64_t index,
             int64_t first_block, int64_t end_block) const {
    int64_t cut = index % bands.count, rest = index / bands.count;
    int64_t image = rest % bands.groups_of_images * bands.images;
    int64_t group = rest / bands.groups_of_images;
    int64_t images = std::min(bands.images, m.batch - image);
    int64_t first = cut * bands.step, rows = std::min(bands.step, m.tile_rows() - first);
    int64_t used = images * rows * m.tile_cols();
    Layout in = m.in(), out = m.out();
    Scratch<float> planes(16 * plane), products(16 * tiles * blocks.width);
    Scratch<float> staged(
        std::max((2 * rows + 2) * m.in_cols * tile, 2 * rows * m.cols * blocks.width));
    for (int64_t n = 0; n < images; ++n)
      to_planes(planes.data() + n * rows * m.tile_cols() * tile, staged.data(),
                x + (image + n) * in.image + group * m.inputs * in.channel, in, m.inputs, m.in_rows,
                m.in_cols, -m.pad_row, -m.pad_col, 4, m, first, rows, plane, tile, image_planes);
    std::vector<int64_t> tile_rows = multiples(used, tile), places = multiples(used, 1);
    std::vector<int64_t> steps = multiples(m.inputs, 1);
    std::vector<float> zeros(static_cast<size_t>(blocks.width));
    bool finite = true;
    for (int64_t block = first_block; block < end_block; ++block) {
      int64_t at = group * blocks.count + block;
      for (int64_t k = 0; k < 16; ++k) {
        GatheredProduct<float> p;
        p.a = planes.data() + k * plane;
        p.rows = tile_rows.data();
        p.steps = steps.data();
        p.count = used;
        p.depth = m.inputs;
        p.b = packed + (at * 16 + k) * weight_plane;
        p.width = blocks.width;
        p.c = products.data() + k * tiles * blocks.width;
        p.places = places.data();
        p.start = zeros.data();
        gather::product(p);
      }
      int64_t channels = blocks.used(block);
      for (int64_t n = 0; n < images; ++n) {
        int64_t channel = group * m.outputs + blocks.begin(block);
        float* to = y + (image + n) * out.image + channel * out.channel;
        const float* from = products.data() + n * rows * m.tile_cols() * blocks.width;
        finite &=
            result(to, staged.data(), from, starts + at * blocks.width, first, rows, channels, out);
      }
    }
    return finite;
  }

  bool result(float* y, float* staged, const float* products, const float* bias, int64_t first,
              int64_t rows, int64_t channels, const Layout& out) const {
    int64_t begin = 2 * first, end = std::min(2 * (first + rows), m.rows);
    float* to = m.last ? y + begin * m.cols * out.pixel : staged;
    bool finite = true;
    for (int64_t i = 0; i < rows; ++i) {
      WinogradRow r{end - begin,
                    m.cols,
                    m.last ? out.pixel : blocks.width,
                    2 * i,
                    0,
                    m.tile_cols(),
                    channels,
                    tiles * blocks.width,
                    blocks.width};
      finite &=
          LAMPAS_BEST(winograd_result(to, products + i * m.tile_cols() * blocks.width, bias, r));
    }
    if (!m.last)
      gather::transpose(y + begin * m.cols, out.channel, staged, blocks.width,
                        (end - begin) * m.cols, channels);
    return finite;
  }

  bool run(float* y, const float* x, const float* packed, const float* starts) const {
    int64_t pieces = bands.count * bands.groups_of_images * m.groups, work = m.work() / pieces;
    int64_t cuts = std::clamp<int64_t>(std::min(ceil_div(kPieces, pieces), work / (4 * kPieceWork)),
                                       1, blocks.count);
    int64_t each = ceil_div(blocks.count, cuts);
    cuts = ceil_div(blocks.count, each);
    std::atomic<bool> finite{true};
    parallel_for(
        pieces * cuts, std::max<int64_t>(kPieceWork / std::max<int64_t>(work / cuts, 1), 1),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            int64_t first = i % cuts * each;
            if (!piece(y, x, packed, starts, i / cuts, first, std::min(first + each, blocks.count)))
              finite = false;
          }
        });
    return finite;
  }
};

// window(to, group, block, input): the windows (9, width) of one input channel.
template <class F>
void pack(float* packed, const Winograd& job, bool turned, F&& window) {
  int64_t cuts = ceil_div(job.m.inputs, kPacked), width = job.blocks.width;
  parallel_for(
      job.m.groups * job.blocks.count * cuts,
      std::max<int64_t>((1 << 16) / (9 * kPacked * width), 1), [&](int64_t begin, int64_t end) {
        Scratch<float> windows(kPacked * 9 * width);
        std::fill_n(windows.data(), kPacked * 9 * width, 0.0f);
        for (int64_t i = begin; i < end; ++i) {
          int64_t at = i / cuts, first = i % cuts * kPacked,
                  count = std::min(kPacked, job.m.inputs - first);
          window(windows.data(), at / job.blocks.count, at % job.blocks.count, first, count);
          LAMPAS_BEST(winograd_weights(packed + at * 16 * job.weight_plane + first * width,
                                       job.weight_plane, windows.data(), count, width, turned));
        }
      });
}

void fill_starts(float* to, const float* bias, const Winograd& job) {
  for (int64_t g = 0; g < job.m.groups; ++g)
    for (int64_t b = 0; b < job.blocks.count; ++b)
      for (int64_t l = 0; l < job.blocks.width; ++l)
        *to++ = bias && l < job.blocks.used(b) ? bias[g * job.m.outputs + job.blocks.begin(b) + l]
                                               : 0.0f;
}

template <class F>
bool convolve_with(float* y, const float* x, const float* bias, const Image& m,
                   const Packing& packing, bool turned, F&& window) {
  Winograd job{m};
  int64_t blocks = m.groups * job.blocks.count;
  Scratch<float> starts(blocks * job.blocks.width);
  fill_starts(starts.data(), bias, job);
  PackedWeights packed =
      PackedWeights::of<float>(packing, blocks * 16 * job.weight_plane, [&](float* made) {
        pack(made, job, turned, [&](float* to, int64_t g, int64_t b, int64_t i, int64_t n) {
          int64_t used = job.blocks.used(b);
          if (used < job.blocks.width) std::fill_n(to, n * 9 * job.blocks.width, 0.0f);
          window(to, job.blocks.width, g, job.blocks.begin(b), used, i, n);
        });
      });
  return job.run(y, x, packed.data<float>(), starts.data());
}

// --- the gradient of the weights ---

struct WinogradWeight {
  const ConvShape& s;
  Image m = forward_image(s);
  Blocks blocks{m.outputs, sizeof(float)};
  int64_t inputs = std::min<int64_t>(m.inputs, 128), input_cuts = ceil_div(m.inputs, inputs);
  int64_t depth = std::min<int64_t>(blocks.count, 2), block_cuts = ceil_div(blocks.count, depth);
  Bands bands{m, inputs};
  int64_t tiles = bands.images * bands.step * m.tile_cols();
  int64_t tile = pitch_of(inputs), plane = tiles * tile;
  int64_t lane_plane = tiles * blocks.width, sum_plane = inputs * blocks.width;

  // sums (blocks, 16, inputs, width) over images [first, end).
  void sum(float* sums, const float* g, const float* x, int64_t group, int64_t channel,
           int64_t count, int64_t first_block, int64_t end_block, int64_t first,
           int64_t end) const {
    Layout in = m.in(), out = m.out();
    Scratch<float> planes(16 * plane), lanes(16 * lane_plane);
    Scratch<float> staged((2 * bands.step + 2) * std::max(m.in_cols, m.cols) *
                          std::max(tile, pitch_of(blocks.width)));
    // Unused lanes stay finite: what is summed is looked at.
    if (blocks.used(blocks.count - 1) < blocks.width)
      std::fill_n(lanes.data(), 16 * lane_plane, 0.0f);
    std::vector<int64_t> rows = multiples(count, 1), places = multiples(count, 1);
    for (int64_t n = first; n < end; n += bands.images) {
      int64_t images = std::min(bands.images, end - n);
      for (int64_t top = 0; top < m.tile_rows(); top += bands.step) {
        int64_t high = std::min(bands.step, m.tile_rows() - top), row = high * m.tile_cols();
        std::vector<int64_t> steps = multiples(images * row, tile);
        for (int64_t i = 0; i < images; ++i)
          to_planes(planes.data() + i * row * tile, staged.data(),
                    x + (n + i) * in.image + (group * m.inputs + channel) * in.channel, in, count,
                    m.in_rows, m.in_cols, -m.pad_row, -m.pad_col, 4, m, top, high, plane, tile,
                    image_planes);
        for (int64_t b = first_block; b < end_block; ++b) {
          for (int64_t i = 0; i < images; ++i)
            to_planes(lanes.data() + i * row * blocks.width, staged.data(),
                      g + (n + i) * out.image + (group * m.outputs + blocks.begin(b)) * out.channel,
                      out, blocks.used(b), m.rows, m.cols, 0, 0, 2, m, top, high, lane_plane,
                      blocks.width, gradient_planes);
          for (int64_t k = 0; k < 16; ++k) {
            GatheredProduct<float> p;
            p.a = planes.data() + k * plane;
            p.rows = rows.data();
            p.steps = steps.data();
            p.count = count;
            p.depth = images * row;
            p.b = lanes.data() + k * lane_plane;
            p.width = blocks.width;
            p.c = sums + ((b - first_block) * 16 + k) * sum_plane;
            p.places = places.data();
            p.start = nullptr;
            gather::product(p);
          }
        }
      }
    }
  }

  bool run(float* dw, const float* g, const float* x) const {
    int64_t units = m.groups * input_cuts * block_cuts, K = m.inputs * 9, size = s.outputs * K;
    int64_t parts = std::clamp<int64_t>(
        std::min(ceil_div(kPieces, units), m.work() / units / (8 * kPieceWork)), 1, m.batch);
    parts = std::clamp<int64_t>(kPartials / size, 1, parts);
    int64_t images = ceil_div(m.batch, parts);
    parts = ceil_div(m.batch, images);
    Scratch<float> partial(parts > 1 ? size * (parts - 1) : 0);
    int64_t work = m.work() / (units * parts);
    std::atomic<bool> finite{true};
    parallel_for(
        units * parts, std::max<int64_t>(kPieceWork / std::max<int64_t>(work, 1), 1),
        [&](int64_t begin, int64_t end) {
          Scratch<float> sums(depth * 16 * sum_plane), windows(9 * sum_plane);
          for (int64_t i = begin; i < end; ++i) {
            int64_t unit = i % units, part = i / units;
            int64_t channel = unit % input_cuts * inputs,
                    count = std::min(inputs, m.inputs - channel);
            int64_t block = unit / input_cuts % block_cuts * depth,
                    end_block = std::min(block + depth, blocks.count),
                    group = unit / input_cuts / block_cuts;
            std::fill_n(sums.data(), (end_block - block) * 16 * sum_plane, 0.0f);
            sum(sums.data(), g, x, group, channel, count, block, end_block, part * images,
                std::min((part + 1) * images, m.batch));
            float* to = part ? partial.data() + (part - 1) * size : dw;
            for (int64_t b = block; b < end_block; ++b) {
              if (!LAMPAS_BEST(winograd_weight_gradient(windows.data(),
                                                        sums.data() + (b - block) * 16 * sum_plane,
                                                        sum_plane, count, blocks.width)))
                finite = false;
              gather::transpose(to + (group * m.outputs + blocks.begin(b)) * K + channel * 9, K,
                                windows.data(), blocks.width, count * 9, blocks.used(b));
            }
          }
        });
    for (int64_t part = 1; part < parts; ++part) {
      const float* from = partial.data() + (part - 1) * size;
      for (int64_t i = 0; i < size; ++i) dw[i] += from[i];
    }
    return finite;
  }
};

}  // namespace

bool winograd_convolve(float* y, const float* x, const float* w, const float* bias,
                       const ConvShape& s) {
  if (!suits(s)) return false;
  Image m = forward_image(s);
  if (!pays(m)) return false;
  int64_t K = m.inputs * 9;
  return convolve_with(y, x, bias, m, {Packing::kWinograd, w, sizeof(float), s}, false,
                       [=](float* to, int64_t width, int64_t g, int64_t o, int64_t used,
                           int64_t first, int64_t count) {
                         gather::transpose(to, width, w + (g * m.outputs + o) * K + first * 9, K,
                                           used, count * 9);
                       });
}

bool winograd_convolve_input(float* dx, const float* g, const float* w, const float* bias,
                             const ConvShape& s) {
  if (!suits(s)) return false;
  Image m = adjoint_image(s);
  if (!pays(m)) return false;
  return convolve_with(dx, g, bias, m, {Packing::kWinogradInput, w, sizeof(float), s}, true,
                       [=](float* to, int64_t width, int64_t group, int64_t c, int64_t used,
                           int64_t first, int64_t count) {
                         for (int64_t o = 0; o < count; ++o)
                           gather::transpose(
                               to + o * 9 * width, width,
                               w + ((group * m.inputs + first + o) * m.outputs + c) * 9, int64_t{9},
                               used, int64_t{9});
                       });
}

bool winograd_convolve_weight(float* dw, const float* g, const float* x, const ConvShape& s) {
  if (!suits(s) || !pays(forward_image(s))) return false;
  return WinogradWeight{s}.run(dw, g, x);
}

}  // namespace lampas::cpu
