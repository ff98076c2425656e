// Batch, group and layer normalisation on a GPU, as cpu/normalize.h has them, except that dweight
// and dbias are of any float type and are written, not added to, and that the parameters of rows
// may be of any float type.
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {
struct Cut;
}
namespace lampas::cuda {

struct On;  // see kernels.h

void channel_moments(On, const Tensor& mean, const Tensor& variance, const Tensor& x,
                     const cpu::Cut& cut);
void group_moments(On, const Tensor& mean, const Tensor& variance, const Tensor& x,
                   const cpu::Cut& cut);
void track_statistics(On, const Tensor& rstd, const Tensor& mean, const Tensor& variance,
                      const Tensor& running_mean, const Tensor& running_variance, double momentum,
                      double factor, double eps);
void known_statistics(On, const Tensor& mean, const Tensor& rstd, const Tensor& running_mean,
                      const Tensor& running_variance, double eps);
void normalize(On, const Tensor& y, const Tensor& x, const cpu::Cut& cut, const Tensor& mean,
               const Tensor& rstd, const Tensor& weight, const Tensor& bias);
void normalize_backward(On, const Tensor& g, const Tensor& dx, const Tensor& dweight,
                        const Tensor& dbias, const Tensor& x, const cpu::Cut& cut,
                        const Tensor& mean, const Tensor& rstd, const Tensor& weight, bool fixed);
void normalize_rows(On, const Tensor& y, const Tensor& mean, const Tensor& rstd, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, int64_t n, double eps, bool centred);
void normalize_rows_backward(On, const Tensor& g, const Tensor& dx, const Tensor& dweight,
                             const Tensor& dbias, const Tensor& x, const Tensor& mean,
                             const Tensor& rstd, const Tensor& weight, int64_t n, bool centred);

}  // namespace lampas::cuda
