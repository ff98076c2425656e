// What fixed and adaptive pooling share: the two recorded operators.
#pragma once
#include "cpu/pooling.h"
#include "ops/formats.h"
#include "ops/primitives.h"

namespace lampas::ops {

struct Pooling {
  cpu::PoolShape shape;
  int spatial;
  MemoryFormat format;  // of the results
  const char* kernel;   // name in "not implemented for" errors
  const char *node, *second_node;
};

// (values, indices); indices are undefined when nobody needs them.
Pair max_pooled(const Tensor& x, const Pooling& p, bool indices_wanted);
Tensor average_pooled(const Tensor& x, const Pooling& p);

int64_t plane_count(const Tensor& x, int spatial);
// Raises unless x is (C, L) or (N, C, L).
void check_line_rank(const char* name, const Tensor& x);

}  // namespace lampas::ops
