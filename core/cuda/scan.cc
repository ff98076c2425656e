// Running results on a GPU: which lines are cut into parts. Follows from sizes alone.
#include "cpu/scan.h"

#include "cuda/kernel_table.h"
#include "cuda/kernels.h"
#include "cuda/shares.h"

namespace lampas::cuda {
namespace {

using cpu::Scan;

constexpr int64_t kThreads = 256, kBlocks = 1024;
constexpr int64_t kCarry = 16;  // bytes of the largest carry

// ScanArguments of cuda/device/scan.h.
struct Arguments {
  const void *x, *times;
  void *y, *places, *carries;
  int64_t outer, n, inner, part, parts;
  int32_t group, reverse, exclusive;
};

// What is joined; the wide product is written in the type it is carried in.
enum class Kind : uint8_t { Sum, Product, LogSumExp, Largest, Smallest, WideProduct };
constexpr const char* kKinds[] = {"RunningSum<$>",         "RunningProduct<$>",
                                  "RunningLogSum<$>",      "RunningBest<$, true>",
                                  "RunningBest<$, false>", "RunningProduct<$, wide_t<$>>"};
enum class Loop : uint8_t { Rows, RowTotals, Columns, ColumnTotals, Carries };

FamilyKernel kernel_of(Kind kind, DType dtype, Loop loop) {
  std::string element = device_type(dtype), row;
  for (const char* c = kKinds[static_cast<int>(kind)]; *c; ++c)
    row += *c == '$' ? element : std::string(1, *c);
  if (loop == Loop::Carries) return {"scan", "ScanArguments", concat("scan_carries<", row, ">")};
  bool rows = loop == Loop::Rows || loop == Loop::RowTotals;
  bool writes = loop == Loop::Rows || loop == Loop::Columns;
  return {"scan", "ScanArguments",
          concat(rows ? "scan_rows<" : "scan_columns<", row, ", ", element,
                 writes ? ", true>" : ", false>")};
}

void launch(Kind kind, DType dtype, Loop loop, const Arguments& a, Grid grid, Device device,
            const char* what) {
  static auto* table = new KernelTable;
  uint64_t key = static_cast<uint64_t>(kind) << 16 | static_cast<uint64_t>(dtype) << 8 |
                 static_cast<uint64_t>(loop);
  table->run(key, [&] { return kernel_of(kind, dtype, loop); }, &a, grid, device.index, what);
}

void run(Kind kind, Arguments& a, const Tensor& x, const Lines& lines, const char* what) {
  a.outer = lines.outer, a.n = lines.n, a.inner = lines.inner;
  a.x = x.raw();
  bool rows = a.inner == 1;
  int64_t width = std::clamp<int64_t>(16 / x.item_size(), 1, 8), tile = width * kThreads;
  int64_t wanted, units;  // parts that would fill the GPU, and the most there may be
  if (rows) {
    a.group = a.n <= 32 * width * 4 ? 32 : kThreads;
    wanted = ceiling(kBlocks, a.outer), units = ceiling(a.n, tile * 4);
  } else {
    wanted = ceiling(kBlocks * 64, a.outer * a.inner), units = ceiling(a.n, 64);
  }
  a.parts = std::max<int64_t>(std::min(wanted, units), 1);
  a.part = ceiling(a.n, a.parts);
  if (rows && a.parts > 1) a.part = ceiling(a.part, tile) * tile;
  a.parts = ceiling(a.n, a.part);
  Grid grid{.x = blocks_for(a.outer * a.inner * a.parts, rows ? kThreads / a.group : kThreads),
            .threads = kThreads};
  Tensor carries;
  if (a.parts > 1) {
    carries = empty(Dims{lines.count() * a.parts * kCarry}, DType::UInt8, x.device());
    a.carries = carries.raw();
    launch(kind, x.dtype(), rows ? Loop::RowTotals : Loop::ColumnTotals, a, grid, x.device(), what);
    launch(kind, x.dtype(), Loop::Carries, a,
           {.x = blocks_for(lines.count(), 1), .threads = kThreads}, x.device(), what);
  }
  launch(kind, x.dtype(), rows ? Loop::Rows : Loop::Columns, a, grid, x.device(), what);
}

}  // namespace

void scan(On, const Tensor& y, const Tensor& x, const Lines& lines, Scan kind) {
  constexpr const char* kNames[] = {"cumsum", "cumprod", "logcumsumexp"};
  if (x.numel() == 0) return;
  const char* what = kNames[static_cast<int>(kind)];
  if (kind == Scan::LogSumExp)
    dispatch<FloatsAndComplex>(x.dtype(), what, [](auto) {});
  else
    dispatch<Numbers>(x.dtype(), what, [](auto) {});
  Arguments a{};
  a.y = y.raw();
  run(static_cast<Kind>(kind), a, x, lines, what);
}

void scan_extremes(On, const Tensor& values, const Tensor& indices, const Tensor& x,
                   const Lines& lines, bool largest) {
  if (x.numel() == 0) return;
  const char* what = largest ? "cummax" : "cummin";
  dispatch<RealsAndBool>(x.dtype(), what, [](auto) {});
  Arguments a{};
  a.y = values.raw(), a.places = indices.raw();
  run(largest ? Kind::Largest : Kind::Smallest, a, x, lines, what);
}

// The product of what comes before each element, times that of what comes behind.
void product_of_others(On, const Tensor& y, const Tensor& x, int64_t n) {
  if (x.numel() == 0) return;
  dispatch<FloatsAndComplex>(x.dtype(), "prod_backward", [](auto) {});
  Lines lines;
  lines.outer = x.numel() / n, lines.n = n;
  DType wide = is_reduced(x.dtype()) ? DType::Float : x.dtype();
  Tensor before = empty(x.sizes(), wide, x.device());
  Arguments a{};
  a.y = before.raw(), a.exclusive = 1;
  run(Kind::WideProduct, a, x, lines, "prod_backward");
  a = {};
  a.y = y.raw(), a.times = before.raw(), a.exclusive = a.reverse = 1;
  run(Kind::Product, a, x, lines, "prod_backward");
}

void fill_diagonal_mask(On, const Tensor& mask) {
  if (mask.numel() == 0) return;
  static auto* table = new KernelTable;
  Arguments a{};
  a.y = mask.raw(), a.n = mask.size(0);
  table->run(
      0, [] { return FamilyKernel{"scan", "ScanArguments", "diagonal_mask"}; }, &a,
      {.x = blocks_for(mask.numel(), kThreads), .threads = kThreads}, mask.device().index,
      "diagonal mask");
}

}  // namespace lampas::cuda
