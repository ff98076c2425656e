// Softmax and its kin, as cpu/softmax.h has them.
#pragma once
#include "runtime/tensor.h"

namespace lampas {
struct Lines;
}
namespace lampas::cuda {

struct On;  // see kernels.h

void softmax(On, const Tensor& y, const Tensor& x, const Lines& lines, bool log);
void softmax_backward(On, const Tensor& dx, const Tensor& g, const Tensor& y, const Lines& lines,
                      bool log);
void log_sum(On, const Tensor& lse, const Tensor& x, const Lines& lines);
void cross_entropy_backward(On, const Tensor& dx, const Tensor& x, const Tensor& lse,
                            const Tensor& target, const Tensor& scale, const Lines& lines);

}  // namespace lampas::cuda
