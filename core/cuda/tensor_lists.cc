// See tensor_lists.h.
#include "cuda/tensor_lists.h"

#include <cmath>

#include "cuda/family.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

// ListArguments of cuda/device/tensor_lists.h.
struct ListArguments {
  const void* factor;
  double number;
  float* found;
  void* sums;
  int before;
  TensorTable<1, 180> tensors;
};
static_assert(sizeof(ListArguments) <= 4096);

const char* compute_type(DType dtype) { return dtype == DType::Double ? "double" : "float"; }

const char* norm_of(double p) {
  if (p == 1) return "Norm1";
  if (p == 2) return "Norm2";
  return std::isinf(p) ? p > 0 ? "NormMax" : "NormMin" : "NormP";
}

int64_t elements_of(const Tensors& tensors) {
  int64_t n = 0;
  for (const Tensor& x : tensors) n += x.numel();
  return n;
}

void run(const std::string& function, const char* arguments, const void* a, unsigned blocks,
         int device, const char* what, unsigned threads = 256) {
  run_family({"tensor_lists", arguments, function}, a, {.x = blocks, .threads = threads}, device,
             what);
}

template <class Launch>
void each_table_of(const Tensors& tensors, int64_t chunk, ListArguments& a, Launch launch) {
  auto size = [&](int64_t i) { return tensors[static_cast<size_t>(i)].numel(); };
  auto put = [&](void** data, int64_t i) { data[0] = tensors[static_cast<size_t>(i)].raw(); };
  each_table(a.tensors, static_cast<int64_t>(tensors.size()), chunk, size, put, launch);
}

}  // namespace

int64_t chunk_for(int64_t elements, int device) {
  constexpr int64_t kLeast = 2048, kMost = 65536, kBlocksEach = 8;
  int64_t share = elements / (properties(device).multiprocessors * kBlocksEach);
  return std::clamp((share + kLeast - 1) / kLeast * kLeast, kLeast, kMost);
}

bool takes_list(const Tensors& tensors) {
  if (tensors.empty()) return false;
  const Tensor& first = tensors[0];
  for (const Tensor& x : tensors) {
    if (!x || !x.device().is_cuda() || x.device() != first.device()) return false;
    if (x.dtype() != first.dtype() || !x.is_floating()) return false;
    if (!x.is_contiguous() && !is_dense(x.sizes(), x.strides())) return false;
  }
  return true;
}

Tensor total_norm(const Tensors& tensors, double p) {
  Device device = tensors[0].device();
  DType dtype = tensors[0].dtype();
  bool wide = dtype == DType::Double;
  int64_t chunk = chunk_for(elements_of(tensors), device.index), blocks = 0;
  for (const Tensor& x : tensors) blocks += (x.numel() + chunk - 1) / chunk;
  CHECK(blocks <= INT32_MAX, "total_norm of more elements than a GPU has");
  Tensor sums = empty(Span(&blocks, 1), wide ? DType::Double : DType::Float, device);
  Tensor y = empty({}, dtype, device);
  ListArguments a{};
  a.number = p;
  a.sums = sums.raw();
  std::string types = concat(device_type(dtype), ", ", compute_type(dtype), ", ", norm_of(p), "<",
                             compute_type(dtype), ">>");
  each_table_of(tensors, chunk, a, [&](unsigned count) {
    run("norm_chunks<" + types, "ListArguments", &a, count, device.index, "total_norm");
    a.before += static_cast<int>(count);
  });
  a.tensors.data[0][0] = y.raw();
  run("finish_norm<" + types, "ListArguments", &a, 1, device.index, "total_norm");
  return y;
}

void scale_list(const Tensors& tensors, double number, const Tensor& factor, const Tensor& found) {
  int device = tensors[0].device().index;
  ListArguments a{};
  a.number = number;
  if (factor) a.factor = factor.raw();
  if (found) a.found = found.data<float>();
  std::string function =
      concat("scale_list<", device_type(tensors[0].dtype()), ", ", compute_type(tensors[0].dtype()),
             ", ", compute_type(factor ? factor.dtype() : DType::Float), ">");
  each_table_of(tensors, chunk_for(elements_of(tensors), device), a, [&](unsigned blocks) {
    run(function, "ListArguments", &a, blocks, device, "scaling of gradients");
  });
  for (const Tensor& x : tensors) bump_version(x);
}

void update_scale(const Tensor& scale, const Tensor& good_steps, const Tensor& found, double growth,
                  double backoff, int64_t interval) {
  struct {
    float* scale;
    int* good_steps;
    const float* found;
    double growth, backoff;
    int interval;
  } a{scale.data<float>(),       good_steps.data<int>(), found.data<float>(), growth, backoff,
      static_cast<int>(interval)};
  run("update_scale", "ScaleArguments", &a, 1, scale.device().index, "_amp_update_scale_", 1);
  bump_version(scale);
  bump_version(good_steps);
}

}  // namespace lampas::cuda
