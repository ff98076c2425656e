// Running results along lines, as cpu/scan.h has them, and the gradient of prod (cpu/products.h),
// which is a scan from either side.
#pragma once
#include "runtime/tensor.h"

namespace lampas {
struct Lines;
}
namespace lampas::cpu {
enum class Scan : uint8_t;
}
namespace lampas::cuda {

struct On;  // see kernels.h

void scan(On, const Tensor& y, const Tensor& x, const Lines& lines, cpu::Scan kind);
void scan_extremes(On, const Tensor& values, const Tensor& indices, const Tensor& x,
                   const Lines& lines, bool largest);
void product_of_others(On, const Tensor& y, const Tensor& x, int64_t n);
void fill_diagonal_mask(On, const Tensor& mask);

}  // namespace lampas::cuda
