// A kernel is found by its key: compiled when first asked for, then kept for each device.
#include "cuda/pointwise.h"

#include <cstring>
#include <mutex>
#include <unordered_map>

#include "cuda/launch.h"

namespace lampas::cuda {
namespace {

constexpr int kOperands = 6, kParams = 6, kRank = 12;  // as cuda/device/pointwise.h has them
constexpr unsigned kThreads = 256;

struct Number {
  double re, im;
  int64_t whole;
};
// PointwiseArguments of cuda/device/pointwise.h.
struct Arguments {
  void* data[kOperands];
  Number numbers[kOperands];
  Number params[kParams];
  int64_t n;
  int64_t sizes[kRank];
  int64_t strides[kOperands][kRank];
  int32_t rank;
};

Number number_of(const Scalar& x) {
  auto z = x.to<ComplexDouble>();
  return {z.real(), z.imag(), x.to<int64_t>()};
}

struct Key {
  KernelKey kernel;
  int device;
  bool operator==(const Key&) const = default;
};
struct Hash {
  size_t operator()(const Key& k) const {
    size_t h = static_cast<size_t>(k.kernel.row) * 31 + static_cast<size_t>(k.kernel.which + 3);
    h = h * 31 + static_cast<size_t>(k.kernel.lane) * 2 + static_cast<size_t>(k.kernel.layout);
    for (DType d : k.kernel.stored) h = h * 19 + static_cast<size_t>(d);
    return h * 31 + static_cast<size_t>(k.device);
  }
};

Function function_of(const Key& key) {
  static std::mutex guard;
  static auto* known = new std::unordered_map<Key, Function, Hash>;
  std::lock_guard<std::mutex> hold(guard);
  auto found = known->find(key);
  if (found != known->end()) return found->second;
  Function made = load(program_text({key.kernel}), kernel_name(key.kernel), key.device,
                       operator_of(key.kernel));
  known->emplace(key, made);
  return made;
}

bool is_number(const Plan& plan, int i) { return plan.dtype[i] == DType::Undefined; }

// Every operand in order and without gaps, at addresses that allow accesses of whole vectors.
bool is_contiguous(const Plan& plan, int width) {
  if (plan.sizes.size() > 1) return false;
  for (int i = 0; i < plan.count; ++i) {
    if (is_number(plan, i)) continue;
    int64_t item = item_size(plan.dtype[i]), access = std::min<int64_t>(16, item * width);
    if (!plan.sizes.empty() && plan.strides[i][0] != item) return false;
    if (reinterpret_cast<uintptr_t>(plan.data[i]) % static_cast<uintptr_t>(access)) return false;
  }
  return true;
}

void run(KernelKey key, const Plan& plan, const Scalar* params, int param_count, int device) {
  if (plan.numel == 0) return;
  key.count = static_cast<int8_t>(plan.count);
  for (int i = 0; i < plan.count; ++i) key.stored[i] = plan.dtype[i];
  int width = vector_width(key);
  bool contiguous = is_contiguous(plan, width);
  key.layout = contiguous ? Layout::Contiguous : Layout::Strided;
  CHECK_KIND(contiguous || plan.sizes.size() <= kRank, NotImplemented, operator_of(key),
             " on CUDA takes tensors whose memory is walked in at most ", kRank, " dimensions");
  Arguments a{};
  a.n = plan.numel;
  a.rank = static_cast<int32_t>(plan.sizes.size());
  for (int i = 0; i < plan.count; ++i) {
    if (is_number(plan, i)) {
      a.numbers[i] = number_of(*reinterpret_cast<const Scalar*>(plan.data[i]));
      continue;
    }
    a.data[i] = plan.data[i];
    if (!contiguous)
      for (int d = 0; d < a.rank; ++d) a.strides[i][d] = plan.strides[i][static_cast<size_t>(d)];
  }
  if (!contiguous)
    for (int d = 0; d < a.rank; ++d) a.sizes[d] = plan.sizes[static_cast<size_t>(d)];
  for (int i = 0; i < param_count; ++i) a.params[i] = number_of(params[i]);
  int64_t per_block = int64_t{kThreads} * (contiguous ? width : 1);
  int64_t blocks = std::min<int64_t>((plan.numel + per_block - 1) / per_block, 0x7fffffff);
  launch(function_of({key, device}), {.x = static_cast<unsigned>(blocks), .threads = kThreads}, &a,
         device, operator_of(key));
}

}  // namespace

void run_row(rows::Row row, int which, DType lane, const Plan& plan, const Scalar* params,
             int device) {
  run({row, static_cast<int8_t>(which), lane}, plan, params, rows::info(row).params, device);
}

void run_copy(const Plan& plan, int device) {
  DType from = is_number(plan, 1) ? plan.dtype[0] : plan.dtype[1];
  DType lane = from == DType::ComplexHalf ? DType::ComplexFloat
               : is_reduced(from)         ? DType::Float
                                          : from;
  run({rows::Row{}, KernelKey::kCopy, lane}, plan, nullptr, 0, device);
}

}  // namespace lampas::cuda
