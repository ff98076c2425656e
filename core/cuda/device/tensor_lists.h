// Kernels over lists of tensors: a launch takes as many as its argument holds, and each block a
// chunk of one of them. Their norm, and scaling them. Steps of optimizers are in optim.h.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

// Mirrored by cuda/tensor_lists.h. `count` tensors of `columns` arrays each, all of n elements;
// `first` is the block of its first chunk.
template <int columns, int most>
struct TensorTable {
  void* data[most][columns];
  int64_t n[most];
  unsigned first[most];
  int count;
  int64_t chunk;  // a multiple of 16 elements
};

// What a block works on.
struct Chunk {
  int tensor;
  int64_t begin, end;
};
template <class Table>
inline Chunk chunk_of_block(const Table& t) {
  int low = 0, high = t.count - 1;  // the last tensor that begins at this block or before
  while (low < high) {
    int middle = (low + high + 1) / 2;
    if (t.first[middle] <= blockIdx.x)
      low = middle;
    else
      high = middle - 1;
  }
  int64_t begin = static_cast<int64_t>(blockIdx.x - t.first[low]) * t.chunk;
  int64_t end = begin + t.chunk;
  return {low, begin, end < t.n[low] ? end : t.n[low]};
}

template <class T>
struct alignas(16) Sixteen {  // bytes, one access
  static constexpr int count = 16 / sizeof(T);
  T v[count];
};
inline bool is_aligned(const void* p) { return reinterpret_cast<unsigned long long>(p) % 16 == 0; }

// f(x, at) for the elements of a chunk, 16 bytes at a time; f may change x, which is then written.
template <bool writes, class T, class F>
inline void each_element(T* data, Chunk c, F f) {
  constexpr int width = Sixteen<T>::count;
  int64_t at = c.begin;
  if (is_aligned(data)) {
    int64_t whole = c.begin + (c.end - c.begin) / width * width;
    for (int64_t i = c.begin + threadIdx.x * width; i < whole; i += blockDim.x * width) {
      auto pack = *reinterpret_cast<Sixteen<T>*>(data + i);
#pragma unroll
      for (int k = 0; k < width; ++k) f(pack.v[k]);
      if constexpr (writes) *reinterpret_cast<Sixteen<T>*>(data + i) = pack;
    }
    at = whole;
  }
  for (int64_t i = at + threadIdx.x; i < c.end; i += blockDim.x) {
    T x = data[i];
    f(x);
    if constexpr (writes) data[i] = x;
  }
}

struct ListArguments {
  const void* factor;  // on the device; null: `number`
  double number;       // a factor, or the order of a norm
  float* found;        // becomes 1 where an element is infinite or NaN; may be null
  void* sums;          // of blocks
  int before;          // sums that earlier launches made
  TensorTable<1, 180> tensors;
};

template <class C>
inline bool is_finite(C x) {
  return x - x == 0;
}

// F: of the factor.
template <class T, class C, class F>
inline void scale_list(const ListArguments& a) {
  Chunk c = chunk_of_block(a.tensors);
  C factor = a.factor ? static_cast<C>(*static_cast<const F*>(a.factor)) : static_cast<C>(a.number);
  bool bad = false;
  each_element<true>(static_cast<T*>(a.tensors.data[c.tensor][0]), c, [&](T& x) {
    C wide = convert<C>(x);
    bad |= !is_finite(wide);
    x = convert<T>(factor == C(1) ? wide : wide * factor);
  });
  if (bad && a.found) *a.found = 1;
}

// --- norms: a class maps, combines and finishes ---

template <class C>
inline C magnitude(C x) {
  return x < 0 ? -x : x;
}
template <class C>
struct SumNorm {
  static constexpr double start = 0;
  static inline C combine(C a, C b) { return a + b; }
};
template <class C>
struct Norm1 : SumNorm<C> {
  static inline C map(C x, C) { return magnitude(x); }
  static inline C finish(C s, C) { return s; }
};
template <class C>
struct Norm2 : SumNorm<C> {
  static inline C map(C x, C) { return x * x; }
  static inline C finish(C s, C) { return static_cast<C>(__builtin_sqrt(static_cast<double>(s))); }
};
template <class C>
struct NormP : SumNorm<C> {
  static inline C map(C x, C p) {
    return static_cast<C>(__builtin_pow(double(magnitude(x)), double(p)));
  }
  static inline C finish(C s, C p) {
    return static_cast<C>(__builtin_pow(double(s), 1 / double(p)));
  }
};
// NaN wins.
template <class C>
struct NormMax {
  static constexpr double start = 0;
  static inline C map(C x, C) { return magnitude(x); }
  static inline C combine(C a, C b) { return a != a || a > b ? a : b; }
  static inline C finish(C s, C) { return s; }
};
template <class C>
struct NormMin {
  static constexpr double start = std::numeric_limits<double>::infinity();
  static inline C map(C x, C) { return magnitude(x); }
  static inline C combine(C a, C b) { return a != a || a < b ? a : b; }
  static inline C finish(C s, C) { return s; }
};

// Of all 256 threads, in a fixed order; the result is thread 0's.
template <class C, class Norm>
inline C block_total(C mine) {
  __shared__ C kept[256];
  kept[threadIdx.x] = mine;
  for (int step = 128; step; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step)
      kept[threadIdx.x] = Norm::combine(kept[threadIdx.x], kept[threadIdx.x + step]);
  }
  return kept[0];
}

template <class T, class C, class Norm>
inline void norm_chunks(const ListArguments& a) {
  Chunk c = chunk_of_block(a.tensors);
  C total = static_cast<C>(Norm::start), p = static_cast<C>(a.number);
  each_element<false>(static_cast<T*>(a.tensors.data[c.tensor][0]), c,
                      [&](T& x) { total = Norm::combine(total, Norm::map(convert<C>(x), p)); });
  total = block_total<C, Norm>(total);
  if (threadIdx.x == 0) static_cast<C*>(a.sums)[a.before + blockIdx.x] = total;
}

// One block; `before` sums into the one tensor of the table.
template <class T, class C, class Norm>
inline void finish_norm(const ListArguments& a) {
  C total = static_cast<C>(Norm::start);
  for (int i = threadIdx.x; i < a.before; i += blockDim.x)
    total = Norm::combine(total, static_cast<C*>(a.sums)[i]);
  total = block_total<C, Norm>(total);
  if (threadIdx.x == 0)
    *static_cast<T*>(a.tensors.data[0][0]) =
        convert<T>(Norm::finish(total, static_cast<C>(a.number)));
}

// --- the scale of losses (amp.GradScaler) ---

struct ScaleArguments {
  float* scale;
  int* good_steps;
  const float* found;
  double growth, backoff;
  int interval;
};
// One thread. A scale grows after `interval` steps without an infinity, unless it would become one.
inline void update_scale(const ScaleArguments& a) {
  if (*a.found != 0) {
    *a.scale = static_cast<float>(*a.scale * a.backoff);
    *a.good_steps = 0;
    return;
  }
  if (*a.good_steps + 1 < a.interval) {
    ++*a.good_steps;
    return;
  }
  float grown = static_cast<float>(*a.scale * a.growth);
  if (is_finite(grown)) *a.scale = grown;
  *a.good_steps = 0;
}

}  // namespace lampas::device
