// KERNEL(name, y, args...) runs `cpu::name(y, args...)` on the device of `y`. On meta nothing runs:
// the result has its shape and dtype, which is all it promises.
#pragma once
#include "runtime/tensor.h"

#define KERNEL(name, y, ...)                              \
  do {                                                    \
    ::lampas::Device where_ = (y).device();               \
    if (where_.is_cpu())                                  \
      ::lampas::cpu::name((y)__VA_OPT__(, ) __VA_ARGS__); \
    else if (!where_.is_meta())                           \
      ::lampas::require_available(where_);                \
  } while (0)
