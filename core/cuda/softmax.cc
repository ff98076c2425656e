// Softmax and its kin on a GPU: how many threads share a line. Choices follow from sizes alone.
#include "cpu/softmax.h"

#include "cuda/kernel_table.h"
#include "cuda/kernels.h"
#include "cuda/shares.h"

namespace lampas::cuda {
namespace {

// SoftmaxArguments of cuda/device/softmax.h.
struct Arguments {
  void* y;
  const void *x, *g, *lse, *target, *scale;
  int64_t outer, n, inner;
  int32_t group, down, log;
};

constexpr const char* kFunctions[] = {"softmax", "softmax_backward", "log_sum",
                                      "cross_entropy_backward_of"};
enum class Step : uint8_t { Forward, Backward, LogSum, CrossEntropyBackward };
enum class Loop : uint8_t { Held1, Held2, Held4, Long, Rows, Columns, Flat };

FamilyKernel kernel_of(Step f, Loop loop, DType dtype) {
  constexpr const char* kLoops[] = {"_held", "_held", "_held", "_long", "_rows", "_columns", ""};
  constexpr const char* kHeld[] = {", 1", ", 2", ", 4", "", "", "", ""};
  int l = static_cast<int>(loop);
  return {
      "softmax", "SoftmaxArguments",
      concat(kFunctions[static_cast<int>(f)], kLoops[l], "<", device_type(dtype), kHeld[l], ">")};
}

void launch(Step f, Loop loop, const Arguments& a, Grid grid, const Tensor& x, const char* what) {
  static auto* table = new KernelTable;
  uint64_t key = static_cast<uint64_t>(f) << 16 | static_cast<uint64_t>(loop) << 8 |
                 static_cast<uint64_t>(x.dtype());
  table->run(key, [&] { return kernel_of(f, loop, x.dtype()); }, &a, grid, x.device().index, what);
}

int64_t packs_of(const Tensor& x, int64_t n) { return ceiling(n, 16 / x.item_size()); }

// Rows that are read once: as many threads as have two accesses each.
RowShare reading(int64_t packs) {
  if (packs <= 256) return {0, std::min<int64_t>(power_of_two(ceiling(packs, 2)), 32)};
  return {0, std::min<int64_t>(power_of_two(ceiling(packs, 4)), 512)};
}
// Lines beside each other: a warp's width across where lines are long, else whole blocks.
Grid columns(Arguments& a) {
  int64_t across = std::min<int64_t>(power_of_two(a.inner), 256);
  if (a.n >= 64 && a.outer * a.inner < (1 << 17)) across = std::min<int64_t>(across, 32);
  // Several outer ones share a block where lines are short.
  int64_t down = std::min(256 / across, power_of_two(ceiling(a.n, 4)));
  a.group = static_cast<int32_t>(across), a.down = static_cast<int32_t>(down);
  int64_t blocks = ceiling(a.inner, across) * ceiling(a.outer, 256 / (across * down));
  return {.x = blocks_for(blocks, 1), .threads = 256};
}

void run(Step f, Arguments& a, const Tensor& x, const Lines& lines, const char* what) {
  if (lines.numel() == 0) return;
  dispatch<Floats>(x.dtype(), what, [](auto) {});
  a.outer = lines.outer, a.n = lines.n, a.inner = lines.inner;
  if (lines.inner > 1) return launch(f, Loop::Columns, a, columns(a), x, what);
  RowShare share = RowShare::held(packs_of(x, lines.n));
  Loop loop = share.each == 1   ? Loop::Held1
              : share.each == 2 ? Loop::Held2
              : share.each == 4 ? Loop::Held4
                                : Loop::Long;
  a.group = static_cast<int32_t>(share.group);
  launch(f, loop, a, share.grid(a.outer), x, what);
}

}  // namespace

void softmax(On, const Tensor& y, const Tensor& x, const Lines& lines, bool log) {
  Arguments a{};
  a.y = y.raw(), a.x = x.raw(), a.log = log;
  run(Step::Forward, a, x, lines, log ? "log_softmax" : "softmax");
}

void softmax_backward(On, const Tensor& dx, const Tensor& g, const Tensor& y, const Lines& lines,
                      bool log) {
  Arguments a{};
  a.y = dx.raw(), a.x = y.raw(), a.g = g.raw(), a.log = log;
  run(Step::Backward, a, y, lines, log ? "log_softmax_backward" : "softmax_backward");
}

void log_sum(On, const Tensor& lse, const Tensor& x, const Lines& lines) {
  if (lse.numel() == 0) return;
  dispatch<Floats>(x.dtype(), "cross_entropy", [](auto) {});
  Arguments a{};
  a.y = lse.raw(), a.x = x.raw();
  a.outer = lines.outer, a.n = lines.n, a.inner = lines.inner;
  if (lines.inner > 1)
    return launch(Step::LogSum, Loop::Columns, a, columns(a), x, "cross_entropy");
  RowShare share = reading(packs_of(x, lines.n));
  a.group = static_cast<int32_t>(share.group);
  launch(Step::LogSum, Loop::Rows, a, share.grid(a.outer), x, "cross_entropy");
}

void cross_entropy_backward(On, const Tensor& dx, const Tensor& x, const Tensor& lse,
                            const Tensor& target, const Tensor& scale, const Lines& lines) {
  if (dx.numel() == 0) return;
  Arguments a{};
  a.y = dx.raw(), a.x = x.raw();
  a.lse = lse.raw(), a.target = target.raw(), a.scale = scale.raw();
  a.outer = lines.outer, a.n = lines.n, a.inner = lines.inner;
  int64_t packs = lines.outer * packs_of(x, lines.n * lines.inner);
  launch(Step::CrossEntropyBackward, Loop::Flat, a, {.x = blocks_for(packs, 256), .threads = 256},
         x, "cross_entropy_backward");
}

}  // namespace lampas::cuda
