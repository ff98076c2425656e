// See random.h. How many threads draw, and how far a call advances the generator, is PyTorch's:
// blocks of 256, no more of them than the device holds at once. Permutations are in permutation.cc.
#include "cuda/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cpu/random.h"
#include "cuda/family.h"
#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr int64_t kThreads = 256;
// What one draw of a stream makes of 32 bits each; the generator counts in these.
constexpr uint64_t kDraw = 4;

// RandomArguments of cuda/device/random.h.
struct Arguments {
  void* y = nullptr;
  const void* x = nullptr;
  void* marks = nullptr;
  int64_t n = 0;
  PhiloxPlace place{};
  double a = 0, b = 0;
  int64_t from = 0;
  uint64_t range = 0;
};

// Blocks for n elements, as many as the device holds at once at most.
int64_t blocks_of(int64_t n, int device) {
  const Properties& p = properties(device);
  int64_t held = int64_t{p.multiprocessors} * (p.threads_per_multiprocessor / kThreads);
  return std::min(held, (n + kThreads - 1) / kThreads);
}
// Draws that a thread makes at most.
uint64_t draws_of(int64_t n, int64_t blocks, int64_t numbers) {
  return static_cast<uint64_t>((n - 1) / (kThreads * blocks * numbers) + 1);
}

void run(const std::string& function, const Arguments& a, int64_t blocks, int device,
         const char* what, unsigned threads = kThreads) {
  run_family({"random", "RandomArguments", function}, &a,
             {.x = static_cast<unsigned>(blocks), .threads = threads}, device, what);
}

// Draws of `numbers` numbers for each thread in turn; `bytes` of an element. Tensors whose bytes
// need more than 31 bits are filled in halves, each a draw of its own.
void fill(const std::string& function, Arguments a, int64_t bytes, int numbers, int device,
          Generator& g, const char* what) {
  if (a.n == 0) return;
  if ((a.n - 1) * bytes + 1 > INT32_MAX) {
    Arguments rest = a;
    a.n /= 2;
    rest.n -= a.n;
    rest.y = static_cast<char*>(a.y) + a.n * bytes;
    fill(function, a, bytes, numbers, device, g, what);
    return fill(function, rest, bytes, numbers, device, g, what);
  }
  int64_t blocks = blocks_of(a.n, device);
  a.place = g.advance(draws_of(a.n, blocks, numbers) * kDraw);
  run(function, a, blocks, device, what);
}

// Floating numbers of `distribution`; computed in double for double, else in float.
void fill_floats(const char* distribution, const Tensor& y, double a, double b, Generator& g,
                 const char* what) {
  DType dtype = real_of(y.dtype());
  const char* type = device_type(dtype);
  bool wide = dtype == DType::Double;
  Arguments args{.y = y.raw(), .n = y.numel() * (y.is_complex() ? 2 : 1), .a = a, .b = b};
  fill(concat("fill<", type, ", ", distribution, "<", type, wide ? ", double>>" : ", float>>"),
       args, item_size(dtype), wide ? 2 : 4, y.device().index, g, what);
}

void check_floating(const Tensor& y, const char* what) {
  if (!is_floating(real_of(y.dtype()))) fail_dtype(what, y.dtype());
}

// Words of 32 bits, or 64, as whole numbers.
void fill_whole(const Tensor& y, int64_t from, uint64_t range, bool wide, Generator& g,
                const char* what) {
  const char* type = device_type(y.dtype());
  Arguments args{.y = y.raw(), .n = y.numel(), .from = from, .range = range};
  fill(concat("fill<", type, ", Whole<", type, wide ? ", uint64_t>>" : ", uint32_t>>"), args,
       y.item_size(), wide ? 2 : 4, y.device().index, g, what);
}

const char* compute_type(DType dtype) { return dtype == DType::Double ? "double" : "float"; }

bool fits(const void* p, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % static_cast<uintptr_t>(bytes) == 0;
}

}  // namespace

// --- continuous ---

void uniform(On, const Tensor& y, double from, double to, Generator& g) {
  check_floating(y, "check_uniform_bounds");
  fill_floats("Uniform", y, from, to, g, "uniform_");
}

void normal(On, const Tensor& y, double mean, double std, Generator& g, cpu::NormalOrder) {
  check_floating(y, "normal_kernel_cuda");
  fill_floats("Normal", y, mean, y.is_complex() ? std / std::numbers::sqrt2 : std, g, "normal_");
}

void log_normal(On, const Tensor& y, double mean, double std, Generator& g) {
  if (!y.is_floating()) fail_dtype("log_normal_cuda", y.dtype());
  fill_floats("LogNormal", y, mean, std, g, "log_normal_");
}

void exponential(On, const Tensor& y, double rate, Generator& g) {
  fill_floats("Exponential", y, rate, 0, g, "exponential_");
}

void cauchy(On, const Tensor& y, double median, double sigma, Generator& g) {
  fill_floats("Cauchy", y, median, sigma, g, "cauchy_");
}

// --- discrete ---

void bernoulli(On, const Tensor& y, double p, Generator& g) {
  if (y.is_complex()) fail_dtype("bernoulli_scalar_cuda_", y.dtype());
  fill_floats("Bernoulli", y, p, 0, g, "bernoulli_");
}

void bernoulli(On, const Tensor& y, const Tensor& p, Generator& g) {
  if (!p.is_floating()) fail_dtype("bernoulli_tensor_cuda_p_", p.dtype());
  if (y.is_complex()) fail_dtype("bernoulli_tensor_cuda_self_", y.dtype());
  if (y.numel() == 0) return;
  constexpr unsigned kBlock = 512;
  Arguments args{.y = y.raw(), .x = p.raw(), .n = y.numel(), .place = g.advance(10)};
  run(concat("bernoulli_each<", device_type(y.dtype()), ", ", device_type(p.dtype()), ">"), args,
      blocks_for(y.numel(), kBlock * 4), y.device().index, "bernoulli_", kBlock);
}

void geometric(On, const Tensor& y, double p, Generator& g) {
  if (y.is_complex() || y.dtype() == DType::Bool) fail_dtype("geometric_cuda", y.dtype());
  fill_floats("Geometric", y, p, 0, g, "geometric_");
}

void random(On, const Tensor& y, Generator& g) {
  dispatch<RealsAndBool>(y.dtype(), "random_kernel_cuda", [&](auto tag) {
    using T = decltype(tag);
    uint64_t range = static_cast<uint64_t>(cpu::largest_drawn<T>) + 1;
    fill_whole(y, 0, range, sizeof(T) == 8, g, "random_");
  });
}

void random_range(On, const Tensor& y, int64_t from, uint64_t range, Generator& g) {
  fill_whole(y, from, range, range >= 1u << 28, g, "random_");
}

void random_bits(On, const Tensor& y, Generator& g) { fill_whole(y, 0, 0, true, g, "random_"); }

// --- regularisers ---

void dropout(On, const Tensor& y, const Tensor& kept, const Tensor& x, double keep, Generator& g) {
  int64_t n = y.numel(), size = y.item_size(), group = 4;
  while (group > 1 && (n % group || !fits(x.raw(), group * size) || !fits(y.raw(), group * size) ||
                       !fits(kept.raw(), group)))
    group /= 2;
  int device = y.device().index;
  int64_t blocks = blocks_of(n, device);
  Arguments args{.y = y.raw(), .x = x.raw(), .marks = kept.raw(), .n = n, .a = keep};
  args.place = g.advance(draws_of(n, blocks, 4) * kDraw);
  run(concat("dropout<", device_type(y.dtype()), ", ", compute_type(y.dtype()), ", ", group, ">"),
      args, blocks, device, "dropout");
}

void masked_scale(On, const Tensor& y, const Tensor& x, const Tensor& kept, double scale) {
  if (y.numel() == 0) return;
  int64_t size = y.item_size(), group = 16 / size;
  if (!fits(x.raw(), 16) || !fits(y.raw(), 16) || !fits(kept.raw(), group)) group = 1;
  Arguments args{
      .y = y.raw(), .x = x.raw(), .marks = kept.raw(), .n = y.numel(), .place = {}, .a = scale};
  run(concat("masked_scale<", device_type(y.dtype()), ", ", compute_type(y.dtype()), ", ", group,
             ">"),
      args, blocks_for(y.numel(), kThreads * group), y.device().index, "native_dropout_backward");
}

void rrelu(On, const Tensor& y, const Tensor& slopes, const Tensor& x, double lower, double upper,
           Generator& g) {
  if (!y.is_floating()) fail_dtype("rrelu_with_noise_out_cuda", y.dtype());
  if (y.numel() == 0) return;
  int device = y.device().index;
  int64_t blocks = blocks_of(y.numel(), device);
  Arguments args{.y = y.raw(), .x = x.raw(), .marks = slopes.raw(), .n = y.numel()};
  args.a = lower, args.b = upper;
  args.place = g.advance(draws_of(y.numel(), blocks, y.dtype() == DType::Double ? 2 : 4) * kDraw);
  run(concat("rrelu<", device_type(y.dtype()), ", ", compute_type(y.dtype()), ">"), args, blocks,
      device, "rrelu_with_noise");
}

}  // namespace lampas::cuda
