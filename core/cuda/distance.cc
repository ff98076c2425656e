// See distance.h.
#include "cuda/distance.h"

#include <cmath>

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

struct DistanceArguments {  // of device/distance.h
  void* y;
  const void *a, *b;
  int64_t rows, others, width, tiles;
  double p;
};

}  // namespace

void distances(On, const Tensor& y, const Tensor& a, const Tensor& b, double p) {
  if (y.numel() == 0) return;
  CHECK_KIND(is_floating(y.dtype()), NotImplemented, "\"cdist_cuda\" not implemented for '",
             label(y.dtype()), "'");
  int64_t rows = y.size(y.dim() - 2), others = y.size(y.dim() - 1);
  int64_t tiles = ((rows + 15) / 16) * ((others + 15) / 16);
  DistanceArguments d{y.raw(), a.raw(), b.raw(), rows, others, a.size(a.dim() - 1), tiles, p};
  const char* norm = p == 0          ? "zero"
                     : p == 1        ? "one"
                     : p == 2        ? "two"
                     : std::isinf(p) ? "infinite"
                                     : "any";
  run_family({"distance", "DistanceArguments",
              concat("distances<", device_type(y.dtype()), ", Norm::", norm, ">")},
             &d, {.x = blocks_for(y.numel() / (rows * others) * tiles, 1), .threads = 256},
             y.device().index, "cdist");
}

}  // namespace lampas::cuda
