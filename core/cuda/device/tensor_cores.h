// Products of 16 x 16 by 16 x 8 elements of 16 bits by the tensor cores of a warp, sums in float;
// compute capability 8.0. Where tests play the grid, the lanes show one another what they hold.
// Fragments, for lane l with g = l / 4 and t = l % 4 (a register holds two neighbours): A: rows g
// and g + 8, columns 2 t and 2 t + 8 in the order (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t +
// 8); B: rows 2 t and 2 t + 8 of column g; C: columns 2 t, 2 t + 1 of row g, then of row g + 8.
// Source: NVIDIA, "PTX ISA", mma.m16n8k16 and ldmatrix.
#pragma once
#include "cuda/device/elements.h"

namespace lampas::device {

#ifdef __CUDACC_RTC__

#if __CUDA_ARCH__ >= 800
template <class T>
LAMPAS_INLINE void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (std::is_same_v<T, Half>)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
        "{%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// Two floats in a register, the first in its lower half.
template <class T>
LAMPAS_INLINE uint32_t packed(float low, float high) {
  uint32_t both;
  if constexpr (std::is_same_v<T, Half>)
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  else
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
#else
// Never launched there: the host asks for the capability.
template <class T>
LAMPAS_INLINE void multiply_add(float (&)[4], const uint32_t (&)[4], uint32_t, uint32_t) {
  asm volatile("trap;");
}
template <class T>
LAMPAS_INLINE uint32_t packed(float, float) {
  return 0;
}
#endif

// Four matrices of 8 x 8 from shared memory; lane l gives the address of row l % 8 of matrix l / 8,
// sixteen bytes. Each lane gets the pair (g, 2t) of every matrix; of the transposed ones where
// asked.
template <bool Transposed>
LAMPAS_INLINE void load_matrices(const void* row, uint32_t (&r)[4]) {
  auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (Transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

#else

template <class T>
inline uint32_t packed(float low, float high) {
  return convert<T>(low).bits | static_cast<uint32_t>(convert<T>(high).bits) << 16;
}

// What all lanes of the warp hold.
template <class V>
struct WarpValues {
  V of[32];
};
template <class V>
inline WarpValues<V> of_warp(const V& own) {
  WarpValues<V> all{};
  emulation::exchange(own, [&](auto* first, int, size_t lanes, unsigned round, const V& x) {
    for (size_t i = 0; i < lanes; ++i)
      std::memcpy(&all.of[i], first[i].passed[round % 2], sizeof(V));
    return x;
  });
  return all;
}

template <class T>
inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct A {
    uint32_t r[4];
  };
  struct B {
    uint32_t r[2];
  };
  auto as = of_warp(A{{a[0], a[1], a[2], a[3]}});
  auto bs = of_warp(B{{b0, b1}});
  auto half = [](uint32_t r, int k) {
    return widen(T{static_cast<uint16_t>(k % 2 ? r >> 16 : r & 0xffff)});
  };
  int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  for (int i = 0; i < 4; ++i) {
    int row = g + i / 2 * 8, column = 2 * t + i % 2;
    for (int k = 0; k < 16; ++k) {
      float x = half(as.of[row % 8 * 4 + k % 8 / 2].r[k / 8 * 2 + row / 8], k);
      float z = half(bs.of[column * 4 + k % 8 / 2].r[k / 8], k);
      c[i] += x * z;
    }
  }
}

template <bool Transposed>
inline void load_matrices(const void* row, uint32_t (&r)[4]) {
  auto rows = of_warp(row);
  int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  for (int m = 0; m < 4; ++m) {
    auto at = [&](int i, int j) -> uint32_t {
      return static_cast<const uint16_t*>(rows.of[8 * m + i])[j];
    };
    r[m] =
        Transposed ? at(2 * t, g) | at(2 * t + 1, g) << 16 : at(g, 2 * t) | at(g, 2 * t + 1) << 16;
  }
}

#endif

}  // namespace lampas::device
