// Samplers of random.h whose parameters are tensors, and multinomial draws.
#include "cuda/family.h"
#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr int64_t kThreads = 256;

// SamplingArguments of cuda/device/sampling.h.
struct Arguments {
  void* y = nullptr;
  const void *first = nullptr, *second = nullptr;
  int64_t n = 0;
  int64_t categories = 0, samples = 0;
  PhiloxPlace place{};
  int* problem = nullptr;
};
constexpr int kNegative = 1, kNotFinite = 2, kAllZero = 4;

void run(const std::string& function, const Arguments& a, const Grid& grid, int device,
         const char* what) {
  run_family({"sampling", "SamplingArguments", function}, &a, grid, device, what);
}

// T of y: float or double, and 16-bit floats where the CPU has them.
void sample(const char* sampler, const Tensor& y, const Tensor& first, const Tensor* second,
            Generator& g, const char* what) {
  if (y.numel() == 0) return;
  const char* type = device_type(y.dtype());
  Arguments a{.y = y.raw(), .first = first.raw(), .n = y.numel(), .place = g.advance(4)};
  if (second) a.second = second->raw();
  run(concat("sample<", type, ", ", sampler, "<", device_type(first.dtype()), ">>"), a,
      {.x = blocks_for(y.numel(), kThreads)}, y.device().index, what);
}

void check_real(const Tensor& y, const char* what) {
  if (y.dtype() != DType::Float && y.dtype() != DType::Double) fail_dtype(what, y.dtype());
}

// Reads weights (rows, categories); their cumulative sums into `cumulative` unless undefined.
// Returns what is wrong with them, for which it waits.
int weigh(const Tensor& weights, const Tensor& cumulative, int64_t rows, int64_t categories) {
  Device device = weights.device();
  Tensor problem = empty({}, DType::Int32, device);
  fill(On{}, problem, Scalar(int64_t{0}));
  Arguments a{.first = weights.raw(), .n = rows, .categories = categories};
  if (cumulative) a.second = cumulative.raw();
  a.problem = problem.data<int>();
  const char* compute = weights.dtype() == DType::Double ? "double" : "float";
  run(concat("weigh_rows<", device_type(weights.dtype()), ", ", compute, ">"), a,
      {.x = blocks_for(rows, 1), .threads = 256}, device.index, "multinomial");
  int found = 0;
  copy_bytes(&found, Device{}, problem.raw(), device, sizeof found);
  return found;
}

}  // namespace

void poisson(On, const Tensor& y, const Tensor& rate, Generator& g) {
  if (!y.is_floating()) fail_dtype("poisson_cuda", y.dtype());
  sample("Poisson", y, rate, nullptr, g, "poisson");
}

void binomial(On, const Tensor& y, const Tensor& count, const Tensor& p, Generator& g) {
  check_real(y, "binomial_cuda");
  sample("Binomial", y, count, &p, g, "binomial");
}

void standard_gamma(On, const Tensor& y, const Tensor& shape, Generator& g) {
  check_real(y, "gamma_cuda");
  sample("Gamma", y, shape, nullptr, g, "_standard_gamma");
}

void dirichlet(On, const Tensor& y, const Tensor& concentration, int64_t categories, Generator& g) {
  check_real(y, "dirichlet");
  Tensor gammas = empty(y.sizes(), DType::Double, y.device());
  sample("Gamma", gammas, concentration, nullptr, g, "_sample_dirichlet");
  int64_t rows = y.numel() / categories;
  Arguments a{.y = y.raw(), .second = gammas.raw(), .n = rows, .categories = categories};
  run(concat("dirichlet_rows<", device_type(y.dtype()), ">"), a,
      {.x = blocks_for(rows, 1), .threads = categories <= 128 ? 32u : 256u}, y.device().index,
      "_sample_dirichlet");
}

void check_weights(On, const Tensor& weights, int64_t rows, int64_t categories) {
  if (rows == 0) return;
  int problem = weigh(weights, {}, rows, categories);
  CHECK(!(problem & (kNegative | kNotFinite)),
        "probability tensor contains either `inf`, `nan` or element < 0");
  CHECK(!problem, "invalid multinomial distribution (sum of probabilities <= 0)");
}

void multinomial(On, const Tensor& y, const Tensor& weights, int64_t rows, int64_t categories,
                 int64_t samples, Generator& g) {
  if (rows == 0 || samples == 0) return;
  bool wide = weights.dtype() == DType::Double;
  int64_t sizes[] = {rows, categories};
  Tensor cumulative = empty(sizes, wide ? DType::Double : DType::Float, y.device());
  int problem = weigh(weights, cumulative, rows, categories);
  CHECK(!(problem & kNegative),
        "invalid multinomial distribution (encountering probability entry < 0)");
  CHECK(!(problem & kNotFinite),
        "invalid multinomial distribution (encountering probability entry = infinity or NaN)");
  CHECK(!problem, "invalid multinomial distribution (sum of probabilities <= 0)");
  constexpr int64_t kBlock = 128, kMostRows = 65535;
  Grid grid{.x = blocks_for(samples, kBlock),
            .y = static_cast<unsigned>(std::min(rows, kMostRows)),
            .threads = kBlock};
  Arguments a{.y = y.raw(),
              .first = weights.raw(),
              .second = cumulative.raw(),
              .n = rows,
              .categories = categories,
              .samples = samples};
  a.place = g.advance(static_cast<uint64_t>((rows - 1) / grid.y + 1) * 4);
  run(concat("multinomial<", device_type(weights.dtype()), wide ? ", double>" : ", float>"), a,
      grid, y.device().index, "multinomial");
}

}  // namespace lampas::cuda
