// See sets.h.
#include "cuda/sets.h"

#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

constexpr int64_t kTile = 4096, kSharedBins = 4096;

// Mirrors of device/sets.h, device/masked.h and device/sorting.h.
struct GroupArguments {
  const void* x;
  const int64_t* order;
  int64_t *group, *tiles;
  int64_t n, width;
};
struct ScanArguments {
  int64_t* tiles;
  int64_t n;
};
struct RunArguments {
  const int64_t *group, *order;
  int64_t *first, *begins, *counts;
  int64_t n, runs;
};
struct SearchArguments {
  void* places;
  const void *edges, *values;
  const int64_t* sorter;
  int64_t n, edge_count, per_line, right;
};
struct CountArguments {
  void* totals;
  const void *x, *weights;
  int64_t n, bins;
  double low, high;
};

std::string element(const Tensor& x) {
  return x.dtype() == DType::Bool ? "uint8_t" : device_type(x.dtype());
}

Lines one_line(int64_t n) {
  Lines line;
  line.n = n;
  return line;
}

}  // namespace

// Columns from the last to the first, each by a stable sort of what the ones after it have left.
void order_rows(On, const Tensor& order, const Tensor& x, int64_t n, int64_t width) {
  if (n == 0) return;
  if (width == 1) return sort_lines(order, Tensor(), x, one_line(n), false, "unique");
  Tensor column = empty(Dims{n}, x.dtype(), x.device());
  Tensor by_column = empty(Dims{n}, DType::Int64, x.device()), before = order;
  Tensor next = empty(Dims{n}, DType::Int64, x.device());
  cpu::IndexPlan plan;
  plan.y_step = 1;
  for (int64_t c = width; c-- > 0;) {
    Tensor lying = from_storage(x.storage(), x.dtype(), Dims{n}, Dims{width}, x.offset() + c);
    if (c == width - 1) {
      copy(On{}, column, lying);
      sort_lines(before, Tensor(), column, one_line(n), false, "unique");
      continue;
    }
    plan.raw = {
        {false, [](int64_t, int64_t, int64_t) { fail("unique: no such row"); }}, n, width, 0};
    index(On{}, column, lying, before, plan);
    sort_lines(by_column, Tensor(), column, one_line(n), false, "unique");
    plan.raw.stride = 1;
    index(On{}, next, before, by_column, plan);
    std::swap(next, before);
  }
  if (!before.is(order)) copy(On{}, order, before);
}

int64_t group_rows(On, const Tensor& group, const Tensor& x, const Tensor& order, int64_t n,
                   int64_t width) {
  const char* what = "unique";
  int64_t count = (n + kTile - 1) / kTile, total = 0;
  int device = x.device().index;
  Tensor tiles = empty(Dims{count + 1}, DType::Int64, x.device());
  GroupArguments a{x.raw(),
                   order.defined() ? order.data<int64_t>() : nullptr,
                   group.data<int64_t>(),
                   tiles.data<int64_t>(),
                   n,
                   width};
  Grid grid{.x = blocks_for(n, kTile), .threads = 256};
  run_family({"sets", "GroupArguments", concat("count_runs<", element(x), ">")}, &a, grid, device,
             what);
  ScanArguments scan{a.tiles, count};
  run_family({"masked", "ScanArguments", "scan_tiles"}, &scan, {.threads = 512}, device, what);
  run_family({"sets", "GroupArguments", concat("number_runs<", element(x), ">")}, &a, grid, device,
             what);
  copy_bytes(&total, Device{}, a.tiles + count, x.device(), sizeof total);
  return total + 1;
}

void describe_groups(On, const Tensor& first, const Tensor& counts, const Tensor& group,
                     const Tensor& order) {
  if (group.numel() == 0) return;
  Tensor begins = empty(first.sizes(), DType::Int64, first.device());
  RunArguments a{group.data<int64_t>(),  order.defined() ? order.data<int64_t>() : nullptr,
                 first.data<int64_t>(),  begins.data<int64_t>(),
                 counts.data<int64_t>(), group.numel(),
                 first.numel()};
  int device = first.device().index;
  run_family({"sets", "RunArguments", "find_runs"}, &a, grid_of(a.n), device, "unique");
  run_family({"sets", "RunArguments", "count_run_lengths"}, &a, grid_of(a.runs), device, "unique");
}

void search(On, const Tensor& places, const Tensor& edges, const Tensor& values,
            const Tensor& sorter, bool right) {
  if (values.numel() == 0) return;
  const char* what = "searchsorted";
  DType t = edges.dtype();
  CHECK_KIND(is_floating(t) || is_integral(t, false), NotImplemented, "\"", what,
             "\" not implemented for '", label(t), "'");
  SearchArguments a{places.raw(),
                    edges.raw(),
                    values.raw(),
                    sorter.defined() ? sorter.data<int64_t>() : nullptr,
                    values.numel(),
                    edges.dim() ? edges.size(edges.dim() - 1) : 1,
                    edges.dim() <= 1 ? 0 : values.size(values.dim() - 1),
                    right};
  run_family({"sets", "SearchArguments",
              concat("search<", element(edges), ", ", device_type(places.dtype()), ">")},
             &a, grid_of(a.n), values.device().index, what);
}

void count_values(On, const Tensor& totals, const Tensor& x, const Tensor& weights) {
  if (x.numel() == 0) return;
  CountArguments a{totals.raw(),
                   x.raw(),
                   weights.defined() ? weights.raw() : nullptr,
                   x.numel(),
                   totals.numel(),
                   0,
                   0};
  // Blocks of several elements a thread: each brings its counts together once.
  Grid grid{.x = std::min(blocks_for(a.n, int64_t{16} * kThreads), 2048u), .threads = kThreads};
  std::string kernel =
      weights.defined()
          ? concat("sum_weights<", element(x), ", ", device_type(totals.dtype()), ">")
          : concat("count_values<", element(x), a.bins <= kSharedBins ? ", true>" : ", false>");
  run_family({"sets", "CountArguments", kernel}, &a, grid, x.device().index, "bincount");
}

void count_bins(On, const Tensor& totals, const Tensor& x, const Tensor&, double low, double high) {
  Tensor counts = empty(totals.sizes(), DType::Int64, totals.device());
  fill(On{}, counts, 0);
  CountArguments a{counts.raw(), x.raw(), nullptr, x.numel(), totals.numel(), low, high};
  if (a.n)
    run_family({"sets", "CountArguments", concat("count_bins<", element(x), ">")}, &a, grid_of(a.n),
               x.device().index, "histc");
  copy(On{}, totals, counts);
}

}  // namespace lampas::cuda
