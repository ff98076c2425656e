// Pooling to a given size: windows that share an extent out evenly.
#include "ops/pooling.h"
#include "tape/tape.h"

namespace lampas::ops {

namespace {

using cpu::PoolShape;

PoolShape shape_of(const Tensor& x, Span size, int spatial) {
  PoolShape s;
  s.planes = plane_count(x, spatial);
  constexpr int64_t most = int64_t{1} << 31;
  for (int i = 0; i < spatial; ++i) {
    cpu::PoolAxis& axis = s.axes[3 - spatial + i];
    axis.adaptive = true;
    axis.in = x.size(x.dim() - spatial + i);
    axis.out = size[static_cast<size_t>(i)];
    if (axis.out > 0 && axis.in % axis.out == 0) {  // windows of one size, side by side
      axis.adaptive = false;
      axis.kernel = axis.stride = axis.in / axis.out;
    }
    CHECK(axis.in < most && axis.out < most,
          "adaptive pooling: sizes of 2**31 and above are not supported");
  }
  return s;
}

// One number stands for every dimension.
Dims sizes_of(Span size, int spatial) {
  return size.size() == 1 ? Dims(static_cast<size_t>(spatial), size[0]) : Dims(size);
}

std::string dims_text(int spatial) {
  return concat("Expected ", spatial + 1, "D or ", spatial + 2, "D tensor, but got");
}

Tensor average(const Tensor& x, Span output_size, int spatial, const char* kernel, const char* node,
               const char* second_node) {
  std::string name = concat("adaptive_avg_pool", spatial, "d");
  CHECK(static_cast<int>(output_size.size()) == spatial, name, ": output_size must be ", spatial);
  const Span& n = output_size;
  CHECK(*std::min_element(n.begin(), n.end()) >= 0, name,
        ": elements of output_size must be greater than or equal to 0 but received {", n[0], ", ",
        n[1], spatial == 3 ? concat(",", n[2]) : "", "}");
  if (std::all_of(n.begin(), n.end(), [](int64_t v) { return v == 1; }) && x.dim() >= spatial) {
    Dims dims;
    for (int d = spatial; d > 0; --d) dims.push_back(-d);
    return mean(x, dims, true, {});
  }
  CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, name, "(): ", dims_text(spatial), " ",
        to_string(x.sizes()));
  for (int64_t d = x.dim() - spatial; d < x.dim(); ++d)
    CHECK(x.size(d) > 0, name,
          "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ",
          to_string(x.sizes()), " with dimension ", d, " being empty");
  bool none = std::count(n.begin(), n.end(), 0) > 0;  // nothing to compute: any type will do
  if (!x.is_floating() && !none) fail_dtype(kernel, x.dtype());
  MemoryFormat format = spatial == 2 ? image_format(x) : MemoryFormat::Contiguous;
  return average_pooled(x, {shape_of(x, n, spatial), spatial, format, kernel, node, second_node});
}

Pair maximum(const char* name, const Tensor& x, Span output_size, int spatial, const char* kernel,
             const char* node) {
  CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, name, "(): ", dims_text(spatial), ": ",
        to_string(x.sizes()));
  for (int64_t d = x.dim() == spatial + 2 ? 1 : 0; d < x.dim(); ++d)
    CHECK(x.size(d) > 0, name,
          "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ",
          to_string(x.sizes()), " with dimension ", d, " being empty");
  CHECK(static_cast<int>(output_size.size()) == spatial, name,
        "(): internal error: output_size.size() must be ", spatial);
  Dims sizes = x.sizes();
  for (int i = 0; i < spatial; ++i)
    sizes[sizes.size() - static_cast<size_t>(spatial - i)] = output_size[static_cast<size_t>(i)];
  for (int64_t size : output_size)
    CHECK(size >= 0, "Trying to create tensor with negative dimension ", size, ": ",
          to_string(sizes));
  if (!x.is_floating()) fail_dtype(kernel, x.dtype());
  MemoryFormat format = spatial == 2 ? image_format(x) : MemoryFormat::Contiguous;
  return max_pooled(x, {shape_of(x, output_size, spatial), spatial, format, kernel, node, ""},
                    true);
}

Dims one_size(const char* name, Span output_size) {
  CHECK(output_size.size() == 1, name, "() argument 'output_size' should contain one int (got ",
        output_size.size(), ")");
  return Dims{1, output_size[0]};
}

}  // namespace

Tensor adaptive_avg_pool1d(const Tensor& x, Span output_size) {
  constexpr const char* name = "adaptive_avg_pool1d";
  Dims size = one_size(name, output_size);
  check_line_rank(name, x);
  return squeeze(adaptive_avg_pool2d(unsqueeze(x, -2), size), -2);
}
Tensor adaptive_avg_pool2d(const Tensor& x, Span output_size) {
  return average(x, output_size, 2, "adaptive_avg_pool2d", "AdaptiveAvgPool2DBackward0",
                 "AdaptiveAvgPool2DBackwardBackward0");
}
Tensor adaptive_avg_pool2d_square(const Tensor& x, int64_t output_size) {
  return adaptive_avg_pool2d(x, sizes_of(Dims{output_size}, 2));
}
Tensor adaptive_avg_pool3d(const Tensor& x, Span output_size) {
  return average(x, output_size, 3, "adaptive_avg_pool3d_cpu", "AdaptiveAvgPool3DBackward0",
                 "AdaptiveAvgPool3DBackwardBackward0");
}
Tensor adaptive_avg_pool3d_cube(const Tensor& x, int64_t output_size) {
  return adaptive_avg_pool3d(x, sizes_of(Dims{output_size}, 3));
}

Pair adaptive_max_pool1d(const Tensor& x, Span output_size) {
  constexpr const char* name = "adaptive_max_pool1d";
  check_line_rank(name, x);
  Dims size = one_size(name, output_size);
  for (int64_t d = x.dim() == 3 ? 1 : 0; d < x.dim(); ++d)
    CHECK(x.size(d) > 0, name,
          "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ",
          to_string(x.sizes()), " with dimension ", d, " being empty");
  auto [y, indices] = adaptive_max_pool2d(unsqueeze(x, -2), size);
  return {squeeze(y, -2), squeeze(indices, -2)};
}
Pair adaptive_max_pool2d(const Tensor& x, Span output_size) {
  return maximum("adaptive_max_pool2d", x, output_size, 2, "adaptive_max_pool2d",
                 "AdaptiveMaxPool2DBackward0");
}
Pair adaptive_max_pool2d_square(const Tensor& x, int64_t output_size) {
  return adaptive_max_pool2d(x, sizes_of(Dims{output_size}, 2));
}
Pair adaptive_max_pool3d(const Tensor& x, Span output_size) {
  return maximum("adaptive_max_pool3d", x, output_size, 3, "adaptive_max_pool3d_cpu",
                 "AdaptiveMaxPool3DBackward0");
}
Pair adaptive_max_pool3d_cube(const Tensor& x, int64_t output_size) {
  return adaptive_max_pool3d(x, sizes_of(Dims{output_size}, 3));
}

}  // namespace lampas::ops
