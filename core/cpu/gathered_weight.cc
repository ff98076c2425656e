// Gradients of weights by gathered products: weights in rows, output channels in the lanes, sums
// over pixels.
#include <algorithm>

#include "cpu/division.h"
#include "cpu/gathered.h"
#include "cpu/gathering.h"
#include "cpu/scratch.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kPixels = 256;                  // products summed before they leave registers
constexpr int64_t kRows = 320;                    // weights of one output channel in a piece
constexpr int64_t kLanes = 256;                   // output channels in a piece
constexpr int64_t kPieceWork = int64_t{1} << 21;  // multiplications worth another thread
constexpr int64_t kPartials = int64_t{1} << 22;   // elements of partial gradients
constexpr int64_t kPieces = 8;                    // enough to share out

template <class T>
struct WeightGradient {
  const ConvShape& s;
  Axis axes[3] = {Axis::forward(s, 0), Axis::forward(s, 1), Axis::forward(s, 2)};
  int64_t C = s.group_channels(), O = s.group_outputs(), taps = s.taps(), K = C * taps;
  Blocks blocks{O, sizeof(T)};
  Layout x_layout{s.channels, s.in_volume(), s.last}, g_layout{s.outputs, s.out_volume(), s.last};
  // Pixels are summed in bands of rows, or in images together.
  int axis = s.out[0] > 1 ? 0 : 1;
  int64_t pixels = s.out_volume(), per_place = pixels / s.out[axis];
  int64_t places = std::clamp<int64_t>(kPixels / per_place, 1, s.out[axis]);
  int64_t together = places < s.out[axis] ? 1 : std::clamp<int64_t>(kPixels / pixels, 1, s.batch);
  // Pieces: channels x blocks of outputs x parts of the batch.
  int64_t channels = std::clamp<int64_t>(kRows / taps, 1, C), channel_cuts = ceil_div(C, channels);
  int64_t depth = std::clamp<int64_t>(kLanes / blocks.width, 1, blocks.count),
          block_cuts = ceil_div(blocks.count, depth);

  // One piece's sums, (blocks, channels * taps, width), over images [first, end).
  void sum(T* sums, const T* g, const T* x, int64_t group, int64_t first_channel, int64_t count,
           int64_t first_block, int64_t end_block, int64_t first, int64_t end) const {
    int64_t begin[3] = {0, 0, 0}, size[3] = {s.out[0], s.out[1], s.out[2]};
    size[axis] = places;
    PaddedCopy copy(axes, size, count, s.last, sizeof(T));
    Scratch<T> image(copy.image * together), lanes(together * places * per_place * blocks.width);
    std::vector<int64_t> rows = weight_rows(copy, count), to(rows.size());
    for (size_t i = 0; i < to.size(); ++i) to[i] = static_cast<int64_t>(i);
    if (blocks.used(blocks.count - 1) < blocks.width)
      std::fill_n(lanes.data(), together * places * per_place * blocks.width, T(0));
    for (int64_t n = first; n < end; n += together) {
      int64_t images = std::min(together, end - n);
      for (begin[axis] = 0; begin[axis] < s.out[axis]; begin[axis] += places) {
        size[axis] = std::min(places, s.out[axis] - begin[axis]);
        int64_t band = size[axis] * per_place, from = begin[axis] * per_place;
        for (int64_t i = 0; i < images; ++i)
          copy.fill(image.data() + i * copy.image,
                    x + (n + i) * x_layout.image + (group * C + first_channel) * x_layout.channel,
                    begin, size, x_layout);
        std::vector<int64_t> steps = pixel_steps(copy, size, images);
        for (int64_t b = first_block; b < end_block; ++b) {
          for (int64_t i = 0; i < images; ++i)
            into_lanes(lanes.data() + i * band * blocks.width,
                       g + (n + i) * g_layout.image +
                           (group * O + blocks.begin(b)) * g_layout.channel + from * g_layout.pixel,
                       band, b);
          GatheredProduct<T> p;
          p.a = image.data();
          p.rows = rows.data();
          p.places = to.data();
          p.steps = steps.data();
          p.count = count * taps;
          p.depth = images * band;
          p.width = blocks.width;
          p.b = lanes.data();
          p.c = sums + (b - first_block) * count * taps * blocks.width;
          p.start = nullptr;
          gather::product(p);
        }
      }
    }
  }

  std::vector<int64_t> weight_rows(const PaddedCopy& copy, int64_t count) const {
    std::vector<int64_t> rows;
    for (int64_t c = 0; c < count; ++c)
      for (const auto& i : axes[0].phases[0].taps)
        for (const auto& j : axes[1].phases[0].taps)
          for (const auto& k : axes[2].phases[0].taps)
            rows.push_back(c * copy.channel + copy.shift(i, j, k));
    return rows;
  }
  std::vector<int64_t> pixel_steps(const PaddedCopy& copy, const int64_t* size,
                                   int64_t images) const {
    std::vector<int64_t> steps;
    for (int64_t n = 0; n < images; ++n)
      for (int64_t i = 0; i < size[0]; ++i)
        for (int64_t j = 0; j < size[1]; ++j)
          for (int64_t k = 0; k < size[2]; ++k) steps.push_back(n * copy.image + copy.at(i, j, k));
    return steps;
  }
  // (pixels, width) of g.
  void into_lanes(T* to, const T* g, int64_t count, int64_t block) const {
    int64_t used = blocks.used(block);
    if (s.last)
      for (int64_t p = 0; p < count; ++p)
        std::copy_n(g + p * g_layout.pixel, used, to + p * blocks.width);
    else
      gather::transpose(to, blocks.width, g, g_layout.channel, used, count);
  }

  void run(T* dw, const T* g, const T* x) const {
    int64_t units = s.groups * channel_cuts * block_cuts, size = s.outputs * K;
    int64_t parts =
        std::clamp<int64_t>(std::min(ceil_div(kPieces, units),
                                     s.batch * s.groups * s.work() / units / (4 * kPieceWork)),
                            1, s.batch);
    parts = std::clamp<int64_t>(kPartials / std::max<int64_t>(size, 1), 1, parts);
    int64_t images = ceil_div(s.batch, parts);
    parts = ceil_div(s.batch, images);
    Scratch<T> partial(parts > 1 ? size * (parts - 1) : 0);
    int64_t work = s.batch * s.groups * s.work() / (units * parts);
    parallel_for(units * parts, std::max<int64_t>(kPieceWork / std::max<int64_t>(work, 1), 1),
                 [&](int64_t begin, int64_t end) {
                   Scratch<T> sums(depth * channels * taps * blocks.width);
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t unit = i % units, part = i / units, cut = unit % channel_cuts;
                     int64_t group = unit / channel_cuts / block_cuts;
                     int64_t first = cut * channels, count = std::min(channels, C - first);
                     int64_t block = unit / channel_cuts % block_cuts * depth,
                             last_block = std::min(block + depth, blocks.count);
                     int64_t rows = count * taps;
                     std::fill_n(sums.data(), (last_block - block) * rows * blocks.width, T(0));
                     sum(sums.data(), g, x, group, first, count, block, last_block, part * images,
                         std::min((part + 1) * images, s.batch));
                     T* to = part ? partial.data() + (part - 1) * size : dw;
                     for (int64_t b = block; b < last_block; ++b)
                       gather::transpose(to + (group * O + blocks.begin(b)) * K + first * taps, K,
                                         sums.data() + (b - block) * rows * blocks.width,
                                         blocks.width, rows, blocks.used(b));
                   }
                 });
    for (int64_t part = 1; part < parts; ++part) {
      const T* from = partial.data() + (part - 1) * size;
      for (int64_t i = 0; i < size; ++i) dw[i] += from[i];
    }
  }
};

bool suits(const ConvShape& s, int64_t item) {
  int64_t lanes = gather::lanes(item), O = s.group_outputs();
  if (O * 4 < lanes * 3 || s.group_channels() * s.taps() < 8 || s.taps() > 4096) return false;
  if (O < 2 * lanes && O % lanes && O % lanes * 2 < lanes) return false;
  for (int d = 0; d < 3; ++d)
    if (s.dilation[d] * (s.kernel[d] - 1) > 4 * std::max(s.in[d], s.out[d]) + 16) return false;
  return true;
}

}  // namespace

bool gathers_weight(const ConvShape& s, int64_t item) { return suits(s, item); }

template <class T>
bool gathered_convolve_weight(T* dw, const T* g, const T* x, const ConvShape& s) {
  if (!suits(s, sizeof(T))) return false;
  WeightGradient<T>{s}.run(dw, g, x);
  return true;
}

template bool gathered_convolve_weight<float>(float*, const float*, const float*, const ConvShape&);
template bool gathered_convolve_weight<double>(double*, const double*, const double*,
                                               const ConvShape&);

}  // namespace lampas::cpu
