// See resampling.h.
#include "cuda/resampling.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

// Mirrors of device/resampling.h.
struct ResizeAxis {
  int64_t in, out;
  double scale;
  int64_t same;
};
struct ResizeArguments {
  void *y, *x;
  int64_t n, align_corners, planar;
  ResizeAxis axes[3];
};

const char* name_of(cpu::Filter filter) {
  switch (filter) {
    case cpu::Filter::nearest:
      return "Filter::nearest";
    case cpu::Filter::nearest_exact:
      return "Filter::nearest_exact";
    case cpu::Filter::linear:
      return "Filter::linear";
    case cpu::Filter::cubic:
      return "Filter::cubic";
    case cpu::Filter::linear_antialiased:
      return "Filter::linear_antialiased";
    default:
      return "Filter::cubic_antialiased";
  }
}

// Every output is the input of its number: what the taps would give, but for rounding.
bool stays(const cpu::ResizeAxis& a, bool align_corners) {
  return a.in == a.out && (align_corners || a.scale == 0 || a.scale == 1);
}

void run(const char* kernel, const Tensor& y, const Tensor& x, const Tensor& made,
         const cpu::ResizeShape& s) {
  ResizeArguments a{y.raw(), x.raw(), made.numel(), s.align_corners, s.planar, {}};
  if (a.n == 0) return;
  for (int d = 0; d < 3; ++d)
    a.axes[d] = {s.axes[d].in, s.axes[d].out, s.axes[d].scale, stays(s.axes[d], s.align_corners)};
  static auto* table = new KernelTable;
  bool back = made.is(x);
  table->run(
      kernel_key(back, made.dtype(), s.filter, is_wide(a.n)),
      [&] {
        return FamilyKernel{"resampling", "ResizeArguments",
                            concat(kernel, "<", device_type(made.dtype()), ", ", name_of(s.filter),
                                   ", ", index_type(a.n), ">")};
      },
      &a, grid_of(a.n), made.device().index, kernel);
}

}  // namespace

void resize(On, const Tensor& y, const Tensor& x, const cpu::ResizeShape& s, const char* name) {
  CHECK_KIND(is_floating(x.dtype()) || x.dtype() == DType::UInt8, NotImplemented, "\"", name,
             "\" not implemented for '", label(x.dtype()), "'");
  run("resize", y, x, y, s);
}
void resize_backward(On, const Tensor& dx, const Tensor& g, const cpu::ResizeShape& s,
                     const char* name) {
  CHECK_KIND(is_floating(dx.dtype()), NotImplemented, "\"", name, "\" not implemented for '",
             label(dx.dtype()), "'");
  if (g.numel() == 0) return fill(On{}, dx, 0);
  run("resize_backward", g, dx, dx, s);
}

}  // namespace lampas::cuda
