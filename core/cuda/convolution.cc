// See convolution.h. The kernels: cuda/device/convolution.h.
#include "cuda/convolution.h"

#include <algorithm>

#include "cuda/family.h"
#include "cuda/kernels.h"
#include "cuda/libraries.h"
#include "cuda/matmul.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "runtime/error.h"
#include "runtime/switches.h"
#include "tape/tape.h"

namespace lampas::cuda {
namespace {

using cpu::ConvMap;
using cpu::ConvShape;

// ConvolutionArguments of cuda/device/convolution.h.
struct Arguments {
  void *x, *w, *y;
  const void *bias, *sums;
  int64_t batch, groups, channels, outputs;
  int64_t in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
  int64_t x_steps[5], w_steps[5], y_steps[5];
  int64_t splits, each;
};

void set_steps(int64_t (&steps)[5], const Tensor& x) {
  int64_t missing = 5 - x.dim();
  steps[0] = x.stride(0), steps[1] = x.stride(1);
  for (int64_t d = 2; d < 5; ++d) steps[d] = d - missing < 2 ? 0 : x.stride(d - missing);
}

Arguments arguments_of(const Tensor& x, const Tensor& w, const Tensor& y, const Tensor& bias,
                       const ConvShape& s) {
  Arguments a{};
  a.x = x.raw(), a.w = w.raw(), a.y = y.raw();
  a.bias = bias.defined() ? bias.raw() : nullptr;
  a.batch = s.batch, a.groups = s.groups;
  a.channels = s.group_channels(), a.outputs = s.group_outputs();
  for (int d = 0; d < 3; ++d) {
    a.in[d] = s.in[d], a.kernel[d] = s.kernel[d], a.out[d] = s.out[d];
    a.stride[d] = s.stride[d], a.padding[d] = s.padding[d], a.dilation[d] = s.dilation[d];
  }
  set_steps(a.x_steps, x), set_steps(a.w_steps, w), set_steps(a.y_steps, y);
  a.splits = 1;
  return a;
}

int64_t ceil_div(int64_t n, int64_t each) { return (n + each - 1) / each; }

// Kernels count in 32 bits: a result, its places and the inner dimension of a product.
void check_sizes(const ConvShape& s) {
  constexpr int64_t most = INT32_MAX;
  bool fit = s.batch * s.in_volume() < most && s.batch * s.out_volume() < most &&
             s.group_channels() * s.taps() < most && s.group_outputs() * s.taps() < most;
  for (int d = 0; d < 3; ++d)
    fit = fit && s.padding[d] < most / 4 && s.stride[d] < most &&
          s.dilation[d] * s.kernel[d] < most / 4 && s.out[d] * s.stride[d] < most / 2;
  CHECK_KIND(fit, NotImplemented, "convolution on CUDA without cuDNN of 2**31 places and more");
}

struct Run {
  const char* function;
  int64_t m, n, k;  // of the product of one group
};

void run_tiles(const Run& r, Arguments a, const Tensor& written, bool last) {
  DType dtype = written.dtype();
  if (switches.cudnn_enabled && is_floating(dtype) &&
      static_cast<double>(r.m * r.n * a.groups) * static_cast<double>(r.k) > 1e9)
    warn_of_missing_library("cudnn");
  int device = written.device().index;
  auto tiles = [&](int64_t side) { return a.groups * ceil_div(r.m, side) * ceil_div(r.n, side); };
  int64_t wanted = 2 * int64_t{properties(device).multiprocessors};
  bool large = accumulator_bytes(dtype) == 4 && r.m > 64 && tiles(128) >= wanted;
  int64_t blocks = tiles(large ? 128 : 64);
  bool splits = r.k > 0 && r.function == std::string_view("convolve_weight");
  a.each = r.k;
  if (splits) {
    a.splits = std::clamp<int64_t>(r.k / 256, 1, std::min<int64_t>(ceil_div(wanted, blocks), 1024));
    a.each = ceil_div(ceil_div(r.k, a.splits), 32) * 32;
    a.splits = ceil_div(r.k, a.each);
  }
  std::string types = concat(device_type(dtype), ", ", accumulator(dtype));
  const char* order = last ? ", true>" : ", false>";
  std::string function = concat(r.function, "<", types, large ? ", 8" : ", 4", order);
  Tensor sums;
  void* w = a.w;
  if (a.splits > 1) {
    sums = empty(Dims{a.splits * a.groups * r.m * r.n * accumulator_bytes(dtype)}, DType::UInt8,
                 written.device());
    a.w = sums.raw();
  }
  run_family({"convolution", "ConvolutionArguments", function}, &a,
             {.x = blocks_for(blocks * a.splits, 1)}, device, "convolution");
  if (a.splits == 1) return;
  a.w = w;
  a.sums = sums.raw();
  run_family({"convolution", "ConvolutionArguments", concat("finish_weight<", types, order)}, &a,
             {.x = blocks_for(a.groups * r.m * r.n, 256)}, device, "convolution");
}

// y += bias, which has one for each channel.
void add_bias(const Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return;
  Dims column(static_cast<size_t>(y.dim()), 1);
  column[1] = bias.size(0);
  tape::NoGrad off;
  ops::copy_values(y, ops::add(y, view_of(bias, column, contiguous_strides(column))));
}

}  // namespace

void convolve(On, const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias,
              const ConvShape& s) {
  if (y.numel() == 0) return;
  if (bias.defined() && convolve_by_library(ConvMap::result, x, w, y, bias, s)) return;
  if (convolve_by_library(ConvMap::result, x, w, y, {}, s)) return add_bias(y, bias);
  check_sizes(s);
  run_tiles(
      {"convolve", s.group_outputs(), s.batch * s.out_volume(), s.group_channels() * s.taps()},
      arguments_of(x, w, y, bias, s), y, s.last);
}

void convolve_input(On, const Tensor& dx, const Tensor& g, const Tensor& w, const Tensor& bias,
                    const ConvShape& s) {
  if (dx.numel() == 0) return;
  if (g.numel() > 0 && convolve_by_library(ConvMap::input, dx, w, g, {}, s))
    return add_bias(dx, bias);
  check_sizes(s);
  run_tiles(
      {"convolve_input", s.group_channels(), s.batch * s.in_volume(), s.group_outputs() * s.taps()},
      arguments_of(dx, w, g, bias, s), dx, s.last);
}

void convolve_weight(On, const Tensor& dw, const Tensor& g, const Tensor& x, const ConvShape& s) {
  if (dw.numel() == 0) return;
  if (g.numel() > 0 && convolve_by_library(ConvMap::weight, x, dw, g, {}, s)) return;
  check_sizes(s);
  run_tiles({"convolve_weight", s.group_outputs(), s.group_channels() * s.taps(),
             s.batch * s.out_volume()},
            arguments_of(x, dw, g, {}, s), dw, s.last);
}

}  // namespace lampas::cuda
