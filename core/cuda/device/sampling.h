// Rejection samplers (ops/samplers.h), a thread for each element; multinomial draws.
#pragma once
#include "cuda/device/philox.h"
#include "ops/samplers.h"

namespace lampas::device {

// Mirrored by cuda/random.cc.
struct SamplingArguments {
  void* y;
  const void* first;  // parameters
  const void* second;
  int64_t n;
  int64_t categories, samples;
  PhiloxPlace place;
  int* problem;  // what is wrong with weights: see check_weights in cuda/random.cc
};

// Any number of draws for an element. All numbers of a call come from one place of the streams, so
// that calls never meet however many each of them takes: draw k is of stream element + k * 2^40.
struct Draws {
  PhiloxPlace place;
  uint64_t element, count = 0;
  Words words;
  double kept;
  bool half_left = false, normal_left = false;

  inline Draws(const PhiloxPlace& place, uint64_t element) : place(place), element(element) {}
  inline double uniform() {
    half_left = !half_left;
    if (half_left) {
      words = Stream(place, element + (count++ << 40)).next();
      return static_cast<double>(bits53(words.x, words.y)) * 1.1102230246251565e-16;
    }
    return static_cast<double>(bits53(words.z, words.w)) * 1.1102230246251565e-16;
  }
  inline double normal() {
    normal_left = !normal_left;
    if (!normal_left) return kept;
    double y;
    normal_pair(Stream(place, element + (count++ << 40)).next(), &y, &kept);
    return y;
  }
};

template <class T>
inline T least_positive() {
  if constexpr (sizeof(T) == 8)
    return convert<T>(2.2250738585072014e-308);
  else
    return convert<T>(1.17549435e-38f);
}

template <class T>
struct Poisson {
  static inline double draw(const SamplingArguments& a, int64_t i, Draws& g) {
    return samplers::poisson(convert<double>(static_cast<const T*>(a.first)[i]), g);
  }
};
template <class T>
struct Binomial {
  static inline double draw(const SamplingArguments& a, int64_t i, Draws& g) {
    return samplers::binomial(convert<double>(static_cast<const T*>(a.first)[i]),
                              convert<double>(static_cast<const T*>(a.second)[i]), g);
  }
};
template <class T>
struct Gamma {
  static inline double draw(const SamplingArguments& a, int64_t i, Draws& g) {
    double x = samplers::gamma<double>(convert<double>(static_cast<const T*>(a.first)[i]), g);
    double least = convert<double>(least_positive<T>());
    return x < least ? least : x;
  }
};

template <class T, class Sampler>
inline void sample(const SamplingArguments& a) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= a.n) return;
  Draws g(a.place, i);
  static_cast<T*>(a.y)[i] = convert<T>(Sampler::draw(a, i, g));
}

// n gammas (double, in `second`) into rows of `categories` that sum to 1. A block for a row, of 256
// threads or fewer, a power of two.
template <class T>
inline void dirichlet_rows(const SamplingArguments& a) {
  __shared__ double sums[256];
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * a.categories;
  auto* gammas = static_cast<const double*>(a.second);
  auto* y = static_cast<T*>(a.y);
  double sum = 0;
  for (int64_t i = threadIdx.x; i < a.categories; i += blockDim.x) sum += gammas[begin + i];
  sums[threadIdx.x] = sum;
  for (int step = blockDim.x / 2; step; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step) sums[threadIdx.x] += sums[threadIdx.x + step];
  }
  __syncthreads();
  sum = sums[0];
  T least = least_positive<T>();
  T most = convert<T>(sizeof(T) == 8 ? 1 - 1.1102230246251565e-16 : 1 - 5.9604644775390625e-8);
  for (int64_t i = threadIdx.x; i < a.categories; i += blockDim.x) {
    T x = convert<T>(gammas[begin + i] / sum);
    y[begin + i] = x < least ? least : x > most ? most : x;
  }
}

// --- multinomial ---

constexpr int kNegative = 1, kNotFinite = 2, kAllZero = 4;

// What is wrong with a row of weights, and, where `second` is given, its cumulative sums as C
// there, which end with the row's sum. A block of 256 threads for a row.
template <class T, class C>
inline void weigh_rows(const SamplingArguments& a) {
  __shared__ C sums[256];
  __shared__ int problem;
  const int thread = threadIdx.x;
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * a.categories;
  auto* weights = static_cast<const T*>(a.first);
  auto* cumulative = static_cast<C*>(const_cast<void*>(a.second));
  if (thread == 0) problem = 0;
  __syncthreads();
  C before = 0;
  for (int64_t tile = 0; tile < a.categories; tile += 256) {
    int64_t i = tile + thread;
    C w = i < a.categories ? convert<C>(weights[begin + i]) : C(0);
    if (w < 0) atomicOr(&problem, kNegative);
    if (!(w - w == 0)) atomicOr(&problem, kNotFinite);
    sums[thread] = w;
    // Inclusive sums of the tile: D. Hillis, G. Steele, 1986.
    for (int step = 1; step < 256; step *= 2) {
      __syncthreads();
      C other = thread >= step ? sums[thread - step] : C(0);
      __syncthreads();
      sums[thread] += other;
    }
    __syncthreads();
    if (cumulative && i < a.categories) cumulative[begin + i] = before + sums[thread];
    before += sums[255];
    __syncthreads();
  }
  if (thread == 0 && !(before > 0)) problem |= kAllZero;
  if (thread == 0 && problem) atomicOr(a.problem, problem);
}

// grid.x covers the samples of a row, grid.y rows. cumulative: `second`.
template <class T, class C>
inline void multinomial(const SamplingArguments& a) {
  const int64_t across = static_cast<int64_t>(gridDim.x) * blockDim.x;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  Stream stream(a.place, blockIdx.y * across + column);
  auto* y = static_cast<int64_t*>(a.y);
  for (int64_t row = blockIdx.y; row < a.n; row += gridDim.y) {
    auto* weights = static_cast<const T*>(a.first) + row * a.categories;
    auto* cumulative = static_cast<const C*>(a.second) + row * a.categories;
    C total = cumulative[a.categories - 1];
    for (int64_t j = column; j < a.samples; j += across) {
      C at = static_cast<C>(unit(stream.next().x)) * total;
      int64_t from = 0, to = a.categories;
      while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (cumulative[middle] < at)
          from = middle + 1;
        else
          to = middle;
      }
      if (from == a.categories) --from;
      while (from > 0 && convert<C>(weights[from]) == 0) --from;  // never what has no weight
      y[row * a.samples + j] = from;
    }
  }
}

}  // namespace lampas::device
