// Kernels of the reductions in ops/reduce.def.
#pragma once
#include "runtime/tensor.h"

namespace lampas {

enum class Reduction : uint8_t {
#define REDUCE(name, ...) name,
#include "ops/reduce.def"
};

namespace cpu {

// Fills y (contiguous, the kept dimensions in order) from x, over the dimensions whose bit is set
// in `reduced`. `centre` (rows with a centre; else undefined) is contiguous, one element per
// result. The element types of y and centre are result_of(row, x.dtype()) and centre_of(row,
// x.dtype()).
void reduce(const Tensor& y, Reduction row, const Tensor& x, uint64_t reduced, const Tensor& centre,
            double p);
// Mean (a double or complex double) and variance, or the root of it (`row` says which).
void variance(const Tensor& y, const Tensor& mean, Reduction row, const Tensor& x, uint64_t reduced,
              double correction);

}  // namespace cpu

const char* label(Reduction row);
DType result_of(Reduction row, DType x);  // raises `"sum_cpu" not implemented for ...`
DType centre_of(Reduction row, DType x);

}  // namespace lampas
