// Convolutions and their input gradients by gathered products: padded copies of bands of an image,
// packed weights, and the cut into parallel pieces. Gradients of weights: gathered_weight.cc.
#include "cpu/gathered.h"
#include "cpu/kept_weights.h"

#include <algorithm>
#include <optional>

#include "cpu/division.h"
#include "cpu/gathering.h"
#include "cpu/kept_weights.h"
#include "cpu/scratch.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kDepth = 576;                   // products summed before they leave registers
constexpr int64_t kPixels = 1024;                 // results of one band and block of channels
constexpr int64_t kCopy = int64_t{1} << 16;       // elements of a padded copy that stay near
constexpr int64_t kCopyMost = int64_t{1} << 21;   // and of all the channels of a band
constexpr int64_t kPieceWork = int64_t{1} << 21;  // multiplications worth another thread
constexpr int64_t kPieces = 8;                    // enough to share out

// One convolution: `inputs` channels to `outputs` channels of each group.
struct Map {
  Axis axes[3];
  int64_t batch, groups, inputs, outputs;
  bool last;

  int64_t in_volume() const { return axes[0].in * axes[1].in * axes[2].in; }
  int64_t out_volume() const { return axes[0].out * axes[1].out * axes[2].out; }
};

// Results with the same taps, and where their weights begin in a pack.
struct Class {
  const Axis::Phase* phases[3];
  int64_t taps, weights;
};

std::vector<Class> classes_of(const Map& m, int64_t block_weights) {
  std::vector<Class> all;
  int64_t taps = 0;
  for (const auto& i : m.axes[0].phases)
    for (const auto& j : m.axes[1].phases)
      for (const auto& k : m.axes[2].phases) {
        auto count = static_cast<int64_t>(i.taps.size() * j.taps.size() * k.taps.size());
        all.push_back({{&i, &j, &k}, count, taps * block_weights});
        taps += count;
      }
  return all;
}

// body(place among the class's taps, flat index in the window, taps of the three axes)
template <class F>
void each_tap(const Class& c, const ConvShape& s, F&& body) {
  int64_t at = 0;
  for (const auto& i : c.phases[0]->taps)
    for (const auto& j : c.phases[1]->taps)
      for (const auto& k : c.phases[2]->taps)
        body(at++, (i.index * s.kernel[1] + j.index) * s.kernel[2] + k.index, i, j, k);
}

// How results are cut: images together, or a band of the outermost dimension of one.
struct Bands {
  int axis;
  int64_t step, count, images, groups_of_images;

  Bands(const Map& m, int64_t item) {
    axis = m.axes[0].out > 1 ? 0 : 1;
    int64_t length = m.axes[axis].grid(), pixels = std::max<int64_t>(m.out_volume(), 1);
    int64_t per_place = ceil_div(pixels, std::max<int64_t>(length, 1));
    int64_t size[3] = {m.axes[0].grid(), m.axes[1].grid(), m.axes[2].grid()};
    size[axis] = 1;
    PaddedCopy one(m.axes, size, m.inputs, m.last, item);
    size[axis] = length;
    PaddedCopy whole(m.axes, size, m.inputs, m.last, item);
    int64_t near = std::max<int64_t>(kCopy * 2, one.image * 3);
    step = std::clamp<int64_t>(kPixels / per_place, 1, length);
    if (whole.image > near)
      step = std::clamp<int64_t>(step * near / whole.image * length / step, 1, step);
    count = ceil_div(length, step);
    step = ceil_div(length, count);
    count = ceil_div(length, step);
    images = 1;
    if (count == 1)
      images = std::clamp<int64_t>(std::min(kPixels / 2 / pixels, kCopyMost / whole.image), 1,
                                   std::max<int64_t>(m.batch, 1));
    groups_of_images = ceil_div(m.batch, images);
    images = ceil_div(m.batch, std::max<int64_t>(groups_of_images, 1));
    groups_of_images = ceil_div(m.batch, std::max<int64_t>(images, 1));
  }
};

template <class T>
struct Gathered {
  const ConvShape& s;
  const Map& m;
  Blocks blocks{m.outputs, sizeof(T)};
  Bands bands{m, sizeof(T)};
  int64_t block_weights = m.inputs * blocks.width;  // of one tap
  std::vector<Class> classes = classes_of(m, block_weights);
  int64_t pack_size = block_weights * s.taps();  // of one block

  // The results of one piece of work.
  struct Band {
    int64_t group, first_image, images;
    int64_t begin[3], size[3];
    int64_t first_pixel, pixels;
  };

  Band band(int64_t piece) const {
    Band b;
    int64_t cut = piece % bands.count, rest = piece / bands.count;
    b.first_image = rest % bands.groups_of_images * bands.images;
    b.group = rest / bands.groups_of_images;
    b.images = std::min(bands.images, m.batch - b.first_image);
    for (int d = 0; d < 3; ++d) {
      b.begin[d] = 0;
      b.size[d] = m.axes[d].grid();
    }
    const Axis& a = m.axes[bands.axis];
    b.begin[bands.axis] = cut * bands.step;
    b.size[bands.axis] = std::min(bands.step, a.grid() - cut * bands.step);
    int64_t first = b.begin[bands.axis] * a.step;
    int64_t end = std::min((b.begin[bands.axis] + b.size[bands.axis]) * a.step, a.out);
    int64_t below = m.out_volume() / a.out;
    b.first_pixel = first * below;
    b.pixels = (end - first) * below;
    return b;
  }

  // Where a class's results are read (rows) and written (places) in a band.
  struct Lists {
    std::vector<int64_t> rows, places, steps;
  };

  // What a thread holds for bands of one size.
  struct Desk {
    int64_t size[3] = {}, images = 0, begin = 0;
    std::vector<Lists> lists;
    PaddedCopy copy;
    Scratch<T> image, sums;

    bool fits(const Band& b, int axis) const {
      return std::equal(size, size + 3, b.size) && images == b.images &&
             (begin == b.begin[axis] || lists.size() == 1);
    }
  };

  int64_t channel_step() const {
    int64_t cuts = ceil_div(m.inputs * s.taps(), kDepth);
    return ceil_div(m.inputs, std::clamp<int64_t>(cuts, 1, m.inputs));
  }

  Desk desk(const Band& b) const {
    PaddedCopy copy(m.axes, b.size, m.inputs, m.last, sizeof(T));
    std::vector<Lists> all;
    for (const Class& c : classes) all.push_back(lists(c, b, copy));
    return {{b.size[0], b.size[1], b.size[2]},
            b.images,
            b.begin[bands.axis],
            std::move(all),
            copy,
            Scratch<T>(copy.image * b.images),
            Scratch<T>(b.images * b.pixels * blocks.width)};
  }

  Lists lists(const Class& c, const Band& b, const PaddedCopy& copy) const {
    Lists l;
    int64_t count[3];
    for (int d = 0; d < 3; ++d)
      count[d] = std::clamp<int64_t>(m.axes[d].grid(*c.phases[d]) - b.begin[d], 0, b.size[d]);
    int64_t total = b.images * count[0] * count[1] * count[2];
    l.rows.resize(total);
    l.places.resize(total);
    int64_t *row = l.rows.data(), *place = l.places.data();
    auto result = [&](int d, int64_t i) {
      return (b.begin[d] + i) * m.axes[d].step + c.phases[d]->first;
    };
    for (int64_t n = 0; n < b.images; ++n)
      for (int64_t i = 0; i < count[0]; ++i)
        for (int64_t j = 0; j < count[1]; ++j) {
          int64_t from = n * copy.image + copy.at(i, j, 0), step = copy.at(0, 0, 1);
          int64_t to = n * b.pixels - b.first_pixel + result(2, 0) +
                       (result(0, i) * m.axes[1].out + result(1, j)) * m.axes[2].out;
          for (int64_t k = 0; k < count[2]; ++k) {
            *row++ = from + k * step;
            *place++ = to + k * m.axes[2].step;
          }
        }
    for (int64_t ch = 0; ch < channel_step(); ++ch)
      each_tap(c, s, [&](int64_t, int64_t, const auto& i, const auto& j, const auto& k) {
        l.steps.push_back(ch * copy.channel + copy.shift(i, j, k));
      });
    return l;
  }

  // packed: (groups, blocks, classes, inputs, taps, width); starts: (groups, blocks, width).
  void piece(Desk& desk, const Band& b, T* y, const T* x, const T* packed, const T* starts,
             int64_t first_block, int64_t end_block) const {
    const PaddedCopy& copy = desk.copy;
    Layout from(m.groups * m.inputs, m.in_volume(), m.last);
    for (int64_t n = 0; n < b.images; ++n)
      copy.fill(desk.image.data() + n * copy.image,
                x + (b.first_image + n) * from.image + b.group * m.inputs * from.channel, b.begin,
                b.size, from);
    int64_t channels = channel_step();
    for (int64_t block = first_block; block < end_block; ++block) {
      int64_t at = b.group * blocks.count + block;
      for (int64_t ch = 0; ch < m.inputs; ch += channels)
        for (size_t i = 0; i < classes.size(); ++i) {
          const Class& c = classes[i];
          if (ch && c.taps == 0) continue;
          const Lists& l = desk.lists[i];
          GatheredProduct<T> p;
          p.a = desk.image.data() + ch * copy.channel;
          p.rows = l.rows.data();
          p.places = l.places.data();
          p.steps = l.steps.data();
          p.count = static_cast<int64_t>(l.rows.size());
          p.depth = std::min(channels, m.inputs - ch) * c.taps;
          p.width = blocks.width;
          p.b = packed + at * pack_size + c.weights + ch * c.taps * blocks.width;
          p.c = desk.sums.data();
          p.start = ch == 0 ? starts + at * blocks.width : nullptr;
          gather::product(p);
        }
      store(y, desk.sums.data(), b, block);
    }
  }

  void store(T* y, const T* sums, const Band& b, int64_t block) const {
    Layout to(m.groups * m.outputs, m.out_volume(), m.last);
    int64_t used = blocks.used(block), channel = b.group * m.outputs + blocks.begin(block);
    for (int64_t n = 0; n < b.images; ++n) {
      const T* from = sums + n * b.pixels * blocks.width;
      T* image =
          y + (b.first_image + n) * to.image + channel * to.channel + b.first_pixel * to.pixel;
      if (m.last)
        for (int64_t p = 0; p < b.pixels; ++p)
          std::copy_n(from + p * blocks.width, used, image + p * to.pixel);
      else
        gather::transpose(image, to.channel, from, blocks.width, b.pixels, used);
    }
  }

  void run(T* y, const T* x, const T* packed, const T* starts) const {
    int64_t pieces = bands.count * bands.groups_of_images * m.groups;
    int64_t work = m.batch * m.groups * s.work() / std::max<int64_t>(pieces, 1);
    int64_t cuts = std::clamp<int64_t>(std::min(ceil_div(kPieces, pieces), work / kPieceWork), 1,
                                       blocks.count);
    int64_t each = ceil_div(blocks.count, cuts);
    cuts = ceil_div(blocks.count, each);
    int64_t grain = std::max<int64_t>(kPieceWork / std::max<int64_t>(work / cuts, 1), 1);
    parallel_for(pieces * cuts, grain, [&](int64_t begin, int64_t end) {
      std::optional<Desk> held;
      for (int64_t i = begin; i < end; ++i) {
        Band b = band(i / cuts);
        if (!held || !held->fits(b, bands.axis)) {
          held.reset();
          held.emplace(desk(b));
        }
        int64_t first = i % cuts * each;
        piece(*held, b, y, x, packed, starts, first, std::min(first + each, blocks.count));
      }
    });
  }
};

// (groups, blocks, width) of a bias; zeros where there is none.
template <class T>
void fill_starts(T* to, const T* bias, const Map& m, const Blocks& blocks) {
  for (int64_t g = 0; g < m.groups; ++g)
    for (int64_t b = 0; b < blocks.count; ++b)
      for (int64_t l = 0; l < blocks.width; ++l)
        *to++ = bias && l < blocks.used(b) ? bias[g * m.outputs + blocks.begin(b) + l] : T(0);
}

// Weights as the convolution reads them: (inputs, taps, width) of every block.
template <class T>
void pack_forward(T* to, const T* w, const Gathered<T>& job) {
  int64_t K = job.m.inputs * job.s.taps(), count = job.m.groups * job.blocks.count;
  parallel_for(count, std::max<int64_t>(kPieceWork / 8 / job.pack_size, 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   int64_t g = i / job.blocks.count, b = i % job.blocks.count;
                   T* pack = to + i * job.pack_size;
                   int64_t used = job.blocks.used(b);
                   if (used < job.blocks.width) std::fill_n(pack, job.pack_size, T(0));
                   gather::transpose(pack, job.blocks.width,
                                     w + (g * job.m.outputs + job.blocks.begin(b)) * K, K, used, K);
                 }
               });
}

// The same for the adjoint, whose results are the weights' input channels; by classes.
template <class T>
void pack_adjoint(T* to, const T* w, const Gathered<T>& job) {
  int64_t taps = job.s.taps(), count = job.m.groups * job.blocks.count, width = job.blocks.width;
  std::vector<T*> places;
  parallel_for(
      count * job.m.inputs, std::max<int64_t>(kPieceWork / 8 / (taps * width), 1),
      [&](int64_t begin, int64_t end) {
        Scratch<T> window(taps * width);
        std::fill_n(window.data(), taps * width, T(0));
        for (int64_t i = begin; i < end; ++i) {
          int64_t o = i % job.m.inputs, block = i / job.m.inputs;
          int64_t g = block / job.blocks.count, b = block % job.blocks.count;
          int64_t used = job.blocks.used(b);
          if (used < width) std::fill_n(window.data(), taps * width, T(0));
          const T* from = w + ((g * job.m.inputs + o) * job.m.outputs + job.blocks.begin(b)) * taps;
          gather::transpose(window.data(), width, from, taps, used, taps);
          for (const Class& c : job.classes) {
            T* pack = to + block * job.pack_size + c.weights + o * c.taps * width;
            each_tap(c, job.s, [&](int64_t at, int64_t tap, const auto&, const auto&, const auto&) {
              std::copy_n(window.data() + tap * width, width, pack + at * width);
            });
          }
        }
      });
}

Map forward_map(const ConvShape& s) {
  return {{Axis::forward(s, 0), Axis::forward(s, 1), Axis::forward(s, 2)},
          s.batch,
          s.groups,
          s.group_channels(),
          s.group_outputs(),
          s.last};
}
Map adjoint_map(const ConvShape& s) {
  return {{Axis::adjoint(s, 0), Axis::adjoint(s, 1), Axis::adjoint(s, 2)},
          s.batch,
          s.groups,
          s.group_outputs(),
          s.group_channels(),
          s.last};
}

// Where lanes are not too empty and copies not too large.
bool suits(const Map& m, const ConvShape& s, int64_t item) {
  int64_t lanes = gather::lanes(item);
  if (m.outputs * 4 < lanes * 3 || m.inputs * s.taps() < 16) return false;
  if (m.outputs < 2 * lanes && m.outputs % lanes && m.outputs % lanes * 2 < lanes) return false;
  for (const Axis& a : m.axes)
    if (!a.sparse() && a.high - a.low > 4 * std::max(a.in, a.out) + 16) return false;
  return s.taps() <= 4096;
}

}  // namespace

bool gathers(const ConvShape& s, int64_t item) { return suits(forward_map(s), s, item); }
bool gathers_input(const ConvShape& s, int64_t item) { return suits(adjoint_map(s), s, item); }

namespace {

// y from x by the map, whose weights `pack` lays out.
template <class T, class Pack>
bool gathered(const Map& m, T* y, const T* x, const T* bias, const ConvShape& s,
              const Packing& packing, Pack&& pack) {
  if (!suits(m, s, sizeof(T))) return false;
  Gathered<T> job{s, m};
  int64_t count = m.groups * job.blocks.count;
  Scratch<T> starts(count * job.blocks.width);
  fill_starts(starts.data(), bias, m, job.blocks);
  PackedWeights packed =
      PackedWeights::of<T>(packing, count * job.pack_size, [&](T* made) { pack(made, job); });
  job.run(y, x, packed.data<T>(), starts.data());
  return true;
}

}  // namespace

template <class T>
bool gathered_convolve(T* y, const T* x, const T* w, const T* bias, const ConvShape& s) {
  return gathered(forward_map(s), y, x, bias, s, {Packing::kGathered, w, sizeof(T), s},
                  [w](T* packed, const Gathered<T>& job) { pack_forward(packed, w, job); });
}

template <class T>
bool gathered_convolve_input(T* dx, const T* g, const T* w, const T* bias, const ConvShape& s) {
  return gathered(adjoint_map(s), dx, g, bias, s, {Packing::kGatheredInput, w, sizeof(T), s},
                  [w](T* packed, const Gathered<T>& job) { pack_adjoint(packed, w, job); });
}

#define INSTANTIATE(T)                                                                    \
  template bool gathered_convolve<T>(T*, const T*, const T*, const T*, const ConvShape&); \
  template bool gathered_convolve_input<T>(T*, const T*, const T*, const T*, const ConvShape&);
INSTANTIATE(float)
INSTANTIATE(double)

}  // namespace lampas::cpu
