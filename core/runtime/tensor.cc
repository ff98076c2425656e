// Making tensors, and arithmetic on shapes and strides. All size arithmetic is checked for overflow
// here.
#include "runtime/tensor.h"

#include "runtime/reuse.h"
#include "tape/tape.h"

namespace lampas {

namespace {

TensorImpl* make_impl(DType dtype, Device device) {
  auto* impl = ::new (Reuse<TensorImpl>::take()) TensorImpl;
  impl->dtype = dtype;
  impl->device = device;
  impl->inference = tape::inference_enabled();
  return impl;
}

bool times(int64_t a, int64_t b, int64_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

[[noreturn]] void fail_overflow() {
  fail(
      "Storage size calculation overflowed: the sizes, strides and element size do not fit 64 "
      "bits");
}

// Order of dimensions from outermost to innermost by stride, ties and size-1 dimensions in given
// order.
Dims stride_order(Span sizes, Span strides) {
  Dims order(sizes.size());
  for (size_t i = 0; i < order.size(); ++i) {  // insertion: few, and std::stable_sort allocates
    size_t place = i;
    for (; place > 0 && strides[order[place - 1]] < strides[i]; --place)
      order[place] = order[place - 1];
    order[place] = static_cast<int64_t>(i);
  }
  return order;
}

}  // namespace

void TensorImpl::destroy(TensorImpl* impl) {
  if (impl->meta) tape::forget(impl);
  impl->~TensorImpl();
  Reuse<TensorImpl>::give(impl);
}

int64_t checked_numel(Span sizes) {
  int64_t n = 1;
  bool empty = false;
  for (int64_t s : sizes) {
    CHECK(s >= 0, "Trying to create tensor with negative dimension ", s, ": ", to_string(sizes));
    if (s == 0) empty = true;
  }
  if (empty) return 0;
  for (int64_t s : sizes)
    if (!times(n, s, &n)) fail_overflow();
  return n;
}

size_t checked_bytes(Span sizes, Span strides, int64_t offset, int64_t item) {
  if (checked_numel(sizes) == 0) return 0;
  CHECK(offset >= 0, "Tensor: invalid storage offset ", offset);
  int64_t last = offset;
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t reach;
    if (!times(sizes[i] - 1, strides[i], &reach) || __builtin_add_overflow(last, reach, &last))
      fail_overflow();
  }
  int64_t bytes;
  if (__builtin_add_overflow(last, int64_t{1}, &last) || !times(last, item, &bytes))
    fail_overflow();
  return static_cast<size_t>(bytes);
}

Dims contiguous_strides(Span sizes) {
  Dims strides(sizes.size());
  uint64_t step = 1;  // wraps for sizes that no memory holds
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = static_cast<int64_t>(step);
    step *= static_cast<uint64_t>(std::max<int64_t>(sizes[i], 1));
  }
  return strides;
}

Dims format_strides(Span sizes, MemoryFormat format) {
  size_t n = sizes.size();
  bool last = (format == MemoryFormat::ChannelsLast && n == 4) ||
              (format == MemoryFormat::ChannelsLast3d && n == 5);
  if (format == MemoryFormat::ChannelsLast)
    CHECK(n == 4, "required rank 4 tensor to use channels_last format");
  if (format == MemoryFormat::ChannelsLast3d)
    CHECK(n == 5, "required rank 5 tensor to use channels_last_3d format");
  if (!last) return contiguous_strides(sizes);
  Dims strides(n);
  int64_t step = 1;
  auto place = [&](size_t d) {
    strides[d] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  };
  place(1);
  for (size_t d = n; d-- > 2;) place(d);
  place(0);
  return strides;
}

bool is_contiguous(Span sizes, Span strides) {
  int64_t step = 1;
  for (int64_t s : sizes)
    if (s == 0) return true;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 1) continue;
    if (strides[i] != step) return false;
    step *= sizes[i];
  }
  return true;
}

bool is_dense(Span sizes, Span strides) {
  Dims order = stride_order(sizes, strides);
  int64_t step = 1;
  for (int64_t s : sizes)
    if (s == 0) return true;
  for (size_t i = order.size(); i-- > 0;) {
    if (sizes[order[i]] == 1) continue;
    if (strides[order[i]] != step) return false;
    step *= sizes[order[i]];
  }
  return true;
}

Dims dense_strides(Span sizes, Span strides) {
  Dims order(sizes.size()), dense(sizes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(order.size() - 1 - i);
  auto verdict = [&](int64_t inner, int64_t outer) {
    if (strides[inner] == 0 || strides[outer] == 0) return 0;
    if (strides[inner] != strides[outer]) return strides[inner] < strides[outer] ? -1 : 1;
    return sizes[inner] > sizes[outer] ? 1 : 0;
  };
  for (size_t i = 1; i < order.size(); ++i) {
    size_t place = i;
    for (size_t j = i; j-- > 0;) {
      int found = verdict(order[j], order[place]);
      if (found < 0) break;
      if (found == 0) continue;
      std::swap(order[j], order[place]);
      place = j;
    }
  }
  int64_t step = 1;
  for (int64_t d : order) {
    dense[d] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  }
  return dense;
}

bool Tensor::is_contiguous(MemoryFormat format) const {
  if (format == MemoryFormat::Contiguous) return impl_->contiguous;
  size_t rank = format == MemoryFormat::ChannelsLast ? 4 : 5;
  if (format == MemoryFormat::Preserve || sizes().size() != rank) return false;
  Dims wanted = format_strides(sizes(), format);
  for (size_t i = 0; i < rank; ++i)
    if (sizes()[i] != 1 && strides()[i] != wanted[i]) return false;
  return true;
}

void refresh(TensorImpl* impl) {
  impl->numel = checked_numel(impl->sizes);
  impl->contiguous = is_contiguous(impl->sizes, impl->strides);
}

Tensor empty(Span sizes, DType dtype, Device device) {
  int64_t n = checked_numel(sizes), bytes;
  if (!times(n, item_size(dtype), &bytes)) fail_overflow();
  Ref<Storage> storage = Storage::allocate(static_cast<size_t>(bytes), device);
  TensorImpl* impl = make_impl(dtype, storage->device);
  impl->sizes = Dims(sizes);
  impl->strides = contiguous_strides(sizes);
  impl->numel = n;
  impl->storage = std::move(storage);
  return Tensor(Ref<TensorImpl>::adopt(impl));
}

Tensor empty_strided(Span sizes, Span strides, DType dtype, Device device) {
  CHECK(sizes.size() == strides.size(), "mismatch in length of strides and shape");
  for (int64_t s : strides)
    CHECK(s >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ",
          to_string(strides));
  Ref<Storage> storage =
      Storage::allocate(checked_bytes(sizes, strides, 0, item_size(dtype)), device);
  return from_storage(std::move(storage), dtype, sizes, strides, 0);
}

Tensor empty_format(Span sizes, DType dtype, Device device, MemoryFormat format) {
  if (format == MemoryFormat::Contiguous || format == MemoryFormat::Preserve)
    return empty(sizes, dtype, device);
  checked_numel(sizes);
  return empty_strided(sizes, format_strides(sizes, format), dtype, device);
}

Tensor empty_like(const Tensor& x, Optional<DType> dtype, MemoryFormat format) {
  DType type = dtype.value_or(x.dtype());
  if (format != MemoryFormat::Preserve) return empty_format(x.sizes(), type, x.device(), format);
  if (x.is_contiguous() && x.strides() == contiguous_strides(x.sizes()))
    return empty(x.sizes(), type, x.device());
  if (is_dense(x.sizes(), x.strides()))
    return empty_strided(x.sizes(), x.strides(), type, x.device());
  return empty_strided(x.sizes(), dense_strides(x.sizes(), x.strides()), type, x.device());
}

Tensor from_storage(Ref<Storage> storage, DType dtype, Span sizes, Span strides, int64_t offset) {
  CHECK(sizes.size() == strides.size(), "mismatch in length of strides and shape");
  size_t needed = checked_bytes(sizes, strides, offset, item_size(dtype));
  CHECK(needed <= storage->bytes, "setStorage: sizes ", to_string(sizes), ", strides ",
        to_string(strides), ", storage offset ", offset, ", and itemsize ", item_size(dtype),
        " requiring a storage size of ", needed, " are out of bounds for storage of size ",
        storage->bytes);
  TensorImpl* impl = make_impl(dtype, storage->device);
  Tensor y(Ref<TensorImpl>::adopt(impl));
  impl->sizes = Dims(sizes);
  impl->strides = Dims(strides);
  impl->offset = offset;
  impl->storage = std::move(storage);
  refresh(impl);
  return y;
}

Tensor view_of(const Tensor& x, Span sizes, Span strides, int64_t offset) {
  Tensor y = from_storage(x.storage(), x.dtype(), sizes, strides, offset);
  y->untracked = x->untracked;
  y->inference = x->inference;
  return y;
}

Tensor view_of(const Tensor& x, Span sizes, Span strides) {
  return view_of(x, sizes, strides, x.offset());
}

Tensor alias_of(const Tensor& x) {
  auto* impl = ::new (Reuse<TensorImpl>::take()) TensorImpl;
  Tensor y(Ref<TensorImpl>::adopt(impl));
  impl->dtype = x->dtype;
  impl->device = x->device;
  impl->contiguous = x->contiguous;
  impl->untracked = x->untracked;
  impl->inference = x->inference;
  impl->offset = x->offset;
  impl->numel = x->numel;
  impl->sizes = x->sizes;
  impl->strides = x->strides;
  impl->storage = x->storage;
  return y;
}

int64_t wrap_dim(int64_t d, int64_t dim) {
  int64_t n = dim == 0 ? 1 : dim;
  CHECK_KIND(d >= -n && d < n, Index, "Dimension out of range (expected to be in range of [", -n,
             ", ", n - 1, "], but got ", d, ")");
  return d < 0 ? d + n : d;
}

Dims wrap_dims(Span dims, int64_t dim) {
  Dims wrapped;
  for (int64_t d : dims) {
    int64_t w = wrap_dim(d, dim);
    CHECK(std::find(wrapped.begin(), wrapped.end(), w) == wrapped.end(), "dim ", w,
          " appears multiple times in the list of dims");
    wrapped.push_back(w);
  }
  return wrapped;
}

uint64_t dim_bits(Span dims, int64_t dim) {
  CHECK(dim <= 64, "only tensors with up to 64 dims are supported");
  uint64_t bits = 0;
  for (int64_t d : wrap_dims(dims, dim)) bits |= uint64_t{1} << d;
  return bits;
}

uint64_t all_dim_bits(int64_t dim) {
  CHECK(dim <= 64, "only tensors with up to 64 dims are supported");
  return dim == 64 ? ~uint64_t{0} : (uint64_t{1} << dim) - 1;
}

Dims broadcast(Span a, Span b) {
  size_t n = std::max(a.size(), b.size());
  Dims sizes(n);
  for (size_t i = n; i-- > 0;) {
    int64_t x = i < n - a.size() ? 1 : a[i - (n - a.size())];
    int64_t y = i < n - b.size() ? 1 : b[i - (n - b.size())];
    CHECK(x == y || x == 1 || y == 1, "The size of tensor a (", x,
          ") must match the size of tensor b (", y, ") at non-singleton dimension ", i);
    sizes[i] = x == 1 ? y : x;
  }
  return sizes;
}

std::string to_string(Span sizes) {
  std::ostringstream text;
  text << '[';
  for (size_t i = 0; i < sizes.size(); ++i) text << (i ? ", " : "") << sizes[i];
  text << ']';
  return text.str();
}

}  // namespace lampas
