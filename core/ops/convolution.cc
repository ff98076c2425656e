// Convolutions of every rank, plain and transposed. The three maps of one convolution (to the
// result, to the input's side, to the weight's side) are each other's gradients, so they are
// written once.
#include "cpu/convolution.h"

#include "cuda/convolution.h"
#include "ops/formats.h"
#include "ops/kernel.h"
#include "ops/reduce.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using cpu::ConvShape;
using tape::Backward;
using tape::needs_grad;
using tape::record;

// What a formula remembers of a convolution.
struct Conv {
  ConvShape s;
  int spatial = 2;
  MemoryFormat format = MemoryFormat::Contiguous;

  Dims sizes(int64_t a, int64_t b, const int64_t* three) const {
    Dims dims{a, b};
    for (int d = 3 - spatial; d < 3; ++d) dims.push_back(three[d]);
    return dims;
  }
  Dims input() const { return sizes(s.batch, s.channels, s.in); }
  Dims weight() const { return sizes(s.outputs, s.group_channels(), s.kernel); }
  Dims output() const { return sizes(s.batch, s.outputs, s.out); }
};

constexpr const char* kNode = "ConvolutionBackward0";
constexpr const char* kSecondNode = "ConvolutionBackwardBackward0";

// Kernels of the CPU take 16-bit floats as floats.
bool is_widened(DType dtype, Device device) { return is_reduced(dtype) && !device.is_cuda(); }

// Values as kernels want them.
Tensor operand(const Tensor& x, MemoryFormat format = MemoryFormat::Contiguous) {
  if (!x.defined()) return x;
  Tensor plain_x = x.requires_grad() ? plain(x) : x;
  return contiguous(is_widened(x.dtype(), x.device()) ? to(plain_x, DType::Float) : plain_x,
                    format);
}

// How a kernel is given its images: with their channels last where they lie so and it can, else
// row-major.
struct Given {
  ConvShape s;
  MemoryFormat format = MemoryFormat::Contiguous;
  MemoryFormat weight = MemoryFormat::Contiguous;  // of the weight and its gradient

  Given(cpu::ConvMap map, const Conv& conv, const Tensor& x) : s(conv.s) {
    DType wide = is_reduced(x.dtype()) ? DType::Float : x.dtype();
    bool on_cuda = x.device().is_cuda();
    s.last =
        conv.format != MemoryFormat::Contiguous && (on_cuda || cpu::convolves_last(map, s, wide));
    if (s.last) format = conv.format;
    if (on_cuda) weight = format;
  }
};

// A result of these sizes in the format `wanted` from run(its memory), which has the format `made`.
template <class F>
Tensor computed(const Tensor& like, Span sizes, MemoryFormat made, MemoryFormat wanted, F&& run) {
  bool reduced = is_widened(like.dtype(), like.device());
  Tensor y = empty_format(sizes, reduced ? DType::Float : like.dtype(), like.device(), made);
  run(y);
  tape::NoGrad off;
  y = reduced ? to(y, like.dtype()) : y;
  return made == wanted ? y : in_format(y, wanted);
}

Tensor bias_gradient(const Tensor& g) {
  Dims dims{0};
  for (int64_t d = 2; d < g.dim(); ++d) dims.push_back(d);
  return sum(g, dims, false);
}

Tensor to_result(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& conv,
                 const char* node);
Tensor to_input(const Tensor& g, const Tensor& w, const Tensor& bias, const Conv& conv,
                const char* node);
Tensor to_weight(const Tensor& g, const Tensor& x, const Conv& conv);

// y = w over x + bias.
Tensor to_result(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& conv,
                 const char* node) {
  Given given(cpu::ConvMap::result, conv, x);
  Tensor y = computed(x, conv.output(), given.format, conv.format, [&](const Tensor& y) {
    KERNEL(convolve, y, operand(x, given.format), operand(w, given.weight), operand(bias), given.s);
  });
  if (needs_grad(x, w, bias))
    record(y, node, {x, w, bias}, {x, w}, [conv](const Backward& b) -> Tensors {
      Tensor dx, dw, db;
      if (b.needs(0)) dx = to_input(b.g, conj(b.saved(1)), {}, conv, kSecondNode);
      if (b.needs(1)) dw = to_weight(b.g, conj(b.saved(0)), conv);
      if (b.needs(2)) db = bias_gradient(b.g);
      return {dx, dw, db};
    });
  return y;
}

// The adjoint in x; with a bias, the transposed convolution of g.
Tensor to_input(const Tensor& g, const Tensor& w, const Tensor& bias, const Conv& conv,
                const char* node) {
  Given given(cpu::ConvMap::input, conv, g);
  Tensor dx = computed(g, conv.input(), given.format, conv.format, [&](const Tensor& dx) {
    KERNEL(convolve_input, dx, operand(g, given.format), operand(w, given.weight), operand(bias),
           given.s);
  });
  if (needs_grad(g, w, bias))
    record(dx, node, {g, w, bias}, {g, w}, [conv](const Backward& b) -> Tensors {
      Tensor dg, dw, db;
      if (b.needs(0)) dg = to_result(b.g, conj(b.saved(1)), {}, conv, kSecondNode);
      if (b.needs(1)) dw = to_weight(conj(b.saved(0)), b.g, conv);
      if (b.needs(2)) db = bias_gradient(b.g);
      return {dg, dw, db};
    });
  return dx;
}

// The adjoint in w.
Tensor to_weight(const Tensor& g, const Tensor& x, const Conv& conv) {
  Given given(cpu::ConvMap::weight, conv, g);
  Tensor dw = computed(g, conv.weight(), given.weight, given.weight, [&](const Tensor& dw) {
    KERNEL(convolve_weight, dw, operand(g, given.format), operand(x, given.format), given.s);
  });
  if (needs_grad(g, x))
    record(dw, kSecondNode, {g, x}, {g, x}, [conv](const Backward& b) -> Tensors {
      Tensor dg, dx;
      if (b.needs(0)) dg = to_result(conj(b.saved(1)), b.g, {}, conv, kSecondNode);
      if (b.needs(1)) dx = to_input(conj(b.saved(0)), b.g, {}, conv, kSecondNode);
      return {dg, dx};
    });
  return dw;
}

// --- arguments and their checks ---

struct Arguments {
  Dims stride, padding, dilation, output_padding;
  bool transposed;
  int64_t groups;
};

// One number stands for every dimension.
Dims expanded(Span values, int64_t n, const char* name) {
  if (values.size() == 1) return Dims(static_cast<size_t>(n), values[0]);
  CHECK(static_cast<int64_t>(values.size()) == n, "expected ", name,
        " to be a single integer value or a list of ", n,
        " values to match the convolution dimensions, but got ", name, "=", to_string(values));
  return Dims(values);
}

bool any_below(Span values, int64_t least) {
  return std::any_of(values.begin(), values.end(), [least](int64_t v) { return v < least; });
}

std::string tensor_type_text(const Tensor& x) {
  if (x.is_complex() || x.dtype() == DType::BFloat16)
    return concat("CPU", label(x.dtype()), "Type");
  return concat("torch.", label(x.dtype()), "Tensor");
}

// PyTorch compares with the bias first, unless the convolution is transposed.
void check_types(const Tensor& x, const Tensor& w, const Tensor& bias, bool transposed) {
  bool mixed_bias = bias.defined() && bias.dtype() != x.dtype();
  CHECK(!mixed_bias || transposed, "Input type (", c_name(x.dtype()), ") and bias type (",
        bias.defined() ? c_name(bias.dtype()) : "", ") should be the same");
  if (x.dtype() != w.dtype()) {
    if (x.is_complex() || w.is_complex()) {
      fail("Input type (", tensor_type_text(x), ") and weight type (", tensor_type_text(w),
           ") should be the same");
    }
    CHECK(x.dtype() != DType::Float && x.dtype() != DType::BFloat16, "Input type (",
          tensor_type_text(x), ") and weight type (", tensor_type_text(w),
          ") should be the same or input should be a MKLDNN tensor and weight is a dense tensor");
    fail("expected scalar type ", label(x.dtype()), " but found ", label(w.dtype()));
  }
  CHECK(!mixed_bias, "Input type (", c_name(x.dtype()), ") and bias type (",
        bias.defined() ? c_name(bias.dtype()) : "", ") should be the same");
  CHECK(x.device() == w.device(),
        "Expected all tensors to be on the same device, but found at least two devices, ",
        to_string(x.device()), " and ", to_string(w.device()), "!");
}

void check_supported(DType dtype, int64_t spatial, const Arguments& a) {
  bool dilated =
      std::any_of(a.dilation.begin(), a.dilation.end(), [](int64_t d) { return d != 1; });
  if (a.transposed) {
    if (dtype == DType::Bool || (is_integral(dtype) && dtype != DType::Int64))
      fail_dtype(spatial == 3 ? "slow_conv_transpose3d_out_cpu" : "slow_conv_transpose2d_out_cpu",
                 dtype);
  } else if (dtype == DType::Bool || dtype == DType::UInt16 || dtype == DType::UInt32 ||
             dtype == DType::UInt64) {
    fail_dtype(dilated        ? "slow_conv_dilated<>"
               : spatial == 3 ? "compute_columns3d"
                              : "slow_conv2d_cpu",
               dtype);
  } else if (dilated && is_integral(dtype) && dtype != DType::Int64) {
    fail_dtype("slow_conv_dilated<>", dtype);
  }
}

void check_numbers(const Arguments& a) {
  CHECK(!any_below(a.padding, 0), "negative padding is not supported");
  CHECK(!any_below(a.output_padding, 0), "negative output_padding is not supported");
  CHECK(!any_below(a.stride, 1), "non-positive stride is not supported");
  CHECK(!any_below(a.dilation, 1), "dilation should be greater than zero, but got ",
        to_string(a.dilation));
  CHECK(a.groups > 0, "non-positive groups is not supported");
}

void check_channels(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a) {
  int64_t groups = a.groups;
  CHECK(x.dim() == w.dim(), "Expected ", w.dim(), "-dimensional input for ", w.dim(),
        "-dimensional weight ", to_string(w.sizes()), ", but got ", x.dim(),
        "-dimensional input of size ", to_string(x.sizes()), " instead");
  CHECK(w.size(0) >= groups, "Given groups=", groups, ", expected weight to be at least ", groups,
        " at dimension 0, but got weight of size ", to_string(w.sizes()), " instead");
  CHECK(w.size(0) % groups == 0, "Given groups=", groups, ", expected weight to be divisible by ",
        groups, " at dimension 0, but got weight of size [", to_string(w.sizes()), "] instead");
  int64_t wanted = a.transposed ? w.size(0) : w.size(1) * groups;
  std::string given = a.transposed ? "transposed=1" : concat("groups=", groups);
  CHECK(x.size(1) == wanted, "Given ", given, ", weight of size ", to_string(w.sizes()),
        ", expected input", to_string(x.sizes()), " to have ", wanted, " channels, but got ",
        x.size(1), " channels instead");
  int64_t outputs = a.transposed ? w.size(1) * groups : w.size(0);
  CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == outputs), "Given ",
        a.transposed ? "transposed=1, " : "", "weight of size ", to_string(w.sizes()),
        ", expected bias to be 1-dimensional with ", outputs, " elements, but got bias of size ",
        bias.defined() ? to_string(bias.sizes()) : "", " instead");
}

std::string by_x(Span values) {
  std::string text;
  for (size_t i = 0; i < values.size(); ++i) text += concat(i ? " x " : "", values[i]);
  return text;
}

void check_output_padding(const Arguments& a, int64_t spatial) {
  for (int64_t d = 0; d < spatial; ++d) {
    if (a.output_padding[d] < a.stride[d] || a.output_padding[d] < a.dilation[d]) continue;
    static constexpr const char* names[] = {"depth", "height", "width"};
    std::string text;
    auto list = [&](const char* what, const Dims& values) {
      for (int64_t i = std::max<int64_t>(3 - std::max<int64_t>(spatial, 2), 0); i < 3; ++i) {
        int64_t at = i - (3 - spatial);
        int64_t missing = what[0] == 'o' ? 0 : 1;
        text += concat(text.empty() ? "" : " ", what, "_", names[i], ": ",
                       at < 0 ? missing : values[static_cast<size_t>(at)]);
      }
    };
    list("output_padding", a.output_padding);
    list("stride", a.stride);
    list("dilation", a.dilation);
    fail("output padding must be smaller than either stride or dilation, but got ", text);
  }
}

// The geometry of w over x. For a transposed one, x is on the result's side of it.
Conv geometry(const Tensor& x, const Tensor& w, const Arguments& a) {
  Conv conv;
  int spatial = conv.spatial = static_cast<int>(w.dim() - 2);
  CHECK(spatial <= 3, "convolution: more than three spatial dimensions are not supported");
  ConvShape& s = conv.s;
  s.batch = x.size(0);
  s.groups = a.groups;
  s.outputs = w.size(0);
  s.channels = w.size(1) * a.groups;
  for (int d = 0; d < 3; ++d) {
    s.in[d] = s.out[d] = s.kernel[d] = s.stride[d] = s.dilation[d] = 1;
    s.padding[d] = 0;
  }
  Dims padded, extents;
  bool fits = true;
  constexpr int64_t most = int64_t{1} << 40;
  for (int i = 0; i < spatial; ++i) {
    int d = 3 - spatial + i;
    CHECK(a.padding[i] < most && a.stride[i] < most && a.dilation[i] < most &&
              a.output_padding[i] < most && w.size(i + 2) < (int64_t{1} << 20),
          "convolution: sizes are too large");
    s.kernel[d] = w.size(i + 2);
    s.stride[d] = a.stride[i];
    s.padding[d] = a.padding[i];
    s.dilation[d] = a.dilation[i];
    int64_t extent = s.dilation[d] * (s.kernel[d] - 1) + 1, size = x.size(i + 2);
    if (a.transposed) {
      s.out[d] = size;
      s.in[d] = (size - 1) * s.stride[d] - 2 * s.padding[d] + extent + a.output_padding[i];
      fits &= s.in[d] >= 0;
      padded.push_back(s.in[d]);
    } else {
      s.in[d] = size;
      s.out[d] = (size + 2 * s.padding[d] - extent) / s.stride[d] + 1;
      fits &= size + 2 * s.padding[d] >= extent;
      padded.push_back(size + 2 * s.padding[d]);
    }
    extents.push_back(extent);
  }
  if (a.transposed)
    CHECK(fits, "Given input size per channel: (", by_x(Span(x.sizes()).subspan(2)),
          "). Calculated output size per channel: (", by_x(padded), "). Output size is too small");
  CHECK(fits, "Calculated padded input size per channel: (", by_x(padded), "). Kernel size: (",
        by_x(extents), "). Kernel size can't be greater than actual input size");
  MemoryFormat format = image_format(x);
  conv.format = format != MemoryFormat::Contiguous ? format : image_format(w);
  return conv;
}

// PyTorch's answer to no channels at all: a result of no channels.
Tensor without_channels(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& conv) {
  Dims sizes = conv.output();
  sizes[1] = 0;
  Tensor y = empty(sizes, x.dtype(), x.device());
  if (needs_grad(x, w, bias))
    record(y, kNode, {x, w, bias}, {x, w},
           [outputs = conv.s.outputs](const Backward& b) -> Tensors {
             Tensor x = b.saved(0), w = b.saved(1);
             return {zeros_like(x), zeros_like(w), zeros(Dims{outputs}, x.dtype(), x.device())};
           });
  return y;
}

Tensor run(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a) {
  check_numbers(a);
  check_channels(x, w, bias, a);
  for (int64_t d = 2; d < w.dim(); ++d)
    CHECK(w.size(d) > 0,
          "convolution: expected the kernel to have no empty dimension, but got weight of size ",
          to_string(w.sizes()));
  check_types(x, w, bias, a.transposed);
  int64_t spatial = w.dim() - 2;
  check_supported(x.dtype(), spatial, a);
  if (a.transposed) check_output_padding(a, spatial);
  bool empty_space = false;
  for (int64_t d = 2; d < x.dim(); ++d) empty_space |= x.size(d) == 0;
  Conv conv = geometry(x, w, a);
  CHECK(!empty_space || x.size(0) == 0 || x.size(1) == 0,
        "Only zero batch or zero channel inputs are supported, but got input shape: ",
        to_string(x.sizes()));
  checked_numel(conv.input());
  checked_numel(conv.output());
  if (x.size(1) == 0 && !a.transposed) return without_channels(x, w, bias, conv);
  return a.transposed ? to_input(x, w, bias, conv, kNode) : to_result(x, w, bias, conv, kNode);
}

// conv1d ... conv_transpose3d: the rank is known, a missing batch dimension is made and removed.
Tensor of_rank(const char* name, int64_t spatial, const Tensor& x, const Tensor& w,
               const Tensor& bias, Span stride, Span padding, Span dilation, bool transposed,
               Span output_padding, int64_t groups) {
  CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, "Expected ", spatial + 1,
        "D (unbatched) or ", spatial + 2, "D (batched) input to ", name,
        ", but got input of size: ", to_string(x.sizes()));
  auto widened = [spatial](Span values) {
    return values.size() == 1 ? Dims(static_cast<size_t>(spatial), values[0]) : Dims(values);
  };
  Tensor batch = x.dim() == spatial + 1 ? unsqueeze(x, 0) : x;
  Tensor y = convolution(batch, w, bias, widened(stride), widened(padding), widened(dilation),
                         transposed, widened(output_padding), groups);
  return x.dim() == spatial + 1 ? squeeze(y, 0) : y;
}

// padding="same" or "valid". An odd number of padding elements leaves the odd one at the end.
Tensor padded_by_name(const char* name, int64_t spatial, const Tensor& x, const Tensor& w,
                      const Tensor& bias, Span stride, const std::string& padding, Span dilation,
                      int64_t groups) {
  Dims none{0};
  if (padding == "valid")
    return of_rank(name, spatial, x, w, bias, stride, none, dilation, false, none, groups);
  CHECK(padding == "same", "Invalid padding string: '", padding, "'");
  CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, "Expected ", spatial + 1,
        "D (unbatched) or ", spatial + 2, "D (batched) input to ", name,
        ", but got input of size: ", to_string(x.sizes()));
  CHECK(w.dim() > 2, "weight should have at least three dimensions");
  CHECK(w.dim() == spatial + 2, "Expected ", w.dim(), "-dimensional input for ", w.dim(),
        "-dimensional weight", to_string(w.sizes()), ", but got ", spatial + 2,
        "-dimensional input of size ",
        to_string(x.dim() == spatial + 2 ? x.sizes() : unsqueeze(x, 0).sizes()), " instead");
  CHECK(std::all_of(stride.begin(), stride.end(), [](int64_t v) { return v == 1; }),
        "padding='same' is not supported for strided convolutions");
  Dims steps = expanded(dilation, spatial, "dilation"), both, extra;
  bool uneven = false;
  for (int64_t d = spatial - 1; d >= 0; --d) {
    int64_t total = steps[d] * (w.size(d + 2) - 1);
    both.insert(0, total / 2);
    extra.push_back(0);
    extra.push_back(total % 2);
    uneven |= total % 2 != 0;
  }
  Tensor wide = uneven ? constant_pad_nd(x, extra, Scalar(0)) : x;
  return of_rank(name, spatial, wide, w, bias, stride, both, dilation, false, none, groups);
}

}  // namespace

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, Span stride,
                   Span padding, Span dilation, bool transposed, Span output_padding,
                   int64_t groups) {
  int64_t spatial = weight.dim() - 2;
  CHECK(spatial > 0, "weight should have at least three dimensions");
  Arguments a{expanded(stride, spatial, "stride"),
              expanded(padding, spatial, "padding"),
              expanded(dilation, spatial, "dilation"),
              expanded(output_padding, spatial, "output_padding"),
              transposed,
              groups};
  return run(x, weight, bias, a);
}

#define CONVOLUTIONS(n)                                                                           \
  Tensor conv##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias, Span stride,       \
                    Span padding, Span dilation, int64_t groups) {                                \
    return of_rank("conv" #n "d", n, x, weight, bias, stride, padding, dilation, false, Dims{0},  \
                   groups);                                                                       \
  }                                                                                               \
  Tensor conv##n##d_named(const Tensor& x, const Tensor& weight, const Tensor& bias, Span stride, \
                          const std::string& padding, Span dilation, int64_t groups) {            \
    return padded_by_name("conv" #n "d", n, x, weight, bias, stride, padding, dilation, groups);  \
  }                                                                                               \
  Tensor conv_transpose##n##d(const Tensor& x, const Tensor& weight, const Tensor& bias,          \
                              Span stride, Span padding, Span output_padding, int64_t groups,     \
                              Span dilation) {                                                    \
    return of_rank("conv_transpose" #n "d", n, x, weight, bias, stride, padding, dilation, true,  \
                   output_padding, groups);                                                       \
  }
CONVOLUTIONS(1)
CONVOLUTIONS(2)
CONVOLUTIONS(3)
#undef CONVOLUTIONS

}  // namespace lampas::ops
