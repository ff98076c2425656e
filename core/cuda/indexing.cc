// See indexing.h. Which of the loops of device/indexing.h serves a plan: rows in wide words, or
// elements.
#include "cuda/indexing.h"

#include <numeric>
#include <vector>

#include "cuda/failures.h"
#include "cuda/kernels.h"
#include "cuda/scatter.h"
#include "cuda/sorting.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

// Mirrors of device/failures.h and device/indexing.h.
struct Indices {
  const int64_t* at;
  int64_t stride, negatives;
  Report report;
};
struct RowArguments {
  void *x, *y;
  Indices index;
  int64_t n, rows, words, y_step, lanes, shift;
  Walk<2> outside;
};
struct ElementArguments {
  void *x, *y;
  Indices index;
  int64_t n;
  Walk<3> walk;
};
struct OffsetArguments {
  int64_t* offsets;
  Indices index;
  int64_t n, accumulate;
  Walk<1> walk, x;
};
struct CountArguments {
  int64_t* counts;
  Indices index;
  int64_t n;
  Walk<1> walk;
};

Indices checked(const Tensor& index, int64_t size, int64_t stride, int64_t dim, cpu::Bounds bounds,
                const char* what) {
  return {index.data<int64_t>(), stride, bounds.negatives,
          report_of(index.device().index, what, bounds.raise, dim, size)};
}
// Offsets that were checked when they were made: -1 leads nowhere.
Indices positions(const Tensor& offsets, const cpu::IndexPlan& plan, const char* what) {
  const cpu::RawIndex& raw = plan.raw;
  if (raw.bounds.raise) return checked(offsets, raw.size, raw.stride, raw.dim, raw.bounds, what);
  Indices all{offsets.data<int64_t>(), 1, 0, {}};
  all.report.size = INT64_MAX;
  return all;
}

// The dimensions outside the block and, unless left out, the block: those with large steps in y
// first. Operands: x, y, the position.
struct Side {
  int64_t size;
  std::array<int64_t, 3> steps;
  bool block;
  int64_t reach() const { return steps[1] ? steps[1] : steps[0]; }
};
std::vector<Side> sides_of(const cpu::IndexPlan& plan, int64_t n) {
  std::vector<Side> sides{{n, {0, plan.y_step, 1}, true}};
  for (size_t d = 0; d < plan.sizes.size(); ++d)
    if (plan.sizes[d] != 1)
      sides.push_back({plan.sizes[d], {plan.x_strides[d], plan.y_strides[d], 0}, false});
  // A block that y does not move along comes first.
  auto key = [](const Side& s) { return s.block && !s.steps[1] ? INT64_MAX : s.reach(); };
  std::stable_sort(sides.begin(), sides.end(),
                   [&](const Side& a, const Side& b) { return key(a) > key(b); });
  return sides;
}

bool any_empty(const cpu::IndexPlan& plan) {
  return std::any_of(plan.sizes.begin(), plan.sizes.end(), [](int64_t s) { return s == 0; });
}

// What all offsets are a multiple of: the strides of x in dimensions that are not walked.
int64_t offset_divisor(const Tensor& x, const cpu::IndexPlan& plan) {
  std::vector<bool> walked(plan.sizes.size(), false);
  int64_t divisor = 0;
  for (int64_t d = 0; d < x.dim(); ++d) {
    bool found = false;
    for (size_t i = 0; i < plan.sizes.size() && !found; ++i)
      if (!walked[i] && plan.sizes[i] == x.size(d) && plan.x_strides[i] == x.stride(d))
        walked[i] = found = true;
    if (!found) divisor = std::gcd(divisor, x.stride(d));
  }
  return divisor;
}

// Rows of elements that lie together in x and in y.
bool try_rows(const Tensor& x, const Tensor& y, const Indices& index, int64_t n,
              const cpu::IndexPlan& plan, bool put, const char* what) {
  cpu::Box<2> outside;
  for (const Side& s : sides_of(plan, n))
    if (!s.block) outside.add(s.size, {s.steps[0], s.steps[1]});
  if (outside.sizes.empty() || outside.strides[0].back() != 1 || outside.strides[1].back() != 1)
    return false;
  std::array<int64_t, 2> steps;
  int64_t row = outside.take_row(steps), item = x.item_size();
  int64_t divisor = std::gcd(std::gcd(row, plan.y_step), offset_divisor(x, plan));
  for (size_t d = 0; d < outside.sizes.size(); ++d)
    divisor = std::gcd(divisor, std::gcd(outside.strides[0][d], outside.strides[1][d]));
  int64_t bytes = std::gcd<int64_t>(16, divisor * item);
  bytes = std::gcd(bytes, static_cast<int64_t>(reinterpret_cast<uintptr_t>(x.raw()) & 15));
  bytes = std::gcd(bytes, static_cast<int64_t>(reinterpret_cast<uintptr_t>(y.raw()) & 15));
  if (bytes < item) return false;  // elements of 16 bytes at addresses that are no multiple of it
  int64_t per_word = bytes / item;
  RowArguments a{x.raw(), y.raw(), index, n, 0, row / per_word, plan.y_step / per_word, 1, 0, {}};
  while (int64_t{1} << a.shift < per_word) ++a.shift;
  for (auto& strides : outside.strides)
    for (int64_t& s : strides) s /= per_word;
  a.rows = n * outside.numel();
  a.outside = walk_of(outside, what);
  while (a.lanes < a.words && a.lanes < (a.words >= 1024 ? 256 : 32)) a.lanes *= 2;
  static auto* table = new KernelTable;
  table->run(
      kernel_key(bytes, is_wide(a.rows), put),
      [&] {
        return FamilyKernel{"indexing", "RowArguments",
                            concat("move_rows<", bytes == 16 ? "Word16" : word_type(bytes), ", ",
                                   index_type(a.rows), put ? ", true>" : ", false>")};
      },
      &a, {.x = blocks_for(a.rows, kThreads / a.lanes), .threads = kThreads}, x.device().index,
      what);
  return true;
}

Walk<3> element_walk(const cpu::IndexPlan& plan, int64_t n, const char* what, int64_t& total) {
  cpu::Box<3> box;
  for (const Side& s : sides_of(plan, n)) box.add(s.size, s.steps);
  total = box.numel();
  return walk_of(box, what);
}

void move(const Tensor& x, const Tensor& y, const Tensor& offsets, const cpu::IndexPlan& plan,
          bool put, const char* what) {
  Indices at = positions(offsets, plan, what);
  int64_t n = offsets.numel();
  if (try_rows(x, y, at, n, plan, put, what)) return;
  ElementArguments a{x.raw(), y.raw(), at, 0, {}};
  a.walk = element_walk(plan, n, what, a.n);
  static auto* table = new KernelTable;
  table->run(
      kernel_key(x.item_size(), is_wide(a.n), put),
      [&] {
        return FamilyKernel{"indexing", "ElementArguments",
                            concat("move_elements<", word_type(x.item_size()), ", ",
                                   index_type(a.n), put ? ", true>" : ", false>")};
      },
      &a, grid_of(a.n), x.device().index, what);
}

struct OrderedArguments {  // of device/ordered_sums.h
  void* x;
  const void* y;
  const int64_t *targets, *order;
  int64_t n, stride, y_step, columns;
  Walk<2> outside;
};

// One past the last element that x may reach, from its first.
int64_t extent_of(const Tensor& x) {
  int64_t extent = 1;
  for (int64_t d = 0; d < x.dim(); ++d) extent += (x.size(d) - 1) * x.stride(d);
  return extent;
}

// Sums in the order of the index, as PyTorch's index_put_ makes them.
void add_in_order(const Tensor& x, const Tensor& values, const Tensor& offsets,
                  const cpu::IndexPlan& plan, const char* what) {
  int64_t n = offsets.numel(), limit = extent_of(x);
  Tensor targets = offsets, order = empty(Dims{n}, DType::Int64, x.device());
  OrderedArguments a{x.raw(), values.raw(), nullptr, order.data<int64_t>(), n, 1, plan.y_step, 1,
                     {}};
  if (const cpu::RawIndex& raw = plan.raw; raw.bounds.raise) {
    targets = empty(Dims{n}, DType::Int64, x.device());
    index_offsets(On{}, targets, offsets, raw.size, 1, raw.dim, raw.bounds, false);
    a.stride = raw.stride;
    limit = raw.size;
  }
  order_of(order, targets, limit, what);
  a.targets = targets.data<int64_t>();
  cpu::Box<2> outside;
  for (const Side& s : sides_of(plan, n))
    if (!s.block) outside.add(s.size, {s.steps[0], s.steps[1]});
  a.columns = outside.numel();
  a.outside = walk_of(outside, what);
  run_family(
      {"ordered_sums", "OrderedArguments", concat("add_in_order<", device_type(x.dtype()), ">")},
      &a, grid_of(n * a.columns), x.device().index, what);
}

struct RenormArguments {
  void* weight;
  int32_t* done;
  Indices index;
  int64_t n, width, row_step, step;
  double most, power;
  Walk<1> walk;
};

}  // namespace

void index_offsets(On, Tensor& offsets, const Tensor& index, int64_t size, int64_t stride,
                   int64_t dim, cpu::Bounds bounds, bool accumulate) {
  if (index.numel() == 0) return;
  const char* what = "index";
  OffsetArguments a{offsets.data<int64_t>(), checked(index, size, stride, dim, bounds, what),
                    index.numel(),           accumulate,
                    walk_of(index, what),    {}};
  run_family({"indexing", "OffsetArguments", concat("index_offsets<", index_type(a.n), ">")}, &a,
             grid_of(a.n), index.device().index, what);
}

void linear_offsets(On, Tensor& offsets, const Tensor& index, const Tensor& x, cpu::Bounds bounds) {
  if (index.numel() == 0) return;
  const char* what = "take";
  OffsetArguments a{offsets.data<int64_t>(), checked(index, x.numel(), 1, 0, bounds, what),
                    index.numel(),           0,
                    walk_of(index, what),    walk_of(x, what)};
  run_family({"indexing", "OffsetArguments", "linear_offsets"}, &a, grid_of(a.n),
             index.device().index, what);
}

void index(On, Tensor& y, const Tensor& x, const Tensor& offsets, const cpu::IndexPlan& plan) {
  if (offsets.numel() == 0 || any_empty(plan)) return;
  move(x, y, offsets, plan, false, "index");
}

void index_put(On, Tensor& x, const Tensor& values, const Tensor& offsets,
               const cpu::IndexPlan& plan, cpu::Combine combine, const char* name) {
  if (offsets.numel() == 0 || any_empty(plan)) return;
  if (combine == cpu::Combine::Assign) return move(x, values, offsets, plan, true, "index_put");
  bool rounds = is_floating(x.dtype()) || is_complex(x.dtype());
  if (combine == cpu::Combine::Add && rounds && std::string_view(name) == "index_put" &&
      x.dtype() != DType::ComplexHalf)
    return add_in_order(x, values, offsets, plan, "index_put");
  ElementArguments a{x.raw(), values.raw(), positions(offsets, plan, "index_put"), 0, {}};
  a.walk = element_walk(plan, offsets.numel(), name, a.n);
  run_combining(x.dtype(), combine, a.n, name, &a, x.device().index, "index_put");
}

void count_index(On, Tensor& counts, const Tensor& index) {
  if (index.numel() == 0) return;
  CountArguments a{counts.data<int64_t>(),
                   {index.data<int64_t>(), 1, 0, {}},
                   index.numel(),
                   walk_of(index, "embedding")};
  a.index.report.size = counts.numel();
  run_family({"indexing", "CountArguments", "count_index"}, &a, grid_of(a.n), index.device().index,
             "embedding");
}

void renorm_rows(On, Tensor& weight, const Tensor& index, double max_norm, double norm_type) {
  if (index.numel() == 0 || weight.numel() == 0) return;
  const char* what = "embedding_renorm_";
  Tensor done = empty(Dims{weight.size(0)}, DType::Int32, weight.device());
  fill(On{}, done, 0);
  RenormArguments a{
      weight.raw(),
      done.data<int32_t>(),
      checked(index, weight.size(0), 1, 0,
              {false, [](int64_t, int64_t,
                         int64_t) { fail(ErrorKind::Index, "index out of range in self"); }},
              what),
      index.numel(),
      weight.size(1),
      weight.stride(0),
      weight.stride(1),
      max_norm,
      norm_type,
      walk_of(index, what)};
  CHECK_KIND(is_floating(weight.dtype()), NotImplemented, "\"", what, "\" not implemented for '",
             label(weight.dtype()), "'");
  run_family(
      {"embedding", "RenormArguments", concat("renorm_rows<", device_type(weight.dtype()), ">")},
      &a, {.x = blocks_for(a.n, 1), .threads = 128}, weight.device().index, what);
}

}  // namespace lampas::cuda
