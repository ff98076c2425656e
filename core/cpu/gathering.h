// Which places of a source a convolution or its adjoint reads for a place of its result, and padded
// copies of what is read. Shared by the files that gather; the loops are in
// simd/gathered_product.cc.
#pragma once
#include <vector>

#include "cpu/convolution.h"
#include "cpu/simd/gathered_product.h"

namespace lampas::cpu {

#ifdef LAMPAS_HAVE_AVX512
#define GATHERED_512(call) \
  if (isa() == Isa::avx512) return avx512::call;
#else
#define GATHERED_512(call)
#endif
#ifdef LAMPAS_HAVE_AVX2
#define GATHERED_2(call) \
  if (isa() >= Isa::avx2) return avx2::call;
#else
#define GATHERED_2(call)
#endif
#define GATHERED(name, call)                                                     \
  template <class... A>                                                          \
  auto name(const A&... a) {                                                     \
    GATHERED_512(call(a...)) GATHERED_2(call(a...)) return baseline::call(a...); \
  }
namespace gather {
GATHERED(lanes, gathered_lanes)
GATHERED(widest, gathered_width)
GATHERED(product, gathered_product)
GATHERED(transpose, transpose)
GATHERED(pad, pad_plane)
}  // namespace gather
#undef GATHERED
#undef GATHERED_512
#undef GATHERED_2

// Channels in even blocks of whole vectors; the last may have unused lanes.
struct Blocks {
  int64_t channels, width, count;

  Blocks(int64_t channels, int64_t item);
  int64_t begin(int64_t block) const { return block * width; }
  int64_t used(int64_t block) const { return std::min(width, channels - block * width); }
};

// One dimension. Place first + i * step of the result takes from the source's i * hop + shift.
struct Axis {
  struct Tap {
    int64_t index, shift;
  };
  struct Phase {
    int64_t first;
    std::vector<Tap> taps;
  };
  int64_t in, out, hop, step;
  std::vector<Phase> phases;
  int64_t low = 0, high = 0;  // the least and the greatest shift

  // The convolution itself, and its adjoint: there results a stride apart have the same taps.
  static Axis forward(const ConvShape& s, int d);
  static Axis adjoint(const ConvShape& s, int d);
  int64_t grid() const { return (out + step - 1) / step; }
  int64_t grid(const Phase& p) const { return (out - p.first + step - 1) / step; }
  // With one shift only what is hit is copied.
  bool sparse() const { return low == high; }
  int64_t copied(int64_t places) const {
    return sparse() ? places : (places - 1) * hop + high - low + 1;
  }
  int64_t place(int64_t i) const { return sparse() ? i : i * hop; }
  int64_t shift(const Tap& t) const { return t.shift - low; }

 private:
  void bound();
};

// Where a tensor (batch, channels, volume) has its elements.
struct Layout {
  int64_t image, channel, pixel;

  Layout(int64_t channels, int64_t volume, bool last)
      : image(channels * volume), channel(last ? 1 : volume), pixel(last ? channels : 1) {}
};

// A padded copy of some channels of neighbouring images, with what the grid places of `size` from
// some beginning on need. Distances are in elements.
struct PaddedCopy {
  const Axis* axes;
  int64_t channels;
  bool last;
  int64_t image, channel, plane, row, column;

  PaddedCopy(const Axis* axes, const int64_t* size, int64_t channels, bool last, int64_t item);
  int64_t at(int64_t i, int64_t j, int64_t k) const {
    return axes[0].place(i) * plane + axes[1].place(j) * row + axes[2].place(k) * column;
  }
  int64_t shift(const Axis::Tap& i, const Axis::Tap& j, const Axis::Tap& k) const {
    return axes[0].shift(i) * plane + axes[1].shift(j) * row + axes[2].shift(k) * column;
  }
  // One image, from its first channel on.
  template <class T>
  void fill(T* to, const T* from, const int64_t* begin, const int64_t* size,
            const Layout& source) const;
};

}  // namespace lampas::cpu
