// Reductions on a GPU, as cpu/reduce.h has them.
#pragma once
#include "runtime/tensor.h"

namespace lampas {
enum class Reduction : uint8_t;
}
namespace lampas::cuda {

struct On;  // see kernels.h

void reduce(On, const Tensor& y, Reduction row, const Tensor& x, uint64_t reduced,
            const Tensor& centre, double p);
void variance(On, const Tensor& y, const Tensor& mean, Reduction row, const Tensor& x,
              uint64_t reduced, double correction);

}  // namespace lampas::cuda
