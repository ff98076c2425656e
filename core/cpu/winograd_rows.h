// Convolutions of float whose windows are 3 to 5 elements wide, or 5 to 10 with a stride of two,
// with fewer multiplications: F(m, r) along rows, 6 products where m * r would be; down the columns
// of a window everything is summed as it is. What is not finite is computed again by another
// method.
#pragma once
#include "cpu/convolution.h"

namespace lampas::cpu {

// False when the shape or the values are left to another method.
bool winograd_rows_convolve(float* y, const float* x, const float* w, const float* bias,
                            const ConvShape& s);
bool winograd_rows_convolve_input(float* dx, const float* g, const float* w, const float* bias,
                                  const ConvShape& s);
bool winograd_rows_convolve_weight(float* dw, const float* g, const float* x, const ConvShape& s);

}  // namespace lampas::cpu
