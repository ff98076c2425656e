// How several tensors are walked together: broadcasting, the layout of results, merged dimensions,
// overlap checks. Only addresses and strides: the loops themselves belong to a device (cpu/walk.h).
#pragma once
#include "runtime/tensor.h"

namespace lampas {

// Operands of one elementwise pass, the written one first. Dimensions are ordered innermost first
// and neighbours that can be walked as one are merged, so a contiguous pass has rank 0 or 1.
struct Plan {
  static constexpr int kMost = 6;  // dx, g, three inputs, y

  int count = 0;
  int64_t numel = 1;
  Dims sizes;
  Dims strides[kMost];  // in bytes; 0 along broadcast dimensions
  char* data[kMost] = {};
  DType dtype[kMost] = {};

  void add(const Tensor& x);                  // its shape must broadcast to the one given to finish
  void add_number(void* value, DType dtype);  // one element, the same everywhere
  void skip() { ++count; }                    // an operand the kernel never reads
  void finish(Span shape);

 private:
  const TensorImpl* tensors_[kMost] = {};
};

// A result of this shape in the layout PyTorch gives it: contiguous inputs make a contiguous
// result, channels_last stays, otherwise dimensions keep the order of the inputs' strides (first
// input first). `numbers`: there are numbers among the operands, which counts as a difference in
// shape.
Tensor empty_result(Span shape, std::span<const Tensor* const> inputs, DType dtype, Device device,
                    bool numbers = false);

// Raises when two elements of `written` share memory.
void check_internal_overlap(const Tensor& written);
// Raises when `written` and `read` overlap other than being the same; `apart`: then too.
void check_partial_overlap(const Tensor& written, const Tensor& read, bool apart = false);
[[noreturn]] void fail_overlap();

}  // namespace lampas
