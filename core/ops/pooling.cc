// Pooling with windows of a fixed size. Pooling to a given size is in adaptive_pooling.cc; both
// share the recorded operators at the top of this file.
#include "ops/pooling.h"

#include "ops/kernel.h"
#include "ops/views.h"

namespace lampas::ops {

using cpu::PoolAxis;
using cpu::PoolShape;
using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

Dims pooled_sizes(Span sizes, const PoolShape& s, int spatial, bool output) {
  Dims result(sizes);
  for (int d = 0; d < spatial; ++d) {
    const PoolAxis& axis = s.axes[3 - spatial + d];
    result[result.size() - static_cast<size_t>(spatial - d)] = output ? axis.out : axis.in;
  }
  return result;
}

// The CPU's kernels walk contiguous planes; a GPU's take the format of the result as well.
MemoryFormat walked_format(const Tensor& x, const Pooling& p) {
  return x.device().is_cuda() ? p.format : MemoryFormat::Contiguous;
}
Tensor laid_out(const Tensor& x, const Pooling& p) {
  return contiguous(x.requires_grad() ? plain(x) : x, walked_format(x, p));
}
Tensor made(Span sizes, DType dtype, const Tensor& like, const Pooling& p) {
  return empty_format(sizes, dtype, like.device(), walked_format(like, p));
}

// The gradient of max pooling: g scattered to the maxima of planes of `sizes`. Differentiable.
Tensor scattered_to_maxima(const Tensor& g, const Tensor& indices, const Pooling& p) {
  Dims sizes = pooled_sizes(g.sizes(), p.shape, p.spatial, false);
  if (tape::grad_enabled()) {
    int64_t in = p.shape.in_volume(), out = p.shape.out_volume(), planes = p.shape.planes;
    Tensor flat = zeros(Dims{planes, in}, g.dtype(), g.device());
    Tensor sum =
        scatter_add(flat, 1, reshape(indices, Dims{planes, out}), reshape(g, Dims{planes, out}));
    return reshape(sum, sizes);
  }
  Tensor dx = made(sizes, g.dtype(), g, p);
  KERNEL(max_pool_backward, dx, laid_out(g, p), laid_out(indices, p), p.shape);
  return in_format(dx, p.format);
}

Tensor spread(const Tensor& g, const Pooling& p);

Tensor averaged(const Tensor& x, const Pooling& p, const char* node) {
  Tensor y = made(pooled_sizes(x.sizes(), p.shape, p.spatial, true), x.dtype(), x, p);
  KERNEL(average_pool, y, laid_out(x, p), p.shape, p.kernel);
  {
    tape::NoGrad off;
    y = in_format(y, p.format);
  }
  if (needs_grad(x))
    record(y, node, {x}, {}, [p](const Backward& b) -> Tensors {
      return {spread(b.g, p)};
    })->piecewise = true;
  return y;
}

// The adjoint of averaged().
Tensor spread(const Tensor& g, const Pooling& p) {
  Tensor dx = made(pooled_sizes(g.sizes(), p.shape, p.spatial, false), g.dtype(), g, p);
  KERNEL(average_pool_backward, dx, laid_out(g, p), p.shape, p.kernel);
  {
    tape::NoGrad off;
    dx = in_format(dx, p.format);
  }
  if (needs_grad(g))
    record(dx, p.second_node, {g}, {},
           [p](const Backward& b) -> Tensors { return {averaged(b.g, p, p.node)}; });
  return dx;
}

}  // namespace

Tensor average_pooled(const Tensor& x, const Pooling& p) { return averaged(x, p, p.node); }

Pair max_pooled(const Tensor& x, const Pooling& p, bool indices_wanted) {
  Dims sizes = pooled_sizes(x.sizes(), p.shape, p.spatial, true);
  Tensor y = made(sizes, x.dtype(), x, p), indices;
  if (indices_wanted || needs_grad(x)) indices = made(sizes, DType::Int64, x, p);
  KERNEL(max_pool, y, indices, laid_out(x, p), p.shape, p.kernel);
  {
    tape::NoGrad off;
    y = in_format(y, p.format);
    if (indices_wanted) indices = in_format(indices, p.format);
  }
  if (needs_grad(x))
    record({&y, &indices}, p.node, {x}, {indices}, [p](const Backward& b) -> Tensors {
      return {scattered_to_maxima(b.g, b.saved(0), p)};
    })->piecewise = true;
  return {y, indices};
}

int64_t plane_count(const Tensor& x, int spatial) {
  int64_t planes = 1;
  for (int64_t d = 0; d < x.dim() - spatial; ++d) planes *= x.size(d);
  return planes;
}

namespace {

constexpr const char* kWords[] = {"", "one int", "two ints", "three ints"};
constexpr const char* kAxisNames = "THW";

// The texts that differ between the operators.
struct Wording {
  const char* name;    // "max_pool2d"
  const char* kernel;  // name in "not implemented for"
  const char *node, *second_node;
  bool maximum;
};

// Axis by axis: "kT: 1 kH: 2 kW: 3", in two dimensions without T.
std::string named_axes(const char* before, const Dims& values) {
  std::string text;
  const char* axis = kAxisNames + 3 - values.size();
  for (size_t d = 0; d < values.size(); ++d)
    text += concat(d ? " " : "", before, axis[d], ": ", values[d]);
  return text;
}

Dims pool_list(const Wording& words, const char* what, Span values, int spatial) {
  if (values.size() == 1) return Dims(static_cast<size_t>(spatial), values[0]);
  bool kernel_style = words.maximum || spatial == 2;
  std::string_view name = what;
  std::string must =
      name == "stride" ? concat("must ", kernel_style ? "either " : "", "be omitted, a single int")
      : name == "dilation" ? "must be either a single int"
                           : concat("must ", kernel_style ? "either " : "", "be a single int");
  CHECK(static_cast<int>(values.size()) == spatial, words.name, ": ", what, " ", must,
        ", or a tuple of ", kWords[spatial]);
  return Dims(values);
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

int64_t pooled_extent(const PoolAxis& a, bool ceil_mode) {
  CHECK(a.stride != 0, "stride should not be zero");
  CHECK(a.padding >= 0, "pad must be non-negative, but got pad: ", a.padding);
  constexpr int64_t most = int64_t{1} << 31;
  auto within = [](int64_t n, int64_t limit) { return -limit < n && n < limit; };
  CHECK(within(a.kernel, most) && within(a.dilation, most) && within(a.stride, most << 8),
        "pooling: window sizes are too large");
  CHECK(a.padding <= ((a.kernel - 1) * a.dilation + 1) / 2,
        "pad should be at most half of effective kernel size, but got pad=", a.padding,
        ", kernel_size=", a.kernel, " and dilation=", a.dilation);
  int64_t span =
      a.in + 2 * a.padding - a.dilation * (a.kernel - 1) - 1 + (ceil_mode ? a.stride - 1 : 0);
  int64_t out = floor_div(span, a.stride) + 1;
  // The last window must begin inside the image or its left padding.
  if (ceil_mode && (out - 1) * a.stride >= a.in + a.padding) --out;
  return out;
}

std::string image_text(int64_t channels, const PoolShape& s, int spatial, bool output) {
  std::string text = concat("(", channels);
  for (int d = 3 - spatial; d < 3; ++d) text += concat("x", output ? s.axes[d].out : s.axes[d].in);
  return text + ")";
}

void check_image(const Wording& words, const Tensor& x, int spatial) {
  if (spatial == 2) {
    bool filled = x.dim() == 3 || x.dim() == 4;
    for (int64_t d = x.dim() == 4 ? 1 : 0; d < x.dim(); ++d) filled &= x.size(d) != 0;
    CHECK(
        filled,
        "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:",
        to_string(x.sizes()));
    return;
  }
  for (int64_t d = x.dim() == 5 ? 1 : 0; d < x.dim(); ++d)
    CHECK(x.size(d) > 0,
          words.maximum ? "max_pool3d_with_indices_out_cpu_template()" : "avg_pool3d()",
          ": Expected input's non-batch dimensions to have positive length, but input has a shape "
          "of ",
          to_string(x.sizes()), " and non-batch dimension ", x.dim() == 5 ? d - 1 : d,
          " has length zero!");
}

struct Windows {
  Dims kernel, stride, padding, dilation;
  bool ceil_mode;
};

PoolShape pool_shape(const Wording& words, const Tensor& x, const Windows& w, bool count_padding) {
  int spatial = static_cast<int>(w.kernel.size());
  if (words.maximum || spatial == 3) {
    CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, "non-empty ", spatial + 1, "D or ",
          spatial + 2, "D (batch mode) tensor expected for input");
  } else {
    wrap_dim(-3, x.dim());
  }
  PoolShape s;
  s.planes = plane_count(x, spatial);
  Dims in;
  for (int i = 0; i < spatial; ++i) {
    size_t d = static_cast<size_t>(i);
    in.push_back(x.size(x.dim() - spatial + i));
    PoolAxis& axis = s.axes[3 - spatial + i];
    axis = {in[d], 0, w.kernel[d], w.stride[d], w.padding[d], w.dilation[d], false, count_padding};
    axis.out = pooled_extent(axis, w.ceil_mode);
  }
  auto positive = [](const Dims& values) {
    return std::all_of(values.begin(), values.end(), [](int64_t v) { return v > 0; });
  };
  CHECK(positive(w.kernel), "kernel size should be greater than zero, but got ",
        named_axes("k", w.kernel));
  CHECK(positive(w.stride), "stride should be greater than zero, but got ",
        named_axes("d", w.stride));
  CHECK(positive(w.dilation), "dilation should be greater than zero, but got ",
        named_axes("dilation", w.dilation));
  check_image(words, x, spatial);
  if (spatial == 3 && !words.maximum)
    CHECK(in[0] >= w.kernel[0] && in[1] >= w.kernel[1] && in[2] >= w.kernel[2], "input image (",
          named_axes("", in), ") smaller than kernel size (", named_axes("k", w.kernel), ")");
  bool any = true;
  for (int d = 3 - spatial; d < 3; ++d) any &= s.axes[d].out >= 1;
  int64_t channels = x.size(x.dim() - spatial - 1);
  CHECK(any, "Given input size: ", image_text(channels, s, spatial, false),
        ". Calculated output size: ", image_text(channels, s, spatial, true),
        ". Output size is too small");
  return s;
}

Windows windows(const Wording& words, int spatial, Span kernel, const Optional<Dims>& stride,
                Span padding, Span dilation, bool ceil_mode) {
  Windows w;
  w.kernel = pool_list(words, "kernel_size", kernel, spatial);
  w.stride = stride && !stride->empty() ? pool_list(words, "stride", *stride, spatial) : w.kernel;
  w.padding = pool_list(words, "padding", padding, spatial);
  w.dilation = pool_list(words, "dilation", dilation, spatial);
  w.ceil_mode = ceil_mode;
  return w;
}

constexpr Wording kMax2d{"max_pool2d", "max_pool2d", "MaxPool2DWithIndicesBackward0", "", true};
constexpr Wording kMax3d{"max_pool3d", "max_pool3d", "MaxPool3DWithIndicesBackward0", "", true};
constexpr Wording kAverage2d{"avg_pool2d", "avg_pool2d", "AvgPool2DBackward0",
                             "AvgPool2DBackwardBackward0", false};
constexpr Wording kAverage3d{"avg_pool3d", "avg_pool3d_out_frame", "AvgPool3DBackward0",
                             "AvgPool3DBackwardBackward0", false};

Pooling pooling(const Wording& words, const Tensor& x, const PoolShape& s, int spatial) {
  return {s, spatial, image_format(x), words.kernel, words.node, words.second_node};
}

Pair max_of(const Wording& words, int spatial, const Tensor& x, Span kernel,
            const Optional<Dims>& stride, Span padding, Span dilation, bool ceil_mode,
            bool indices) {
  Windows w = windows(words, spatial, kernel, stride, padding, dilation, ceil_mode);
  return max_pooled(x, pooling(words, x, pool_shape(words, x, w, false), spatial), indices);
}

Tensor average_of(const Wording& words, int spatial, const Tensor& x, Span kernel,
                  const Optional<Dims>& stride, Span padding, bool ceil_mode,
                  bool count_include_pad, const Optional<int64_t>& divisor) {
  Windows w = windows(words, spatial, kernel, stride, padding, Dims{1}, ceil_mode);
  CHECK(!divisor || *divisor != 0, "divisor must be not zero");
  PoolShape s = pool_shape(words, x, w, count_include_pad);
  s.divisor = divisor.value_or(0);
  bool supported = is_floating(x.dtype()) || x.dtype() == DType::Int64;
  if (!supported || (spatial == 3 && is_reduced(x.dtype()))) fail_dtype(words.kernel, x.dtype());
  Pooling p = pooling(words, x, s, spatial);
  if (spatial == 3) p.format = MemoryFormat::Contiguous;
  return average_pooled(x, p);
}

// A kernel of one number as the two of a plane of height 1.
Dims with_height(const char* name, const char* what, Span values, int64_t height) {
  CHECK(values.size() == 1, name, "() argument '", what, "' should contain one int (got ",
        values.size(), ")");
  return Dims{height, values[0]};
}
Optional<Dims> with_height(const char* name, const char* what, const Optional<Dims>& values,
                           int64_t height) {
  if (!values || values->empty()) return {};
  return with_height(name, what, Span(*values), height);
}

void check_one(const char* what, const char* must, Span values) {
  CHECK(values.size() == 1, "max_pool1d() ", what, " must be ", must, " of size 1 but got size ",
        values.size());
}

// max_pool1d has words of its own.
void check_max_pool1d(const Tensor& x, Span kernel, const Optional<Dims>& steps, Span padding,
                      Span dilation, bool ceil_mode) {
  bool filled = x.dim() == 2 || x.dim() == 3;
  for (int64_t d = x.dim() == 3 ? 1 : 0; d < x.dim(); ++d) filled &= x.size(d) != 0;
  CHECK(filled,
        "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
        "input, but got:",
        to_string(x.sizes()));
  Span stride = steps && !steps->empty() ? Span(*steps) : kernel;
  check_one("kernel_size", "an int, list of ints or tuple of ints", kernel);
  check_one("stride", "None, an int, list of ints, or tuple of ints", stride);
  check_one("padding", "an int, list of ints, or tuple of ints", padding);
  check_one("dilation", "an int, list of ints or tuple of ints", dilation);
  int64_t k = kernel[0], s = stride[0], p = padding[0], d = dilation[0];
  CHECK(k > 0, "max_pool1d() kernel_size must be greater than zero, but got ", k);
  CHECK(s > 0, "max_pool1d() stride must be greater than zero, but got ", s);
  CHECK(p >= 0, "max_pool1d() padding must be non-negative, but got ", p);
  CHECK(p <= k / 2,
        "max_pool1d() padding should be at most half of kernel size, but got padding=", p,
        " and kernel_size=", k);
  CHECK(d > 0, "max_pool1d() dilation must be greater than zero, but got ", d);
  int64_t out = pooled_extent({x.size(x.dim() - 1), 0, k, s, p, d}, ceil_mode);
  CHECK(out > 0, "max_pool1d() Invalid computed output size: ", out);
}

}  // namespace

void check_line_rank(const char* name, const Tensor& x) {
  CHECK(x.dim() == 2 || x.dim() == 3, "Expected 2 to 3 dimensions, but got ", x.dim(),
        "-dimensional tensor for argument #1 'self' (while checking arguments for ", name, ")");
}

Pair max_pool1d_with_indices(const Tensor& x, Span kernel_size, const Optional<Dims>& stride,
                             Span padding, Span dilation, bool ceil_mode) {
  constexpr const char* name = "max_pool1d";
  check_line_rank(name, x);
  auto [y, indices] = max_pool2d_with_indices(
      unsqueeze(x, -2), with_height(name, "kernel_size", kernel_size, 1),
      with_height(name, "stride", stride, 1), with_height(name, "padding", padding, 0),
      with_height(name, "dilation", dilation, 1), ceil_mode);
  return {squeeze(y, -2), squeeze(indices, -2)};
}

Tensor max_pool1d(const Tensor& x, Span kernel_size, const Optional<Dims>& stride, Span padding,
                  Span dilation, bool ceil_mode) {
  check_max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode);
  if (!x.is_floating()) fail_dtype("max_pool1d_impl", x.dtype());
  auto plane = [](Span v, int64_t height) { return Dims{height, v[0]}; };
  Dims steps = plane(stride && !stride->empty() ? Span(*stride) : kernel_size, 1);
  return squeeze(max_pool2d(unsqueeze(x, -2), plane(kernel_size, 1), steps, plane(padding, 0),
                            plane(dilation, 1), ceil_mode),
                 -2);
}

Tensor max_pool2d(const Tensor& x, Span kernel_size, const Optional<Dims>& stride, Span padding,
                  Span dilation, bool ceil_mode) {
  return std::get<0>(
      max_of(kMax2d, 2, x, kernel_size, stride, padding, dilation, ceil_mode, false));
}
Pair max_pool2d_with_indices(const Tensor& x, Span kernel_size, const Optional<Dims>& stride,
                             Span padding, Span dilation, bool ceil_mode) {
  return max_of(kMax2d, 2, x, kernel_size, stride, padding, dilation, ceil_mode, true);
}
Tensor max_pool3d(const Tensor& x, Span kernel_size, const Optional<Dims>& stride, Span padding,
                  Span dilation, bool ceil_mode) {
  return std::get<0>(
      max_of(kMax3d, 3, x, kernel_size, stride, padding, dilation, ceil_mode, false));
}
Pair max_pool3d_with_indices(const Tensor& x, Span kernel_size, const Optional<Dims>& stride,
                             Span padding, Span dilation, bool ceil_mode) {
  return max_of(kMax3d, 3, x, kernel_size, stride, padding, dilation, ceil_mode, true);
}

Tensor avg_pool1d(const Tensor& x, Span kernel_size, const Optional<Dims>& stride, Span padding,
                  bool ceil_mode, bool count_include_pad) {
  constexpr const char* name = "avg_pool1d";
  check_line_rank(name, x);
  Tensor y = avg_pool2d(unsqueeze(x, -2), with_height(name, "kernel_size", kernel_size, 1),
                        with_height(name, "stride", stride, 1),
                        with_height(name, "padding", padding, 0), ceil_mode, count_include_pad, {});
  return squeeze(y, -2);
}
Tensor avg_pool2d(const Tensor& x, Span kernel_size, const Optional<Dims>& stride, Span padding,
                  bool ceil_mode, bool count_include_pad, Optional<int64_t> divisor_override) {
  return average_of(kAverage2d, 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad,
                    divisor_override);
}
Tensor avg_pool3d(const Tensor& x, Span kernel_size, const Optional<Dims>& stride, Span padding,
                  bool ceil_mode, bool count_include_pad, Optional<int64_t> divisor_override) {
  return average_of(kAverage3d, 3, x, kernel_size, stride, padding, ceil_mode, count_include_pad,
                    divisor_override);
}

}  // namespace lampas::ops
