// See pooling.h.
#include "cuda/pooling.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

// Mirrors of device/pooling.h.
struct PoolAxis {
  int32_t in, out, kernel, stride, padding, dilation, adaptive, count_padding;
};
struct PoolArguments {
  void *y, *x;
  int64_t* indices;
  int64_t n, channels, in_volume, out_volume, divisor;
  PoolAxis axes[3];
};

int32_t narrow(int64_t v) {
  CHECK_KIND(v < (int64_t{1} << 30), NotImplemented,
             "pooling on CUDA takes dimensions and windows of less than 2**30");
  return static_cast<int32_t>(v);
}

PoolArguments arguments(const Tensor& y, const Tensor& x, const Tensor& indices,
                        const cpu::PoolShape& s) {
  bool last = !x.is_contiguous() || !y.is_contiguous();
  PoolArguments a{y.raw(),       x.raw(),        nullptr,   0, last ? x.size(1) : 0,
                  s.in_volume(), s.out_volume(), s.divisor, {}};
  if (indices.defined()) a.indices = indices.data<int64_t>();
  CHECK_KIND(a.in_volume < (int64_t{1} << 31) && a.out_volume < (int64_t{1} << 31), NotImplemented,
             "pooling on CUDA takes planes of less than 2**31 elements");
  for (int d = 0; d < 3; ++d) {
    const cpu::PoolAxis& from = s.axes[d];
    narrow(from.kernel * from.dilation + from.padding + from.in);
    a.axes[d] = {narrow(from.in),       narrow(from.out),          narrow(from.kernel),
                 narrow(from.stride),   narrow(from.padding),      narrow(from.dilation),
                 from.adaptive ? 1 : 0, from.count_padding ? 1 : 0};
  }
  return a;
}

enum Which { kMax, kMaxBackward, kAverage, kAverageBackward };
constexpr const char* kernels[] = {"max_pool", "max_pool_backward", "average_pool",
                                   "average_pool_backward"};

void run(Which which, PoolArguments& a, const Tensor& made, const char* name) {
  a.n = made.numel();
  if (a.n == 0) return;
  DType dtype = made.dtype();
  bool fits = is_floating(dtype) || (is_integral(dtype, false) && dtype != DType::UInt16 &&
                                     dtype != DType::UInt32 && dtype != DType::UInt64);
  CHECK_KIND(fits, NotImplemented, "\"", name, "\" not implemented for '", label(dtype), "'");
  static auto* table = new KernelTable;
  table->run(
      kernel_key(which, dtype, is_wide(a.n)),
      [&] {
        return FamilyKernel{
            "pooling", "PoolArguments",
            concat(kernels[which], "<", device_type(dtype), ", ", index_type(a.n), ">")};
      },
      &a, grid_of(a.n), made.device().index, kernels[which]);
}

}  // namespace

void max_pool(On, const Tensor& y, const Tensor& indices, const Tensor& x, const cpu::PoolShape& s,
              const char* name) {
  PoolArguments a = arguments(y, x, indices, s);
  run(kMax, a, y, name);
}
void max_pool_backward(On, const Tensor& dx, const Tensor& g, const Tensor& indices,
                       const cpu::PoolShape& s) {
  if (g.numel() == 0) return fill(On{}, dx, 0);
  PoolArguments a = arguments(g, dx, indices, s);
  run(kMaxBackward, a, dx, "max_pool_backward");
}
void average_pool(On, const Tensor& y, const Tensor& x, const cpu::PoolShape& s, const char* name) {
  PoolArguments a = arguments(y, x, {}, s);
  run(kAverage, a, y, name);
}
void average_pool_backward(On, const Tensor& dx, const Tensor& g, const cpu::PoolShape& s,
                           const char* name) {
  if (g.numel() == 0) return fill(On{}, dx, 0);
  PoolArguments a = arguments(g, dx, {}, s);
  run(kAverageBackward, a, dx, name);
}

}  // namespace lampas::cuda
