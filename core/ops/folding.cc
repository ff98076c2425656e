// im2col and col2im: each is the other's gradient.
#include "cpu/folding.h"

#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using cpu::ConvShape;
using tape::Backward;
using tape::needs_grad;
using tape::record;

struct Blocks {
  Dims kernel, dilation, padding, stride;
};

void check_pair(const char* name, Span values) {
  CHECK(values.size() == 2, "It is expected ", name, " equals to 2, but got size ", values.size());
}

Blocks checked_blocks(Span kernel, Span dilation, Span padding, Span stride) {
  check_pair("kernel_size", kernel);
  check_pair("dilation", dilation);
  check_pair("padding", padding);
  check_pair("stride", stride);
  CHECK(kernel[0] > 0 && kernel[1] > 0,
        "kernel size should be greater than zero, but got kernel_height: ", kernel[0],
        " kernel_width: ", kernel[1]);
  CHECK(dilation[0] > 0 && dilation[1] > 0,
        "dilation should be greater than zero, but got dilation_height: ", dilation[0],
        " dilation_width: ", dilation[1]);
  CHECK(padding[0] >= 0 && padding[1] >= 0,
        "padding should be non-negative, but got pad_height: ", padding[0],
        " pad_width: ", padding[1]);
  CHECK(stride[0] > 0 && stride[1] > 0,
        "stride should be greater than zero, but got stride_height: ", stride[0],
        " stride_width: ", stride[1]);
  constexpr int64_t most = int64_t{1} << 31;
  for (int d = 0; d < 2; ++d)
    CHECK(kernel[d] < most && dilation[d] < (most >> 4) && padding[d] < most && stride[d] < most,
          "sliding blocks: sizes are too large");
  return {Dims(kernel), Dims(dilation), Dims(padding), Dims(stride)};
}

ConvShape shape_of(int64_t batch, int64_t channels, int64_t height, int64_t width,
                   const Blocks& b) {
  ConvShape s{};
  s.batch = batch;
  s.groups = 1;
  s.channels = s.outputs = channels;
  int64_t in[3] = {1, height, width};
  for (int d = 0; d < 3; ++d) {
    s.in[d] = in[d];
    s.kernel[d] = d ? b.kernel[d - 1] : 1;
    s.dilation[d] = d ? b.dilation[d - 1] : 1;
    s.padding[d] = d ? b.padding[d - 1] : 0;
    s.stride[d] = d ? b.stride[d - 1] : 1;
    int64_t room = s.in[d] + 2 * s.padding[d] - (s.dilation[d] * (s.kernel[d] - 1) + 1);
    s.out[d] = (room - (room < 0 ? s.stride[d] - 1 : 0)) / s.stride[d] + 1;
  }
  return s;
}

std::string pair_text(const Dims& v) { return concat("(", v[0], ", ", v[1], ")"); }

Tensor row_major(const Tensor& x) { return contiguous(x.requires_grad() ? plain(x) : x); }

Tensor unfolded(const Tensor& x, const Blocks& blocks) {
  bool batched = x.dim() == 4;
  int64_t channels = x.size(x.dim() - 3), height = x.size(x.dim() - 2), width = x.size(x.dim() - 1);
  ConvShape s = shape_of(batched ? x.size(0) : 1, channels, height, width, blocks);
  CHECK(s.out[1] >= 1 && s.out[2] >= 1, "Given input with spatial size ",
        pair_text({height, width}), ", kernel_size=", pair_text(blocks.kernel),
        ", dilation=", pair_text(blocks.dilation), ", padding=", pair_text(blocks.padding),
        ", calculated shape of the array of sliding blocks as ", pair_text({s.out[1], s.out[2]}),
        ", but its components must be at least one.");
  Dims sizes{channels * s.taps(), s.out_volume()};
  if (batched) sizes.insert(0, x.size(0));
  Tensor y = empty(sizes, x.dtype(), x.device());
  KERNEL(unfold, y, row_major(x), s);
  if (needs_grad(x))
    record(y, "Im2ColBackward0", {x}, {}, [blocks, height, width](const Backward& b) -> Tensors {
      return {col2im(b.g, Dims{height, width}, blocks.kernel, blocks.dilation, blocks.padding,
                     blocks.stride)};
    });
  return y;
}

}  // namespace

Tensor im2col(const Tensor& x, Span kernel_size, Span dilation, Span padding, Span stride) {
  Blocks blocks = checked_blocks(kernel_size, dilation, padding, stride);
  bool filled = x.dim() == 3 || x.dim() == 4;
  for (int64_t d = x.dim() == 4 ? 1 : 0; d < x.dim(); ++d) filled &= x.size(d) != 0;
  if (x.dim() < 3) wrap_dim(2, x.dim());
  CHECK(filled,
        "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
        "dimensions for input, but got: ",
        to_string(x.sizes()));
  if (!is_differentiable(x.dtype()) && x.dtype() != DType::Bool)
    fail_dtype("im2col_out_cpu", x.dtype());
  return unfolded(x, blocks);
}

Tensor col2im(const Tensor& x, Span output_size, Span kernel_size, Span dilation, Span padding,
              Span stride) {
  check_pair("output_size", output_size);
  Blocks blocks = checked_blocks(kernel_size, dilation, padding, stride);
  bool filled = x.dim() == 2 || x.dim() == 3;
  for (int64_t d = x.dim() == 3 ? 1 : 0; d < x.dim(); ++d) filled &= x.size(d) != 0;
  CHECK(filled,
        "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
        "dimensions for input, but got: ",
        to_string(x.sizes()));
  bool batched = x.dim() == 3;
  int64_t rows = x.size(x.dim() - 2), cols = x.size(x.dim() - 1),
          volume = kernel_size[0] * kernel_size[1], d = batched ? 1 : 0;
  CHECK(rows % volume == 0,
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but "
        "got input.size(1)=",
        rows, " and kernel_size=", pair_text(blocks.kernel), ".");
  ConvShape s =
      shape_of(batched ? x.size(0) : 1, rows / volume, output_size[0], output_size[1], blocks);
  CHECK(s.out[1] * s.out[2] == cols, "Given output_size=", pair_text(Dims(output_size)),
        ", kernel_size=", pair_text(blocks.kernel), ", dilation=", pair_text(blocks.dilation),
        ", padding=", pair_text(blocks.padding), ", stride=", pair_text(blocks.stride),
        ", expected size of input's dimension ", d + 1,
        " to match the calculated number of sliding blocks ", s.out[1], " * ", s.out[2], " = ",
        s.out[1] * s.out[2], ", but got input.size(", d + 1, ")=", cols, ".");
  CHECK(output_size[0] >= 1 && output_size[1] >= 1,
        "Expected output spatial size to be positive, but got: output_size=",
        pair_text(Dims(output_size)), ".");
  CHECK(s.out[1] > 0 && s.out[2] > 0,
        "col2im: expected at least one sliding block in each dimension");
  Dims sizes{s.channels, output_size[0], output_size[1]};
  if (batched) sizes.insert(0, x.size(0));
  if (!is_differentiable(x.dtype()) && x.dtype() != DType::Bool)
    fail_dtype("col2im_out_cpu", x.dtype());
  Tensor y = empty(sizes, x.dtype(), x.device());
  KERNEL(fold, y, row_major(x), s);
  if (needs_grad(x))
    record(y, "Col2ImBackward0", {x}, {},
           [blocks](const Backward& b) -> Tensors { return {unfolded(b.g, blocks)}; });
  return y;
}

}  // namespace lampas::ops
