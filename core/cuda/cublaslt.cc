// Products by cuBLASLt. It thinks in column-major matrices, where ours are their transposes: it is
// asked for c^T = b^T a^T. What it chose for a problem is kept, so that a call costs one look-up.
// Source: NVIDIA, "cuBLAS Library", chapter "Using the cuBLASLt API".
#include <bit>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "cuda/libraries.h"
#include "cuda/matmul.h"
#include "cuda/stream.h"
#include "runtime/error.h"
#include "runtime/switches.h"

namespace lampas::cuda {
namespace {

enum ComputeType { k32F = 68, k32FTf32 = 77, k64F = 70 };
enum DataType { kReal32 = 0, kReal64 = 1, kReal16 = 2, kComplex32 = 4, kComplex64 = 5, kBf16 = 14 };
enum DescriptionAttribute { kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBiasPointer = 8 };
enum LayoutAttribute { kBatchCount = 5, kBatchOffset = 6 };
enum PreferenceAttribute { kWorkspaceBytes = 1, kAlignment = 5 };  // of a, then b, c, d
enum Epilogue : uint32_t { kNoEpilogue = 1, kBias = 4 };
constexpr int32_t kNoTranspose = 0, kTranspose = 1;

// A matrix as the library sees it: `transposed` says that op() must turn it.
struct Operand {
  int64_t rows, cols, ld, batch;
  int64_t transposed, alignment;
};

// Whole numbers only, so that bytes can be compared.
struct Key {
  int64_t dtype, device, batch, m, n, k;
  Operand a, b, c;
  int64_t bias, tf32, adds;
  bool operator==(const Key& o) const { return std::memcmp(this, &o, sizeof o) == 0; }
};
static_assert(std::has_unique_object_representations_v<Key>);
struct Hash {
  size_t operator()(const Key& key) const {
    uint64_t words[sizeof(Key) / 8], h = 0x9e3779b97f4a7c15u;
    std::memcpy(words, &key, sizeof key);
    for (uint64_t w : words) h = (std::rotl(h, 5) ^ w) * 0x9ddfea08eb382d69u;
    return h ^ (h >> 32);
  }
};

struct Plan {
  bool works = false;
  LtDescription description = nullptr;
  LtLayout a = nullptr, b = nullptr, c = nullptr;
  LtAlgorithm algorithm{};
  size_t workspace = 0;
};

int data_type(DType dtype) {
  switch (dtype) {
    case DType::Double:
      return kReal64;
    case DType::Half:
      return kReal16;
    case DType::BFloat16:
      return kBf16;
    case DType::ComplexFloat:
      return kComplex32;
    case DType::ComplexDouble:
      return kComplex64;
    default:
      return kReal32;
  }
}

bool is_wide(DType dtype) { return dtype == DType::Double || dtype == DType::ComplexDouble; }

int scale_type(DType dtype) {
  return is_complex(dtype) || is_wide(dtype) ? data_type(dtype) : kReal32;
}

void check_library(Result result, const char* what) {
  CHECK(result == 0, "CUDA error: cuBLASLt failed with status ", result, "\nin ", what);
}

int64_t alignment_of(const void* p) {
  return std::min<int64_t>(256, int64_t{1} << std::countr_zero(reinterpret_cast<uintptr_t>(p)));
}

// `x` holds the matrix (rows, cols) whose transpose the library shall see; false where neither rows
// nor columns are neighbours.
bool describe(const Strided& x, int64_t rows, int64_t cols, Operand& to) {
  to.batch = x.batch;
  to.alignment = alignment_of(x.data);
  if ((x.col == 1 || cols == 1) && (x.row >= cols || rows == 1)) {
    to.rows = cols, to.cols = rows, to.transposed = 0;
    to.ld = rows == 1 ? cols : x.row;
    return true;
  }
  if ((x.row == 1 || rows == 1) && (x.col >= rows || cols == 1)) {
    to.rows = rows, to.cols = cols, to.transposed = 1;
    to.ld = cols == 1 ? rows : x.col;
    return true;
  }
  return false;
}

LtHandle handle_of(int device) {
  static auto* handles = new std::unordered_map<int, LtHandle>;
  LtHandle& kept = (*handles)[device];
  if (!kept) check_library(cublaslt()->cublasLtCreate(&kept), "opening cuBLASLt");
  return kept;
}

LtLayout layout_of(const Operand& x, int type, int64_t batch) {
  const CublasLt& lt = *cublaslt();
  LtLayout made = nullptr;
  check_library(lt.cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(x.rows),
                                              static_cast<uint64_t>(x.cols), x.ld),
                "describing a matrix");
  if (batch > 1) {
    auto count = static_cast<int32_t>(batch);
    lt.cublasLtMatrixLayoutSetAttribute(made, kBatchCount, &count, sizeof count);
    lt.cublasLtMatrixLayoutSetAttribute(made, kBatchOffset, &x.batch, sizeof x.batch);
  }
  return made;
}

size_t workspace_limit(int device) {
  return size_t{properties(device).major >= 9 ? 32u : 8u} << 20;
}

// The heuristic's first choice for the problem; the plan keeps its descriptions for the calls.
Plan make_plan(const Key& key) {
  const CublasLt& lt = *cublaslt();
  auto dtype = static_cast<DType>(key.dtype);
  int type = data_type(dtype);
  int compute = is_wide(dtype) ? k64F : key.tf32 ? k32FTf32 : k32F;
  Plan plan;
  check_library(lt.cublasLtMatmulDescCreate(&plan.description, compute, scale_type(dtype)),
                "describing a product");
  auto set = [&](int attribute, const auto& value) {
    check_library(
        lt.cublasLtMatmulDescSetAttribute(plan.description, attribute, &value, sizeof value),
        "describing a product");
  };
  // The library's A is our b and the other way round.
  set(kTransposeA, key.b.transposed ? kTranspose : kNoTranspose);
  set(kTransposeB, key.a.transposed ? kTranspose : kNoTranspose);
  set(kEpilogue, static_cast<uint32_t>(key.bias ? kBias : kNoEpilogue));
  // The choice looks at the alignment of this address only; each call sets its own.
  if (key.bias) set(kBiasPointer, reinterpret_cast<const void*>(key.bias));
  plan.a = layout_of(key.b, type, key.batch);
  plan.b = layout_of(key.a, type, key.batch);
  plan.c = layout_of(key.c, type, key.batch);
  LtPreference preference = nullptr;
  check_library(lt.cublasLtMatmulPreferenceCreate(&preference), "choosing a product's kernel");
  auto prefer = [&](int attribute, const auto& value) {
    lt.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value);
  };
  prefer(kWorkspaceBytes, static_cast<uint64_t>(workspace_limit(static_cast<int>(key.device))));
  int64_t alignments[] = {key.b.alignment, key.a.alignment, key.c.alignment, key.c.alignment};
  for (int i = 0; i < 4; ++i) prefer(kAlignment + i, static_cast<uint32_t>(alignments[i]));
  LtChoice choice{};
  int found = 0;
  Result result = lt.cublasLtMatmulAlgoGetHeuristic(handle_of(static_cast<int>(key.device)),
                                                    plan.description, plan.a, plan.b, plan.c,
                                                    plan.c, preference, 1, &choice, &found);
  lt.cublasLtMatmulPreferenceDestroy(preference);
  plan.works = result == 0 && found > 0 && choice.state == 0;
  plan.algorithm = choice.algorithm;
  plan.workspace = choice.workspace;
  return plan;
}

// A factor in the type that the library scales in.
struct Factor {
  double wide[2] = {};
  float narrow[2] = {};
  Factor(double value) : wide{value, 0}, narrow{static_cast<float>(value), 0} {}
  const void* in(DType dtype) const {
    return is_wide(dtype) ? static_cast<const void*>(wide) : narrow;
  }
};

}  // namespace

bool multiply_by_library(const Product& p) {
  const CublasLt* lt = cublaslt();
  if (!lt || p.batch > INT32_MAX) return false;
  Key key{};
  key.dtype = static_cast<int64_t>(p.dtype);
  key.device = p.device, key.batch = p.batch, key.m = p.m, key.n = p.n, key.k = p.k;
  // With c^T as the library's matrix, its rows are our columns.
  if (!describe(p.a, p.m, p.k, key.a) || !describe(p.b, p.k, p.n, key.b) ||
      !describe(p.c, p.m, p.n, key.c) || key.c.transposed)
    return false;
  key.bias = p.bias ? alignment_of(p.bias) : 0;
  key.adds = p.beta != 0;
  key.tf32 = switches.matmul_tf32 && (p.dtype == DType::Float || p.dtype == DType::ComplexFloat);
  static std::mutex guard;
  static auto* plans = new std::unordered_map<Key, Plan, Hash>;
  bind(p.device);
  std::lock_guard<std::mutex> hold(guard);
  auto found = plans->find(key);
  if (found == plans->end()) found = plans->emplace(key, make_plan(key)).first;
  const Plan& plan = found->second;
  if (!plan.works) return false;
  if (p.bias)
    check_library(
        lt->cublasLtMatmulDescSetAttribute(plan.description, kBiasPointer, &p.bias, sizeof p.bias),
        p.what);
  Tensor workspace;
  if (plan.workspace)
    workspace = empty(Dims{static_cast<int64_t>(plan.workspace)}, DType::UInt8,
                      Device{DeviceType::CUDA, static_cast<int8_t>(p.device)});
  Factor alpha(p.alpha), beta(p.beta);
  check_library(
      lt->cublasLtMatmul(handle_of(p.device), plan.description, alpha.in(p.dtype), p.b.data, plan.a,
                         p.a.data, plan.b, beta.in(p.dtype), p.c.data, plan.c, p.c.data, plan.c,
                         &plan.algorithm, workspace.defined() ? workspace.raw() : nullptr,
                         plan.workspace, current_stream(p.device).handle),
      p.what);
  return true;
}

}  // namespace lampas::cuda
