// Running results along lines.
#pragma once
#include "cpu/lines.h"

namespace lampas::cpu {

enum class Scan : uint8_t { Sum, Product, LogSumExp };

// y, x: contiguous, of one type.
void scan(const Tensor& y, const Tensor& x, const Lines& lines, Scan kind);
// The latest place of the largest (smallest) element so far, and that element. NaN stays.
void scan_extremes(const Tensor& values, const Tensor& indices, const Tensor& x, const Lines& lines,
                   bool largest);

}  // namespace lampas::cpu
