// Sampling of images on grids, and the grids of affine maps.
#include "cpu/grid_sampling.h"

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using cpu::GridShape;
using tape::Backward;
using tape::needs_grad;
using tape::record;

Tensor row_major(const Tensor& x) { return contiguous(x.requires_grad() ? plain(x) : x); }

void check_grid(const Tensor& x, const Tensor& grid, int64_t interpolation) {
  CHECK(x.device() == grid.device(),
        "grid_sampler(): expected input and grid to be on same device, but input is on ",
        to_string(x.device()), " and grid is on ", to_string(grid.device()));
  CHECK(
      x.dim() > 0 && grid.dim() > 0 && x.size(0) == grid.size(0),
      "grid_sampler(): expected grid and input to have same batch size, but got input with sizes ",
      to_string(x.sizes()), " and grid with sizes ", to_string(grid.sizes()));
  CHECK(grid.size(grid.dim() - 1) == x.dim() - 2, "grid_sampler(): expected grid to have size ",
        x.dim() - 2, " in last dimension, but got grid with sizes ", to_string(grid.sizes()));
  for (int64_t d = 2; d < x.dim(); ++d)
    CHECK(
        x.size(d) > 0,
        "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes ",
        to_string(x.sizes()), " with dimension ", d, " being empty");
  CHECK((x.dim() == 4 || x.dim() == 5) && x.dim() == grid.dim(), "grid_sampler(): expected ",
        x.dim() == 4 ? "4D" : "5D",
        " input and grid with same number of dimensions, but got input with sizes ",
        to_string(x.sizes()), " and grid with sizes ", to_string(grid.sizes()));
  CHECK(x.dim() == 4 || interpolation != 2,
        "grid_sampler(): bicubic interpolation only supports 4D input");
  CHECK(x.dtype() == grid.dtype(), "expected scalar type ", label(x.dtype()), " but found ",
        label(grid.dtype()));
}

GridShape shape_of(const Tensor& x, const Tensor& grid, int64_t interpolation, int64_t padding,
                   bool align_corners) {
  GridShape s;
  s.batch = x.size(0);
  s.channels = x.size(1);
  s.spatial = static_cast<int>(x.dim() - 2);
  s.places = 1;
  for (int64_t d = 1; d + 1 < grid.dim(); ++d) s.places *= grid.size(d);
  s.in[0] = 1;
  for (int d = 0; d < s.spatial; ++d) s.in[3 - s.spatial + d] = x.size(2 + d);
  // As PyTorch: an unknown number means the last kind.
  s.sampling = interpolation == 0   ? cpu::Sampling::linear
               : interpolation == 1 ? cpu::Sampling::nearest
                                    : cpu::Sampling::cubic;
  if (s.spatial == 3 && interpolation != 0) s.sampling = cpu::Sampling::nearest;
  s.outside = padding == 0   ? cpu::Outside::zeros
              : padding == 1 ? cpu::Outside::border
                             : cpu::Outside::reflection;
  s.align_corners = align_corners;
  return s;
}

const char* kernel_name(int spatial) {
  return spatial == 2 ? "grid_sampler_2d_cpu_kernel_impl" : "grid_sampler_3d_cpu";
}

// The gradient of `gradients` below; what follows it does not exist, as in PyTorch.
Tensors second_gradients(const Backward& b, const GridShape& s) {
  Tensor g = b.saved(0), x = b.saved(1), grid = b.saved(2);
  Tensor of_dx = b.grads[0].defined() ? b.grads[0] : zeros_like(x);
  Tensor of_dgrid = b.grads[1].defined() ? b.grads[1] : zeros_like(grid);
  Tensor dg = empty(g.sizes(), g.dtype(), g.device()), dx = empty(x.sizes(), x.dtype(), x.device()),
         dgrid = empty(grid.sizes(), grid.dtype(), grid.device());
  KERNEL(grid_sample_second, dg, dx, dgrid, row_major(of_dx), row_major(of_dgrid), row_major(g),
         row_major(x), row_major(grid), s, kernel_name(s.spatial));
  if (needs_grad(g, x, grid, of_dx, of_dgrid))
    record({&dg, &dx, &dgrid}, "NotImplemented", {g, x, grid, of_dx, of_dgrid}, {},
           [spatial = s.spatial](const Backward&) -> Tensors {
             fail("derivative for aten::grid_sampler_", spatial,
                  "d_backward_backward is not implemented");
           });
  // As PyTorch: the nearest element's share does not move with the image.
  return {dg, s.sampling == cpu::Sampling::nearest ? Tensor() : dx, dgrid};
}

Pair gradients(const Tensor& g, const Tensor& x, const Tensor& grid, const GridShape& s,
               bool of_input) {
  Tensor dx, dgrid = empty(grid.sizes(), grid.dtype(), grid.device());
  if (of_input) dx = empty(x.sizes(), x.dtype(), x.device());
  KERNEL(grid_sample_backward, dgrid, dx, row_major(g), row_major(x), row_major(grid), s,
         kernel_name(s.spatial));
  if (needs_grad(g, x, grid))
    record({&dx, &dgrid},
           s.spatial == 2 ? "GridSampler2DBackwardBackward0" : "GridSampler3DBackwardBackward0",
           {g, x, grid}, {g, x, grid}, [s](const Backward& b) { return second_gradients(b, s); });
  return {dx, dgrid};
}

// (1, places, spatial + 1): the places of an image in [-1, 1], last dimension first, and a one.
Tensor base_grid(Span extents, bool align_corners, DType dtype, Device device) {
  size_t n = extents.size();
  Dims sizes(extents);
  sizes.push_back(static_cast<int64_t>(n) + 1);
  Tensor grid = ones(sizes, dtype, device);
  for (size_t d = 0; d < n; ++d) {
    int64_t count = extents[n - 1 - d];
    Tensor line = count > 1 ? linspace(Scalar(-1), Scalar(1), count, dtype, device, false, false)
                            : zeros(Dims{count}, dtype, device);
    if (!align_corners && count > 1)
      line = line * (static_cast<double>(count - 1) / static_cast<double>(count));
    Dims shape(n, 1);
    shape[n - 1 - d] = count;
    copy_values(select(grid, -1, static_cast<int64_t>(d)), expand(view(line, shape), extents));
  }
  return view(grid, Dims{1, -1, static_cast<int64_t>(n) + 1});
}

}  // namespace

Tensor grid_sampler(const Tensor& x, const Tensor& grid, int64_t interpolation_mode,
                    int64_t padding_mode, bool align_corners) {
  check_grid(x, grid, interpolation_mode);
  GridShape s = shape_of(x, grid, interpolation_mode, padding_mode, align_corners);
  if (!x.is_floating()) fail_dtype(kernel_name(s.spatial), x.dtype());
  Dims sizes{x.size(0), x.size(1)};
  for (int64_t d = 1; d + 1 < grid.dim(); ++d) sizes.push_back(grid.size(d));
  Tensor y = empty(sizes, x.dtype(), x.device());
  KERNEL(grid_sample, y, row_major(x), row_major(grid), s, kernel_name(s.spatial));
  if (needs_grad(x, grid))
    record(y, s.spatial == 2 ? "GridSampler2DBackward0" : "GridSampler3DBackward0", {x, grid},
           {x, grid}, [s](const Backward& b) -> Tensors {
             auto [dx, dgrid] = gradients(b.g, b.saved(0), b.saved(1), s, b.needs(0));
             return {dx, dgrid};
           });
  return y;
}

Tensor affine_grid_generator(const Tensor& theta, Span size, bool align_corners) {
  CHECK(size.size() == 4 || size.size() == 5,
        "AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.");
  CHECK(theta.dim() == 3, "batch2 must be a 3D tensor");
  Dims extents(size.subspan(2)), result{size[0]};
  int64_t n = static_cast<int64_t>(extents.size());
  for (int64_t extent : extents) result.push_back(extent);
  result.push_back(n);
  auto base = [extents, align_corners, batch = size[0]](const Tensor& like) {
    tape::NoGrad off;
    Tensor grid = base_grid(extents, align_corners, like.dtype(), like.device());
    return expand(grid, Dims{batch, grid.size(1), grid.size(2)});
  };
  Tensor y;
  {
    tape::NoGrad off;
    y = reshape(bmm(base(theta), transpose(theta, 1, 2)), result);
  }
  if (needs_grad(theta))
    record(y, "AffineGridGeneratorBackward0", {theta}, {}, [base, n](const Backward& b) -> Tensors {
      Tensor g = reshape(b.g, Dims{b.g.size(0), -1, n});
      return {transpose(bmm(transpose(base(b.g), 1, 2), g), 1, 2)};
    });
  return y;
}

}  // namespace lampas::ops
