// Sampling on grids: a sample is a short list of taps with weights, whatever its kind.
#include "cpu/grid_sampling.h"

#include <algorithm>
#include <cmath>

#include "cpu/scratch.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int kMost = 16;            // taps: 4 x 4 of a cubic sample, 2 x 2 x 2 of a linear one
constexpr int64_t kGrain = 1 << 12;  // values

template <class C>
struct Taps {
  int count = 0;
  int64_t offset[kMost];  // in the image; -1: outside, worth zero
  C weight[kMost];
  C slope[3][kMost];  // of the weight, by grid coordinate: x, y, z
};

// A coordinate on its way into the image, and how fast it moves with the grid's.
template <class C>
struct Moving {
  C at, slope;
};

template <class C>
Moving<C> unnormalized(C coordinate, int64_t size, bool align_corners) {
  C n = static_cast<C>(size);
  if (align_corners) return {(coordinate + 1) / 2 * (n - 1), (n - 1) / 2};
  return {((coordinate + 1) * n - 1) / 2, n / 2};
}

template <class C>
Moving<C> clipped(Moving<C> c, int64_t size) {
  C last = static_cast<C>(size - 1);
  if (!(c.at > 0)) return {0, 0};  // NaN too
  if (c.at >= last) return {last, 0};
  return c;
}

// Reflected at twice_low / 2 and twice_high / 2 until it lies between them.
template <class C>
Moving<C> reflected(Moving<C> c, int64_t twice_low, int64_t twice_high) {
  if (twice_low == twice_high) return {0, 0};
  C low = static_cast<C>(twice_low) / 2, span = static_cast<C>(twice_high - twice_low) / 2;
  C distance = c.at - low, sign = 1;
  if (distance < 0) {
    distance = -distance;
    sign = -1;
  }
  C extra = std::fmod(distance, span), flips = std::floor(distance / span);
  bool even = std::fmod(flips, C(2)) == 0;
  return even ? Moving<C>{extra + low, sign * c.slope}
              : Moving<C>{span - extra + low, -sign * c.slope};
}

template <class C>
Moving<C> folded(Moving<C> c, int64_t size, const GridShape& s) {
  if (s.outside == Outside::zeros) return c;
  if (s.outside == Outside::reflection)
    c = s.align_corners ? reflected(c, 0, 2 * (size - 1)) : reflected(c, -1, 2 * size - 1);
  return clipped(c, size);
}

// A whole-numbered place as an index; -1 when outside (or not a number).
template <class C>
int64_t index_of(C place, int64_t size) {
  return place >= 0 && place < static_cast<C>(size) ? static_cast<int64_t>(place) : -1;
}

// The taps of one dimension.
template <class C>
struct Line {
  int count;
  int64_t index[4];
  C weight[4], slope[4];
  C bend[4] = {};  // second derivative of the weight
};

template <class C>
Line<C> linear_line(C coordinate, int64_t size, const GridShape& s) {
  Moving<C> c = folded(unnormalized(coordinate, size, s.align_corners), size, s);
  C first = std::floor(c.at), part = c.at - first;
  return {
      2, {index_of(first, size), index_of(first + 1, size)}, {1 - part, part}, {-c.slope, c.slope}};
}

template <class C>
Line<C> nearest_line(C coordinate, int64_t size, const GridShape& s) {
  Moving<C> c = folded(unnormalized(coordinate, size, s.align_corners), size, s);
  return {1, {index_of(std::nearbyint(c.at), size)}, {1}, {0}};
}

// Keys' kernel with a = -0.75; every tap is folded back into the image by itself.
template <class C>
Line<C> cubic_line(C coordinate, int64_t size, const GridShape& s) {
  constexpr C a = C(-0.75);
  Moving<C> c = unnormalized(coordinate, size, s.align_corners);
  C first = std::floor(c.at), t = c.at - first;
  Line<C> line;
  line.count = 4;
  for (int k = 0; k < 4; ++k) {
    C x = t + C(1 - k), d = std::abs(x), sign = x < 0 ? C(-1) : C(1);
    bool near = k == 1 || k == 2;
    line.weight[k] =
        near ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    line.slope[k] = c.slope * sign *
                    (near ? (3 * (a + 2) * d - 2 * (a + 3)) * d : (3 * a * d - 10 * a) * d + 8 * a);
    line.bend[k] = c.slope * c.slope * (near ? 6 * (a + 2) * d - 2 * (a + 3) : 6 * a * d - 10 * a);
    line.index[k] = index_of(folded(Moving<C>{first + C(k - 1), 0}, size, s).at, size);
  }
  return line;
}

template <class C>
Line<C> line_of(C coordinate, int64_t size, const GridShape& s) {
  if (s.sampling == Sampling::nearest) return nearest_line(coordinate, size, s);
  return s.sampling == Sampling::linear ? linear_line(coordinate, size, s)
                                        : cubic_line(coordinate, size, s);
}

// The lines through `at`, which is (x, y) or (x, y, z).
template <class C>
struct Lines {
  Line<C> x, y, z{1, {0}, {1}, {0}};
  template <class T>
  Lines(const T* at, const GridShape& s)
      : x(line_of(static_cast<C>(at[0]), s.in[2], s)),
        y(line_of(static_cast<C>(at[1]), s.in[1], s)) {
    if (s.spatial == 3) z = line_of(static_cast<C>(at[2]), s.in[0], s);
  }
};

// The products of the lines' taps.
template <class C>
Taps<C> taps_of(const Lines<C>& lines, const GridShape& s) {
  const auto& [x, y, z] = lines;
  Taps<C> taps;
  for (int k = 0; k < z.count; ++k)
    for (int j = 0; j < y.count; ++j)
      for (int i = 0; i < x.count; ++i) {
        int n = taps.count++;
        bool inside = x.index[i] >= 0 && y.index[j] >= 0 && z.index[k] >= 0;
        taps.offset[n] = inside ? (z.index[k] * s.in[1] + y.index[j]) * s.in[2] + x.index[i] : -1;
        taps.weight[n] = x.weight[i] * y.weight[j] * z.weight[k];
        taps.slope[0][n] = x.slope[i] * y.weight[j] * z.weight[k];
        taps.slope[1][n] = x.weight[i] * y.slope[j] * z.weight[k];
        taps.slope[2][n] = x.weight[i] * y.weight[j] * z.slope[k];
      }
  return taps;
}

// How the taps' weights and their slopes change when the place moves by `step` (x, y, z).
template <class C>
struct Change {
  C weight[kMost], slope[3][kMost];
};
template <class C>
Change<C> change_of(const Lines<C>& lines, const C* step) {
  const auto& [x, y, z] = lines;
  Change<C> change;
  int n = 0;
  for (int k = 0; k < z.count; ++k)
    for (int j = 0; j < y.count; ++j)
      for (int i = 0; i < x.count; ++i, ++n) {
        C xx = x.bend[i] * y.weight[j] * z.weight[k], yy = x.weight[i] * y.bend[j] * z.weight[k],
          zz = x.weight[i] * y.weight[j] * z.bend[k], xy = x.slope[i] * y.slope[j] * z.weight[k],
          xz = x.slope[i] * y.weight[j] * z.slope[k], yz = x.weight[i] * y.slope[j] * z.slope[k];
        change.weight[n] = step[0] * x.slope[i] * y.weight[j] * z.weight[k] +
                           step[1] * x.weight[i] * y.slope[j] * z.weight[k] +
                           step[2] * x.weight[i] * y.weight[j] * z.slope[k];
        change.slope[0][n] = step[0] * xx + step[1] * xy + step[2] * xz;
        change.slope[1][n] = step[0] * xy + step[1] * yy + step[2] * yz;
        change.slope[2][n] = step[0] * xz + step[1] * yz + step[2] * zz;
      }
  return change;
}

template <class T>
void sample(T* y, const T* x, const T* grid, const GridShape& s, int64_t begin, int64_t end) {
  using C = compute_t<T>;
  int64_t volume = s.in[0] * s.in[1] * s.in[2];
  for (int64_t p = begin; p < end; ++p) {
    Taps<C> taps = taps_of(Lines<C>(grid + p * s.spatial, s), s);
    for (int64_t c = 0; c < s.channels; ++c) {
      C sum = 0;
      for (int n = 0; n < taps.count; ++n)
        if (taps.offset[n] >= 0)
          sum += static_cast<C>(x[c * volume + taps.offset[n]]) * taps.weight[n];
      y[c * s.places + p] = T(sum);
    }
  }
}

// dx: sums in the compute type, null when not wanted.
template <class T>
void sample_back(compute_t<T>* dx, T* dgrid, const T* g, const T* x, const T* grid,
                 const GridShape& s) {
  using C = compute_t<T>;
  int64_t volume = s.in[0] * s.in[1] * s.in[2];
  for (int64_t p = 0; p < s.places; ++p) {
    Taps<C> taps = taps_of(Lines<C>(grid + p * s.spatial, s), s);
    C slopes[3] = {};
    for (int64_t c = 0; c < s.channels; ++c) {
      C value = static_cast<C>(g[c * s.places + p]);
      for (int n = 0; n < taps.count; ++n) {
        if (taps.offset[n] < 0) continue;
        int64_t at = c * volume + taps.offset[n];
        if (dx) dx[at] += value * taps.weight[n];
        C pixel = static_cast<C>(x[at]);
        for (int d = 0; d < s.spatial; ++d) slopes[d] += value * pixel * taps.slope[d][n];
      }
    }
    for (int d = 0; d < s.spatial; ++d) dgrid[p * s.spatial + d] = T(slopes[d]);
  }
}

// One image of grid_sample_second. sums: of dx, in the compute type.
template <class T>
struct Second {
  const T *of_dx, *of_dgrid, *g, *x, *grid;
  T *dg, *dgrid;
  compute_t<T>* sums;
};
template <class T>
void sample_second(const Second<T>& t, const GridShape& s) {
  using C = compute_t<T>;
  int64_t volume = s.in[0] * s.in[1] * s.in[2];
  for (int64_t p = 0; p < s.places; ++p) {
    Lines<C> lines(t.grid + p * s.spatial, s);
    Taps<C> taps = taps_of(lines, s);
    C step[3] = {}, slopes[3] = {};
    for (int d = 0; d < s.spatial; ++d) step[d] = static_cast<C>(t.of_dgrid[p * s.spatial + d]);
    Change<C> change = change_of(lines, step);
    for (int64_t c = 0; c < s.channels; ++c) {
      C value = static_cast<C>(t.g[c * s.places + p]), sum = 0;
      for (int n = 0; n < taps.count; ++n) {
        if (taps.offset[n] < 0) continue;
        int64_t at = c * volume + taps.offset[n];
        C pixel = static_cast<C>(t.x[at]), incoming = static_cast<C>(t.of_dx[at]);
        sum += taps.weight[n] * incoming + change.weight[n] * pixel;
        t.sums[at] += value * change.weight[n];
        for (int d = 0; d < s.spatial; ++d)
          slopes[d] += value * (taps.slope[d][n] * incoming + change.slope[d][n] * pixel);
      }
      t.dg[c * s.places + p] = T(sum);
    }
    for (int d = 0; d < s.spatial; ++d) t.dgrid[p * s.spatial + d] = T(slopes[d]);
  }
}

}  // namespace

void grid_sample(const Tensor& y, const Tensor& x, const Tensor& grid, const GridShape& s,
                 const char* name) {
  dispatch<Floats>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    if (y.numel() == 0) return;
    int64_t step = std::max<int64_t>(kGrain / s.channels, 1), cuts = (s.places + step - 1) / step;
    parallel_for(s.batch * cuts, std::max<int64_t>(step / s.places, 1),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t n = i / cuts, first = i % cuts * step;
                     sample(y.data<T>() + n * s.channels * s.places,
                            x.data<T>() + n * s.channels * s.in[0] * s.in[1] * s.in[2],
                            grid.data<T>() + n * s.places * s.spatial, s, first,
                            std::min(first + step, s.places));
                   }
                 });
  });
}

void grid_sample_backward(const Tensor& dgrid, const Tensor& dx, const Tensor& g, const Tensor& x,
                          const Tensor& grid, const GridShape& s, const char* name) {
  dispatch<Floats>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    int64_t image = s.channels * s.in[0] * s.in[1] * s.in[2];
    parallel_for(
        s.batch, std::max<int64_t>(kGrain / std::max<int64_t>(s.places * s.channels, 1), 1),
        [&](int64_t begin, int64_t end) {
          Scratch<C> sums(dx.defined() ? image : 0);
          for (int64_t n = begin; n < end; ++n) {
            if (dx.defined()) std::fill_n(sums.data(), image, C(0));
            sample_back<T>(dx.defined() ? sums.data() : nullptr,
                           dgrid.data<T>() + n * s.places * s.spatial,
                           g.data<T>() + n * s.channels * s.places, x.data<T>() + n * image,
                           grid.data<T>() + n * s.places * s.spatial, s);
            if (!dx.defined()) continue;
            T* to = dx.data<T>() + n * image;
            for (int64_t i = 0; i < image; ++i) to[i] = T(sums.data()[i]);
          }
        });
  });
}

void grid_sample_second(const Tensor& dg, const Tensor& dx, const Tensor& dgrid,
                        const Tensor& of_dx, const Tensor& of_dgrid, const Tensor& g,
                        const Tensor& x, const Tensor& grid, const GridShape& s, const char* name) {
  dispatch<Floats>(x.dtype(), name, [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    int64_t image = s.channels * s.in[0] * s.in[1] * s.in[2], values = s.channels * s.places,
            numbers = s.places * s.spatial;
    parallel_for(
        s.batch, std::max<int64_t>(kGrain / std::max<int64_t>(values, 1), 1),
        [&](int64_t begin, int64_t end) {
          Scratch<C> sums(image);
          for (int64_t n = begin; n < end; ++n) {
            std::fill_n(sums.data(), image, C(0));
            sample_second<T>(
                {of_dx.data<T>() + n * image, of_dgrid.data<T>() + n * numbers,
                 g.data<T>() + n * values, x.data<T>() + n * image, grid.data<T>() + n * numbers,
                 dg.data<T>() + n * values, dgrid.data<T>() + n * numbers, sums.data()},
                s);
            T* to = dx.data<T>() + n * image;
            for (int64_t i = 0; i < image; ++i) to[i] = T(sums.data()[i]);
          }
        });
  });
}

}  // namespace lampas::cpu
