// Instruction sets. A kernel source named in CMake's list of families is compiled once per set,
// each time with LAMPAS_ISA set to one of the names below and the matching flags:
//
//   baseline  x86-64: nothing; Arm: NEON is already the baseline
//   avx2      -mavx2 -mfma -mf16c -mbmi -mbmi2
//   avx512    -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2
//             -mprefer-vector-width=512
//
// and LAMPAS_HAVE_AVX2 / LAMPAS_HAVE_AVX512 defined for every source of the core when those copies
// are built.
//
// Hazard: an inline function of a shared header that such a source instantiates out of line could
// be the copy the linker keeps for everybody, with instructions an old machine lacks. So everything
// in such a source lives in `namespace lampas::LAMPAS_ISA` or an unnamed namespace, and it calls
// shared code only through functions compiled elsewhere.
#pragma once

#ifndef LAMPAS_ISA
#define LAMPAS_ISA baseline
#endif

namespace lampas {

enum class Isa { baseline, avx2, avx512 };

// The best set of this machine that was compiled in; LAMPAS_ISA=baseline|avx2|avx512 in the
// environment lowers it. Chosen once.
Isa isa();

// LAMPAS_BEST(f(x)) is f(x) of the best instruction set: avx512::f(x), avx2::f(x) or
// baseline::f(x).
#if defined(LAMPAS_HAVE_AVX512)
#define LAMPAS_BEST(call)                                            \
  (::lampas::isa() == ::lampas::Isa::avx512 ? ::lampas::avx512::call \
   : ::lampas::isa() == ::lampas::Isa::avx2 ? ::lampas::avx2::call   \
                                            : ::lampas::baseline::call)
#elif defined(LAMPAS_HAVE_AVX2)
#define LAMPAS_BEST(call) \
  (::lampas::isa() >= ::lampas::Isa::avx2 ? ::lampas::avx2::call : ::lampas::baseline::call)
#else
#define LAMPAS_BEST(call) ::lampas::baseline::call
#endif

}  // namespace lampas
