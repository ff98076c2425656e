// Reductions on a GPU: how many threads share a row, and into how many parts results of many
// elements are cut. Choices follow from sizes alone, so that results do not depend on the machine.
#include "cpu/reduce.h"

#include "cuda/kernel_table.h"
#include "cuda/kernels.h"
#include "cuda/reduction.h"
#include "cuda/shares.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr int kRank = 12;  // as cuda/device/reduce.h has it
constexpr int64_t kThreads = 256;
constexpr int64_t kBlocks = 1024;                         // enough to fill a GPU
constexpr int64_t kMostRow = 8192, kLeastRow = 512;       // 16-byte accesses of a block
constexpr int64_t kMostColumn = 1024, kLeastColumn = 16;  // elements of a thread
constexpr int64_t kPartial = 32;                          // bytes of the largest partial result

struct Axis {
  int64_t size, in, out;
};
// ReduceArguments of cuda/device/reduce.h.
struct Arguments {
  const void *x, *other, *centre;
  void *y, *second, *partial;
  double p;
  int64_t count, rows, run, step, outer, packs, part, parts, lanes, lane_in, lane_out, centre_each;
  int32_t group, down, kept_rank, reduced_rank;
  Axis kept[kRank], reduced[kRank];
};

// R of reduction_rows.h, with $ for the type of an element.
constexpr const char* kRows[] = {
#define REDUCE(name, ...) "Mapped<reduction::" #name "_row<$>>",
#include "ops/reduce.def"
    "Extreme<$, true>", "Extreme<$, false>", "Spread<$, double, false>", "GradientSums<$>"};

const char* row_text(Gather g) {
  if (g == Gather::var) return "Spread<$, real_t<$>, false>";
  if (g == Gather::std) return "Spread<$, real_t<$>, true>";
  return kRows[static_cast<int>(g)];
}

constexpr const char* kNames[] = {
#define REDUCE(name, ...) #name,
#include "ops/reduce.def"
};

enum class Loop : uint8_t { Rows, Columns, WideColumns, Parts };

FamilyKernel kernel_of(Gather gather, DType dtype, Loop loop, bool plain) {
  std::string element = device_type(dtype), row;
  for (const char* c = row_text(gather); *c; ++c) row += *c == '$' ? element : std::string(1, *c);
  if (loop == Loop::Parts) return {"reduce", "ReduceArguments", concat("reduce_parts<", row, ">")};
  std::string width;
  if (loop == Loop::Columns) width = ", 1";
  if (loop == Loop::WideColumns) width = concat(", kWidth<", element, ">");
  return {"reduce", "ReduceArguments",
          concat(loop == Loop::Rows ? "reduce_rows<" : "reduce_columns<", row, ", ", element, width,
                 plain ? ", true>" : ", false>")};
}

// Plain: one axis is reduced, and where rows are, its elements are neighbours.
void launch(const Reducing& r, Loop loop, const Arguments& a, Grid grid, Device device) {
  bool plain = a.outer == 1 && (loop != Loop::Rows || a.step == 1);
  static auto* table = new KernelTable;
  uint64_t key = static_cast<uint64_t>(r.gather) << 16 | static_cast<uint64_t>(r.dtype) << 8 |
                 static_cast<uint64_t>(loop) << 1 | static_cast<uint64_t>(plain);
  table->run(
      key, [&] { return kernel_of(r.gather, r.dtype, loop, plain); }, &a, grid, device.index,
      r.what);
}

int32_t put_axes(Axis* to, const ReduceAxes& axes, size_t count, const char* what) {
  CHECK_KIND(count <= kRank, NotImplemented, what,
             " on CUDA takes tensors whose memory is walked in at most ", kRank, " dimensions");
  for (size_t i = 0; i < count; ++i) {
    const ReduceAxis& a = axes[count - 1 - i];
    to[i] = {a.size, a.in, a.out};
  }
  return static_cast<int32_t>(count);
}

// Cuts `all` units of each of `tasks` blocks into parts of at least `least` and at most `most`.
void cut(Arguments& a, int64_t all, int64_t tasks, int64_t least, int64_t most) {
  int64_t ideal = ceiling(all * std::min(tasks, kBlocks), kBlocks);
  int64_t length = std::clamp(ideal, least, most);
  a.parts = std::max<int64_t>(ceiling(all, length), 1);
  a.part = std::max<int64_t>(ceiling(all, a.parts), 1);
}

}  // namespace

ReducePlan reduction_over(std::initializer_list<ReduceAxis> axes) {
  ReduceAxes all;
  for (const ReduceAxis& a : axes)
    if (a.size != 1) all.push_back(a);
  return plan_of_axes(coalesce(all), 0);
}

void run_reduction(const Reducing& r, const ReducePlan& plan, Device device) {
  Arguments a{};
  a.x = r.x, a.other = r.other, a.centre = r.centre;
  a.y = r.y, a.second = r.second, a.p = r.p;
  a.centre_each = r.centre_each;
  a.count = plan.count, a.rows = plan.rows;
  a.lanes = plan.lane.size, a.lane_in = plan.lane.in, a.lane_out = plan.lane.out;
  a.run = a.step = a.outer = 1;
  if (!plan.reduced.empty()) {
    a.run = plan.reduced.back().size, a.step = plan.reduced.back().in;
    a.outer = plan.count ? plan.count / a.run : 1;
    if (plan.count == 0) a.run = 0;
    a.reduced_rank = put_axes(a.reduced, plan.reduced, plan.reduced.size() - 1, r.what);
  }
  a.kept_rank = put_axes(a.kept, plan.kept, plan.kept.size(), r.what);
  int64_t width = std::max<int64_t>(16 / item_size(r.dtype), 1);
  Loop loop = Loop::Rows;
  int64_t tasks;
  if (a.lanes > 1) {
    // Whether accesses are of 16 bytes follows from sizes; where memory does not allow them, the
    // same thread makes several.
    bool wide = width > 1 && a.lane_in == 1 && a.lanes % width == 0;
    loop = wide ? Loop::WideColumns : Loop::Columns;
    int64_t columns = a.lanes / (wide ? width : 1);
    a.group = static_cast<int32_t>(
        std::min(power_of_two(columns), a.count >= 64 ? int64_t{32} : kThreads));
    // Several rows share a block where their columns are short.
    int64_t down = std::min(kThreads / a.group, power_of_two(ceiling(a.count, 4)));
    a.down = static_cast<int32_t>(down);
    tasks = ceiling(columns, a.group) * ceiling(a.rows, kThreads / (a.group * down));
    cut(a, a.count, tasks, down * kLeastColumn, down * kMostColumn);
  } else {
    a.packs = ceiling(a.run, width);
    int64_t all = a.packs * a.outer;
    if (all > kLeastRow) {
      a.group = kThreads;
      tasks = a.rows;
      cut(a, all, tasks, kLeastRow, a.rows < kBlocks ? kMostRow : all);
    } else {
      a.group = static_cast<int32_t>(std::min(power_of_two(ceiling(all, 2)), int64_t{32}));
      tasks = ceiling(a.rows, kThreads / a.group);
      a.part = std::max<int64_t>(all, 1), a.parts = 1;
    }
  }
  Tensor partial;
  int64_t results = a.rows * a.lanes;
  if (a.parts > 1) {
    partial = empty(Dims{results * a.parts * kPartial}, DType::UInt8, device);
    a.partial = partial.raw();
  }
  launch(r, loop, a, {.x = blocks_for(tasks * a.parts, 1), .threads = kThreads}, device);
  if (a.parts == 1) return;
  unsigned threads = a.parts <= 64 ? 32 : kThreads;
  launch(r, Loop::Parts, a, {.x = blocks_for(results, 1), .threads = threads}, device);
}

void reduce(On, const Tensor& y, Reduction row, const Tensor& x, uint64_t reduced,
            const Tensor& centre, double p) {
  if (y.numel() == 0) return;
  Reducing r{static_cast<Gather>(row), x.dtype(), kNames[static_cast<int>(row)], x.raw(), y.raw()};
  if (centre.defined()) r.centre = centre.raw();
  r.p = p;
  run_reduction(r, reduce_plan(x, reduced, y.numel() == 1, 0), x.device());
}

void variance(On, const Tensor& y, const Tensor& mean, Reduction row, const Tensor& x,
              uint64_t reduced, double correction) {
  if (y.numel() == 0) return;
  Reducing r{static_cast<Gather>(row),
             x.dtype(),
             kNames[static_cast<int>(row)],
             x.raw(),
             y.raw(),
             mean.raw()};
  r.p = correction;
  run_reduction(r, reduce_plan(x, reduced, y.numel() == 1, 0), x.device());
}

}  // namespace lampas::cuda
