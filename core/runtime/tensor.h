// Tensor: a counted handle on a shape, strides and an offset into a Storage. Gradient bookkeeping
// hangs off `meta` and belongs to tape/. Operators are not here: see ops/.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/dims.h"
#include "runtime/dtype.h"
#include "runtime/inline_vector.h"
#include "runtime/scalar.h"
#include "runtime/storage.h"

namespace lampas {

namespace tape {
struct Meta;
}

enum class MemoryFormat : int8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };

struct TensorImpl {
  uint32_t refs = 1;
  DType dtype = DType::Float;
  Device device;
  bool contiguous = true;      // row-major without gaps
  bool requires_grad = false;  // leaf that wants a gradient, or a result on the tape
  bool untracked =
      false;  // made by `.data`/detach under no version: writes do not bump the version
  bool inference = false;       // made under inference_mode
  bool carries = false;         // an open transform knows more of it: a tangent, a batch
  bool wrapped_number = false;  // 0-d, made from a Python number: does not take part in promotion
  int64_t offset = 0;           // in elements
  int64_t numel = 1;
  Dims sizes, strides;  // strides in elements
  Ref<Storage> storage;
  tape::Meta* meta = nullptr;  // null until autograd has something to remember
  void* object = nullptr;  // the Python object of this tensor, borrowed; null when there is none

  static void destroy(TensorImpl* impl);
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  bool defined() const { return bool(impl_); }
  explicit operator bool() const { return defined(); }
  TensorImpl* get() const { return impl_.get(); }
  TensorImpl* operator->() const { return impl_.get(); }
  Ref<TensorImpl>& ref() { return impl_; }
  const Ref<TensorImpl>& ref() const { return impl_; }
  bool is(const Tensor& other) const { return impl_.get() == other.impl_.get(); }

  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->device; }
  bool is_meta() const { return impl_->device.is_meta(); }
  int64_t dim() const { return static_cast<int64_t>(impl_->sizes.size()); }
  int64_t numel() const { return impl_->numel; }
  const Dims& sizes() const { return impl_->sizes; }
  const Dims& strides() const { return impl_->strides; }
  int64_t size(int64_t d) const { return impl_->sizes[d]; }  // 0 <= d < dim(): wrap first
  int64_t stride(int64_t d) const { return impl_->strides[d]; }
  int64_t offset() const { return impl_->offset; }
  int64_t item_size() const { return lampas::item_size(impl_->dtype); }
  bool is_contiguous() const { return impl_->contiguous; }
  bool is_contiguous(MemoryFormat format) const;
  bool is_complex() const { return lampas::is_complex(impl_->dtype); }
  bool is_floating() const { return lampas::is_floating(impl_->dtype); }
  bool requires_grad() const { return impl_->requires_grad; }
  const Ref<Storage>& storage() const { return impl_->storage; }

  // First element. Device memory is a plain address too: only kernels of that device may follow it.
  void* raw() const {
    return static_cast<char*>(impl_->storage->data) + impl_->offset * item_size();
  }
  template <class T>
  T* data() const {
    return static_cast<T*>(raw());
  }

 private:
  Ref<TensorImpl> impl_;
};

using Tensors = InlineVector<Tensor, 3>;
// As a parameter of an operator: some may be undefined (None).
struct GappedTensors : Tensors {
  GappedTensors(Tensors xs) : Tensors(std::move(xs)) {}
};
template <class T>
using Optional = std::optional<T>;

// --- making tensors (no gradient, uninitialised unless said) ---
Tensor empty(Span sizes, DType dtype, Device device = {});
Tensor empty_strided(Span sizes, Span strides, DType dtype, Device device = {});
// Same shape as x; Preserve keeps x's strides when dense, else the order of its dimensions.
Tensor empty_like(const Tensor& x, Optional<DType> dtype = {},
                  MemoryFormat format = MemoryFormat::Preserve);
Tensor empty_format(Span sizes, DType dtype, Device device, MemoryFormat format);
// A second tensor over the same storage, without gradient history. Bounds are checked.
Tensor view_of(const Tensor& x, Span sizes, Span strides, int64_t offset);
Tensor view_of(const Tensor& x, Span sizes, Span strides);
Tensor alias_of(const Tensor& x);
Tensor from_storage(Ref<Storage> storage, DType dtype, Span sizes, Span strides, int64_t offset);

// --- shapes ---
int64_t checked_numel(Span sizes);  // raises on negative sizes and overflow
size_t checked_bytes(Span sizes, Span strides, int64_t offset,
                     int64_t item);  // storage length needed
Dims contiguous_strides(Span sizes);
Dims format_strides(Span sizes, MemoryFormat format);
bool is_contiguous(Span sizes, Span strides);
// Strides without gaps whose dimensions keep the order of the given ones; dimensions of stride 0
// have no order of their own and stay where they are among their neighbours.
Dims dense_strides(Span sizes, Span strides);
bool is_dense(Span sizes, Span strides);  // non-overlapping and without gaps, any order
// -dim <= d < dim -> 0 <= d < dim; IndexError "Dimension out of range (expected ...)" otherwise. A
// 0-d tensor counts as 1-d.
int64_t wrap_dim(int64_t d, int64_t dim);
Dims wrap_dims(Span dims, int64_t dim);  // also refuses repeats
// The same as bits; raises where there are more dimensions than bits.
uint64_t dim_bits(Span dims, int64_t dim);
uint64_t all_dim_bits(int64_t dim);
Dims broadcast(Span a, Span b);     // raises PyTorch's "The size of tensor a (..."
std::string to_string(Span sizes);  // "[2, 3]"
void refresh(TensorImpl* impl);     // numel and contiguous, after sizes/strides change

inline void bump_version(const Tensor& x) {
  if (!x->untracked) ++x->storage->version;
}

}  // namespace lampas
