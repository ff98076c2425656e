// See gathering.h.
#include "cpu/gathering.h"

#include <algorithm>

#include "cpu/division.h"

namespace lampas::cpu {

Blocks::Blocks(int64_t channels, int64_t item) : channels(channels) {
  int64_t lanes = gather::lanes(item), vectors = ceil_div(channels, lanes);
  count = ceil_div(vectors, gather::widest(item) / lanes);
  width = ceil_div(vectors, std::max<int64_t>(count, 1)) * lanes;
  count = ceil_div(channels, std::max<int64_t>(width, 1));
}

Axis Axis::forward(const ConvShape& s, int d) {
  Axis a{s.in[d], s.out[d], s.stride[d], 1, {{0, {}}}};
  for (int64_t k = 0; k < s.kernel[d]; ++k)
    a.phases[0].taps.push_back({k, k * s.dilation[d] - s.padding[d]});
  a.bound();
  return a;
}

Axis Axis::adjoint(const ConvShape& s, int d) {
  Axis a{s.out[d], s.in[d], 1, s.stride[d], {}};
  for (int64_t r = 0; r < std::min(s.stride[d], s.in[d]); ++r) {
    Phase p{r, {}};
    for (int64_t k = 0; k < s.kernel[d]; ++k) {
      int64_t reach = r + s.padding[d] - k * s.dilation[d];
      if (reach % s.stride[d] == 0) p.taps.push_back({k, reach / s.stride[d]});
    }
    a.phases.push_back(p);
  }
  a.bound();
  return a;
}

void Axis::bound() {
  bool first = true;
  for (const Phase& p : phases)
    for (const Tap& t : p.taps) {
      low = first ? t.shift : std::min(low, t.shift);
      high = first ? t.shift : std::max(high, t.shift);
      first = false;
    }
}

PaddedCopy::PaddedCopy(const Axis* axes, const int64_t* size, int64_t channels, bool last,
                       int64_t item)
    : axes(axes), channels(channels), last(last) {
  int64_t line = 64 / item;
  // An odd number of cache lines, so that channels (or pixels) do not fall on each other's places
  // in the cache.
  auto odd = [line](int64_t n) { return (ceil_div(n, line) | 1) * line; };
  column = last ? odd(channels) : 1;
  row = axes[2].copied(size[2]) * column;
  plane = axes[1].copied(size[1]) * row;
  int64_t volume = axes[0].copied(size[0]) * plane;
  channel = last ? 1 : odd(volume);
  image = last ? odd(volume) : channel * channels;
}

template <class T>
void PaddedCopy::fill(T* to, const T* from, const int64_t* begin, const int64_t* size,
                      const Layout& source) const {
  const Axis &d = axes[0], &h = axes[1], &w = axes[2];
  auto first = [&](int axis) { return begin[axis] * axes[axis].hop + axes[axis].low; };
  auto stride = [](const Axis& a) { return a.sparse() ? a.hop : 1; };
  PaddedPlane p;
  p.rows = h.copied(size[1]);
  p.cols = w.copied(size[2]);
  p.row = first(1);
  p.col = first(2);
  p.row_step = stride(h);
  p.col_step = stride(w);
  p.in_rows = h.in;
  p.in_cols = w.in;
  p.item = last ? channels : 1;
  p.pitch = row;
  p.item_pitch = column;
  p.in_item_pitch = source.pixel;
  p.in_pitch = w.in * source.pixel;
  for (int64_t c = 0; c < (last ? 1 : channels); ++c)
    for (int64_t i = 0; i < d.copied(size[0]); ++i) {
      int64_t depth = first(0) + i * stride(d);
      T* copy = to + c * channel + i * plane;
      if (depth < 0 || depth >= d.in)
        std::fill_n(copy, plane, T(0));
      else
        gather::pad(copy, from + c * source.channel + depth * h.in * p.in_pitch, p);
    }
}

template void PaddedCopy::fill<float>(float*, const float*, const int64_t*, const int64_t*,
                                      const Layout&) const;
template void PaddedCopy::fill<double>(double*, const double*, const int64_t*, const int64_t*,
                                       const Layout&) const;

}  // namespace lampas::cpu
