// See folding.h.
#include "cuda/folding.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

struct FoldArguments {  // of device/folding.h
  void *columns, *x;
  int64_t n;
  int64_t channels, in[3], kernel[3], out[3], stride[3], padding[3], dilation[3];
};

void run(const std::string& kernel, const Tensor& columns, const Tensor& x, const Tensor& made,
         const cpu::ConvShape& s, const char* what) {
  FoldArguments a{columns.raw(), x.raw(), made.numel(), s.channels, {}, {}, {}, {}, {}, {}};
  if (a.n == 0) return;
  for (int d = 0; d < 3; ++d) {
    a.in[d] = s.in[d];
    a.kernel[d] = s.kernel[d];
    a.out[d] = s.out[d];
    a.stride[d] = s.stride[d];
    a.padding[d] = s.padding[d];
    a.dilation[d] = s.dilation[d];
  }
  run_family({"folding", "FoldArguments", kernel}, &a, grid_of(a.n), made.device().index, what);
}

}  // namespace

void unfold(On, const Tensor& columns, const Tensor& x, const cpu::ConvShape& s) {
  run(concat("unfold<", word_type(x.item_size()), ">"), columns, x, columns, s, "im2col");
}
void fold(On, const Tensor& x, const Tensor& columns, const cpu::ConvShape& s) {
  run(concat("fold<", device_type(x.dtype()), ">"), columns, x, x, s, "col2im");
}

}  // namespace lampas::cuda
