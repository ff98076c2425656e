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
enum class Kernel : uint8_t { Pick, Scatter, Check, Total, Scales };

// `other`: a second type, where the kernel has one.
void launch(Kernel kernel, DType dtype, DType other, const Arguments& a, Grid grid, Device device,
            const char* what) {
  static auto* table = new KernelTable;
  constexpr const char* kNames[] = {"pick_losses<", "scatter_losses<", "check_probabilities<",
                                    "total_loss<", "line_scales<"};
  dispatch<Floats>(dtype, what, [](auto) {});
  bool two = other != DType::Undefined;
  uint64_t key = static_cast<uint64_t>(kernel) << 16 | static_cast<uint64_t>(other) << 8 |
                 static_cast<uint64_t>(dtype);
  table->run(
      key,
      [&] {
        return FamilyKernel{"losses", "LossArguments",
                            concat(kNames[static_cast<int>(kernel)], device_type(dtype),
                                   two ? ", " : "", two ? device_type(other) : "", ">")};
      },
      &a, grid, device.index, what);
}
void launch(Kernel kernel, DType dtype, const Arguments& a, int64_t threads, Device device,
            const char* what) {
  launch(kernel, dtype, DType::Undefined, a, {.x = blocks_for(threads, 256)}, device, what);
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

void total_loss(On, const Tensor& y, const Tensor& total, const Tensor& losses,
                const Tensor& weights) {
  Arguments a{};
  a.y = y.raw(), a.x = losses.raw(), a.weight = weights.raw(), a.numel = losses.numel();
  if (total.defined()) a.weights = total.raw();
  unsigned threads = losses.numel() <= 256 ? 64 : losses.numel() <= 4096 ? 512 : 1024;
  launch(Kernel::Total, losses.dtype(), y.dtype(), a, {.threads = threads}, losses.device(),
         "nll_loss");
}

void line_scales(On, const Tensor& scale, const Tensor& g, const Tensor& weights,
                 const Tensor& total) {
  if (scale.numel() == 0) return;
  Arguments a{};
  a.y = scale.raw(), a.x = g.raw(), a.weight = weights.raw(), a.lse = address(total);
  a.n = g.numel(), a.numel = scale.numel();
  launch(Kernel::Scales, scale.dtype(), g.dtype(), a, {.x = blocks_for(a.numel, 256)},
         scale.device(), "nll_loss_backward");
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
