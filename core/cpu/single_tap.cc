// See single_tap.h: columns of pixels as panels of a matrix, and the cut into parallel pieces. The
// tiles are those of gemm and of gathered products.
#include "cpu/single_tap.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cpu/division.h"
#include "cpu/gathering.h"
#include "cpu/gemm.h"
#include "cpu/scratch.h"
#include "cpu/simd/single_tap.h"
#include "cpu/streaming.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kPanels = int64_t{1} << 16;     // elements of a piece's columns
constexpr int64_t kLeft = int64_t{1} << 17;       // elements of the weight that stay near
constexpr int64_t kAhead = int64_t{1} << 14;      // bytes that are fetched before they are copied
constexpr int64_t kPieceWork = int64_t{1} << 21;  // multiplications worth another thread
constexpr int64_t kPieces = 8;                    // enough to share out
constexpr int64_t kPixels = 256;                  // products summed before they leave registers
constexpr int64_t kPartials = int64_t{1} << 22;   // elements of partial gradients

std::vector<int64_t> multiples(int64_t count, int64_t step) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) all[static_cast<size_t>(i)] = i * step;
  return all;
}

bool suits(const ConvShape& s) {
  for (int d = 0; d < 3; ++d)
    if (s.kernel[d] != 1 || s.padding[d] != 0) return false;
  int64_t C = s.group_channels(), O = s.group_outputs();
  return C > 0 && O > 0 && (s.groups == 1 || std::min(C, O) >= 8);
}

bool dense(const ConvShape& s) { return std::equal(s.in, s.in + 3, s.out); }

// The pixels of x that are hit, in lines of neighbours of y: line r of an image begins at start(r)
// of x and has every step-th place. Without strides an image is one line.
struct Lines {
  int64_t count, width, step;
  const ConvShape& s;

  explicit Lines(const ConvShape& s) : s(s) {
    bool one = dense(s);
    count = one ? 1 : s.out[0] * s.out[1];
    width = one ? s.out_volume() : s.out[2];
    step = one ? 1 : s.stride[2];
  }
  // Elements of x that belong to pixels [first, first + count), whole lines.
  int64_t reach(int64_t first, int64_t count) const {
    return start((first + count) / width) - start(first / width);
  }
  // The end of the image for the line after the last one.
  int64_t start(int64_t r) const {
    if (r == count) return s.in_volume();
    return (r / s.out[1] * s.stride[0] * s.in[1] + r % s.out[1] * s.stride[1]) * s.in[2];
  }
};

// result (batch, rows, ...) = weights (rows, depth) @ source (batch, depth, ...) at every pixel.
// One of the two may have strides.
template <class T>
struct PixelProducts {
  const ConvShape& s;
  Lines lines{s};
  int64_t rows, depth;        // of a group's weights
  bool from_lines, to_lines;  // which side has the strides
  bool streams;               // the result is so large that no cache keeps it
  std::vector<PackedLeft<T>> weights;
  // Pieces: [first, first + step) of an image's pixels, or some images together; some of the rows.
  int64_t pixels = s.out_volume(), step, cuts, images = 1, groups_of_images, row_step, row_cuts;

  PixelProducts(const ConvShape& s, int64_t rows, int64_t depth, bool forward)
      : s(s),
        rows(rows),
        depth(depth),
        from_lines(forward && !dense(s)),
        to_lines(!forward && !dense(s)),
        streams(to_lines &&
                s.batch * s.channels * s.in_volume() * int64_t{sizeof(T)} >= kStreamed) {}

  void pack(const T* w, int64_t row, int64_t col) {
    for (int64_t g = 0; g < s.groups; ++g)
      weights.emplace_back(Strided<T>{w + g * rows * depth, rows, depth, row, col});
    cut();
  }

  void cut() {
    int64_t most = std::max(kPanels / weights[0].stretch(), int64_t{64});
    int64_t unit = LAMPAS_BEST(gemm_tile(sizeof(T))).cols;
    if (to_lines) {  // whole lines, whole panels where that is possible
      int64_t both = std::lcm(unit, lines.width);
      unit = both <= most ? both : lines.width;
    }
    step = std::min(share(pixels, most, unit), pixels);
    cuts = ceil_div(pixels, step);
    if (cuts == 1) images = std::clamp<int64_t>(most / pixels, 1, s.batch);
    groups_of_images = ceil_div(s.batch, images);
    images = ceil_div(s.batch, groups_of_images);
    groups_of_images = ceil_div(s.batch, images);
    int64_t pieces = s.groups * groups_of_images * cuts;
    int64_t height = weights[0].height(), shares = ceil_div(kPieces, pieces);
    row_step = share(rows, std::max(ceil_div(rows, shares), 4 * height), height);
    row_cuts = ceil_div(rows, row_step);
  }

  // One piece's pixels: `images` whole images, or a part of one.
  struct Part {
    int64_t group, image, images, first, count;
    int64_t cols() const { return images * count; }
  };

  // Line k of the panels, from the channels of x.
  void fill(T* panels, const T* x, const Part& p, int64_t from, int64_t count, T* line) const {
    constexpr int64_t item = sizeof(T);
    int64_t volume = from_lines ? s.in_volume() : pixels, channels = s.groups * depth;
    int64_t begin = p.first, end = p.first + p.count;  // in x
    if (from_lines) {
      begin = lines.start(begin / lines.width);
      end = std::min(lines.start(ceil_div(end, lines.width)), volume);
    }
    int64_t ahead = ceil_div(kAhead, (end - begin) * item);
    for (int64_t k = 0; k < count; ++k) {
      const T* channel = x + (p.image * channels + p.group * depth + from + k) * volume;
      const T* source = channel + p.first;
      if (k + ahead < count)
        for (int64_t i = begin; i < end; i += 64 / item)
          __builtin_prefetch(channel + ahead * volume + i);
      if (from_lines || p.images > 1) {
        T* to = line;
        for (int64_t n = 0; n < p.images; ++n, channel += channels * volume) {
          if (!from_lines) {
            to = std::copy_n(channel, pixels, to);
            continue;
          }
          for (int64_t at = p.first; at < p.first + p.count;) {
            int64_t r = at / lines.width, in = at % lines.width,
                    width = std::min(lines.width - in, p.first + p.count - at);
            LAMPAS_BEST(
                pick_line(channel + lines.start(r) + in * lines.step, lines.step, width, to));
            to += width;
            at += width;
          }
        }
        source = line;
      }
      LAMPAS_BEST(spread_line(source, p.cols(), k, count, panels));
    }
  }

  // Rows [row, row + count) of the piece from `sums` (rows, cols).
  void store(T* y, const T* sums, const Part& p, int64_t row, int64_t count, const T* bias) const {
    int64_t volume = to_lines ? s.in_volume() : pixels, channels = s.groups * rows;
    Scratch<T> buffer(streams ? lines.reach(p.first, p.count) : 0);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t n = 0; n < p.images; ++n) {
        int64_t channel = p.group * rows + row + i;
        T* to = y + ((p.image + n) * channels + channel) * volume;
        const T* from = sums + i * p.cols() + n * p.count;
        if (!to_lines) {
          std::copy_n(from, p.count, to + p.first);
          continue;
        }
        spread(to, from, p, bias ? bias[channel] : T(0), buffer.data());
      }
    if (streams) LAMPAS_BEST(stream_end());
  }
  // One channel's share of a result with strides; `rest` where nothing was computed.
  void spread(T* channel, const T* from, const Part& p, T rest, T* buffer) const {
    int64_t first = p.first / lines.width, end = (p.first + p.count) / lines.width;
    int64_t begin = lines.start(first);
    T* to = streams ? buffer : channel + begin;
    for (int64_t line = first; line < end; ++line, from += lines.width) {
      int64_t at = lines.start(line);
      LAMPAS_BEST(place_line(from, lines.width, lines.step, rest, lines.start(line + 1) - at,
                             to + at - begin));
    }
    if (streams)
      LAMPAS_BEST(stream(channel + begin, buffer, (lines.start(end) - begin) * int64_t{sizeof(T)}));
  }

  void piece(T* y, const T* x, const T* bias, const Part& p, int64_t row, int64_t count) const {
    const PackedLeft<T>& a = weights[static_cast<size_t>(p.group)];
    int64_t stretch = a.stretch(), cols = p.cols(), lanes = LAMPAS_BEST(gemm_tile(sizeof(T))).lanes;
    bool direct = !to_lines && p.images == 1;
    Scratch<T> panels(stretch * ceil_div(cols, lanes) * lanes), line(cols);
    Scratch<T> sums(direct ? 0 : count * cols);
    T* to =
        direct ? y + ((p.image * s.groups + p.group) * rows + row) * pixels + p.first : sums.data();
    int64_t pitch = direct ? pixels : cols;
    int64_t block = std::max(a.height(), kLeft / stretch / a.height() * a.height());
    for (int64_t from = 0; from < depth; from += stretch) {
      int64_t deep = std::min(stretch, depth - from);
      fill(panels.data(), x, p, from, deep, line.data());
      for (int64_t i = 0; i < count; i += block) {
        GemmEnd<T> end;
        end.add = from > 0;
        if (bias && from + deep == depth) end.row_bias = bias + p.group * rows + row + i;
        LAMPAS_BEST(gemm_block(GemmBlock<T>{a.panels(row + i, from, deep), panels.data(),
                                            std::min(block, count - i), cols, deep, a.height(),
                                            to + i * pitch, pitch, end}));
      }
    }
    if (!direct) store(y, sums.data(), p, row, count, bias);
  }

  Part part(int64_t piece) const {
    int64_t cut = piece / row_cuts, first = cut % cuts * step, rest = cut / cuts;
    int64_t image = rest % groups_of_images * images;
    return {rest / groups_of_images, image, std::min(images, s.batch - image), first,
            std::min(step, pixels - first)};
  }

  void run(T* y, const T* x, const T* bias) const {
    int64_t pieces = s.groups * groups_of_images * cuts * row_cuts;
    int64_t work = s.batch * s.groups * s.work() / pieces;
    parallel_for(pieces, std::max<int64_t>(kPieceWork / std::max<int64_t>(work, 1), 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t row = i % row_cuts * row_step;
                     piece(y, x, bias, part(i), row, std::min(row_step, rows - row));
                   }
                 });
  }
};

// --- the gradient of the weight: rows are outputs, channels lie in the lanes ---

template <class T>
struct WeightProducts {
  const ConvShape& s;
  int64_t C = s.group_channels(), O = s.group_outputs(), pixels = s.out_volume();
  Blocks blocks{C, sizeof(T)};
  int64_t stretch = std::min(share(pixels, kPixels, 1), pixels),
          together = std::clamp<int64_t>(kPixels / pixels, 1, s.batch);

  // sums (O, width) over images [first, end).
  void sum(T* sums, const T* g, const T* x, int64_t group, int64_t block, int64_t first,
           int64_t end) const {
    int64_t width = blocks.width, used = blocks.used(block), deep = together * stretch;
    Scratch<T> lanes(deep * width);
    if (used < width) std::fill_n(lanes.data(), deep * width, T(0));
    std::vector<int64_t> rows = multiples(O, pixels), places = multiples(O, 1), steps(deep);
    for (int64_t n = 0; n < together; ++n)
      for (int64_t i = 0; i < stretch; ++i)
        steps[static_cast<size_t>(n * stretch + i)] = n * s.outputs * pixels + i;
    GatheredProduct<T> p;
    p.rows = rows.data();
    p.places = places.data();
    p.steps = steps.data();
    p.count = O;
    p.width = width;
    p.b = lanes.data();
    p.c = sums;
    p.start = nullptr;
    for (int64_t n = first; n < end; n += together) {
      int64_t images = std::min(together, end - n);
      for (int64_t at = 0; at < pixels; at += stretch) {
        int64_t count = std::min(stretch, pixels - at);
        for (int64_t i = 0; i < images; ++i)
          gather::transpose(
              lanes.data() + i * count * width, width,
              x + ((n + i) * s.channels + group * C + blocks.begin(block)) * pixels + at, pixels,
              used, count);
        p.a = g + (n * s.outputs + group * O) * pixels + at;
        p.depth = images * count;
        gather::product(p);
      }
    }
  }

  void run(T* dw, const T* g, const T* x) const {
    int64_t units = s.groups * blocks.count, size = s.outputs * C;
    int64_t total = s.batch * s.groups * s.work();
    int64_t parts = std::clamp<int64_t>(
        std::min(ceil_div(kPieces, units), total / units / kPieceWork), 1, s.batch);
    parts = std::clamp<int64_t>(kPartials / size, 1, parts);
    int64_t images = ceil_div(s.batch, parts);
    parts = ceil_div(s.batch, images);
    Scratch<T> partial(parts > 1 ? size * (parts - 1) : 0);
    int64_t work = total / (units * parts);
    parallel_for(units * parts, std::max<int64_t>(kPieceWork / std::max<int64_t>(work, 1), 1),
                 [&](int64_t begin, int64_t end) {
                   Scratch<T> sums(O * blocks.width);
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t unit = i % units, part = i / units, group = unit / blocks.count,
                             block = unit % blocks.count;
                     std::fill_n(sums.data(), O * blocks.width, T(0));
                     sum(sums.data(), g, x, group, block, part * images,
                         std::min((part + 1) * images, s.batch));
                     T* to = (part ? partial.data() + (part - 1) * size : dw) + group * O * C +
                             blocks.begin(block);
                     for (int64_t o = 0; o < O; ++o)
                       std::copy_n(sums.data() + o * blocks.width, blocks.used(block), to + o * C);
                   }
                 });
    for (int64_t part = 1; part < parts; ++part) {
      const T* from = partial.data() + (part - 1) * size;
      for (int64_t i = 0; i < size; ++i) dw[i] += from[i];
    }
  }
};

// The pixels of x that are hit: (batch, channels, out).
template <class T>
void pick_pixels(T* to, const T* x, const ConvShape& s) {
  Lines lines(s);
  int64_t in = s.in_volume(), out = s.out_volume();
  parallel_for(s.batch * s.channels, std::max<int64_t>((1 << 16) / out, 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t c = begin; c < end; ++c)
                   for (int64_t r = 0; r < lines.count; ++r)
                     LAMPAS_BEST(pick_line(x + c * in + lines.start(r), lines.step, lines.width,
                                           to + c * out + r * lines.width));
               });
}

// Images with their channels last are one matrix (pixels, channels).
template <class T>
void product_last(T* y, const T* x, const T* w, const T* bias, int64_t rows, int64_t depth,
                  int64_t row, int64_t col, const ConvShape& s) {
  int64_t pixels = s.batch * s.out_volume();
  for (int64_t g = 0; g < s.groups; ++g) {
    GemmEnd<T> end;
    if (bias) end.col_bias = bias + g * rows;
    gemm(Strided<T>{x + g * depth, pixels, depth, s.groups * depth, 1},
         Strided<T>{w + g * rows * depth, depth, rows, col, row}, y + g * rows, s.groups * rows,
         end);
  }
}

}  // namespace

bool single_tap_last(const ConvShape& s) { return suits(s) && dense(s); }

template <class T>
bool single_tap_convolve(T* y, const T* x, const T* w, const T* bias, const ConvShape& s) {
  if (!suits(s) || (s.last && !dense(s))) return false;
  int64_t C = s.group_channels(), O = s.group_outputs();
  if (s.last) {
    product_last(y, x, w, bias, O, C, C, 1, s);
    return true;
  }
  PixelProducts<T> job(s, O, C, true);
  job.pack(w, C, 1);
  job.run(y, x, bias);
  return true;
}

template <class T>
bool single_tap_convolve_input(T* dx, const T* g, const T* w, const T* bias, const ConvShape& s) {
  if (!suits(s) || (s.last && !dense(s))) return false;
  int64_t C = s.group_channels(), O = s.group_outputs();
  if (s.last) {
    product_last(dx, g, w, bias, C, O, 1, C, s);
    return true;
  }
  PixelProducts<T> job(s, C, O, false);
  job.pack(w, 1, C);
  job.run(dx, g, bias);
  return true;
}

template <class T>
bool single_tap_convolve_weight(T* dw, const T* g, const T* x, const ConvShape& s) {
  if (!suits(s) || s.last || s.group_channels() * 4 < gather::lanes(sizeof(T)) * 3) return false;
  if (dense(s)) {
    WeightProducts<T>{s}.run(dw, g, x);
    return true;
  }
  Scratch<T> picked(s.batch * s.channels * s.out_volume());
  pick_pixels(picked.data(), x, s);
  WeightProducts<T>{s}.run(dw, g, picked.data());
  return true;
}

#define INSTANTIATE(T)                                                                            \
  template bool single_tap_convolve<T>(T*, const T*, const T*, const T*, const ConvShape&);       \
  template bool single_tap_convolve_input<T>(T*, const T*, const T*, const T*, const ConvShape&); \
  template bool single_tap_convolve_weight<T>(T*, const T*, const T*, const ConvShape&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lampas::cpu
