// Normalisation on a GPU. Moments and sums of channels and groups are reductions; the rest is in
// cuda/device/normalize.h and normalize_rows.h.
#include "cpu/normalize.h"

#include "cuda/kernel_table.h"
#include "cuda/kernels.h"
#include "cuda/reduction.h"
#include "cuda/shares.h"

namespace lampas::cuda {
namespace {

using cpu::Cut;

constexpr int64_t kBlocks = 1024;  // enough to fill a GPU

// NormalizeArguments of cuda/device/normalize.h.
struct Arguments {
  void* y;
  const void *x, *g, *weight, *bias;
  double *mean, *rstd;
  void *dweight, *dbias, *partial;
  double* slopes;
  const double* variance;
  double eps, count, momentum, factor;
  int64_t rows, n, outer, channels, inner, groups, weight_step, bias_step, part, parts;
  int32_t group, centred;
};

enum class Kernel : uint8_t {
  Held1,
  Held2,
  Held4,
  Long,
  BackwardHeld1,
  BackwardHeld2,
  BackwardHeld4,
  BackwardLong,
  BackwardSummed1,
  BackwardSummed2,
  BackwardSummed4,
  RowParameters,
  JoinParameters,
  Runs,
  RunSlopes,
  Columns,
  ColumnSlopes,
  NormSlopes,
  Track,
  Known
};
// $ the element, % the parameter's type, # the type of what is written for a parameter, @ what sums
// are in.
constexpr const char* kTexts[] = {"rows_held<$, %, 1>",
                                  "rows_held<$, %, 2>",
                                  "rows_held<$, %, 4>",
                                  "rows_long<$, %>",
                                  "rows_backward_held<$, %, 1>",
                                  "rows_backward_held<$, %, 2>",
                                  "rows_backward_held<$, %, 4>",
                                  "rows_backward_long<$, %>",
                                  "rows_backward_summed<$, %, 1>",
                                  "rows_backward_summed<$, %, 2>",
                                  "rows_backward_summed<$, %, 4>",
                                  "row_parameters<$>",
                                  "join_parameters<compute_t<$>, #>",
                                  "apply_runs<$, false, %>",
                                  "apply_runs<$, true, %>",
                                  "apply_columns<$, false, %>",
                                  "apply_columns<$, true, %>",
                                  "norm_slopes<%, #>",
                                  "track_statistics<#>",
                                  "known_statistics<#>"};

struct Types3 {
  DType element = DType::Float, parameter = DType::Float, written = DType::Float;
};

void launch(Kernel kernel, Types3 types, const Arguments& a, Grid grid, Device device,
            const char* what) {
  static auto* table = new KernelTable;
  uint64_t key = static_cast<uint64_t>(kernel) << 24 | static_cast<uint64_t>(types.element) << 16 |
                 static_cast<uint64_t>(types.parameter) << 8 | static_cast<uint64_t>(types.written);
  auto make = [&] {
    std::string text;
    for (const char* c = kTexts[static_cast<int>(kernel)]; *c; ++c)
      text += *c == '$'   ? std::string(device_type(types.element))
              : *c == '%' ? std::string(device_type(types.parameter))
              : *c == '#' ? std::string(device_type(types.written))
                          : std::string(1, *c);
    bool rows = kernel <= Kernel::JoinParameters;
    return FamilyKernel{rows ? "normalize_rows" : "normalize", "NormalizeArguments", text};
  };
  table->run(key, make, &a, grid, device.index, what);
}

const void* address(const Tensor& x) { return x.defined() ? x.raw() : nullptr; }
void* written(const Tensor& x) { return x.defined() ? x.raw() : nullptr; }
// The one type of two tensors, of which some may be undefined.
DType type_of(const Tensor& a, const Tensor& b, DType otherwise = DType::Float) {
  DType type = a.defined() ? a.dtype() : b.defined() ? b.dtype() : otherwise;
  CHECK(!b.defined() || b.dtype() == type, "expected scalar type ", label(type), " but found ",
        label(b.defined() ? b.dtype() : type));
  return type;
}
void check_float(const Tensor& x, const char* what) {
  dispatch<Floats>(x.dtype(), what, [](auto) {});
}
int64_t width_of(const Tensor& x) { return 16 / x.item_size(); }

void put_parameters(Arguments& a, const Tensor& weight, const Tensor& bias) {
  a.weight = address(weight), a.bias = address(bias);
  a.weight_step = weight.defined() && weight.dim() ? weight.stride(0) : 1;
  a.bias_step = bias.defined() && bias.dim() ? bias.stride(0) : 1;
}

Kernel held(Kernel first, const RowShare& share) {
  int step = share.each == 1 ? 0 : share.each == 2 ? 1 : share.each == 4 ? 2 : 3;
  return static_cast<Kernel>(static_cast<int>(first) + step);
}

}  // namespace

// --- rows ---

void normalize_rows(On, const Tensor& y, const Tensor& mean, const Tensor& rstd, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, int64_t n, double eps, bool centred) {
  if (x.numel() == 0) return;
  const char* what = centred ? "layer_norm" : "rms_norm";
  check_float(x, what);
  Arguments a{};
  a.y = y.raw(), a.x = x.raw(), a.mean = mean.data<double>(), a.rstd = rstd.data<double>();
  put_parameters(a, weight, bias);
  a.eps = eps, a.n = n, a.rows = x.numel() / n, a.centred = centred;
  RowShare share = RowShare::held(ceiling(n, width_of(x)));
  a.group = static_cast<int32_t>(share.group);
  launch(held(Kernel::Held1, share), {x.dtype(), type_of(weight, bias)}, a, share.grid(a.rows),
         x.device(), what);
}

namespace {

// Sums of `parts` parts of the rows: `fill` finds them, then they are joined.
template <class Fill>
void with_parts(Arguments& a, int64_t parts, const Tensor& x, const Tensor& dweight,
                const Tensor& dbias, const char* what, Fill&& fill) {
  int64_t wide = x.dtype() == DType::Double ? 8 : 4;
  Tensor partial = empty(Dims{parts * 2 * a.n * wide}, DType::UInt8, x.device());
  a.partial = partial.raw(), a.parts = parts;
  a.dweight = written(dweight), a.dbias = written(dbias);
  fill();
  launch(Kernel::JoinParameters, {x.dtype(), DType::Float, type_of(dweight, dbias)}, a,
         {.x = blocks_for(a.n, 32)}, x.device(), what);
}

void row_parameters(Arguments& a, const Tensor& x, const Tensor& dweight, const Tensor& dbias,
                    const char* what) {
  int64_t packs = ceiling(a.n, width_of(x));
  a.group = static_cast<int32_t>(std::min<int64_t>(power_of_two(packs), 32));
  int64_t tiles = ceiling(packs, a.group), down = 256 / a.group;
  // A part has a few rows for every thread, and there are parts enough to fill a GPU.
  a.part = std::clamp(ceiling(a.rows * std::min(tiles, kBlocks), kBlocks), down * 4, down * 512);
  with_parts(a, ceiling(a.rows, a.part), x, dweight, dbias, what, [&] {
    launch(Kernel::RowParameters, {x.dtype()}, a, {.x = blocks_for(tiles * a.parts, 1)}, x.device(),
           what);
  });
}

// dx and the sums for parameters in one pass, where a thread's share of a row is at most 16
// elements, whose sums it keeps. False: rows are too long.
bool slopes_and_parameters(Arguments& a, const Tensor& x, const Tensor& weight,
                           const Tensor& dweight, const Tensor& dbias, const char* what) {
  constexpr int64_t kMost = 256, kRows = 16;  // threads of a row; rows of a part, at least
  int64_t packs = ceiling(a.n, width_of(x)), each = 1;
  if (packs > 32) each = width_of(x) > 4 ? 2 : 4;
  int64_t group = power_of_two(ceiling(packs, each));
  if (group > kMost) return false;
  int64_t threads = std::max<int64_t>(group, 256);
  int64_t parts = std::min(ceiling(a.rows, threads / group * kRows), kBlocks / 2);
  a.group = static_cast<int32_t>(group);
  int step = each == 1 ? 0 : each == 2 ? 1 : 2;
  auto kernel = static_cast<Kernel>(static_cast<int>(Kernel::BackwardSummed1) + step);
  with_parts(a, parts, x, dweight, dbias, what, [&] {
    launch(kernel, {x.dtype(), type_of(weight, Tensor())}, a,
           {.x = blocks_for(parts, 1), .threads = static_cast<unsigned>(threads)}, x.device(),
           what);
  });
  return true;
}

}  // namespace

void normalize_rows_backward(On, const Tensor& g, const Tensor& dx, const Tensor& dweight,
                             const Tensor& dbias, const Tensor& x, const Tensor& mean,
                             const Tensor& rstd, const Tensor& weight, int64_t n, bool centred) {
  if (x.numel() == 0) return;
  const char* what = centred ? "layer_norm_backward" : "rms_norm_backward";
  Arguments a{};
  a.x = x.raw(), a.g = g.raw(), a.mean = mean.data<double>(), a.rstd = rstd.data<double>();
  put_parameters(a, weight, Tensor());
  a.n = n, a.rows = x.numel() / n, a.centred = centred;
  bool parameters = dweight.defined() || dbias.defined();
  if (dx.defined()) {
    a.y = dx.raw();
    if (parameters && slopes_and_parameters(a, x, weight, dweight, dbias, what)) return;
    RowShare share = RowShare::held(ceiling(n, width_of(x)));
    a.group = static_cast<int32_t>(share.group);
    launch(held(Kernel::BackwardHeld1, share), {x.dtype(), type_of(weight, Tensor())}, a,
           share.grid(a.rows), x.device(), what);
  }
  if (parameters) row_parameters(a, x, dweight, dbias, what);
}

// --- channels and groups ---

namespace {

// x by units: the outer ones, channels, inner ones; `by_outer`: a result for each outer and
// channel.
ReducePlan by_channel(const Cut& cut, bool by_outer) {
  ReduceAxis outer{cut.outer, cut.channels * cut.inner, by_outer ? cut.channels : 0, !by_outer};
  ReduceAxis channels{cut.channels, cut.last ? 1 : cut.inner, 1, false};
  ReduceAxis inner{cut.inner, cut.last ? cut.channels : 1, 0, true};
  return cut.last ? reduction_over({outer, inner, channels})
                  : reduction_over({outer, channels, inner});
}

void moments(const Tensor& mean, const Tensor& variance, const Tensor& x, const ReducePlan& plan,
             const char* what) {
  check_float(x, what);
  run_reduction({Gather::plain_moments, x.dtype(), what, x.raw(), variance.raw(), mean.raw()}, plan,
                x.device());
}

Arguments arguments_of(const Cut& cut, const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                       const Tensor& bias) {
  Arguments a{};
  a.mean = mean.data<double>(), a.rstd = rstd.data<double>();
  a.outer = cut.outer, a.channels = cut.channels, a.inner = cut.inner;
  a.groups = mean.dim() == 2 ? mean.size(1) : 0;
  a.centred = 1;
  put_parameters(a, weight, bias);
  return a;
}

// One pass over all elements, with the coefficients of their units.
void apply(Arguments& a, const Tensor& x, bool last, bool slope, DType parameter,
           const char* what) {
  if (!last) {
    launch(slope ? Kernel::RunSlopes : Kernel::Runs, {x.dtype(), parameter}, a,
           {.x = blocks_for(x.numel(), 256 * width_of(x))}, x.device(), what);
    return;
  }
  int64_t packs = ceiling(a.channels, width_of(x));
  a.group = static_cast<int32_t>(std::min<int64_t>(power_of_two(packs), 32));
  int64_t tiles = ceiling(packs, a.group), down = 256 / a.group;
  a.part = std::clamp(ceiling(a.inner * std::min(a.outer * tiles, 4 * kBlocks), 4 * kBlocks),
                      down * 4, down * 64);
  a.parts = ceiling(a.inner, a.part);
  launch(slope ? Kernel::ColumnSlopes : Kernel::Columns, {x.dtype(), parameter}, a,
         {.x = blocks_for(a.outer * a.parts * tiles, 1)}, x.device(), what);
}

const char* name_of(const Arguments& a) { return a.groups ? "group_norm" : "batch_norm"; }

}  // namespace

void channel_moments(On, const Tensor& mean, const Tensor& variance, const Tensor& x,
                     const Cut& cut) {
  moments(mean, variance, x, by_channel(cut, false), "batch_norm");
}

void group_moments(On, const Tensor& mean, const Tensor& variance, const Tensor& x,
                   const Cut& cut) {
  int64_t groups = mean.size(1), depth = cut.channels / groups, inner = cut.inner;
  ReduceAxis outer{cut.outer, cut.channels * inner, groups, false};
  auto plan =
      cut.last
          ? reduction_over({outer,
                            {inner, cut.channels, 0, true},
                            {groups, depth, 1, false},
                            {depth, 1, 0, true}})
          : reduction_over({outer, {groups, depth * inner, 1, false}, {depth * inner, 1, 0, true}});
  moments(mean, variance, x, plan, "group_norm");
}

void normalize(On, const Tensor& y, const Tensor& x, const Cut& cut, const Tensor& mean,
               const Tensor& rstd, const Tensor& weight, const Tensor& bias) {
  Arguments a = arguments_of(cut, mean, rstd, weight, bias);
  check_float(x, name_of(a));
  a.y = y.raw(), a.x = x.raw();
  apply(a, x, cut.last, false, type_of(weight, bias), name_of(a));
}

void normalize_backward(On, const Tensor& g, const Tensor& dx, const Tensor& dweight,
                        const Tensor& dbias, const Tensor& x, const Cut& cut, const Tensor& mean,
                        const Tensor& rstd, const Tensor& weight, bool fixed) {
  Arguments a = arguments_of(cut, mean, rstd, weight, Tensor());
  const char* what = a.groups ? "group_norm_backward" : "batch_norm_backward";
  DType parameter = type_of(weight, Tensor());
  if (fixed && dx.defined()) {  // dx = g scale
    Arguments scaled = a;
    scaled.centred = 0, scaled.x = g.raw(), scaled.y = dx.raw();
    apply(scaled, x, cut.last, false, parameter, what);
  }
  bool slopes = !fixed && dx.defined();
  if (!slopes && !dweight.defined() && !dbias.defined()) return;
  int64_t results = a.groups ? cut.units() : cut.channels, statistics = mean.numel();
  Tensor sums = empty(Dims{2 * results}, DType::Double, x.device()),
         found = empty(Dims{2 * statistics}, DType::Double, x.device());
  Reducing r{Gather::gradient_sums, x.dtype(), what, g.raw(), sums.raw()};
  r.other = x.raw(), r.centre = mean.raw();
  r.centre_each = a.groups ? cut.channels / a.groups : 1;
  run_reduction(r, by_channel(cut, a.groups != 0), x.device());
  a.partial = sums.raw(), a.dweight = written(dweight), a.dbias = written(dbias);
  a.slopes = slopes ? found.data<double>() : nullptr;
  a.count = static_cast<double>(cut.numel() / std::max<int64_t>(statistics, 1));
  launch(Kernel::NormSlopes, {DType::Float, parameter, type_of(dweight, dbias)}, a,
         {.x = blocks_for(std::max(cut.channels, statistics), 128), .threads = 128}, x.device(),
         what);
  if (!slopes) return;
  a.x = x.raw(), a.g = g.raw(), a.y = dx.raw();
  apply(a, x, cut.last, true, parameter, what);
}

namespace {

void running(Kernel kernel, const Tensor& mean, const Tensor& rstd, const Tensor& running_mean,
             const Tensor& running_variance, Arguments& a) {
  put_parameters(a, running_mean, running_variance);  // for their strides
  a.dweight = written(running_mean), a.dbias = written(running_variance);
  a.mean = mean.data<double>(), a.rstd = rstd.data<double>(), a.channels = mean.numel();
  if (a.channels == 0) return;
  launch(kernel, {DType::Float, DType::Float, type_of(running_mean, running_variance)}, a,
         {.x = blocks_for(a.channels, 128), .threads = 128}, mean.device(), "batch_norm");
}

}  // namespace

void track_statistics(On, const Tensor& rstd, const Tensor& mean, const Tensor& variance,
                      const Tensor& running_mean, const Tensor& running_variance, double momentum,
                      double factor, double eps) {
  Arguments a{};
  a.variance = variance.data<double>(), a.momentum = momentum, a.factor = factor, a.eps = eps;
  running(Kernel::Track, mean, rstd, running_mean, running_variance, a);
}

void known_statistics(On, const Tensor& mean, const Tensor& rstd, const Tensor& running_mean,
                      const Tensor& running_variance, double eps) {
  Arguments a{};
  a.eps = eps;
  running(Kernel::Known, mean, rstd, running_mean, running_variance, a);
}

}  // namespace lampas::cuda
