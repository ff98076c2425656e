// See grid_sampling.h.
#include "cuda/grid_sampling.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

struct GridArguments {  // of device/grid_sampling.h
  void *y, *dgrid, *sums;
  const void *x, *grid, *g;
  int64_t n, channels, places, in[3], spatial, outside, align_corners;
};

GridArguments arguments(const Tensor& x, const Tensor& grid, const cpu::GridShape& s,
                        const char* name) {
  CHECK_KIND(is_floating(x.dtype()), NotImplemented, "\"", name, "\" not implemented for '",
             label(x.dtype()), "'");
  return {nullptr,
          nullptr,
          nullptr,
          x.raw(),
          grid.raw(),
          nullptr,
          s.batch * s.places,
          s.channels,
          s.places,
          {s.in[0], s.in[1], s.in[2]},
          s.spatial,
          static_cast<int64_t>(s.outside),
          s.align_corners};
}

void run(const char* kernel, const GridArguments& a, DType dtype, const cpu::GridShape& s,
         int device) {
  if (a.n == 0) return;
  const char* sampling = s.sampling == cpu::Sampling::linear    ? "Sampling::linear"
                         : s.sampling == cpu::Sampling::nearest ? "Sampling::nearest"
                                                                : "Sampling::cubic";
  run_family({"grid_sampling", "GridArguments",
              concat(kernel, "<", device_type(dtype), ", ", sampling, ">")},
             &a, grid_of(a.n), device, "grid_sampler");
}

}  // namespace

void grid_sample(On, const Tensor& y, const Tensor& x, const Tensor& grid, const cpu::GridShape& s,
                 const char* name) {
  GridArguments a = arguments(x, grid, s, name);
  a.y = y.raw();
  if (y.numel()) run("grid_sample", a, x.dtype(), s, x.device().index);
}

void grid_sample_backward(On, const Tensor& dgrid, const Tensor& dx, const Tensor& g,
                          const Tensor& x, const Tensor& grid, const cpu::GridShape& s,
                          const char* name) {
  GridArguments a = arguments(x, grid, s, name);
  a.dgrid = dgrid.raw();
  a.g = g.raw();
  Tensor sums = dx;
  if (dx.defined()) {
    if (is_reduced(dx.dtype())) sums = empty(dx.sizes(), DType::Float, dx.device());
    fill(On{}, sums, 0);
    a.sums = sums.raw();
  }
  run("grid_sample_backward", a, x.dtype(), s, x.device().index);
  if (dx.defined() && !sums.is(dx)) copy(On{}, dx, sums);
}

}  // namespace lampas::cuda
