// What other operators use of the reductions: sums over dims, undoing a broadcast, and the dims of
// a call.
#pragma once
#include "cpu/reduce.h"
#include "ops/primitives.h"

namespace lampas::ops {

// The dims that a call reduces, and what its result looks like. Small and copyable: formulas keep
// one.
struct Reduced {
  uint64_t mask = 0;  // bit d: dimension d goes
  bool keepdim = false;
  Dims sizes;  // of the input

  // dims None or empty: all of them. Raises torch's errors for bad or repeated dims.
  Reduced(const Tensor& x, const Optional<Dims>& dims, bool keepdim);
  Reduced(const Tensor& x, int64_t dim, bool keepdim);
  Dims kept() const;      // sizes with reduced dims as 1
  Dims result() const;    // the result's sizes
  Dims dims() const;      // the dims that go
  int64_t count() const;  // elements per result
  // A result or its gradient with the reduced dims back as 1, so that it broadcasts against the
  // input.
  Tensor restore(const Tensor& y) const;
};

// One row of reduce.def, without a gradient.
Tensor reduce_plain(Reduction row, const Tensor& x, const Reduced& r, double p = 0,
                    const Tensor& centre = {});

Tensor sum(const Tensor& x, Span dims, bool keepdim);
bool truth(const Tensor& x);  // of one element, wherever it is
Scalar item(const Tensor& x);
// Leaves reduce.def's gradient text of y = row(x).
void record_reduction(Tensor& y, Reduction row, const char* node, const Tensor& x, const Reduced& r,
                      double p = 0);

}  // namespace lampas::ops
