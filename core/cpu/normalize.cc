// Normalisation: cuts tensors into runs and tiles of columns for the instruction set's loops, and
// works out the coefficients between the passes. Cuts depend on sizes alone, so results do not
// depend on threads.
#include "cpu/normalize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/streaming.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

using Numbers = std::vector<double>;

constexpr int64_t kGrain = 1 << 15;  // elements a thread should have

const NormTiles& tiles_for(DType dtype) {
  const NormTiles* tiles = LAMPAS_BEST(norm_tiles(dtype));
  if (!tiles) fail_dtype("batch_norm", dtype);
  return *tiles;
}

int64_t grain_of(int64_t elements) {
  return std::max<int64_t>(kGrain / std::max<int64_t>(elements, 1), 1);
}

const char* at(const Tensor& x, int64_t element) {
  return x.data<char>() + element * x.item_size();
}
char* into(const Tensor& x, int64_t element) { return x.data<char>() + element * x.item_size(); }

// A vector of any float type as doubles; `otherwise` n times where there is none.
Numbers numbers(const Tensor& x, int64_t n, double otherwise) {
  Numbers values(static_cast<size_t>(n), otherwise);
  if (!x.defined()) return values;
  dispatch<Floats>(x.dtype(), "batch_norm", [&](auto tag) {
    using T = decltype(tag);
    const T* from = x.data<T>();
    for (int64_t i = 0; i < n; ++i)
      values[static_cast<size_t>(i)] = static_cast<double>(from[i * x.stride(0)]);
  });
  return values;
}

// Rows of `width` elements in chunks, and a chunk in tiles of columns.
struct Chunks {
  int64_t rows, width, size, count;

  Chunks(int64_t rows, int64_t width)
      : rows(rows),
        width(width),
        size(std::max(
            {int64_t{64}, (int64_t{1} << 16) / std::max<int64_t>(width, 1), (rows + 63) / 64})),
        count((rows + size - 1) / size) {}

  // body(chunk, first row, rows, first column, columns) of every tile, `times` over (the first
  // argument of the body), in parallel.
  template <class F>
  void each(int64_t times, F&& body) const {
    int64_t across = (width + kNormColumns - 1) / kNormColumns;
    parallel_for(times * count * across, grain_of(size * kNormColumns),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t column = i % across * kNormColumns, chunk = i / across % count,
                             o = i / across / count;
                     body(o, chunk, chunk * size, std::min(size, rows - chunk * size), column,
                          std::min(kNormColumns, width - column));
                   }
                 });
  }
};

// Moments that grow by others' (Chan et al., as in simd/normalize.cc).
struct Moments {
  double mean = 0, m2 = 0;
  int64_t seen = 0;

  void join(double other_mean, double other_m2, int64_t count) {
    if (count == 0) return;
    double n = static_cast<double>(seen + count), delta = other_mean - mean;
    mean += delta * (static_cast<double>(count) / n);
    m2 += other_m2 + delta * delta * (static_cast<double>(seen) * static_cast<double>(count) / n);
    seen += count;
  }
  void store(double* to_mean, double* to_variance) const {
    *to_mean = mean;
    *to_variance = m2 / static_cast<double>(seen);
  }
};

// Mean and m2 of every unit.
struct UnitMoments {
  Numbers mean, m2;

  UnitMoments(const Tensor& x, const Cut& cut) : mean(cut.units()), m2(cut.units()) {
    const NormTiles& tiles = tiles_for(x.dtype());
    if (cut.last) {
      columns(tiles, x, cut);
      return;
    }
    parallel_for(cut.units(), grain_of(cut.inner), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        tiles.moments(&mean[i], &m2[i], at(x, i * cut.inner), cut.inner);
    });
  }

 private:
  void columns(const NormTiles& tiles, const Tensor& x, const Cut& cut) {
    Chunks chunks(cut.inner, cut.channels);
    Numbers part_mean(cut.outer * chunks.count * cut.channels), part_m2(part_mean.size());
    chunks.each(cut.outer, [&](int64_t o, int64_t chunk, int64_t row, int64_t rows, int64_t column,
                               int64_t width) {
      int64_t place = (o * chunks.count + chunk) * cut.channels + column;
      tiles.column_moments(&part_mean[place], &part_m2[place],
                           at(x, (o * cut.inner + row) * cut.channels + column), rows, cut.channels,
                           width);
    });
    for (int64_t u = 0; u < cut.units(); ++u) {
      Moments all;
      for (int64_t k = 0; k < chunks.count; ++k) {
        int64_t place = (u / cut.channels * chunks.count + k) * cut.channels + u % cut.channels;
        all.join(part_mean[place], part_m2[place],
                 std::min(chunks.size, cut.inner - k * chunks.size));
      }
      mean[u] = all.mean;
      m2[u] = all.m2;
    }
  }
};

// Sums of g and of g * (x - mean) over every unit.
struct UnitSums {
  Numbers g, gx;

  UnitSums(const Tensor& gradient, const Tensor& x, const Cut& cut, const Numbers& mean)
      : g(cut.units()), gx(cut.units()) {
    const NormTiles& tiles = tiles_for(x.dtype());
    if (cut.last) {
      columns(tiles, gradient, x, cut, mean);
      return;
    }
    parallel_for(cut.units(), grain_of(cut.inner), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        tiles.sums(&g[i], &gx[i], at(gradient, i * cut.inner), at(x, i * cut.inner), cut.inner,
                   mean[i]);
    });
  }

 private:
  void columns(const NormTiles& tiles, const Tensor& gradient, const Tensor& x, const Cut& cut,
               const Numbers& mean) {
    Chunks chunks(cut.inner, cut.channels);
    Numbers part_g(cut.outer * chunks.count * cut.channels), part_gx(part_g.size());
    chunks.each(cut.outer, [&](int64_t o, int64_t chunk, int64_t row, int64_t rows, int64_t column,
                               int64_t width) {
      int64_t place = (o * chunks.count + chunk) * cut.channels + column;
      int64_t first = (o * cut.inner + row) * cut.channels + column;
      tiles.column_sums(&part_g[place], &part_gx[place], at(gradient, first), at(x, first), rows,
                        cut.channels, width, &mean[o * cut.channels + column]);
    });
    for (int64_t u = 0; u < cut.units(); ++u)
      for (int64_t k = 0; k < chunks.count; ++k) {
        int64_t place = (u / cut.channels * chunks.count + k) * cut.channels + u % cut.channels;
        g[u] += part_g[place];
        gx[u] += part_gx[place];
      }
  }
};

// Which statistic a unit uses: one per channel, or one per outer and group.
struct Statistics {
  const double *mean, *rstd;
  int64_t channels, groups;  // groups 0: per channel

  Statistics(const Tensor& mean, const Tensor& rstd, const Cut& cut)
      : mean(mean.data<double>()),
        rstd(rstd.data<double>()),
        channels(cut.channels),
        groups(mean.dim() == 2 ? mean.size(1) : 0) {}

  int64_t count(const Cut& cut) const { return groups ? cut.outer * groups : channels; }
  int64_t of(int64_t unit) const {
    int64_t c = unit % channels;
    return groups ? unit / channels * groups + c / (channels / groups) : c;
  }
};

// y = f(x) unit by unit: `run(unit, first element)` or `tile(unit of the first column, first
// element, rows, width)`.
template <class Run, class Tile>
void over_units(const Cut& cut, Run&& run, Tile&& tile) {
  if (!cut.last) {
    parallel_for(cut.units(), grain_of(cut.inner), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) run(i, i * cut.inner);
    });
    return;
  }
  Chunks chunks(cut.inner, cut.channels);
  chunks.each(
      cut.outer, [&](int64_t o, int64_t, int64_t row, int64_t rows, int64_t column, int64_t width) {
        tile(o * cut.channels + column, (o * cut.inner + row) * cut.channels + column, rows, width);
      });
}

void scale_units(const Tensor& y, const Tensor& x, const Cut& cut, const Numbers& mean,
                 const Numbers& scale, const Numbers& shift) {
  const NormTiles& tiles = tiles_for(x.dtype());
  over_units(
      cut,
      [&](int64_t u, int64_t first) {
        tiles.affine(into(y, first), at(x, first), cut.inner, mean[u], scale[u], shift[u]);
      },
      [&](int64_t u, int64_t first, int64_t rows, int64_t width) {
        tiles.column_affine(into(y, first), at(x, first), rows, cut.channels, width, &mean[u],
                            &scale[u], &shift[u]);
      });
}

}  // namespace

void channel_moments(const Tensor& mean, const Tensor& variance, const Tensor& x, const Cut& cut) {
  UnitMoments units(x, cut);
  for (int64_t c = 0; c < cut.channels; ++c) {
    Moments all;
    for (int64_t u = c; u < cut.units(); u += cut.channels)
      all.join(units.mean[u], units.m2[u], cut.inner);
    all.store(mean.data<double>() + c, variance.data<double>() + c);
  }
}

void group_moments(const Tensor& mean, const Tensor& variance, const Tensor& x, const Cut& cut) {
  UnitMoments units(x, cut);
  int64_t groups = mean.size(1), depth = cut.channels / groups;
  for (int64_t i = 0; i < cut.outer * groups; ++i) {
    Moments all;
    for (int64_t u = i * depth; u < (i + 1) * depth; ++u)
      all.join(units.mean[u], units.m2[u], cut.inner);
    all.store(mean.data<double>() + i, variance.data<double>() + i);
  }
}

namespace {

void track(const Tensor& running, const Tensor& batch, double momentum, double factor) {
  if (!running.defined()) return;
  dispatch<Floats>(running.dtype(), "batch_norm", [&](auto tag) {
    using T = decltype(tag);
    for (int64_t i = 0; i < running.numel(); ++i) {
      T& value = running.data<T>()[i * running.stride(0)];
      value = convert<T>(convert<double>(value) * (1 - momentum) +
                         batch.data<double>()[i] * (momentum * factor));
    }
  });
}

}  // namespace

void track_statistics(const Tensor& rstd, const Tensor& mean, const Tensor& variance,
                      const Tensor& running_mean, const Tensor& running_variance, double momentum,
                      double factor, double eps) {
  track(running_mean, mean, momentum, 1);
  track(running_variance, variance, momentum, factor);
  for (int64_t i = 0; i < rstd.numel(); ++i)
    rstd.data<double>()[i] = 1 / std::sqrt(variance.data<double>()[i] + eps);
}

void known_statistics(const Tensor& mean, const Tensor& rstd, const Tensor& running_mean,
                      const Tensor& running_variance, double eps) {
  Numbers means = numbers(running_mean, mean.numel(), 0),
          variances = numbers(running_variance, mean.numel(), 1);
  for (size_t i = 0; i < means.size(); ++i) {
    mean.data<double>()[i] = means[i];
    rstd.data<double>()[i] = 1 / std::sqrt(variances[i] + eps);
  }
}

void normalize(const Tensor& y, const Tensor& x, const Cut& cut, const Tensor& mean,
               const Tensor& rstd, const Tensor& weight, const Tensor& bias) {
  Numbers w = numbers(weight, cut.channels, 1), b = numbers(bias, cut.channels, 0);
  Statistics known(mean, rstd, cut);
  Numbers centre(cut.units()), scale(cut.units()), shift(cut.units());
  for (int64_t u = 0; u < cut.units(); ++u) {
    int64_t c = u % cut.channels, s = known.of(u);
    centre[u] = known.mean[s];
    scale[u] = known.rstd[s] * w[c];
    shift[u] = b[c];
  }
  scale_units(y, x, cut, centre, scale, shift);
}

void normalize_backward(const Tensor& g, const Tensor& dx, const Tensor& dweight,
                        const Tensor& dbias, const Tensor& x, const Cut& cut, const Tensor& mean,
                        const Tensor& rstd, const Tensor& weight, bool fixed) {
  Numbers w = numbers(weight, cut.channels, 1);
  Statistics known(mean, rstd, cut);
  int64_t units = cut.units();
  Numbers centre(units), a(units), zero(units);
  for (int64_t u = 0; u < units; ++u) {
    centre[u] = known.mean[known.of(u)];
    a[u] = known.rstd[known.of(u)] * w[u % cut.channels];
  }
  if (fixed && dx.defined()) scale_units(dx, g, cut, zero, a, zero);
  bool slopes = !fixed && dx.defined();
  if (!slopes && !dweight.defined() && !dbias.defined()) return;

  UnitSums sums(g, x, cut, centre);
  for (int64_t u = 0; u < units; ++u) {
    int64_t c = u % cut.channels;
    if (dweight.defined()) dweight.data<double>()[c] += sums.gx[u] * known.rstd[known.of(u)];
    if (dbias.defined()) dbias.data<double>()[c] += sums.g[u];
  }
  if (!slopes) return;
  // dx = rstd * (w g - mean(w g) - (x - mean) * rstd^2 * mean(w g (x - mean)))
  Numbers total_g(known.count(cut)), total_gx(total_g.size()), p(units), q(units);
  for (int64_t u = 0; u < units; ++u) {
    total_g[known.of(u)] += w[u % cut.channels] * sums.g[u];
    total_gx[known.of(u)] += w[u % cut.channels] * sums.gx[u];
  }
  double n = static_cast<double>(cut.numel() / std::max<int64_t>(known.count(cut), 1));
  for (int64_t u = 0; u < units; ++u) {
    int64_t s = known.of(u);
    double r = known.rstd[s];
    p[u] = -r * r * r * total_gx[s] / n;
    q[u] = -r * total_g[s] / n;
  }
  const NormTiles& tiles = tiles_for(x.dtype());
  over_units(
      cut,
      [&](int64_t u, int64_t first) {
        tiles.slope(into(dx, first), at(g, first), at(x, first), cut.inner, centre[u], a[u], p[u],
                    q[u]);
      },
      [&](int64_t u, int64_t first, int64_t rows, int64_t width) {
        tiles.column_slope(into(dx, first), at(g, first), at(x, first), rows, cut.channels, width,
                           &centre[u], &a[u], &p[u], &q[u]);
      });
}

void normalize_rows(const Tensor& y, const Tensor& mean, const Tensor& rstd, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, int64_t n, double eps, bool centred) {
  if (x.numel() == 0) return;
  const NormTiles& tiles = tiles_for(x.dtype());
  const void *w = weight.defined() ? weight.raw() : nullptr,
             *b = bias.defined() ? bias.raw() : nullptr;
  double *means = mean.data<double>(), *rstds = rstd.data<double>();
  int64_t item = y.item_size();
  parallel_for(x.numel() / n, grain_of(n), [&](int64_t begin, int64_t end) {
    StreamedRows rows(y.numel() * item, n * item);
    for (int64_t i = begin; i < end; ++i) {
      const char* row = at(x, i * n);
      double plain = 0, squares = 0;
      if (centred)
        tiles.moments(&means[i], &squares, row, n);
      else
        tiles.sums(&plain, &squares, row, row, n, means[i] = 0);
      rstds[i] = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
      tiles.row_affine(into(y, i * n), row, n, w, b, means[i], rstds[i], rows.past());
    }
  });
}

namespace {

// The gradients of one layer normalisation's rows.
struct RowGradients {
  const Tensor &g, &dx, &x;
  const void* w;
  const double *means, *rstds;
  int64_t n, rows;
  bool centred;
  const NormTiles& tiles;

  void slope(const StreamedRows& results, int64_t i) const {
    double sg, sgx, r = rstds[i], size = static_cast<double>(n);
    tiles.row_sums(&sg, &sgx, at(g, i * n), at(x, i * n), w, n, means[i]);
    tiles.row_slope(into(dx, i * n), at(g, i * n), at(x, i * n), w, n, means[i], r,
                    -r * r * r * sgx / size, centred ? sg / size : 0, results.past());
  }
  StreamedRows results() const { return {rows * n * dx.item_size(), n * dx.item_size()}; }

  void slopes() const {
    parallel_for(rows, grain_of(n), [&](int64_t begin, int64_t end) {
      StreamedRows made = results();
      for (int64_t i = begin; i < end; ++i) slope(made, i);
    });
  }
  // Sums for the parameters by chunks of rows, columns beside columns: rows too long for the other,
  // or no dx wanted.
  void parameters(const Chunks& chunks, double* part_w, double* part_b) const {
    chunks.each(
        1, [&](int64_t, int64_t chunk, int64_t row, int64_t count, int64_t column, int64_t width) {
          int64_t place = chunk * n + column, first = row * n + column;
          tiles.row_parameters(part_w + place, part_b + place, at(g, first), at(x, first), count, n,
                               width, means + row, rstds + row);
        });
  }
  // Everything in one pass over g and x, while rows lie in a cache. The sums are those of
  // `parameters`, bit for bit.
  void slopes_and_parameters(const Chunks& chunks, double* part_w, double* part_b) const {
    constexpr int64_t kTogether = 8,
                      kApart = 1088;  // bytes that keep dw and db off each other's lines
    static_assert(kNormRows % kTogether == 0);
    int64_t bytes = n * std::max<int64_t>(x.item_size(), sizeof(float));
    parallel_for(chunks.count, grain_of(chunks.size * n), [&](int64_t begin, int64_t end) {
      StreamedRows made = results();
      std::vector<char> sums(static_cast<size_t>(2 * bytes + kApart));
      char *dw = sums.data(), *db = dw + bytes + kApart;
      for (int64_t k = begin; k < end; ++k) {
        int64_t first = k * chunks.size, last = std::min(rows, first + chunks.size);
        for (int64_t i = first; i < last;) {
          int64_t here = i, stop = std::min(last, i + kTogether);
          for (; i < stop; ++i) slope(made, i);
          tiles.rows_into_parameters(dw, db, at(g, here * n), at(x, here * n), stop - here, n,
                                     means + here, rstds + here);
          if ((i - first) % kNormRows && i < last) continue;
          tiles.empty_into(part_w + k * n, dw, n);
          tiles.empty_into(part_b + k * n, db, n);
        }
      }
    });
  }
};

constexpr int64_t kLongestSummed = 1 << 14;  // elements of a row whose sums stay in a cache

}  // namespace

void normalize_rows_backward(const Tensor& g, const Tensor& dx, const Tensor& dweight,
                             const Tensor& dbias, const Tensor& x, const Tensor& mean,
                             const Tensor& rstd, const Tensor& weight, int64_t n, bool centred) {
  if (x.numel() == 0) return;
  int64_t rows = x.numel() / n;
  RowGradients row{g,
                   dx,
                   x,
                   weight.defined() ? weight.raw() : nullptr,
                   mean.data<double>(),
                   rstd.data<double>(),
                   n,
                   rows,
                   centred,
                   tiles_for(x.dtype())};
  if (!dweight.defined() && !dbias.defined()) {
    if (dx.defined()) row.slopes();
    return;
  }
  Chunks chunks(rows, n);
  Numbers part_w(chunks.count * n), part_b(part_w.size());
  if (dx.defined() && n <= kLongestSummed) {
    row.slopes_and_parameters(chunks, part_w.data(), part_b.data());
  } else {
    if (dx.defined()) row.slopes();
    row.parameters(chunks, part_w.data(), part_b.data());
  }
  for (int64_t k = 0; k < chunks.count; ++k)
    for (int64_t j = 0; j < n; ++j) {
      if (dweight.defined()) dweight.data<double>()[j] += part_w[k * n + j];
      if (dbias.defined()) dbias.data<double>()[j] += part_b[k * n + j];
    }
}

}  // namespace lampas::cpu
