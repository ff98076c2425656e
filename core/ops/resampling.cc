// Resizing of images (N, C, *): nearest, linear, cubic and antialiased. Sampling on grids is in
// grid_sampling.cc.
#include "cpu/resampling.h"

#include "ops/formats.h"
#include "ops/kernel.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using cpu::Filter;
using cpu::ResizeShape;
using tape::Backward;
using tape::needs_grad;
using tape::record;

// What differs between the operators.
struct Resizing {
  const char *node, *second_node;
  const char* kernel;  // name in "not implemented for" errors
  bool bytes;          // uint8 is supported
};

struct Resize {
  ResizeShape shape;
  Resizing words;
  int spatial;
  MemoryFormat format;
};

Dims with_extents(Span sizes, const Resize& r, bool output) {
  Dims result(sizes);
  for (int d = 0; d < r.spatial; ++d) {
    const cpu::ResizeAxis& axis = r.shape.axes[3 - r.spatial + d];
    result[static_cast<size_t>(2 + d)] = output ? axis.out : axis.in;
  }
  return result;
}

Tensor row_major(const Tensor& x) { return contiguous(x.requires_grad() ? plain(x) : x); }

Tensor shrunk_gradient(const Tensor& g, const Resize& r);

Tensor resized(const Tensor& x, const Resize& r) {
  Tensor y = empty(with_extents(x.sizes(), r, true), x.dtype(), x.device());
  KERNEL(resize, y, row_major(x), r.shape, r.words.kernel);
  {
    tape::NoGrad off;
    y = in_format(y, r.format);
  }
  if (needs_grad(x))
    record(y, r.words.node, {x}, {},
           [r](const Backward& b) -> Tensors { return {shrunk_gradient(b.g, r)}; });
  return y;
}

// The adjoint of resized().
Tensor shrunk_gradient(const Tensor& g, const Resize& r) {
  Tensor dx = empty(with_extents(g.sizes(), r, false), g.dtype(), g.device());
  KERNEL(resize_backward, dx, row_major(g), r.shape, r.words.kernel);
  {
    tape::NoGrad off;
    dx = in_format(dx, r.format);
  }
  if (needs_grad(g))
    record(dx, r.words.second_node, {g}, {},
           [r](const Backward& b) -> Tensors { return {resized(b.g, r)}; });
  return dx;
}

void check_extents(const Tensor& x, Span size, int spatial) {
  bool positive = true;
  for (int d = 0; d < spatial; ++d)
    positive &= x.size(2 + d) > 0 && size[static_cast<size_t>(d)] > 0;
  if (positive) return;
  const char* names = "DHW" + (3 - spatial);
  auto text = [&](auto&& extent) {
    std::string list;
    for (int d = 0; d < spatial; ++d) list += concat(d ? ", " : "", names[d], ": ", extent(d));
    return list;
  };
  fail("Input and output sizes should be greater than 0, but got input (",
       text([&](int d) { return x.size(2 + d); }), ") ", spatial == 1 ? "and " : "", "output (",
       text([&](int d) { return size[static_cast<size_t>(d)]; }), ")");
}

Tensor run(const Tensor& x, Span size, Filter filter, bool align_corners,
           std::initializer_list<Optional<double>> scales, const Resizing& words) {
  int spatial = static_cast<int>(scales.size());
  CHECK(static_cast<int>(size.size()) == spatial, "It is expected output_size equals to ", spatial,
        ", but got size ", size.size());
  CHECK(x.dim() == spatial + 2, "It is expected input_size equals to ", spatial + 2,
        ", but got size ", x.dim());
  check_extents(x, size, spatial);
  CHECK(x.size(1) != 0, "Non-empty ", spatial + 2,
        "D data tensor expected but got a tensor with sizes ", to_string(x.sizes()));
  Resize r{{}, words, spatial, image_format(x)};
  r.shape.planes = x.size(0) * x.size(1);
  r.shape.filter = filter;
  r.shape.align_corners = align_corners;
  r.shape.planar = spatial == 2;
  constexpr int64_t most = int64_t{1} << 31;
  for (int d = 0; d < spatial; ++d) {
    cpu::ResizeAxis& axis = r.shape.axes[3 - spatial + d];
    const Optional<double>& scale = scales.begin()[d];
    axis = {x.size(2 + d), size[static_cast<size_t>(d)], scale && *scale > 0 ? *scale : 0};
    CHECK(axis.in < most && axis.out < most,
          "resizing: sizes of 2**31 and above are not supported");
  }
  if (!is_floating(x.dtype()) && !(words.bytes && x.dtype() == DType::UInt8))
    fail_dtype(words.kernel, x.dtype());
  bool antialiased = filter >= Filter::linear_antialiased;
  if (antialiased && is_reduced(x.dtype())) fail_dtype(words.kernel, x.dtype());
  return resized(x, r);
}

#define WORDS(name, kernel, bytes) \
  Resizing { "Upsample" name "Backward0", "Upsample" name "BackwardBackward0", kernel, bytes }

}  // namespace

Tensor upsample_nearest1d(const Tensor& x, Span output_size, Optional<double> scales) {
  return run(x, output_size, Filter::nearest, false, {scales},
             WORDS("Nearest1D", "compute_indices_weights_nearest", true));
}
Tensor upsample_nearest2d(const Tensor& x, Span output_size, Optional<double> scales_h,
                          Optional<double> scales_w) {
  return run(x, output_size, Filter::nearest, false, {scales_h, scales_w},
             WORDS("Nearest2D", "upsample_nearest2d_channels_last", true));
}
Tensor upsample_nearest3d(const Tensor& x, Span output_size, Optional<double> scales_d,
                          Optional<double> scales_h, Optional<double> scales_w) {
  return run(x, output_size, Filter::nearest, false, {scales_d, scales_h, scales_w},
             WORDS("Nearest3D", "compute_indices_weights_nearest", true));
}
Tensor _upsample_nearest_exact1d(const Tensor& x, Span output_size, Optional<double> scales) {
  return run(x, output_size, Filter::nearest_exact, false, {scales},
             WORDS("NearestExact1D", "compute_indices_weights_nearest", true));
}
Tensor _upsample_nearest_exact2d(const Tensor& x, Span output_size, Optional<double> scales_h,
                                 Optional<double> scales_w) {
  return run(x, output_size, Filter::nearest_exact, false, {scales_h, scales_w},
             WORDS("NearestExact2D", "upsample_nearest2d_channels_last", true));
}
Tensor _upsample_nearest_exact3d(const Tensor& x, Span output_size, Optional<double> scales_d,
                                 Optional<double> scales_h, Optional<double> scales_w) {
  return run(x, output_size, Filter::nearest_exact, false, {scales_d, scales_h, scales_w},
             WORDS("NearestExact3D", "compute_indices_weights_nearest", true));
}
Tensor upsample_linear1d(const Tensor& x, Span output_size, bool align_corners,
                         Optional<double> scales) {
  return run(x, output_size, Filter::linear, align_corners, {scales},
             WORDS("Linear1D", "compute_indices_weights_linear", false));
}
Tensor upsample_bilinear2d(const Tensor& x, Span output_size, bool align_corners,
                           Optional<double> scales_h, Optional<double> scales_w) {
  return run(x, output_size, Filter::linear, align_corners, {scales_h, scales_w},
             WORDS("Bilinear2D", "upsample_bilinear2d_channels_last", true));
}
Tensor upsample_trilinear3d(const Tensor& x, Span output_size, bool align_corners,
                            Optional<double> scales_d, Optional<double> scales_h,
                            Optional<double> scales_w) {
  return run(x, output_size, Filter::linear, align_corners, {scales_d, scales_h, scales_w},
             WORDS("Trilinear3D", "compute_indices_weights_linear", false));
}
Tensor upsample_bicubic2d(const Tensor& x, Span output_size, bool align_corners,
                          Optional<double> scales_h, Optional<double> scales_w) {
  return run(x, output_size, Filter::cubic, align_corners, {scales_h, scales_w},
             WORDS("Bicubic2D", "compute_indices_weights_cubic", true));
}
Tensor _upsample_bilinear2d_aa(const Tensor& x, Span output_size, bool align_corners,
                               Optional<double> scales_h, Optional<double> scales_w) {
  return run(x, output_size, Filter::linear_antialiased, align_corners, {scales_h, scales_w},
             WORDS("Bilinear2DAa", "compute_index_ranges_weights", true));
}
Tensor _upsample_bicubic2d_aa(const Tensor& x, Span output_size, bool align_corners,
                              Optional<double> scales_h, Optional<double> scales_w) {
  return run(x, output_size, Filter::cubic_antialiased, align_corners, {scales_h, scales_w},
             WORDS("Bicubic2DAa", "compute_index_ranges_weights", true));
}

}  // namespace lampas::ops
