// Picking the entries of class targets on a GPU.
#include "cpu/lines.h"
#include "cuda/kernel_table.h"
#include "cuda/kernels.h"

namespace lampas::cuda {
namespace {

// LossArguments of cuda/device/losses.h.
struct Arguments {
  void *y, *weights;
  const void *x, *lse, *target, *weight;
  int64_t outer, n, inner, ignored, numel;
};
enum class Kernel : uint8_t { Pick, Scatter, Check };

void launch(Kernel kernel, DType dtype, const Arguments& a, int64_t threads, Device device,
            const char* what) {
  static auto* table = new KernelTable;
  constexpr const char* kNames[] = {"pick_losses<", "scatter_losses<", "check_probabilities<"};
  dispatch<Floats>(dtype, what, [](auto) {});
  table->run(
      static_cast<uint64_t>(kernel) << 8 | static_cast<uint64_t>(dtype),
      [&] {
        return FamilyKernel{"losses", "LossArguments",
                            concat(kNames[static_cast<int>(kernel)], device_type(dtype), ">")};
      },
      &a, {.x = blocks_for(threads, 256), .threads = 256}, device.index, what);
}

const void* address(const Tensor& x) { return x.defined() ? x.raw() : nullptr; }

}  // namespace

void check_classes(On, const Tensor&, int64_t, int64_t) {}

void pick_losses(On, const Tensor& losses, const Tensor& weights, const Tensor& x,
                 const Tensor& lse, const Tensor& target, const Tensor& weight, int64_t ignored,
                 const Lines& lines) {
  if (losses.numel() == 0) return;
  Arguments a{losses.raw(),
              weights.raw(),
              x.raw(),
              address(lse),
              target.raw(),
              address(weight),
              lines.outer,
              lines.n,
              lines.inner,
              ignored,
              0};
  launch(Kernel::Pick, x.dtype(), a, lines.count(), x.device(), "nll_loss");
}

void scatter_losses(On, const Tensor& dx, const Tensor& target, const Tensor& scale,
                    const Lines& lines) {
  if (dx.numel() == 0) return;
  Arguments a{dx.raw(), nullptr,     scale.raw(), nullptr, target.raw(), nullptr, lines.outer,
              lines.n,  lines.inner, 0,           0};
  int64_t width = 16 / dx.item_size();
  launch(Kernel::Scatter, dx.dtype(), a,
         lines.outer * ((lines.n * lines.inner + width - 1) / width), dx.device(),
         "nll_loss_backward");
}

void check_probabilities(On, const Tensor& x) {
  if (x.numel() == 0) return;
  Arguments a{};
  a.x = x.raw(), a.numel = x.numel();
  int64_t width = 16 / x.item_size();
  launch(Kernel::Check, x.dtype(), a, (x.numel() + width - 1) / width, x.device(),
         "binary_cross_entropy");
}

}  // namespace lampas::cuda
