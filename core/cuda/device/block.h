// What threads of a warp or a block do together, in an order that is always the same; and accesses
// of 16 bytes to lines that may begin anywhere. Blocks have one dimension, a multiple of 32
// threads.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

// The type in which arithmetic on T is done.
template <class T>
using compute_t = std::conditional_t<is_narrow<T>, float, T>;

// --- neighbours as one access ---

template <class T>
constexpr int kWidth = sizeof(T) >= 16 ? 1 : static_cast<int>(16 / sizeof(T));

template <class T, int V>
struct alignas(sizeof(T) * V) Neighbours {
  T v[V];
};

// p[0] ... p[left - 1], zeros behind. Which elements a thread holds never depends on alignment.
template <int V, class T>
LAMPAS_INLINE Neighbours<T, V> load(const T* p, int64_t left) {
  if (left >= V && reinterpret_cast<uint64_t>(p) % sizeof(Neighbours<T, V>) == 0)
    return *reinterpret_cast<const Neighbours<T, V>*>(p);
  Neighbours<T, V> x;
#pragma unroll
  for (int k = 0; k < V; ++k) x.v[k] = k < left ? p[k] : T{};
  return x;
}
template <int V, class T>
LAMPAS_INLINE void store(T* p, const Neighbours<T, V>& x, int64_t left) {
  if (left >= V && reinterpret_cast<uint64_t>(p) % sizeof(Neighbours<T, V>) == 0) {
    *reinterpret_cast<Neighbours<T, V>*>(p) = x;
    return;
  }
#pragma unroll
  for (int k = 0; k < V; ++k)
    if (k < left) p[k] = x.v[k];
}

// --- shuffles of any type ---

template <class T>
struct Words {
  uint32_t w[(sizeof(T) + 3) / 4];
};
template <class T, class F>
LAMPAS_INLINE T by_words(T x, F f) {
  if constexpr (sizeof(T) % 4 == 0) {
    auto words = std::bit_cast<Words<T>>(x);
#pragma unroll
    for (int i = 0; i < static_cast<int>(sizeof(T) / 4); ++i) words.w[i] = f(words.w[i]);
    return std::bit_cast<T>(words);
  } else {
    return static_cast<T>(f(static_cast<uint32_t>(x)));
  }
}
template <class T>
LAMPAS_INLINE T shuffle_xor(T x, int mask) {
  return by_words(x, [=](uint32_t w) { return __shfl_xor_sync(~0u, w, mask); });
}
template <class T>
LAMPAS_INLINE T shuffle_up(T x, int by) {
  return by_words(x, [=](uint32_t w) { return __shfl_up_sync(~0u, w, static_cast<unsigned>(by)); });
}

// --- reductions; every thread gets the result, to the same bit ---

// Over groups of `group` neighbouring lanes, a power of two up to 32.
template <class A, class F>
LAMPAS_INLINE A group_reduce(A a, int group, F join) {
  for (int w = 1; w < group; w *= 2) {
    A b = shuffle_xor(a, w);
    a = (threadIdx.x & static_cast<unsigned>(w)) == 0 ? join(a, b) : join(b, a);
  }
  return a;
}
// Over groups of `group` neighbouring threads, a power of two; beyond 32 all of the block take
// part, each in its group.
template <class A, class F>
LAMPAS_INLINE A reduce_among(A a, int group, F join) {
  __shared__ A slots[32];
  if (group <= 32) return group_reduce(a, group, join);
  int warps = group / 32, warp = static_cast<int>(threadIdx.x) / 32;
  int lane = static_cast<int>(threadIdx.x) % 32;
  a = group_reduce(a, 32, join);
  __syncthreads();  // the slots may still be read from the last time
  if (lane == 0) slots[warp] = a;
  __syncthreads();
  return group_reduce(slots[(warp & ~(warps - 1)) + (lane & (warps - 1))], warps, join);
}
template <class A, class F>
LAMPAS_INLINE A block_reduce(A a, F join) {
  return reduce_among(a, static_cast<int>(blockDim.x), join);
}

struct Plus {
  template <class A>
  LAMPAS_INLINE A operator()(A a, A b) const {
    return a + b;
  }
};

// --- functions as the GPU has them: within two units in the last place ---

LAMPAS_INLINE float exp_of(float x) { return ::expf(x); }
LAMPAS_INLINE double exp_of(double x) { return ::exp(x); }
LAMPAS_INLINE float log_of(float x) { return ::logf(x); }
LAMPAS_INLINE double log_of(double x) { return ::log(x); }
LAMPAS_INLINE float root_of(float x) { return ::sqrtf(x); }
LAMPAS_INLINE double root_of(double x) { return ::sqrt(x); }

// --- assertions: end the grid with an error of the context, as PyTorch's ---

#ifdef __CUDACC_RTC__
// What assert() calls; NVRTC declares it.
inline void fail_assertion(const char* condition) { __assertfail(condition, "lampas", 0, "", 1); }
#else
inline void fail_assertion(const char* condition) {
  std::fprintf(stderr, "block: [%u,0,0], thread: [%u,0,0] Assertion `%s` failed.\n", blockIdx.x,
               threadIdx.x, condition);
  std::abort();
}
#endif
LAMPAS_INLINE void device_assert(bool holds, const char* condition) {
  if (!holds) fail_assertion(condition);
}

}  // namespace lampas::device
