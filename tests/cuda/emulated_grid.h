// The grid that kernel texts run on when the host's compiler has compiled them: blocks one after
// the other, the threads of a block as fibers. A thread runs until it ends or waits for others (a
// barrier, a shuffle); the direction in which threads take turns alternates, so that a kernel that
// lacks a barrier is likely to show it. Waiting that no thread can end aborts, where a GPU would
// hang.
#pragma once
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#define LAMPAS_INLINE inline
#define __shared__ static
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

namespace emulation {

constexpr size_t kStack = 256 << 10, kMostThreads = 1024;
struct Fiber {
  ucontext_t context;
  bool done;
  unsigned index;
  unsigned block_round, warp_round;  // barriers reached
  alignas(16) char passed[2][16];    // what it shows its warp, in even and odd rounds
};
static std::vector<Fiber> fibers;
static char* stacks;  // fresh pages, so that only what is used is memory
static Fiber* running;
static ucontext_t scheduler;
static bool progress;
static void (*body)(const void*);
static const void* arguments;

inline void place(Fiber& f) {
  threadIdx = {f.index % blockDim.x, f.index / blockDim.x % blockDim.y,
               f.index / (blockDim.x * blockDim.y)};
}
inline void start() {
  body(arguments);
  running->done = progress = true;
  setcontext(&scheduler);
}
inline void yield() {
  Fiber* self = running;
  swapcontext(&self->context, &scheduler);
}
template <class Waits>
inline void wait_while(Waits waits) {
  while (waits()) yield();
  progress = true;
}

// Of the barrier's rounds, even and odd: how many fibers from the first on have reached it.
struct Arrivals {
  unsigned round = 0;
  size_t count = 0;
};
static Arrivals arrivals[2];

inline void run_block() {
  arrivals[0] = arrivals[1] = {};
  unsigned count = blockDim.x * blockDim.y * blockDim.z;
  fibers.resize(count);
  if (!stacks)
    stacks = static_cast<char*>(mmap(nullptr, kMostThreads * kStack, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  for (unsigned i = 0; i < count; ++i) {
    Fiber& f = fibers[i];
    f.done = false, f.index = i, f.block_round = f.warp_round = 0;
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = stacks + i * kStack;
    f.context.uc_stack.ss_size = kStack;
    f.context.uc_link = nullptr;
    makecontext(&f.context, start, 0);
  }
  bool forward = (blockIdx.x + blockIdx.y + blockIdx.z) % 2 == 0;
  for (unsigned left = count; left; forward = !forward) {
    progress = false, left = 0;
    for (unsigned i = 0; i < count; ++i) {
      Fiber& f = fibers[forward ? i : count - 1 - i];
      if (f.done) continue;
      running = &f;
      place(f);
      swapcontext(&scheduler, &f.context);
      left += !f.done;
    }
    if (progress) continue;
    std::fprintf(stderr, "emulated block %u: every thread waits for another\n", blockIdx.x);
    std::abort();
  }
}

inline void run_grid(void (*thread)(const void*), const void* given, dim3 grid, dim3 block) {
  gridDim = grid, blockDim = block, body = thread, arguments = given;
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) run_block();
}

inline void sync_block() {
  unsigned mine = ++running->block_round;
  wait_while([&] {
    Arrivals& a = arrivals[mine % 2];
    if (a.round != mine) a = {mine, 0};
    while (a.count < fibers.size() && (fibers[a.count].done || fibers[a.count].block_round >= mine))
      ++a.count;
    return a.count < fibers.size();
  });
}
// Waits for the threads of the warp; returns the first of them. `passed[mine % 2]` may then be
// read.
inline Fiber* sync_warp(unsigned& mine) {
  Fiber* first = &fibers[running->index / 32 * 32];
  Fiber* end = fibers.data() + std::min<size_t>(fibers.size(), running->index / 32 * 32 + 32);
  mine = ++running->warp_round;
  wait_while([&] {
    for (Fiber* f = first; f < end; ++f)
      if (!f->done && f->warp_round < mine) return true;
    return false;
  });
  return first;
}
template <class T, class From>
inline T exchange(T x, From from) {
  static_assert(sizeof(T) <= 16);
  std::memcpy(running->passed[(running->warp_round + 1) % 2], &x, sizeof(T));
  unsigned mine, lane = running->index % 32;
  Fiber* first = sync_warp(mine);
  size_t lanes = std::min<size_t>(32, static_cast<size_t>(fibers.data() + fibers.size() - first));
  return from(first, lane, lanes, mine, x);
}
template <class T>
inline T of_lane(Fiber* first, int lane, size_t lanes, unsigned round, T own) {
  if (lane < 0 || static_cast<size_t>(lane) >= lanes) return own;
  T y;
  std::memcpy(&y, first[lane].passed[round % 2], sizeof(T));
  return y;
}

}  // namespace emulation

inline void __syncthreads() { emulation::sync_block(); }
inline void __syncwarp(unsigned = ~0u) {
  unsigned round;
  emulation::sync_warp(round);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

// Lanes of a segment of `width` read one another; beyond it a lane reads itself.
#define EMULATED_SHUFFLE(name, Step, source)                                                    \
  template <class T>                                                                            \
  inline T name(unsigned, T x, Step step, int width = 32) {                                     \
    return emulation::exchange(x, [=](auto* first, int lane, size_t lanes, unsigned p, T x) {   \
      int begin = lane / width * width, end = begin + width, from = source;                     \
      return emulation::of_lane(first, from < begin || from >= end ? lane : from, lanes, p, x); \
    });                                                                                         \
  }
EMULATED_SHUFFLE(__shfl_sync, int, begin + (step & (width - 1)))
EMULATED_SHUFFLE(__shfl_xor_sync, int, lane ^ step)
EMULATED_SHUFFLE(__shfl_down_sync, unsigned, lane + static_cast<int>(step))
EMULATED_SHUFFLE(__shfl_up_sync, unsigned, lane - static_cast<int>(step))
#undef EMULATED_SHUFFLE

inline unsigned __ballot_sync(unsigned, int predicate) {
  return emulation::exchange(predicate, [](auto* first, int, size_t lanes, unsigned round, int) {
    unsigned bits = 0;
    for (size_t i = 0; i < lanes; ++i)
      if (first[i].warp_round >= round &&
          emulation::of_lane(first, static_cast<int>(i), lanes, round, 0))
        bits |= 1u << i;
    return static_cast<int>(bits);
  });
}
template <class T>
inline unsigned __match_any_sync(unsigned, T x) {
  unsigned same = 0;
  emulation::exchange(x, [&](auto* first, int, size_t lanes, unsigned round, T own) {
    for (size_t i = 0; i < lanes; ++i)
      if (first[i].warp_round >= round &&
          emulation::of_lane(first, static_cast<int>(i), lanes, round, own) == own)
        same |= 1u << i;
    return own;
  });
  return same;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// Fibers are never interrupted, so these need nothing more.
template <class T, class F>
inline T emulated_atomic(T* p, F f) {
  T before = *p;
  *p = f(before);
  return before;
}
template <class T>
inline T atomicAdd(T* p, std::type_identity_t<T> x) {
  return emulated_atomic(p, [=](T y) { return static_cast<T>(y + x); });
}
template <class T>
inline T atomicMax(T* p, std::type_identity_t<T> x) {
  return emulated_atomic(p, [=](T y) { return std::max(y, x); });
}
template <class T>
inline T atomicMin(T* p, std::type_identity_t<T> x) {
  return emulated_atomic(p, [=](T y) { return std::min(y, x); });
}
template <class T>
inline T atomicOr(T* p, std::type_identity_t<T> x) {
  return emulated_atomic(p, [=](T y) { return static_cast<T>(y | x); });
}
template <class T>
inline T atomicExch(T* p, std::type_identity_t<T> x) {
  return emulated_atomic(p, [=](T) { return x; });
}
template <class T>
inline T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> x) {
  return emulated_atomic(p, [=](T y) { return y == expected ? x : y; });
}

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
template <class T>
inline T __ldg(const T* p) {
  return *p;
}

// `name` as the fake driver launches it.
#define LAMPAS_KERNEL(name, Arguments)                                                         \
  static void name##_thread(const Arguments& a);                                               \
  extern "C" __attribute__((visibility("default"))) size_t name##_size() {                     \
    return sizeof(Arguments);                                                                  \
  }                                                                                            \
  extern "C" __attribute__((visibility("default"))) void name(void** params, const dim3& grid, \
                                                              const dim3& block) {             \
    auto thread = [](const void* a) { name##_thread(*static_cast<const Arguments*>(a)); };     \
    emulation::run_grid(thread, params[0], grid, block);                                       \
  }                                                                                            \
  static void name##_thread(const Arguments& a)
