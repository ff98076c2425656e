// Tiles of softmax, its gradient and cross entropy. Compiled once per instruction set.
#include "cpu/softmax.h"

#include "cpu/simd/last_pass.h"

namespace lampas::LAMPAS_ISA {
namespace {

// Partial results side by side along a line: four vectors of the widest kind hide the latency of
// an addition, one serves lines that are too short for four.
constexpr int64_t kWide = 64, kNarrow = 16;
constexpr int64_t kStreamedRow = cpu::kStreamedRow / static_cast<int64_t>(sizeof(float));
constexpr int64_t kPiece = 1024;  // elements
constexpr int64_t kColumns = cpu::kSoftmaxColumns;

// NaN wins: what is found in columns.
template <class C>
LAMPAS_INLINE C larger(C a, C b) {
  return (a > b) | (a != a) ? a : b;
}

// Joins value(0), value(1), ... value(n - 1), each of them asked for once.
template <int64_t lanes_, class C, class Value, class Join>
LAMPAS_INLINE C gather_on(int64_t n, Value value, Join join) {
  C lanes[lanes_];
  for (int64_t l = 0; l < lanes_; ++l) lanes[l] = value(l);
  int64_t i = lanes_;
  for (; i + lanes_ <= n; i += lanes_)
    for (int64_t l = 0; l < lanes_; ++l) lanes[l] = join(lanes[l], value(i + l));
  for (int64_t l = 0; i + l < n; ++l) lanes[l] = join(lanes[l], value(i + l));
  for (int64_t w = lanes_ / 2; w > 0; w /= 2)
    for (int64_t l = 0; l < w; ++l) lanes[l] = join(lanes[l], lanes[l + w]);
  return lanes[0];
}
template <class C, class Value, class Join>
LAMPAS_INLINE C gather(int64_t n, C start, Value value, Join join) {
  if (n >= kWide) return gather_on<kWide, C>(n, value, join);
  if (n >= kNarrow) return gather_on<kNarrow, C>(n, value, join);
  C a = start;
  for (int64_t i = 0; i < n; ++i) a = join(a, value(i));
  return a;
}

template <class T>
struct Tiles {
  using C = compute_t<T>;
  static constexpr C lowest = -std::numeric_limits<C>::infinity();
  static C at(const T* x, int64_t i) { return static_cast<C>(x[i]); }

  // NaN is passed over where another element follows or precedes: the sum brings it in.
  static C top_of(const T* x, int64_t n) {
    return gather(
        n, lowest, [x](int64_t i) { return at(x, i); }, [](C a, C b) { return b > a ? b : a; });
  }
  // y = e^(x - top), and their sum. Two loops in turn over pieces that stay in the first-level
  // cache: in one, the terms of an exponential beside the partial sums would be more than the
  // registers.
  static C exps(C* __restrict y, const T* __restrict x, int64_t n, C top, C (&sums)[kWide]) {
    for (int64_t i = 0; i < n; ++i) y[i] = math::exp_negative(at(x, i) - top);
    int64_t i = 0;
    for (; i + kWide <= n; i += kWide)
      for (int64_t l = 0; l < kWide; ++l) sums[l] += y[i + l];
    return gather(
        n - i, C(0), [y, i](int64_t k) { return y[i + k]; }, [](C a, C b) { return a + b; });
  }
  // `to(begin)` is where a piece's exponentials go.
  template <class To>
  static C sum_exps(const T* x, int64_t n, C top, To to) {
    C sums[kWide] = {}, rest = 0;
    for (int64_t begin = 0; begin < n; begin += kPiece) {
      int64_t count = n - begin < kPiece ? n - begin : kPiece;
      fetch(x + n + begin, count);  // the next line, while there is much to compute
      rest += exps(to(begin), x + begin, count, top, sums);
    }
    for (int64_t w = kWide / 2; w > 0; w /= 2)
      for (int64_t l = 0; l < w; ++l) sums[l] += sums[l + w];
    return sums[0] + rest;
  }
  static C sum_exp(const T* x, int64_t n, C top) {
    alignas(64) C piece[kPiece];
    return sum_exps(x, n, top, [&](int64_t) { return piece; });
  }
  // A line of -inf has no finite top to subtract; of zeros it then has.
  static C base(C top) { return top == lowest || top == -lowest ? C(0) : top; }

  static void line(T* __restrict y, const T* __restrict x, int64_t n, bool log, bool past) {
    C top = top_of(x, n);
    if (log) {
      C shift = top + math::log(sum_exp(x, n, top));
      // Subtracted in two steps, the sum's logarithm last: both are exact more often.
      C rest = shift - top;
      return last_pass(y, past, n, [=](int64_t i) { return T((at(x, i) - top) - rest); });
    }
    if constexpr (std::is_same_v<T, C>) {
      alignas(64) T row[kStreamedRow];
      T* found = past ? row : y;
      C scale = 1 / sum_exps(x, n, top, [found](int64_t begin) { return found + begin; });
      last_pass(y, past, n, [=](int64_t i) { return found[i] * scale; });
    } else {
      C scale = 1 / sum_exp(x, n, top);
      last_pass(y, past, n,
                [=](int64_t i) { return T(math::exp_negative(at(x, i) - top) * scale); });
    }
  }

  struct Columns {
    C top[kColumns], sum[kColumns];
  };
  static void measure(Columns& c, const T* x, int64_t n, int64_t stride, int64_t width) {
    for (int64_t l = 0; l < width; ++l) c.top[l] = lowest, c.sum[l] = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t l = 0; l < width; ++l) c.top[l] = larger(c.top[l], at(x + i * stride, l));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t l = 0; l < width; ++l) c.sum[l] += math::exp(at(x + i * stride, l) - c.top[l]);
  }

  static void forward(void* to, const void* from, int64_t n, int64_t stride, int64_t width,
                      bool log, bool past) {
    T* __restrict y = static_cast<T*>(to);
    const T* __restrict x = static_cast<const T*>(from);
    if (stride == 1) return line(y, x, n, log, past);
    Columns c;
    measure(c, x, n, stride, width);
    if (log)
      for (int64_t l = 0; l < width; ++l) c.sum[l] = math::log(c.sum[l]);
    for (int64_t i = 0; i < n; ++i) {
      const T* row = x + i * stride;
      T* out = y + i * stride;
      if (log)
        for (int64_t l = 0; l < width; ++l) out[l] = T((at(row, l) - c.top[l]) - c.sum[l]);
      else
        for (int64_t l = 0; l < width; ++l) out[l] = T(math::exp(at(row, l) - c.top[l]) / c.sum[l]);
    }
  }

  static void backward(void* to, const void* gradient, const void* result, int64_t n,
                       int64_t stride, int64_t width, bool log, bool past) {
    T* __restrict dx = static_cast<T*>(to);
    const T* __restrict g = static_cast<const T*>(gradient);
    const T* __restrict y = static_cast<const T*>(result);
    if (stride == 1) {
      auto add = [](C a, C b) { return a + b; };
      if (log) {
        C sum = gather(n, C(0), [g](int64_t i) { return at(g, i); }, add);
        last_pass(
            dx, past, n,
            [=](int64_t i) { return T(at(g, i) - math::exp_negative(at(y, i)) * sum); }, g, y);
      } else {
        C sum = gather(n, C(0), [g, y](int64_t i) { return at(g, i) * at(y, i); }, add);
        last_pass(dx, past, n, [=](int64_t i) { return T((at(g, i) - sum) * at(y, i)); }, g, y);
      }
      return;
    }
    C sum[kColumns] = {};
    for (int64_t i = 0; i < n; ++i) {
      const T *a = g + i * stride, *b = y + i * stride;
      if (log)
        for (int64_t l = 0; l < width; ++l) sum[l] += at(a, l);
      else
        for (int64_t l = 0; l < width; ++l) sum[l] += at(a, l) * at(b, l);
    }
    for (int64_t i = 0; i < n; ++i) {
      const T *a = g + i * stride, *b = y + i * stride;
      T* out = dx + i * stride;
      if (log)
        for (int64_t l = 0; l < width; ++l) out[l] = T(at(a, l) - math::exp(at(b, l)) * sum[l]);
      else
        for (int64_t l = 0; l < width; ++l) out[l] = T((at(a, l) - sum[l]) * at(b, l));
    }
  }

  static void log_sum(void* to, const void* from, int64_t n, int64_t stride, int64_t width) {
    C* lse = static_cast<C*>(to);
    const T* x = static_cast<const T*>(from);
    if (stride == 1) {
      C top = top_of(x, n);
      *lse = top + math::log(sum_exp(x, n, base(top)));
      if (top == lowest || top == -lowest) *lse = top;
      return;
    }
    Columns c;
    measure(c, x, n, stride, width);
    for (int64_t l = 0; l < width; ++l) lse[l] = c.top[l] + math::log(c.sum[l]);
  }

  static void cross_entropy_backward(void* to, const void* from, const void* sums,
                                     const void* scales, int64_t n, int64_t stride, int64_t width) {
    T* __restrict dx = static_cast<T*>(to);
    const T* __restrict x = static_cast<const T*>(from);
    const C* lse = static_cast<const C*>(sums);
    const C* scale = static_cast<const C*>(scales);
    if (stride == 1) {
      C sum = *lse, factor = *scale;
      last_pass(
          dx, false, n, [=](int64_t i) { return T(factor * math::exp_negative(at(x, i) - sum)); },
          x);
      return;
    }
    for (int64_t i = 0; i < n; ++i) {
      const T* row = x + i * stride;
      T* out = dx + i * stride;
      for (int64_t l = 0; l < width; ++l) out[l] = T(scale[l] * math::exp(at(row, l) - lse[l]));
    }
  }

  static constexpr cpu::SoftmaxTiles tiles = {forward, backward, log_sum, cross_entropy_backward};
};

}  // namespace

const cpu::SoftmaxTiles* softmax_tiles(DType dtype) {
  switch (dtype) {
    case DType::Float:
      return &Tiles<float>::tiles;
    case DType::Double:
      return &Tiles<double>::tiles;
    case DType::Half:
      return &Tiles<Half>::tiles;
    case DType::BFloat16:
      return &Tiles<BFloat16>::tiles;
    default:
      return nullptr;
  }
}

}  // namespace lampas::LAMPAS_ISA
