// What tells bytes that have changed from bytes that have not. No protection against intent.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas {

struct Fingerprint {
  uint64_t low, high;
  bool operator==(const Fingerprint&) const = default;
};

#define DECLARE(isa)                                        \
  namespace isa {                                           \
  Fingerprint fingerprint(const void* data, int64_t bytes); \
  }
DECLARE(baseline)
DECLARE(avx2)
DECLARE(avx512)
#undef DECLARE

}  // namespace lampas
