// Dimension order, merging and overlap rules of elementwise passes.
#include "ops/iterator.h"

namespace lampas {

namespace {

constexpr int kMaxOperands = Plan::kMost;

// Strides of x in bytes as seen from `shape`: 0 where x is broadcast.
Dims broadcast_strides(const TensorImpl* x, Span shape) {
  Dims strides(shape.size());
  size_t lead = shape.size() - x->sizes.size();
  int64_t item = item_size(x->dtype);
  for (size_t d = lead; d < shape.size(); ++d) {
    bool repeated = x->sizes[d - lead] == 1 && shape[d] != 1;
    strides[d] = repeated ? 0 : x->strides[d - lead] * item;
  }
  return strides;
}

// Does dimension `outer` move in smaller steps than `inner`, so that the two should change places?
// 1 yes, -1 no, 0 undecided: every operand is broadcast along one of them.
int compare(int64_t inner, int64_t outer, Span shape, std::span<const Dims> strides) {
  for (const Dims& s : strides) {
    if (s.size() == 0 || s[inner] == 0 || s[outer] == 0) continue;
    if (s[inner] != s[outer]) return s[inner] < s[outer] ? -1 : 1;
    if (shape[inner] > shape[outer]) return 1;
  }
  return 0;
}

// Dimensions from innermost to outermost. An insertion sort, because `compare` is no total order
// and the answer for ambiguous layouts should depend on neighbours only.
Dims inner_first(Span shape, std::span<const Dims> strides) {
  Dims order(shape.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(order.size() - 1 - i);
  for (size_t i = 1; i < order.size(); ++i) {
    size_t place = i;
    for (size_t j = i; j-- > 0;) {
      int verdict = compare(order[j], order[place], shape, strides);
      if (verdict < 0) break;
      if (verdict == 0) continue;
      std::swap(order[j], order[place]);
      place = j;
    }
  }
  return order;
}

bool all_contiguous(std::span<const Tensor* const> inputs, MemoryFormat format) {
  for (const Tensor* x : inputs)
    if (!x->is_contiguous(format)) return false;
  return true;
}

// Contiguous, and with the strides of size-1 dimensions as they would be made.
bool is_row_major(const Tensor& x) {
  int64_t step = 1;
  for (int64_t d = x.dim(); d-- > 0;) {
    if (x.stride(d) != step) return false;
    step *= std::max<int64_t>(x.size(d), 1);
  }
  return true;
}

bool same_dense_strides(std::span<const Tensor* const> inputs) {
  const Tensor& first = *inputs[0];
  if (!is_dense(first.sizes(), first.strides())) return false;
  for (const Tensor* x : inputs)
    if (x->strides() != first.strides()) return false;
  return true;
}

struct Extent {
  const char *begin, *end;
};

Extent extent_of(const Tensor& x) {
  int64_t last = 0;
  for (int64_t d = 0; d < x.dim(); ++d) last += (x.size(d) - 1) * x.stride(d);
  auto* begin = static_cast<const char*>(x.raw());
  return {begin, begin + (last + 1) * x.item_size()};
}

}  // namespace

void Plan::add(const Tensor& x) {
  tensors_[count] = x.get();
  data[count] = static_cast<char*>(x.raw());
  dtype[count++] = x.dtype();
}

void Plan::add_number(void* value, DType type) {
  data[count] = static_cast<char*>(value);
  dtype[count++] = type;
}

void Plan::finish(Span shape) {
  Dims wide[kMost];
  for (int i = 0; i < count; ++i)
    wide[i] = tensors_[i] ? broadcast_strides(tensors_[i], shape) : Dims(shape.size());
  Dims order = inner_first(shape, {wide, static_cast<size_t>(count)});
  numel = 1;
  for (int64_t d : order) {
    int64_t size = shape[d];
    numel *= size;
    if (size == 1) continue;
    size_t last = sizes.size();
    bool merges = last > 0;
    for (int i = 0; merges && i < count; ++i)
      merges = wide[i][d] == strides[i][last - 1] * sizes[last - 1];
    if (merges) {
      sizes[last - 1] *= size;
      continue;
    }
    sizes.push_back(size);
    for (int i = 0; i < count; ++i) strides[i].push_back(wide[i][d]);
  }
}

Tensor empty_result(Span shape, std::span<const Tensor* const> inputs, DType dtype, Device device,
                    bool numbers) {
  if (inputs.size() == 1 && inputs[0]->is_contiguous() && same(inputs[0]->sizes(), shape) &&
      is_row_major(*inputs[0]))
    return empty(shape, dtype, device);
  bool same_shape = !numbers;
  for (const Tensor* x : inputs) same_shape &= same(x->sizes(), shape);
  if (same_shape) {
    if (all_contiguous(inputs, MemoryFormat::Contiguous)) return empty(shape, dtype, device);
    if (shape.size() == 4 && all_contiguous(inputs, MemoryFormat::ChannelsLast))
      return empty_format(shape, dtype, device, MemoryFormat::ChannelsLast);
    if (same_dense_strides(inputs))
      return empty_strided(shape, inputs[0]->strides(), dtype, device);
  }
  Dims wide[kMaxOperands], strides(shape.size());
  for (size_t i = 0; i < inputs.size(); ++i) wide[i] = broadcast_strides(inputs[i]->get(), shape);
  Dims order = inner_first(shape, {wide, inputs.size()});
  bool identity = true;
  int64_t step = 1;
  for (size_t i = 0; i < order.size(); ++i) {
    identity &= order[i] == static_cast<int64_t>(order.size() - 1 - i);
    strides[order[i]] = step;
    step *= shape[order[i]];
  }
  if (identity) return empty(shape, dtype, device);
  return empty_strided(shape, strides, dtype, device);
}

void fail_devices(Device a, Device b) {
  CHECK(!a.is_meta() && !b.is_meta(), "Tensor on device ", to_string(b.is_meta() ? b : a),
        " is not on the expected device ", to_string(b.is_meta() ? a : b), "!");
  fail("Expected all tensors to be on the same device, but found at least two devices, ",
       to_string(a), " and ", to_string(b), "!");
}

void check_internal_overlap(const Tensor& written) {
  if (written.is_contiguous()) return;
  bool repeats = false;
  for (int64_t d = 0; d < written.dim(); ++d)
    repeats |= written.stride(d) == 0 && written.size(d) > 1;
  CHECK(!repeats,
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory "
        "location. Please clone() the tensor before performing the operation.");
}

// Whether both step through memory alike: strides of dimensions of size one do not matter.
static bool same_steps(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return a.strides() == b.strides();
  for (int64_t d = 0; d < a.dim(); ++d)
    if (a.size(d) > 1 && a.stride(d) != b.stride(d)) return false;
  return true;
}

void fail_overlap() {
  fail(
      "unsupported operation: some elements of the input tensor and the written-to tensor refer to "
      "a single memory location. Please clone() the tensor before performing the operation.");
}

void check_partial_overlap(const Tensor& written, const Tensor& read, bool apart) {
  if (written.is(read) || written.storage() != read.storage()) return;
  if (written.numel() == 0 || read.numel() == 0 || written.is_meta()) return;
  if (!is_dense(written.sizes(), written.strides()) || !is_dense(read.sizes(), read.strides()))
    return;
  Extent w = extent_of(written), r = extent_of(read);
  if (w.begin >= r.end || r.begin >= w.end) return;
  bool exact = w.begin == r.begin && w.end == r.end && same_steps(written, read);
  if (!exact || apart) fail_overlap();
}

}  // namespace lampas
