// See fallback.h.
#include "cuda/fallback.h"

#include <cstring>
#include <mutex>
#include <set>
#include <string>

#include "cuda/memory.h"
#include "ops/pointwise.h"

namespace lampas::cuda {

namespace {
struct Said {
  std::mutex guard;
  std::set<std::string> names;
};
Said& said() {
  static auto* one = new Said;
  return *one;
}
}  // namespace

void forget_fallbacks() {
  std::lock_guard<std::mutex> hold(said().guard);
  said().names.clear();
}

void warn_of_fallback(const char* name) {
  {
    std::lock_guard<std::mutex> hold(said().guard);
    if (!said().names.insert(name).second) return;
  }
  std::string text =
      concat("The operator '", name,
             "' has no kernel for CUDA in Lampas yet: it runs on the CPU, on copies "
             "of its arguments made through the host. (Said once for each operator.)");
  if (ops::warn) ops::warn(text.c_str());
}

void fail_fallback(const char* name) {
  fail(ErrorKind::NotImplemented, "The kernel '", name,
       "' is not implemented for CUDA tensors in Lampas yet");
}

Tensor Staged::host(const Tensor& x) {
  if (!x.defined() || !x.device().is_cuda()) return x;
  const Pair* found = nullptr;
  for (const Pair& p : pairs_)
    if (p.device == x.storage()) found = &p;
  if (!found) {
    size_t bytes = x.storage()->bytes;
    Pair pair{x.storage(), Storage::allocate(bytes, Device{}), std::vector<char>(bytes)};
    if (bytes) {
      copy_bytes(pair.host->data, Device{}, x.storage()->data, x.device(), bytes);
      std::memcpy(pair.before.data(), pair.host->data, bytes);
    }
    pairs_.push_back(std::move(pair));
    found = &pairs_.back();
  }
  return from_storage(found->host, x.dtype(), x.sizes(), x.strides(), x.offset());
}

void Staged::write_back() {
  for (const Pair& p : pairs_) {
    size_t bytes = p.before.size();
    if (bytes && std::memcmp(p.before.data(), p.host->data, bytes) != 0)
      copy_bytes(p.device->data, p.device->device, p.host->data, Device{}, bytes);
  }
}

}  // namespace lampas::cuda
