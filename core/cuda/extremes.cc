// Largest and smallest elements with their places: a reduction whose accumulators are both.
#include "cpu/extremes.h"

#include "cuda/kernels.h"
#include "cuda/reduction.h"

namespace lampas::cuda {

void extremes(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
              bool largest) {
  if (indices.numel() == 0) return;
  const char* what = largest ? "max" : "min";
  dispatch<RealsAndBool>(x.dtype(), what, [](auto) {});
  Reducing r{largest ? Gather::largest : Gather::smallest, x.dtype(), what, x.raw(), indices.raw()};
  if (values.defined()) r.second = values.raw();
  run_reduction(r,
                reduction_over({{lines.outer, lines.n * lines.inner, lines.inner, false},
                                {lines.n, lines.inner, 0, true},
                                {lines.inner, 1, 1, false}}),
                x.device());
}

}  // namespace lampas::cuda
