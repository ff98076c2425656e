// See ranges.h.
#include "cuda/ranges.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

// Mirrors of device/pointwise.h and device/ranges.h.
struct Number {
  double re, im;
  int64_t whole;
};
struct RangeArguments {
  void* y;
  int64_t n;
  Number first, second;
  double base;
};

Number number_of(const Scalar& x) {
  auto z = x.to<ComplexDouble>();
  return {z.real(), z.imag(), x.to<int64_t>()};
}

void run(const char* name, const Tensor& y, const Scalar& first, const Scalar& second,
         double base) {
  if (y.numel() == 0) return;
  RangeArguments a{y.raw(), y.numel(), number_of(first), number_of(second), base};
  static auto* table = new KernelTable;
  table->run(
      kernel_key(y.dtype(), name[1] - 'a'),
      [&] {
        return FamilyKernel{"ranges", "RangeArguments",
                            concat(name, "<", device_type(y.dtype()), ">")};
      },
      &a, grid_of(a.n), y.device().index, name);
}

}  // namespace

void arange(On, const Tensor& y, const Scalar& start, const Scalar& step) {
  run("arange", y, start, step, 0);
}
void linspace(On, const Tensor& y, const Scalar& start, const Scalar& end) {
  run("linspace", y, start, end, 0);
}
void logspace(On, const Tensor& y, const Scalar& start, const Scalar& end, double base) {
  run("logspace", y, start, end, base);
}

}  // namespace lampas::cuda
