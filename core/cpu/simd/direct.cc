// Direct convolution: tiles of outputs held in registers. Compiled once per instruction set.
#include "cpu/simd/direct.h"

#include "cpu/simd/vectors.h"

namespace lampas::LAMPAS_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64, kTiles = 24;  // a vector; accumulators that fit in registers
#elif defined(__AVX2__)
constexpr int kBytes = 32, kTiles = 12;
#else
constexpr int kBytes = 16, kTiles = 12;
#endif

template <class T>
struct IntOf {
  using type = int32_t;
};
template <>
struct IntOf<double> {
  using type = int64_t;
};

template <class T>
struct Vector {
  using Int = typename IntOf<T>::type;
  static constexpr int kLanes = kBytes / static_cast<int>(sizeof(T));
  typedef T V __attribute__((vector_size(kBytes)));
  typedef T Unaligned __attribute__((vector_size(kBytes), aligned(sizeof(T)), may_alias));
  static V load(const T* p) { return *reinterpret_cast<const Unaligned*>(p); }
  static void store(T* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
  static V all(T value) { return V{} + value; }
  typedef Int Mask __attribute__((vector_size(kBytes)));
  // All bits of the first `count` lanes.
  static Mask first(int64_t count) {
    Mask m;
    for (int l = 0; l < kLanes; ++l) m[l] = l < count ? -1 : 0;
    return m;
  }
  static V masked(V v, Mask m) { return reinterpret_cast<V>(reinterpret_cast<Mask>(v) & m); }
  static T sum(V v) {
    for (int w = kLanes / 2; w > 0; w /= 2)
      for (int l = 0; l < w; ++l) v[l] += v[l + w];
    return v[0];
  }
};

// Where the vectors of a tile lie from the first row's beginning, in x and in y, and how many of
// their elements are outputs. They may belong to different rows.
constexpr int64_t kVectors = 8;
struct Places {
  int64_t x[kVectors], y[kVectors], count[kVectors];
};

// B output channels x N vectors.
template <class T, int B, int N>
void row_tile(const DirectRow<T>& r, const Places& at) {
  using Vec = Vector<T>;
  using V = typename Vec::V;
  V acc[B][N];
#pragma GCC unroll 8
  for (int b = 0; b < B; ++b)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) acc[b][n] = Vec::all(r.bias ? r.bias[b] : T(0));
  const T* w = r.weights;
  for (int64_t c = 0; c < r.channels; ++c) {
    const T* image = r.x + c * r.channel_step;
    for (int64_t t = 0; t < r.taps; ++t, w += B) {
      const T* p = image + r.offsets[t];
      V x[N];
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) x[n] = Vec::load(p + at.x[n]);
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b)
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) acc[b][n] += w[b] * x[n];
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < B; ++b)
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      T* to = r.y + b * r.y_step + at.y[n];
      if (at.count[n] == Vec::kLanes)
        Vec::store(to, acc[b][n]);
      else
        lampas::LAMPAS_ISA::Vec<T>::store_first(to, acc[b][n], at.count[n]);
    }
}

// How many vectors of `left` a tile of B channels takes: few enough for the registers, in even
// shares.
constexpr int64_t vectors_in_tile(int64_t left, int64_t block) {
  if (left >= kVectors && kVectors * block <= kTiles) return kVectors;
  int64_t most = kTiles / block < 4 ? kTiles / block : 4;
  int64_t tiles = (left + most - 1) / most;
  return (left + tiles - 1) / tiles;
}

template <class T, int B>
void some_vectors(const DirectRow<T>& r, int64_t n, const Places& at) {
  switch (n) {
    case 1:
      return row_tile<T, B, 1>(r, at);
    case 2:
      return row_tile<T, B, 2>(r, at);
    case 3:
      if constexpr (B * 3 <= kTiles) row_tile<T, B, 3>(r, at);
      return;
    case 4:
      if constexpr (B * 4 <= kTiles) row_tile<T, B, 4>(r, at);
      return;
    default:
      if constexpr (B * kVectors <= kTiles) row_tile<T, B, kVectors>(r, at);
  }
}

template <class T, int B>
void row_of(const DirectRow<T>& r) {
  constexpr int64_t lanes = Vector<T>::kLanes;
  int64_t left = r.rows * ((r.width + lanes - 1) / lanes), row = 0, from = 0;
  while (left > 0) {
    int64_t n = vectors_in_tile(left, B);
    Places at;
    for (int64_t i = 0; i < n; ++i) {
      int64_t rest = r.width - from;
      at.x[i] = row * r.x_row + from;
      at.y[i] = row * r.width + from;
      at.count[i] = rest < lanes ? rest : lanes;
      from = rest > lanes ? from + lanes : 0;
      if (from == 0) ++row;
    }
    some_vectors<T, B>(r, n, at);
    left -= n;
  }
}

template <class T>
void row(const DirectRow<T>& r) {
  switch (r.block) {
    case 1:
      return row_of<T, 1>(r);
    case 2:
      return row_of<T, 2>(r);
    case 3:
      return row_of<T, 3>(r);
    case 4:
      return row_of<T, 4>(r);
    case 5:
      return row_of<T, 5>(r);
    default:
      return row_of<T, 6>(r);
  }
}

// Cycles of a row of `block` channels for one tap, by the two ports for loads and for products; a
// tile of few accumulators waits for its own results.
int64_t row_cost(int64_t block, int64_t vectors) {
  int64_t cost = 0;
  vectors *= 12;  // of as many rows
  while (vectors > 0) {
    int64_t n = vectors_in_tile(vectors, block), work = block * n, loads = block + n;
    int64_t most = work > loads ? work : loads;
    cost += most > 8 ? most : 8;
    vectors -= n;
  }
  return cost;
}

// --- gradients of weights: B output channels x N taps ---

template <class T, int B, int N>
void weight_tile(const DirectWeights<T>& w, int64_t out, int64_t tap) {
  using Vec = Vector<T>;
  using V = typename Vec::V;
  V acc[B][N] = {};
  int64_t whole = w.width / Vec::kLanes * Vec::kLanes, rest = w.width - whole;
  const typename Vec::Mask mask = Vec::first(rest);
  const int64_t* offsets = w.offsets + tap;
  for (int64_t i = 0; i < w.images; ++i) {
    const T* g = w.g + i * w.g_image + out * w.g_step;
    for (int64_t d = 0; d < w.depth; ++d)
      for (int64_t h = 0; h < w.height; ++h, g += w.pitch) {
        const T* x = w.x + i * w.x_image + d * w.x_depth + h * w.x_height;
        for (int64_t j = 0; j < whole; j += Vec::kLanes) {
          V v[B];
#pragma GCC unroll 8
          for (int b = 0; b < B; ++b) v[b] = Vec::load(g + b * w.g_step + j);
#pragma GCC unroll 8
          for (int n = 0; n < N; ++n) {
            V image = Vec::load(x + offsets[n] + j);
#pragma GCC unroll 8
            for (int b = 0; b < B; ++b) acc[b][n] += v[b] * image;
          }
        }
        if (rest) {
          // Beyond the row g is zero, but x may be infinite there.
          V v[B];
#pragma GCC unroll 8
          for (int b = 0; b < B; ++b) v[b] = Vec::load(g + b * w.g_step + whole);
#pragma GCC unroll 8
          for (int n = 0; n < N; ++n) {
            V image = Vec::masked(Vec::load(x + offsets[n] + whole), mask);
#pragma GCC unroll 8
            for (int b = 0; b < B; ++b) acc[b][n] += v[b] * image;
          }
        }
      }
  }
  for (int b = 0; b < B; ++b)
    for (int n = 0; n < N; ++n) w.dw[(out + b) * w.dw_step + tap + n] = Vec::sum(acc[b][n]);
}

template <class T, int B>
void weights_of(const DirectWeights<T>& w, int64_t out) {
  for (int64_t tap = 0; tap < w.taps;) {
    constexpr int64_t most = B < 3 ? 5 : 4;
    int64_t left = w.taps - tap, tiles = (left + most - 1) / most, n = (left + tiles - 1) / tiles;
    switch (n) {
      case 1:
        weight_tile<T, B, 1>(w, out, tap);
        break;
      case 2:
        weight_tile<T, B, 2>(w, out, tap);
        break;
      case 3:
        weight_tile<T, B, 3>(w, out, tap);
        break;
      case 4:
        weight_tile<T, B, 4>(w, out, tap);
        break;
      default:
        if constexpr (B < 3) weight_tile<T, B, 5>(w, out, tap);
        break;
    }
    tap += n;
  }
}

template <class T>
void weights(const DirectWeights<T>& w) {
  // Tiles of 3 x 4 and 3 x 3, or 2 x 5 where the taps divide so (5 x 5 windows); of 6 x 4 with
  // registers enough.
  int64_t most = w.taps % 5 == 0 ? 2 : 3;
  for (int64_t out = 0; out < w.block;) {
    if constexpr (kTiles >= 24) {
      if (w.block - out >= 6) {
        weights_of<T, 6>(w, out);
        out += 6;
        continue;
      }
    }
    int64_t left = w.block - out, tiles = (left + most - 1) / most, b = (left + tiles - 1) / tiles;
    if (b == 1)
      weights_of<T, 1>(w, out);
    else if (b == 2)
      weights_of<T, 2>(w, out);
    else
      weights_of<T, 3>(w, out);
    out += b;
  }
}

}  // namespace

int64_t direct_block(int64_t outputs, int64_t width, int64_t item) {
  int64_t lanes = kBytes / item, vectors = (width + lanes - 1) / lanes;
  int64_t best = 1, least = INT64_MAX;
  for (int64_t block = 1; block <= kDirectBlock; ++block) {
    int64_t cost = outputs / block * row_cost(block, vectors);
    if (outputs % block) cost += row_cost(outputs % block, vectors);
    if (cost <= least) {
      least = cost;
      best = block;
    }
  }
  return best;
}

void direct_row(const DirectRow<float>& r) { row(r); }
void direct_row(const DirectRow<double>& r) { row(r); }
void direct_weights(const DirectWeights<float>& w) { weights(w); }
void direct_weights(const DirectWeights<double>& w) { weights(w); }

}  // namespace lampas::LAMPAS_ISA
