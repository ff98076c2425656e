// Distances of pairs of rows on a GPU.
#include "cuda/distance.h"

#include <cmath>

#include "cuda/kernel_table.h"
#include "cuda/kernels.h"
#include "cuda/shares.h"
#include "runtime/dtype.h"

namespace lampas::cuda {
namespace {

// DistanceArguments of cuda/device/distance.h.
struct Arguments {
  const void *a, *b;
  void* y;
  double p;
  int64_t batch, rows, columns, m;
  int32_t group;
};

}  // namespace

void distances(On, const Tensor& y, const Tensor& a, const Tensor& b, double p) {
  if (y.numel() == 0) return;
  dispatch<RealFloats>(y.dtype(), "cdist", [](auto) {});
  constexpr const char* kNorms[] = {"Zero", "One", "Two", "Largest", "Power"};
  int norm = p == 0 ? 0 : p == 1 ? 1 : p == 2 ? 2 : std::isinf(p) ? 3 : 4;
  Arguments given{};
  given.a = a.raw(), given.b = b.raw(), given.y = y.raw(), given.p = p;
  given.rows = y.size(y.dim() - 2), given.columns = y.size(y.dim() - 1);
  given.m = a.size(a.dim() - 1), given.batch = y.numel() / (given.rows * given.columns);
  given.group = static_cast<int32_t>(std::min<int64_t>(power_of_two(given.m), 32));
  static auto* table = new KernelTable;
  table->run(
      static_cast<uint64_t>(norm) << 8 | static_cast<uint64_t>(y.dtype()),
      [&] {
        return FamilyKernel{
            "distance", "DistanceArguments",
            concat("distances<", device_type(y.dtype()), ", Norm::", kNorms[norm], ">")};
      },
      &given, {.x = blocks_for(y.numel(), 256 / given.group), .threads = 256}, y.device().index,
      "cdist");
}

}  // namespace lampas::cuda
