// See scatter.h.
#include "cuda/scatter.h"

#include "cuda/failures.h"
#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

// Mirrors of device/failures.h and device/scatter.h.
struct Indices {
  const int64_t* at;
  int64_t stride, negatives;
  Report report;
};
struct ScatterArguments {
  void *x, *y;
  Indices index;
  int64_t n;
  Walk<3> walk;
};

int64_t size_of(const Tensor& x, int64_t d) { return x.dim() ? x.size(d) : 1; }
int64_t stride_of(const Tensor& x, int64_t d) { return x.dim() ? x.stride(d) : 1; }

ScatterArguments arguments(const Tensor& indexed, const Tensor& other, int64_t d,
                           const Tensor& index, cpu::Bounds bounds, const char* what) {
  cpu::Box<3> box;
  for (int64_t i = 0; i < index.dim(); ++i) {
    int64_t own = i == d ? 0 : stride_of(indexed, i);
    box.add(index.size(i), {own, stride_of(other, i), index.stride(i)});
  }
  Indices at{index.data<int64_t>(), stride_of(indexed, d), bounds.negatives,
             report_of(index.device().index, what, bounds.raise, d, size_of(indexed, d))};
  return {indexed.raw(), other.raw(), at, index.numel(), walk_of(box, what)};
}

}  // namespace

void run_combining(DType dtype, cpu::Combine combine, int64_t n, const char* name,
                   const void* arguments, int device, const char* what) {
  bool ordered = combine == cpu::Combine::Maximum || combine == cpu::Combine::Minimum;
  bool unknown = dtype == DType::UInt16 || dtype == DType::UInt32 || dtype == DType::UInt64 ||
                 dtype == DType::ComplexHalf || (ordered && is_complex(dtype)) ||
                 (combine == cpu::Combine::Multiply && dtype == DType::ComplexDouble);
  CHECK_KIND(!unknown, NotImplemented, "\"", name, "\" not implemented for '", label(dtype), "'");
  const char* how = combine == cpu::Combine::Add        ? "Add"
                    : combine == cpu::Combine::Multiply ? "Multiply"
                    : combine == cpu::Combine::Maximum  ? "Maximum"
                                                        : "Minimum";
  static auto* table = new KernelTable;
  table->run(
      kernel_key(dtype, combine, is_wide(n)),
      [&] {
        return FamilyKernel{
            "scatter", "ScatterArguments",
            concat("scatter_combine<", device_type(dtype), ", ", how, ", ", index_type(n), ">")};
      },
      arguments, grid_of(n), device, what);
}

void gather(On, Tensor& y, const Tensor& x, int64_t d, const Tensor& index, cpu::Bounds bounds) {
  if (index.numel() == 0) return;
  ScatterArguments a = arguments(x, y, d, index, bounds, "gather");
  static auto* table = new KernelTable;
  table->run(
      kernel_key(x.item_size(), is_wide(a.n)),
      [&] {
        return FamilyKernel{
            "scatter", "ScatterArguments",
            concat("gather<", word_type(x.item_size()), ", ", index_type(a.n), ">")};
      },
      &a, grid_of(a.n), x.device().index, "gather");
}

// y += g, where elements of y may share an address.
void add_strided(On, const Tensor& y, const Tensor& g) {
  if (g.numel() == 0) return;
  cpu::Box<3> box;
  for (int64_t d = 0; d < g.dim(); ++d) box.add(g.size(d), {y.stride(d), g.stride(d), 0});
  ScatterArguments a{y.raw(), g.raw(), {}, g.numel(), walk_of(box, "as_strided")};
  run_family({"scatter", "ScatterArguments",
              concat("add_strided<", device_type(y.dtype()), ", ", index_type(a.n), ">")},
             &a, grid_of(a.n), y.device().index, "as_strided");
}

void scatter(On, Tensor& y, int64_t d, const Tensor& index, const Tensor& source,
             cpu::Combine combine, cpu::Bounds bounds, const char* name) {
  if (index.numel() == 0) return;
  ScatterArguments a = arguments(y, source, d, index, bounds, "scatter");
  int device = y.device().index;
  if (combine != cpu::Combine::Assign)
    return run_combining(y.dtype(), combine, a.n, name, &a, device, "scatter");
  static auto* table = new KernelTable;
  table->run(
      kernel_key(y.item_size(), is_wide(a.n)),
      [&] {
        return FamilyKernel{
            "scatter", "ScatterArguments",
            concat("scatter<", word_type(y.item_size()), ", ", index_type(a.n), ">")};
      },
      &a, grid_of(a.n), device, "scatter");
}

}  // namespace lampas::cuda
