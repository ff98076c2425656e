// Finds the instruction set of this machine.
#include "cpu/isa.h"

#include <cstdlib>
#include <string_view>

namespace lampas {
namespace {

Isa detect() {
  Isa best = Isa::baseline;
#if defined(__x86_64__) && defined(LAMPAS_HAVE_AVX2)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    best = Isa::avx2;
  }
#endif
#if defined(__x86_64__) && defined(LAMPAS_HAVE_AVX512)
  if (best == Isa::avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    best = Isa::avx512;
  }
#endif
  return best;
}

Isa lowered(Isa best) {
  const char* wish = std::getenv("LAMPAS_ISA");
  if (!wish) return best;
  std::string_view name = wish;
  Isa limit = name == "baseline" ? Isa::baseline : name == "avx2" ? Isa::avx2 : Isa::avx512;
  return limit < best ? limit : best;
}

}  // namespace

Isa isa() {
  static const Isa chosen = lowered(detect());
  return chosen;
}

}  // namespace lampas
