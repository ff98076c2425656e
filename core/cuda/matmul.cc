// See matmul.h.
#include "cuda/matmul.h"

#include <algorithm>

#include "cuda/family.h"
#include "cuda/kernels.h"
#include "cuda/libraries.h"
#include "ops/copy.h"
#include "runtime/error.h"
#include "tape/tape.h"

namespace lampas::cuda {

// In what a product is summed: whole numbers wrap, so their signs do not matter.
const char* accumulator(DType dtype) {
  switch (dtype) {
    case DType::Double:
      return "double";
    case DType::ComplexHalf:
    case DType::ComplexFloat:
      return "Complex<float>";
    case DType::ComplexDouble:
      return "Complex<double>";
    case DType::Int64:
    case DType::UInt64:
      return "uint64_t";
    default:
      return is_floating(dtype) ? "float" : "uint32_t";
  }
}

int64_t accumulator_bytes(DType dtype) {
  return dtype == DType::ComplexDouble ? 16
         : is_complex(dtype) || dtype == DType::Double || dtype == DType::Int64 ||
                 dtype == DType::UInt64
             ? 8
             : 4;
}

namespace {

// ProductArguments of cuda/device/gemm.h.
struct Arguments {
  const void *a, *b, *bias;
  void* c;
  const void* sums;
  int64_t batch, m, n, k;
  int64_t a_row, a_col, a_batch, b_row, b_col, b_batch, c_row, c_col, c_batch;
  int64_t bias_row, bias_col;
  int64_t splits, each;
  double alpha, beta;
};

Arguments arguments_of(const Product& p) {
  Arguments g{};
  g.a = p.a.data, g.a_row = p.a.row, g.a_col = p.a.col, g.a_batch = p.a.batch;
  g.b = p.b.data, g.b_row = p.b.row, g.b_col = p.b.col, g.b_batch = p.b.batch;
  g.c = p.c.data, g.c_row = p.c.row, g.c_col = p.c.col, g.c_batch = p.c.batch;
  g.bias = p.bias, g.bias_col = 1;
  g.batch = p.batch, g.m = p.m, g.n = p.n, g.k = p.k;
  g.splits = 1, g.each = p.k, g.alpha = p.alpha, g.beta = p.beta;
  return g;
}

int64_t ceil_div(int64_t n, int64_t each) { return (n + each - 1) / each; }

// Pieces of the inner dimension, so that `blocks` times as many blocks fill the device; each piece
// has `least` elements or more. Sizes alone decide, so results are the same from run to run.
void split_inner(Arguments& g, int64_t blocks, int64_t least, int device) {
  int64_t wanted = ceil_div(2 * int64_t{properties(device).multiprocessors}, blocks);
  int64_t splits = std::clamp<int64_t>(g.k / least, 1, std::min<int64_t>(wanted, 1024));
  g.each = std::max<int64_t>(ceil_div(ceil_div(g.k, splits), 32) * 32, 32);
  g.splits = std::max<int64_t>(ceil_div(g.k, g.each), 1);
}

// Launches `function` over blocks * splits; the sums of several splits are added by a second
// kernel.
void run_split(const Product& p, Arguments g, const char* family, const std::string& function,
               int64_t blocks) {
  CHECK_KIND(blocks * g.splits <= 0x7fffffff, NotImplemented, p.what,
             " on CUDA of so many matrices at once");
  std::string types = concat("<", device_type(p.dtype), ", ", accumulator(p.dtype));
  Grid grid{.x = static_cast<unsigned>(blocks * g.splits)};
  if (g.splits == 1)
    return run_family({family, "ProductArguments", function}, &g, grid, p.device, p.what);
  Tensor sums = empty(Dims{g.splits * g.batch * g.m * g.n * accumulator_bytes(p.dtype)},
                      DType::UInt8, Device{DeviceType::CUDA, static_cast<int8_t>(p.device)});
  void* c = g.c;
  g.c = sums.raw();
  run_family({family, "ProductArguments", function}, &g, grid, p.device, p.what);
  g.c = c;
  g.sums = sums.raw();
  run_family({"gemm", "ProductArguments", concat("finish_product", types, ">")}, &g,
             {.x = blocks_for(g.batch * g.m * g.n, 256)}, p.device, p.what);
}

void run_tiles(const Product& p) {
  Arguments g = arguments_of(p);
  auto tiles = [&](int64_t side) { return p.batch * ceil_div(p.m, side) * ceil_div(p.n, side); };
  bool large = accumulator_bytes(p.dtype) == 4 &&
               tiles(128) >= 2 * int64_t{properties(p.device).multiprocessors};
  int64_t blocks = tiles(large ? 128 : 64);
  split_inner(g, blocks, 256, p.device);
  run_split(
      p, g, "gemm",
      concat("product<", device_type(p.dtype), ", ", accumulator(p.dtype), large ? ", 8>" : ", 4>"),
      blocks);
}

// n == 1, where the bias has one for each row.
void run_vector(const Product& p) {
  Arguments g = arguments_of(p);
  g.bias_row = 1, g.bias_col = 0;
  std::string types = concat("<", device_type(p.dtype), ", ", accumulator(p.dtype));
  if (p.a.row == 1 && p.a.col != 1 && p.m > 1) {
    int64_t blocks = p.batch * ceil_div(p.m, 32 * 16 / item_size(p.dtype));
    split_inner(g, blocks, 128, p.device);
    return run_split(p, g, "gemv", concat("gemv_columns", types, ">"), blocks);
  }
  bool narrow = p.k <= 1024;
  int64_t blocks = p.batch * ceil_div(p.m, narrow ? 8 : 1);
  if (!narrow) split_inner(g, blocks, 8192, p.device);
  run_split(p, g, "gemv", concat("gemv_rows", types, narrow ? ", 32>" : ", 256>"), blocks);
}

constexpr double kNoticeable = 1e9;  // products of elements: milliseconds

// The same product of the transposed matrices.
Product transposed(const Product& p) {
  auto turned = [](Strided x) { return Strided{x.data, x.col, x.row, x.batch}; };
  Product t = p;
  t.m = p.n, t.n = p.m;
  t.a = turned(p.b), t.b = turned(p.a), t.c = turned(p.c);
  return t;
}

// Rows or columns that are neighbours, the others at a distance that leaves room for them.
bool has_leading_dimension(const Strided& x, int64_t rows, int64_t cols) {
  return ((x.col == 1 || cols == 1) && (x.row >= cols || rows == 1)) ||
         ((x.row == 1 || rows == 1) && (x.col >= rows || cols == 1));
}

bool is_library_type(DType dtype) {
  return (is_floating(dtype) || is_complex(dtype)) && dtype != DType::ComplexHalf;
}

// The library's epilogue with a bias knows these alone.
bool adds_bias(DType dtype) {
  return dtype == DType::Float || dtype == DType::Half || dtype == DType::BFloat16;
}

Strided strided(const Tensor& x) {
  int64_t d = x.dim();
  return {x.raw(), x.stride(d - 2), x.stride(d - 1), d == 3 ? x.stride(0) : 0};
}

}  // namespace

void multiply(const Product& p) {
  if (p.batch == 0 || p.m == 0 || p.n == 0) return;
  bool by_columns = p.n == 1 && !p.bias, by_rows = p.m == 1;
  bool vector = p.k > 0 && item_size(p.dtype) <= 16 && (by_columns || by_rows);
  if (vector && !is_complex(p.dtype)) return run_vector(by_columns ? p : transposed(p));
  if (p.k > 0 && is_library_type(p.dtype)) {
    if (multiply_by_library(p)) return;
    if (static_cast<double>(p.batch * p.m * p.n) * static_cast<double>(p.k) > kNoticeable)
      warn_of_missing_library("cublasLt");
  }
  vector ? run_vector(by_columns ? p : transposed(p)) : run_tiles(p);
}

void multiply(On, const Tensor& y, const Tensor& a, const Tensor& b, const Tensor& bias,
              Scaling scaling, const char* what) {
  DType dtype = y.dtype();
  if (dtype == DType::Bool || dtype == DType::ComplexHalf) fail_dtype("addmm_cuda", dtype);
  int64_t d = y.dim();
  auto fitting = [&](const Tensor& x) {
    // Our kernels walk any distances; a copy pays for the library alone.
    if (!is_library_type(dtype) || !cublaslt() ||
        has_leading_dimension(strided(x), x.size(d - 2), x.size(d - 1)))
      return x;
    tape::NoGrad off;
    return ops::clone(x, MemoryFormat::Contiguous);
  };
  Tensor left = fitting(a), right = fitting(b), added = bias;
  if (bias.defined() && cublaslt() && !adds_bias(dtype)) {
    ops::copy_values(y, bias);
    added = {};
    scaling.beta = 1;
  }
  multiply({dtype, y.device().index, d == 3 ? y.size(0) : 1, y.size(d - 2), y.size(d - 1),
            a.size(d - 1), strided(left), strided(right), strided(y),
            added.defined() ? added.raw() : nullptr, scaling.alpha, scaling.beta, what});
}

}  // namespace lampas::cuda
