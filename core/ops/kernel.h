// KERNEL(name, y, args...) runs `cpu::name(y, args...)` on the device of `y`. On meta nothing runs:
// the result has its shape and dtype, which is all it promises. Tensors of another device never
// reach a kernel. On CUDA it runs `cuda::name(cuda::On, y, args...)`, where there is one, or the
// CPU's kernel on copies.
#pragma once
#include <type_traits>

#include "cuda/fallback.h"
#include "cuda/kernels.h"
#include "runtime/tensor.h"

namespace lampas {

[[noreturn]] void fail_devices(Device a, Device b);

template <class T>
inline void require_device(Device where, const T& argument) {
  if constexpr (std::is_same_v<T, Tensor>)
    if (argument.defined() && argument.device() != where) fail_devices(where, argument.device());
}

}  // namespace lampas

#define KERNEL(name, y, ...)                                                                 \
  do {                                                                                       \
    ::lampas::Device where_ = (y).device();                                                  \
    if (where_.is_cpu())                                                                     \
      [&](auto&&... arguments) {                                                             \
        (::lampas::require_device(where_, arguments), ...);                                  \
        ::lampas::cpu::name(arguments...);                                                   \
      }((y)__VA_OPT__(, ) __VA_ARGS__);                                                      \
    else if (!where_.is_meta())                                                              \
      [&](auto&&... arguments) {                                                             \
        (::lampas::require_device(where_, arguments), ...);                                  \
        if constexpr (requires { name(::lampas::cuda::On{}, arguments...); })                \
          name(::lampas::cuda::On{}, arguments...);                                          \
        else                                                                                 \
          ::lampas::cuda::through_host(                                                      \
              #name, [](auto&... hosted) { ::lampas::cpu::name(hosted...); }, arguments...); \
      }((y)__VA_OPT__(, ) __VA_ARGS__);                                                      \
  } while (0)
