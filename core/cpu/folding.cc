// Sliding blocks: im2col and col2im over a batch.
#include "cpu/folding.h"

#include "cpu/columns.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

using FoldTypes = Types<float, double, Half, BFloat16, ComplexFloat, ComplexDouble, bool>;
constexpr int64_t kGrain = 1 << 15;  // elements

int64_t grain(const ConvShape& s) {
  return std::max<int64_t>(kGrain / std::max<int64_t>(s.channels * s.taps() * s.out_volume(), 1),
                           1);
}

}  // namespace

void unfold(const Tensor& columns, const Tensor& x, const ConvShape& s) {
  dispatch<FoldTypes>(x.dtype(), "im2col_out_cpu", [&](auto tag) {
    using T = decltype(tag);
    int64_t image = s.channels * s.in_volume(), size = s.channels * s.taps() * s.out_volume();
    parallel_for(s.batch, grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        to_columns(columns.data<T>() + n * size, x.data<T>() + n * image, s, s.channels,
                   {0, s.out[0] * s.out[1]});
    });
  });
}

void fold(const Tensor& x, const Tensor& columns, const ConvShape& s) {
  dispatch<FoldTypes>(x.dtype(), "col2im_out_cpu", [&](auto tag) {
    using T = decltype(tag);
    int64_t image = s.channels * s.in_volume(), size = s.channels * s.taps() * s.out_volume();
    parallel_for(s.batch, grain(s), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        std::fill_n(x.data<T>() + n * image, image, T(0));
        from_columns(x.data<T>() + n * image, columns.data<T>() + n * size, s, s.channels,
                     {0, s.out[0] * s.out[1]});
      }
    });
  });
}

}  // namespace lampas::cpu
