// See winograd_rows.h: the cut into bands of rows and parallel pieces. The transforms are in
// simd/winograd_rows.cc, the products in simd/gathered_product.cc.
#include "cpu/winograd_rows.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/division.h"
#include "cpu/gathering.h"
#include "cpu/kept_weights.h"
#include "cpu/scratch.h"
#include "cpu/simd/winograd_rows.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kValues = 6;                    // of a tile
constexpr int64_t kPlanes = 3 << 15;              // elements of a band's planes
constexpr int64_t kProducts = 1 << 16;            // of the products made at once
constexpr int64_t kPieces = 8;                    // enough to share out
constexpr int64_t kPieceWork = int64_t{1} << 20;  // multiplications worth another thread
constexpr int64_t kPartials = int64_t{1} << 22;   // elements of partial gradients of a weight
constexpr int64_t kPacked = 16;                   // input channels packed at a time
constexpr int64_t kTilesLeast = 64;               // for weights that are read once
constexpr int64_t kRoom = 16;                     // elements a vector may reach beyond a row's end
constexpr int64_t kApart = 48;  // keeps planes off each other's places in the cache

// y (batch, groups * outputs, rows, cols) from x (batch, groups * inputs, in_rows, in_cols).
struct Job {
  int64_t batch, groups, inputs, outputs;
  int64_t in_rows, in_cols, rows, cols, pad_row, pad_col;
  int64_t taps_down, taps_along, hop, dilation;  // hop, dilation: down the columns
  int64_t phases;                                // the stride along rows
  bool last;

  int64_t taps() const { return taps_down * taps_along; }
  int64_t m() const { return 7 - ceil_div(taps_along, phases); }
  int64_t tiles() const { return ceil_div(cols, m()); }
  int64_t row() const { return tiles() * phases * inputs; }  // elements of a plane's row
  int64_t depth() const { return taps_down * phases * inputs; }
  int64_t copied() const { return ((tiles() - 1) * m() + kValues) * phases; }  // pixels of a row
  int64_t reach(int64_t count) const { return (count - 1) * hop + (taps_down - 1) * dilation + 1; }
  int64_t work() const { return batch * groups * rows * tiles() * kValues * depth() * outputs; }
  Layout in() const { return {groups * inputs, in_rows * in_cols, last}; }
  Layout out() const { return {groups * outputs, rows * cols, last}; }
};

Job forward_job(const ConvShape& s) {
  return {s.batch,      s.groups,      s.group_channels(), s.group_outputs(),
          s.in[1],      s.in[2],       s.out[1],           s.out[2],
          s.padding[1], s.padding[2],  s.kernel[1],        s.kernel[2],
          s.stride[1],  s.dilation[1], s.stride[2],        s.last};
}
Job adjoint_job(const ConvShape& s) {
  int64_t reach = (s.kernel[1] - 1) * s.dilation[1];
  return {s.batch,
          s.groups,
          s.group_outputs(),
          s.group_channels(),
          s.out[1],
          s.out[2],
          s.in[1],
          s.in[2],
          reach - s.padding[1],
          s.kernel[2] - 1 - s.padding[2],
          s.kernel[1],
          s.kernel[2],
          1,
          s.dilation[1],
          1,
          s.last};
}

// Whether fewer products outweigh the transforms, in multiply-adds of vectors (as measured: 30 for
// the values of a tile on their way to results, 40 for those of six elements, 30 for a tap) and the
// larger weights (10 for a vector that comes from memory).
bool pays(const Job& j) {
  int64_t lanes = gather::lanes(sizeof(float)), vectors = ceil_div(j.outputs, lanes);
  int64_t products = j.taps() * j.inputs * vectors;
  int64_t direct = j.batch * j.rows * j.cols * products + 10 * products;
  int64_t tiles = j.rows * j.tiles() * (kValues * j.depth() + 30) * vectors;
  int64_t spread = j.in_rows * j.tiles() * j.phases * ceil_div(j.inputs, lanes) * 40;
  int64_t weights = (30 + 10 * kValues) * j.depth() * vectors;
  return j.batch * j.rows * j.tiles() >= kTilesLeast &&
         10 * (j.batch * (tiles + spread) + weights) < 9 * direct;
}

bool suits(const ConvShape& s) {
  bool flat = s.kernel[0] == 1 && s.in[0] == 1 && s.out[0] == 1 && s.padding[0] == 0;
  int64_t taps = ceil_div(s.kernel[2], s.stride[2]);
  return flat && s.dilation[2] == 1 && s.stride[2] <= 2 && taps >= 3 && taps <= 5 && s.batch > 0 &&
         s.group_channels() * s.kernel[1] * s.stride[2] >= 16;
}

// Rows of results [row, row + rows) of images [image, image + images): several images whole, or a
// part of one.
struct Part {
  int64_t image, images, row, rows;
};
std::vector<Part> parts_of(const Part& whole, int64_t most) {
  std::vector<Part> parts;
  int64_t rows = share(whole.rows, most);
  int64_t images = rows < whole.rows ? 1 : share(whole.images, std::max<int64_t>(most / rows, 1));
  for (int64_t n = 0; n < whole.images; n += images)
    for (int64_t r = 0; r < whole.rows; r += rows)
      parts.push_back({whole.image + n, std::min(images, whole.images - n), whole.row + r,
                       std::min(rows, whole.rows - r)});
  return parts;
}

// What is transformed at once: its planes stay in the second-level cache, and there are enough
// parts for the threads.
std::vector<Part> bands_of(const Job& j, int64_t first, int64_t end) {
  int64_t room = kPlanes - (j.reach(1) - j.hop) * kValues * j.row();
  int64_t fits = room / (j.hop * kValues * j.row());
  int64_t shared = ceil_div((end - first) * j.rows, kPieces);
  return parts_of({first, end - first, 0, j.rows}, std::max<int64_t>(std::min(fits, shared), 1));
}
// What is multiplied at once, by the elements of a row of results.
int64_t rows_at_once(int64_t row) { return std::max<int64_t>(kProducts / row, 1); }

int64_t largest(const Job& j, const std::vector<Part>& bands) {
  int64_t rows = 0;
  for (const Part& b : bands) rows = std::max(rows, b.images * j.reach(b.rows));
  return rows * j.row() + kRoom;
}

// Rows of an image with zeros around them: pixels of neighbouring phases and their channels lie
// side by side, in the lanes.
class Source {
 public:
  // `lanes`: how many of a pixel are read; those beyond the channels are zero. `rows`: at most.
  Source(int64_t channels, int64_t lanes, int64_t copied, int64_t rows, int64_t cols,
         const Layout& layout)
      : channels_(channels),
        pitch_(lanes),
        copied_(copied),
        cols_(cols),
        layout_(layout),
        turned_(layout.channel == 1 ? 0 : rows * cols * channels),
        row_(copied * lanes + kRoom) {
    std::fill_n(row_.data(), copied * lanes + kRoom, 0.0f);
  }

  // Makes rows [first, first + count) of an image ready.
  void open(const float* image, int64_t first, int64_t count) {
    from_ = image + first * cols_ * layout_.pixel;
    if (layout_.channel == 1 || count <= 0) return;
    gather::transpose(turned_.data(), channels_, from_, layout_.channel, channels_, count * cols_);
    from_ = turned_.data();
  }
  // Of these; pixel -pad comes first.
  const float* row(int64_t index, int64_t pad) {
    int64_t begin = std::clamp<int64_t>(pad, 0, copied_);
    int64_t end = std::clamp<int64_t>(cols_ + pad, begin, copied_);
    int64_t pixel = layout_.channel == 1 ? layout_.pixel : channels_;
    const float* from = from_ + (index * cols_ + begin - pad) * pixel;
    float* to = row_.data() + begin * pitch_;
    if (pixel == pitch_)
      std::copy_n(from, (end - begin) * pixel, to);
    else
      for (int64_t i = begin; i < end; ++i, to += pitch_, from += pixel)
        std::copy_n(from, channels_, to);
    return row_.data();
  }

 private:
  int64_t channels_, pitch_, copied_, cols_;
  Layout layout_;
  Scratch<float> turned_, row_;
  const float* from_ = nullptr;
};

// The values of a band's rows, of image after image; those outside are zero.
void to_planes(float* planes, int64_t plane, Source& source, const float* x, const Job& j,
               const Part& band) {
  RowTiles r{j.m(), j.tiles(), j.phases * j.inputs, j.phases * j.inputs, plane};
  Layout in = j.in();
  int64_t first = band.row * j.hop - j.pad_row, count = j.reach(band.rows);
  int64_t begin = std::clamp<int64_t>(-first, 0, count),
          end = std::clamp<int64_t>(j.in_rows - first, begin, count);
  for (int64_t n = 0; n < band.images; ++n) {
    source.open(x + (band.image + n) * in.image, first + begin, end - begin);
    for (int64_t i = 0; i < count; ++i, planes += j.row())
      if (i < begin || i >= end)
        for (int64_t k = 0; k < kValues; ++k) std::fill_n(planes + k * plane, j.row(), 0.0f);
      else
        LAMPAS_BEST(winograd_row_image(planes, source.row(i - begin, j.pad_col), r));
  }
}

// Where in the planes of a band the first tap of each tile of a part of it lies.
std::vector<int64_t> first_taps(const Job& j, const Part& band, const Part& part) {
  std::vector<int64_t> at;
  for (int64_t n = 0; n < part.images; ++n)
    for (int64_t i = 0; i < part.rows; ++i) {
      int64_t image = part.image - band.image + n, row = part.row - band.row + i;
      int64_t begin = (image * j.reach(band.rows) + row * j.hop) * j.row();
      for (int64_t t = 0; t < j.tiles(); ++t) at.push_back(begin + t * j.phases * j.inputs);
    }
  return at;
}
// And the others from there: (taps_down, phases, inputs).
std::vector<int64_t> taps_from_first(const Job& j) {
  std::vector<int64_t> at;
  for (int64_t i = 0; i < j.taps_down; ++i)
    for (int64_t c = 0; c < j.phases * j.inputs; ++c) at.push_back(i * j.dilation * j.row() + c);
  return at;
}
std::vector<int64_t> places_of(int64_t count) {
  std::vector<int64_t> at(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) at[static_cast<size_t>(i)] = i;
  return at;
}

GatheredProduct<float> product_of(const std::vector<int64_t>& rows,
                                  const std::vector<int64_t>& steps,
                                  const std::vector<int64_t>& places, int64_t width) {
  GatheredProduct<float> p{};
  p.rows = rows.data();
  p.steps = steps.data();
  p.count = static_cast<int64_t>(rows.size());
  p.depth = static_cast<int64_t>(steps.size());
  p.width = width;
  p.places = places.data();
  return p;
}

// --- the convolution ---

struct Convolution {
  const Job& j;
  Blocks blocks{j.outputs, sizeof(float)};
  std::vector<Part> bands = bands_of(j, 0, j.batch);
  int64_t plane = largest(j, bands), product_row = j.tiles() * blocks.width;
  int64_t at_once = rows_at_once(kValues * product_row), product_plane = at_once * product_row;
  int64_t weight_plane = j.depth() * blocks.width + kApart;
  std::vector<int64_t> steps = taps_from_first(j), places = places_of(at_once * j.tiles());

  // packed: (groups, blocks, 6, depth, width). False when a result is not finite.
  bool piece(float* y, const float* x, const float* packed, const float* starts, const Part& band,
             int64_t group, int64_t first_block, int64_t end_block) const {
    Layout in = j.in();
    Scratch<float> planes(kValues * plane), products(kValues * product_plane);
    Scratch<float> staged(at_once * j.cols * blocks.width);
    Source source(j.inputs, j.inputs, j.copied(), j.reach(band.rows), j.in_cols, in);
    to_planes(planes.data(), plane, source, x + group * j.inputs * in.channel, j, band);
    std::vector<float> zeros(static_cast<size_t>(blocks.width));
    bool finite = true;
    for (const Part& part : parts_of(band, at_once)) {
      std::vector<int64_t> tiles = first_taps(j, band, part);
      GatheredProduct<float> p = product_of(tiles, steps, places, blocks.width);
      p.start = zeros.data();
      for (int64_t block = first_block; block < end_block; ++block) {
        int64_t at = group * blocks.count + block;
        for (int64_t k = 0; k < kValues; ++k) {
          p.a = planes.data() + k * plane;
          p.b = packed + (at * kValues + k) * weight_plane;
          p.c = products.data() + k * product_plane;
          gather::product(p);
        }
        finite &= results(y, staged.data(), products.data(), starts + at * blocks.width, group,
                          block, part);
      }
    }
    return finite;
  }

  bool results(float* y, float* staged, const float* products, const float* bias, int64_t group,
               int64_t block, const Part& part) const {
    RowTiles r{j.m(), j.tiles(), blocks.width, blocks.width, product_plane};
    Layout out = j.out();
    int64_t used = blocks.used(block), pixels = part.rows * j.cols;
    bool finite = true;
    for (int64_t n = 0; n < part.images; ++n) {
      for (int64_t i = 0; i < part.rows; ++i, products += product_row)
        finite &= LAMPAS_BEST(
            winograd_row_result(staged + i * j.cols * blocks.width, products, bias, r, j.cols));
      float* to = y + (part.image + n) * out.image +
                  (group * j.outputs + blocks.begin(block)) * out.channel +
                  part.row * j.cols * out.pixel;
      if (j.last)
        for (int64_t i = 0; i < pixels; ++i)
          std::copy_n(staged + i * blocks.width, used, to + i * out.pixel);
      else
        gather::transpose(to, out.channel, staged, blocks.width, pixels, used);
    }
    return finite;
  }

  bool run(float* y, const float* x, const float* packed, const float* starts) const {
    int64_t pieces = static_cast<int64_t>(bands.size()) * j.groups, work = j.work() / pieces;
    int64_t cuts = std::clamp<int64_t>(std::min(ceil_div(kPieces, pieces), work / (4 * kPieceWork)),
                                       1, blocks.count);
    int64_t each = ceil_div(blocks.count, cuts);
    cuts = ceil_div(blocks.count, each);
    std::atomic<bool> finite{true};
    parallel_for(pieces * cuts,
                 std::max<int64_t>(kPieceWork / std::max<int64_t>(work / cuts, 1), 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t first = i % cuts * each, group = i / cuts % j.groups;
                     const Part& band = bands[static_cast<size_t>(i / cuts / j.groups)];
                     if (!piece(y, x, packed, starts, band, group, first,
                                std::min(first + each, blocks.count)))
                       finite = false;
                   }
                 });
    return finite;
  }
};

// window(to, group, block, input, count): the windows (count, taps, width) of input channels.
template <class F>
void pack(float* packed, const Convolution& c, bool turned, F&& window) {
  const Job& j = c.j;
  int64_t cuts = ceil_div(j.inputs, kPacked), width = c.blocks.width;
  RowTaps r{j.m(), j.taps_along, j.phases, width, c.weight_plane, j.inputs * width, turned};
  parallel_for(j.groups * c.blocks.count * cuts,
               std::max<int64_t>((1 << 16) / (j.taps() * kPacked * width), 1),
               [&](int64_t begin, int64_t end) {
                 Scratch<float> windows(kPacked * j.taps() * width);
                 std::fill_n(windows.data(), kPacked * j.taps() * width, 0.0f);
                 for (int64_t i = begin; i < end; ++i) {
                   int64_t at = i / cuts, first = i % cuts * kPacked,
                           count = std::min(kPacked, j.inputs - first), block = at % c.blocks.count,
                           used = c.blocks.used(block);
                   if (used < width) std::fill_n(windows.data(), count * j.taps() * width, 0.0f);
                   window(windows.data(), at / c.blocks.count, c.blocks.begin(block), used, first,
                          count);
                   float* to = packed + at * kValues * c.weight_plane;
                   for (int64_t n = 0; n < count; ++n)
                     for (int64_t d = 0; d < j.taps_down; ++d) {
                       int64_t down = turned ? j.taps_down - 1 - d : d;
                       LAMPAS_BEST(winograd_row_weights(
                           to + (d * j.phases * j.inputs + first + n) * width,
                           windows.data() + (n * j.taps() + down * j.taps_along) * width, r));
                     }
                 }
               });
}

template <class F>
bool convolve_with(float* y, const float* x, const float* bias, const Job& j,
                   const Packing& packing, bool turned, F&& window) {
  Convolution c{j};
  int64_t blocks = j.groups * c.blocks.count, width = c.blocks.width;
  Scratch<float> starts(blocks * width);
  std::fill_n(starts.data(), blocks * width, 0.0f);
  for (int64_t g = 0; bias && g < j.groups; ++g)
    for (int64_t b = 0; b < c.blocks.count; ++b)
      std::copy_n(bias + g * j.outputs + c.blocks.begin(b), c.blocks.used(b),
                  starts.data() + (g * c.blocks.count + b) * width);
  PackedWeights packed =
      PackedWeights::of<float>(packing, blocks * kValues * c.weight_plane, [&](float* made) {
        pack(made, c, turned,
             [&](float* to, int64_t g, int64_t o, int64_t used, int64_t i, int64_t n) {
               window(to, width, g, o, used, i, n);
             });
      });
  return c.run(y, x, packed.data<float>(), starts.data());
}

// --- the gradient of the weights ---

struct WeightGradient {
  const Job& j;
  Blocks blocks{j.outputs, sizeof(float)};
  int64_t row = j.tiles() * blocks.width;  // of the gradient's planes
  int64_t at_once = rows_at_once(kValues * row), lane_plane = at_once * row;
  int64_t sum_plane = j.depth() * blocks.width;
  std::vector<int64_t> taps = taps_from_first(j), places = places_of(j.depth());

  // sums (6, depth, width) of one block over images [first, end).
  void sum(float* sums, const float* g, const float* x, int64_t group, int64_t block, int64_t first,
           int64_t end) const {
    Layout in = j.in(), out = j.out();
    int64_t used = blocks.used(block);
    std::vector<Part> bands = bands_of(j, first, end);
    int64_t plane = largest(j, bands), rows = 0;
    for (const Part& b : bands) rows = std::max(rows, b.rows);
    Scratch<float> planes(kValues * plane), lanes(kValues * lane_plane);
    Source source(j.inputs, j.inputs, j.copied(), j.reach(rows), j.in_cols, in);
    Source gradient(used, blocks.width, j.tiles() * j.m(), std::min(at_once, j.rows), j.cols, out);
    RowTiles r{j.m(), j.tiles(), blocks.width, blocks.width, lane_plane};
    for (const Part& band : bands) {
      to_planes(planes.data(), plane, source, x + group * j.inputs * in.channel, j, band);
      for (const Part& part : parts_of(band, at_once)) {
        float* to = lanes.data();
        for (int64_t n = 0; n < part.images; ++n) {
          gradient.open(g + (part.image + n) * out.image +
                            (group * j.outputs + blocks.begin(block)) * out.channel,
                        part.row, part.rows);
          for (int64_t i = 0; i < part.rows; ++i, to += row)
            LAMPAS_BEST(winograd_row_gradient(to, gradient.row(i, 0), r));
        }
        std::vector<int64_t> tiles = first_taps(j, band, part);
        GatheredProduct<float> p = product_of(taps, tiles, places, blocks.width);
        for (int64_t k = 0; k < kValues; ++k) {
          p.a = planes.data() + k * plane;
          p.b = lanes.data() + k * lane_plane;
          p.c = sums + k * sum_plane;
          gather::product(p);
        }
      }
    }
  }

  // The windows (inputs, taps, width) of one block's sums; true when all of them are finite.
  bool windows(float* to, const float* sums) const {
    RowTaps r{j.m(), j.taps_along, j.phases, blocks.width, sum_plane, j.inputs * blocks.width,
              false};
    bool finite = true;
    for (int64_t c = 0; c < j.inputs; ++c)
      for (int64_t d = 0; d < j.taps_down; ++d)
        finite &= LAMPAS_BEST(
            winograd_row_weight_gradient(to + (c * j.taps() + d * j.taps_along) * blocks.width,
                                         sums + (d * j.phases * j.inputs + c) * blocks.width, r));
    return finite;
  }

  bool run(float* dw, const float* g, const float* x) const {
    int64_t units = j.groups * blocks.count, K = j.inputs * j.taps();
    int64_t size = j.groups * j.outputs * K;
    int64_t parts = std::clamp<int64_t>(
        std::min(ceil_div(kPieces, units), j.work() / units / (8 * kPieceWork)), 1, j.batch);
    parts = std::clamp<int64_t>(kPartials / size, 1, parts);
    int64_t images = ceil_div(j.batch, parts);
    parts = ceil_div(j.batch, images);
    Scratch<float> partial(parts > 1 ? size * (parts - 1) : 0);
    int64_t work = j.work() / (units * parts);
    std::atomic<bool> finite{true};
    parallel_for(units * parts, std::max<int64_t>(kPieceWork / std::max<int64_t>(work, 1), 1),
                 [&](int64_t begin, int64_t end) {
                   Scratch<float> sums(kValues * sum_plane), found(K * blocks.width);
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t unit = i % units, part = i / units;
                     int64_t group = unit / blocks.count, block = unit % blocks.count;
                     std::fill_n(sums.data(), kValues * sum_plane, 0.0f);
                     sum(sums.data(), g, x, group, block, part * images,
                         std::min((part + 1) * images, j.batch));
                     if (!windows(found.data(), sums.data())) finite = false;
                     float* to = part ? partial.data() + (part - 1) * size : dw;
                     gather::transpose(to + (group * j.outputs + blocks.begin(block)) * K, K,
                                       found.data(), blocks.width, K, blocks.used(block));
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

bool winograd_rows_convolve(float* y, const float* x, const float* w, const float* bias,
                            const ConvShape& s) {
  if (!suits(s)) return false;
  Job j = forward_job(s);
  if (!pays(j)) return false;
  int64_t K = j.inputs * j.taps();
  return convolve_with(y, x, bias, j, {Packing::kRows, w, sizeof(float), s}, false,
                       [=](float* to, int64_t width, int64_t g, int64_t o, int64_t used,
                           int64_t first, int64_t count) {
                         gather::transpose(to, width,
                                           w + (g * j.outputs + o) * K + first * j.taps(), K, used,
                                           count * j.taps());
                       });
}

bool winograd_rows_convolve_input(float* dx, const float* g, const float* w, const float* bias,
                                  const ConvShape& s) {
  if (!suits(s) || s.stride[1] != 1 || s.stride[2] != 1) return false;
  Job j = adjoint_job(s);
  if (!pays(j)) return false;
  int64_t taps = j.taps();
  return convolve_with(dx, g, bias, j, {Packing::kRowsInput, w, sizeof(float), s}, true,
                       [=](float* to, int64_t width, int64_t group, int64_t c, int64_t used,
                           int64_t first, int64_t count) {
                         for (int64_t o = 0; o < count; ++o)
                           gather::transpose(
                               to + o * taps * width, width,
                               w + ((group * j.inputs + first + o) * j.outputs + c) * taps, taps,
                               used, taps);
                       });
}

bool winograd_rows_convolve_weight(float* dw, const float* g, const float* x, const ConvShape& s) {
  if (!suits(s)) return false;
  Job j = forward_job(s);
  return pays(j) && WeightGradient{j}.run(dw, g, x);
}

}  // namespace lampas::cpu
