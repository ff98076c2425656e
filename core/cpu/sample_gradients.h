// Derivatives of gamma and Dirichlet samples by their parameters, at a fixed place of their
// distribution function (implicit reparameterisation, M. Figurnov et al., 2018).
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// d x / d shape for x ~ Gamma(shape, 1). Domain: shape > 0, x >= 0. Relative error below 1e-6.
double gamma_sample_gradient(double shape, double x);

// d x / d a for x ~ Beta(a, total - a), divided by 1 - x: what a Dirichlet sample's gradient is
// made of. Domain: 0 < a < total, 0 < x < 1.
double dirichlet_sample_gradient(double x, double a, double total);

// The same over contiguous tensors of float or double, of one dtype and size.
void standard_gamma_gradient(const Tensor& y, const Tensor& shape, const Tensor& x);
void dirichlet_gradient(const Tensor& y, const Tensor& x, const Tensor& a, const Tensor& total);

}  // namespace lampas::cpu
