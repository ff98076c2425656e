// Picking the entries of class targets.
#include "cpu/losses.h"

#include <cstring>

namespace lampas::cpu {

void check_classes(const Tensor& target, int64_t n, int64_t ignored) {
  const int64_t* classes = target.data<int64_t>();
  for (int64_t i = 0; i < target.numel(); ++i)
    CHECK_KIND((classes[i] >= 0 && classes[i] < n) || classes[i] == ignored, Index, "Target ",
               classes[i], " is out of bounds.");
}

void pick_losses(const Tensor& losses, const Tensor& weights, const Tensor& x, const Tensor& lse,
                 const Tensor& target, const Tensor& weight, int64_t ignored, const Lines& lines) {
  const int64_t* classes = target.data<int64_t>();
  dispatch<Floats>(x.dtype(), "nll_loss_out_frame", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    const T* from = x.data<T>();
    const C* sums = lse.defined() ? lse.data<C>() : nullptr;
    const C* scale = weight.defined() ? weight.data<C>() : nullptr;
    C *loss = losses.data<C>(), *used = weights.data<C>();
    for (int64_t i = 0; i < lines.count(); ++i) {
      if (classes[i] == ignored) {
        loss[i] = used[i] = 0;
        continue;
      }
      C value = convert<C>(from[lines.start(i) + classes[i] * lines.inner]);
      C w = scale ? scale[classes[i]] : C(1);
      loss[i] = w * (sums ? sums[i] - value : -value);
      used[i] = w;
    }
  });
}

void scatter_losses(const Tensor& dx, const Tensor& target, const Tensor& scale,
                    const Lines& lines) {
  const int64_t* classes = target.data<int64_t>();
  if (dx.numel() == 0) return;
  std::memset(dx.raw(), 0, dx.numel() * dx.item_size());
  dispatch<Floats>(dx.dtype(), "nll_loss_backward", [&](auto tag) {
    using T = decltype(tag);
    const auto* factor = scale.data<compute_t<T>>();
    for (int64_t i = 0; i < lines.count(); ++i)
      if (classes[i] >= 0 && classes[i] < lines.n)
        dx.data<T>()[lines.start(i) + classes[i] * lines.inner] = convert<T>(-factor[i]);
  });
}

}  // namespace lampas::cpu
