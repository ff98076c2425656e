// Kernels that a GPU lacks run on the CPU: their tensors are copied to the host, and what the
// kernel has written is copied back. Said once for each, as a warning.
#pragma once
#include <tuple>
#include <vector>

#include "runtime/tensor.h"

namespace lampas::cuda {

// The warning; `name` is the operator's or the kernel's.
void warn_of_fallback(const char* name);
void forget_fallbacks();  // every warning is given once more

// The tensors of one call, on the host. Memory is copied whole, so that views of it stay views.
class Staged {
 public:
  Tensor host(const Tensor& x);
  void write_back();

 private:
  struct Pair {
    Ref<Storage> device, host;
    std::vector<char> before;
  };
  std::vector<Pair> pairs_;
};

template <class T>
inline constexpr bool is_plain =
    std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, Scalar> ||
    std::is_same_v<T, Dims> || std::is_same_v<T, Span> || std::is_same_v<T, const char*>;
// Arguments of other types may hide addresses of device memory.
template <class T>
inline constexpr bool can_be_staged =
    is_plain<std::decay_t<T>> || std::is_same_v<std::decay_t<T>, Tensor>;

[[noreturn]] void fail_fallback(const char* name);

template <class F, class... Args>
void through_host(const char* name, F&& run, Args&&... args) {
  if constexpr (!(can_be_staged<Args> && ...)) {
    fail_fallback(name);
  } else {
    warn_of_fallback(name);
    Staged staged;
    auto stage = [&](const auto& x) {
      if constexpr (std::is_same_v<std::decay_t<decltype(x)>, Tensor>)
        return staged.host(x);
      else
        return x;
    };
    std::tuple<std::decay_t<Args>...> held{stage(args)...};
    std::apply(run, held);
    staged.write_back();
  }
}

}  // namespace lampas::cuda
