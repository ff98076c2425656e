// Softmax and its kin: cuts a tensor into tiles of lines for the instruction set's loops.
#include "cpu/softmax.h"

#include "cpu/streaming.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr int64_t kGrain = 1 << 14;  // elements; each costs an exponential

const SoftmaxTiles& tiles_for(DType dtype, const char* name) {
  const SoftmaxTiles* tiles = LAMPAS_BEST(softmax_tiles(dtype));
  if (!tiles) fail_dtype(name, dtype);
  return *tiles;
}

// body(offset of the first element, number of the first line, width)
template <class F>
void over_tiles(const Lines& lines, F&& body) {
  int64_t width = lines.inner == 1 ? 1 : std::min(lines.inner, kSoftmaxColumns);
  int64_t across = (lines.inner + width - 1) / width;
  int64_t grain = std::max<int64_t>(kGrain / (lines.n * width), 1);
  parallel_for(lines.outer * across, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t o = i / across, column = i % across * width;
      body(o * lines.n * lines.inner + column, o * lines.inner + column,
           std::min(width, lines.inner - column));
    }
  });
}

// Lines by themselves: body(first, end).
template <class F>
void over_rows(const Lines& lines, F&& body) {
  parallel_for(lines.outer, std::max<int64_t>(kGrain / lines.n, 1), body);
}

// As over_tiles, of a pass that writes y: body(where to write, the rest as above, whether past the
// caches).
template <class F>
void into_tiles(const Tensor& y, const Lines& lines, F&& body) {
  int64_t item = y.item_size();
  char* to = y.data<char>();
  if (lines.inner != 1) {
    return over_tiles(lines, [&](int64_t at, int64_t line, int64_t width) {
      body(to + at * item, at, line, width, false);
    });
  }
  int64_t row = lines.n * item;
  over_rows(lines, [&](int64_t begin, int64_t end) {
    StreamedRows rows(lines.outer * row, row);
    for (int64_t i = begin; i < end; ++i)
      body(to + i * row, i * lines.n, i, int64_t{1}, rows.past());
  });
}

}  // namespace

void softmax(const Tensor& y, const Tensor& x, const Lines& lines, bool log) {
  const char* name = lines.inner == 1
                         ? (log ? "log_softmax_lastdim_kernel_impl" : "softmax_lastdim_kernel_impl")
                         : (log ? "log_softmax_kernel_impl" : "softmax_kernel_impl");
  const SoftmaxTiles& tiles = tiles_for(x.dtype(), name);
  if (x.numel() == 0) return;
  int64_t item = x.item_size();
  const char* from = x.data<char>();
  into_tiles(y, lines, [&](char* to, int64_t at, int64_t, int64_t width, bool past) {
    tiles.forward(to, from + at * item, lines.n, lines.inner, width, log, past);
  });
}

void softmax_backward(const Tensor& dx, const Tensor& g, const Tensor& y, const Lines& lines,
                      bool log) {
  const SoftmaxTiles& tiles = tiles_for(y.dtype(), "softmax_backward");
  if (y.numel() == 0) return;
  int64_t item = y.item_size();
  const char *a = g.data<char>(), *b = y.data<char>();
  into_tiles(dx, lines, [&](char* to, int64_t at, int64_t, int64_t width, bool past) {
    tiles.backward(to, a + at * item, b + at * item, lines.n, lines.inner, width, log, past);
  });
}

void log_sum(const Tensor& lse, const Tensor& x, const Lines& lines) {
  const SoftmaxTiles& tiles = tiles_for(x.dtype(), "log_softmax_lastdim_kernel_impl");
  if (lines.count() == 0 || lines.n == 0) return;
  int64_t item = x.item_size(), out = lse.item_size();
  char* to = lse.data<char>();
  const char* from = x.data<char>();
  over_tiles(lines, [&](int64_t at, int64_t line, int64_t width) {
    tiles.log_sum(to + line * out, from + at * item, lines.n, lines.inner, width);
  });
}

void cross_entropy_backward(const Tensor& dx, const Tensor& x, const Tensor& lse,
                            const Tensor& target, const Tensor& scale, const Lines& lines) {
  const SoftmaxTiles& tiles = tiles_for(x.dtype(), "cross_entropy");
  if (x.numel() == 0) return;
  int64_t item = x.item_size(), out = lse.item_size();
  const char *from = x.data<char>(), *sums = lse.data<char>(), *scales = scale.data<char>();
  const int64_t* classes = target.data<int64_t>();
  dispatch<Floats>(x.dtype(), "cross_entropy", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    const C* factor = scale.data<C>();
    auto line = [&](char* to, int64_t at, int64_t line, int64_t width) {
      tiles.cross_entropy_backward(to, from + at * item, sums + line * out, scales + line * out,
                                   lines.n, lines.inner, width);
      for (int64_t l = 0; l < width; ++l) {
        int64_t c = classes[line + l];
        // A factor of zero marks an ignored line, whose target may lie outside.
        if (c < 0 || c >= lines.n) continue;
        T& d = reinterpret_cast<T*>(to)[c * lines.inner + l];
        d = convert<T>(convert<C>(d) - factor[line + l]);
      }
    };
    if (lines.inner != 1) {
      over_tiles(lines, [&](int64_t at, int64_t first, int64_t width) {
        line(dx.data<char>() + at * item, at, first, width);
      });
      return;
    }
    int64_t row = lines.n * item;
    over_rows(lines, [&](int64_t begin, int64_t end) {
      StreamedRows rows(lines.outer * row, row);
      for (int64_t i = begin; i < end; ++i)
        rows.make(dx.data<char>() + i * row, [&](char* to) { line(to, i * lines.n, i, 1); });
    });
  });
}

}  // namespace lampas::cpu
