// How a reduction walks memory: axes ordered by stride, neighbours joined, and the kept axis along
// which results lie side by side. For reduce.cc here and in cuda/.
#pragma once
#include <algorithm>

#include "runtime/tensor.h"

namespace lampas {

struct ReduceAxis {
  int64_t size, in, out;  // strides in elements; out is 0 for reduced axes
  bool reduced;
};
using ReduceAxes = SmallVector<ReduceAxis, 6>;

struct ReducePlan {
  ReduceAxis lane{1, 0, 0, false};  // the kept axis along which results are gathered together
  ReduceAxes kept, reduced;         // the others, outermost first
  int64_t rows = 1, count = 1;      // products of kept and of reduced sizes
};

inline ReduceAxes coalesce(const ReduceAxes& axes) {
  ReduceAxes merged;
  for (const ReduceAxis& a : axes) {
    if (!merged.empty()) {
      ReduceAxis& o = merged.back();
      if (o.reduced == a.reduced && o.in == a.in * a.size && o.out == a.out * a.size) {
        o = {o.size * a.size, a.in, a.out, a.reduced};
        continue;
      }
    }
    merged.push_back(a);
  }
  return merged;
}

// By stride, outermost first. Few axes: an insertion, which keeps the order of equals.
inline void sort_axes(ReduceAxes& axes) {
  for (size_t i = 1; i < axes.size(); ++i)
    for (size_t j = i; j > 0 && axes[j - 1].in < axes[j].in; --j) std::swap(axes[j - 1], axes[j]);
}

// From axes in the order of memory, neighbours joined. Rows below `short_row` elements are taken
// side by side where there are as many.
inline ReducePlan plan_of_axes(ReduceAxes axes, int64_t short_row) {
  ReducePlan plan;
  // Results lie side by side along the innermost axis, or are taken so where rows are short.
  size_t lane = axes.size();
  for (size_t i = axes.size(); i-- > 0 && lane == axes.size();)
    if (!axes[i].reduced) lane = i;
  bool inner = lane + 1 == axes.size();
  if (lane < axes.size() &&
      (inner || (axes.back().size < short_row && axes[lane].size >= short_row))) {
    plan.lane = axes[lane];
    axes.erase(lane);
  }
  for (const ReduceAxis& a : axes) {
    (a.reduced ? plan.reduced : plan.kept).push_back(a);
    (a.reduced ? plan.count : plan.rows) *= a.size;
  }
  return plan;
}

// `whole`: there is one result.
inline ReducePlan reduce_plan(const Tensor& x, uint64_t reduced, bool whole, int64_t short_row) {
  if (whole && x.is_contiguous()) {
    ReducePlan plan;
    plan.reduced.push_back({x.numel(), 1, 0, true});
    plan.count = x.numel();
    return plan;
  }
  ReduceAxes axes;
  int64_t step = 1;
  for (int64_t d = x.dim(); d-- > 0;) {
    bool gone = reduced >> d & 1;
    if (x.size(d) != 1) axes.push_back({x.size(d), x.stride(d), gone ? 0 : step, gone});
    if (!gone) step *= x.size(d);
  }
  std::reverse(axes.begin(), axes.end());
  sort_axes(axes);
  return plan_of_axes(coalesce(axes), short_row);
}

}  // namespace lampas
