// Moving and converting runs of elements: the loops under copies and under tiles that must be
// gathered.
#pragma once
#include "runtime/dtype.h"

namespace lampas::cpu {

// n contiguous elements of one type become n of another; the ranges must not overlap.
using Convert = void (*)(void* to, const void* from, int64_t n);
Convert converter(DType to, DType from);

// n elements of `bytes` each, strides in bytes.
void move_strided(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t bytes,
                  int64_t n);
// n copies of one element.
void repeat(void* to, const void* element, int64_t bytes, int64_t n);

}  // namespace lampas::cpu
