// Views: other sizes and strides over the same memory. Their gradients are views too, or the
// incoming gradient placed in zeros. Views that split into several tensors are in splitting.cc.
#include "ops/views.h"

#include <algorithm>

#include "cpu/strided.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

// `shape` with a -1 replaced by what `numel` elements leave for it; raises when they do not fit.
Dims inferred_sizes(Span shape, int64_t numel) {
  Dims sizes(shape);
  int64_t known = 1;
  int open = -1;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == -1) {
      CHECK(open < 0, "only one dimension can be inferred");
      open = static_cast<int>(d);
      continue;
    }
    CHECK(sizes[d] >= 0, "invalid shape dimension ", sizes[d], " at index ", d, " of shape ",
          to_string(shape));
    CHECK(!__builtin_mul_overflow(known, sizes[d], &known), "shape '", to_string(shape),
          "' is invalid for input of size ", numel);
  }
  bool fits = open < 0 ? known == numel : known == 0 ? numel == 0 : numel % known == 0;
  CHECK(fits, "shape '", to_string(shape), "' is invalid for input of size ", numel);
  if (open >= 0) {
    CHECK(known != 0, "cannot reshape tensor of 0 elements into shape ", to_string(shape),
          " because the unspecified dimension size -1 can be any value and is ambiguous");
    sizes[open] = numel / known;
  }
  return sizes;
}

// Strides under which memory of (sizes, strides) reads as `shape`; none when it must be copied.
// Walks both shapes from the back: each run of old dimensions that lies in memory as one block must
// be covered exactly by a run of new ones.
Optional<Dims> reshaped_strides(Span sizes, Span strides, Span shape) {
  Dims result(shape.size());
  int64_t n = checked_numel(shape);
  if (n == 0) {
    if (same(sizes, shape)) return Dims(strides);
    return contiguous_strides(shape);
  }
  int64_t to = static_cast<int64_t>(shape.size()) - 1;
  for (int64_t from = static_cast<int64_t>(sizes.size()) - 1; from >= 0;) {
    if (sizes[from] == 1) {
      --from;
      continue;
    }
    int64_t step = strides[from], block = sizes[from--];
    for (; from >= 0; --from) {
      if (sizes[from] == 1) continue;
      if (strides[from] != step * block) break;
      block *= sizes[from];
    }
    int64_t covered = 1;
    for (; to >= 0 && (covered < block || shape[to] == 1); --to) {
      result[to] = step * covered;
      covered *= shape[to];
    }
    if (covered != block) return {};
  }
  for (; to >= 0; --to) result[to] = 1;  // only when every old dimension has size 1
  return result;
}

Tensor view_as_shape(const Tensor& x, Span sizes, Span strides, const char* node) {
  return make_view(
      x, sizes, strides, x.offset(), node,
      [from = x.sizes()](const Backward& b) -> Tensors { return {reshape(b.g, from)}; });
}

// `sizes` (with -1 kept sizes filled in) and the strides of x seen in them.
Dims expanded_strides(const Tensor& x, Dims& sizes) {
  size_t n = sizes.size(), own = static_cast<size_t>(x.dim());
  CHECK(n >= own, "expand(torch.", label(x.dtype()), "Tensor{", to_string(x.sizes()),
        "}, size=", to_string(sizes), "): the number of sizes provided (", n,
        ") must be greater or equal to the number of dimensions in the tensor (", own, ")");
  Dims strides(n), wanted = sizes;
  for (size_t d = n; d-- > 0;) {
    if (d < n - own) {
      CHECK(sizes[d] >= 0, "The expanded size of the tensor (", sizes[d],
            ") isn't allowed in a leading, non-existing dimension ", d);
      strides[d] = 0;
      continue;
    }
    int64_t size = x.size(d - (n - own));
    if (sizes[d] == -1) sizes[d] = size;
    strides[d] = sizes[d] == size ? x.stride(d - (n - own)) : 0;
    CHECK(sizes[d] == size || (size == 1 && sizes[d] >= 0), "The expanded size of the tensor (",
          sizes[d], ") must match the existing size (", size, ") at non-singleton dimension ", d,
          ".  Target sizes: ", to_string(wanted), ".  Tensor sizes: ", to_string(x.sizes()));
  }
  return strides;
}

Tensor permuted(const Tensor& x, const Dims& order, const char* node) {
  Dims sizes(order.size()), strides(order.size()), back(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    sizes[i] = x.size(order[i]);
    strides[i] = x.stride(order[i]);
    back[order[i]] = static_cast<int64_t>(i);
  }
  return make_view(x, sizes, strides, x.offset(), node,
                   [back](const Backward& b) -> Tensors { return {permute(b.g, back)}; });
}

Tensor swapped(const Tensor& x, int64_t a, int64_t b, const char* node) {
  Dims sizes = x.sizes(), strides = x.strides();
  if (!sizes.empty()) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  return make_view(x, sizes, strides, x.offset(), node,
                   [a, b](const Backward& k) -> Tensors { return {transpose(k.g, a, b)}; });
}

// Puts back the dimensions of size 1 that squeeze removed: bit d set means dimension d was removed.
Tensor unsqueezed(const Tensor& g, uint64_t removed) {
  Tensor y = g;
  for (int64_t d = 0; d < 64 && removed >> d; ++d)
    if (removed >> d & 1) y = unsqueeze(y, d);
  return y;
}

// The dimensions of size 1 among `wanted`, as bits.
uint64_t unit_dims(const Tensor& x, uint64_t wanted) {
  uint64_t found = 0;
  for (int64_t d = 0; d < x.dim(); ++d)
    if ((wanted >> d & 1) && x.size(d) == 1) found |= uint64_t{1} << d;
  return found;
}

void without(const Tensor& x, uint64_t removed, Dims& sizes, Dims& strides) {
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (removed >> d & 1) continue;
    sizes.push_back(x.size(d));
    strides.push_back(x.stride(d));
  }
}

Tensor squeezed(const Tensor& x, uint64_t wanted, const char* node) {
  uint64_t removed = unit_dims(x, wanted);
  Dims sizes, strides;
  without(x, removed, sizes, strides);
  return make_view(x, sizes, strides, x.offset(), node,
                   [removed](const Backward& b) -> Tensors { return {unsqueezed(b.g, removed)}; });
}

void check_t(const Tensor& x, const char* name) {
  CHECK(x.dim() <= 2, name, " expects a tensor with <= 2 dimensions, but self is ", x.dim(), "D");
}

int64_t unsqueezed_stride(const Tensor& x, int64_t d) {
  return d < x.dim() ? x.size(d) * x.stride(d) : 1;
}

struct Diagonal {
  Dims sizes, strides;
  int64_t offset;
};

// Geometry of the diagonal of (sizes, strides), starting at `start`.
Diagonal diagonal_of(Span sizes, Span strides, int64_t start, int64_t offset, int64_t d1,
                     int64_t d2) {
  int64_t rows = sizes[d1], columns = sizes[d2];
  int64_t length =
      offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns);
  length = std::max<int64_t>(length, 0);
  Diagonal y{{}, {}, start};
  if (length > 0) y.offset += offset >= 0 ? offset * strides[d2] : -offset * strides[d1];
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (static_cast<int64_t>(d) == d1 || static_cast<int64_t>(d) == d2) continue;
    y.sizes.push_back(sizes[d]);
    y.strides.push_back(strides[d]);
  }
  y.sizes.push_back(length);
  y.strides.push_back(strides[d1] + strides[d2]);
  return y;
}

// One more than the farthest element of this geometry.
int64_t extent(Span sizes, Span strides) {
  int64_t last = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return 0;
    last += (sizes[d] - 1) * strides[d];
  }
  return last + 1;
}

struct Geometry {
  Dims sizes, strides;
  int64_t offset;
};

// The gradient goes through a flat buffer that stands for the storage; where the input itself names
// an address several times, they share its gradient equally.
Tensor as_strided_backward(const Tensor& g, const Geometry& y, const Geometry& x) {
  int64_t low = std::min(x.offset, y.offset);
  int64_t length =
      std::max(y.offset + extent(y.sizes, y.strides), x.offset + extent(x.sizes, x.strides));
  length = std::max<int64_t>(length - low, 0);
  Tensor memory = place(g, Dims{length}, y.strides, y.offset - low);
  if (may_overlap(x.sizes, x.strides)) {
    Tensor ones = full(x.sizes, Scalar(1), g.dtype(), g.device());
    Tensor owners = place(ones, Dims{length}, x.strides, x.offset - low);
    memory = memory / maximum(owners, full(Dims{}, Scalar(1), g.dtype(), g.device()));
  }
  return as_strided(memory, x.sizes, x.strides, memory.offset() + x.offset - low);
}

// In-place change of geometry. A view finds its new place in its base by itself; another tensor's
// history gets a node.
template <class F>
Tensor restride_(const Tensor& x, Dims sizes, Dims strides, const char* node, F formula) {
  tape::check_write(x);
  Tensor self = x;
  bool recorded = needs_grad(x) && !tape::is_view(x);
  self->sizes = std::move(sizes);
  self->strides = std::move(strides);
  refresh(self.get());
  bump_version(self);
  if (recorded) tape::record_written(self, node, {x}, {}, std::move(formula));
  return self;
}

}  // namespace

Tensor as_alias(const Tensor& x) {
  return make_view(x, x.sizes(), x.strides(), x.offset(), "AliasBackward0",
                   [](const Backward& b) -> Tensors { return {b.g}; });
}

bool may_overlap(Span sizes, Span strides) {
  struct Step {
    int64_t stride, size;
  };
  SmallVector<Step, 8> steps;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 0) return false;
    if (sizes[d] > 1) steps.push_back({strides[d], sizes[d]});
  }
  std::sort(steps.begin(), steps.end(), [](Step a, Step b) { return a.stride < b.stride; });
  int64_t reach = 0;  // largest distance within the dimensions seen
  for (auto [stride, size] : steps) {
    if (stride <= reach) return true;
    reach += stride * (size - 1);
  }
  return false;
}

Tensor plain_expand(const Tensor& x, Span size) {
  Dims sizes(size);
  Dims strides = expanded_strides(x, sizes);
  return view_of(x, sizes, strides);
}

Tensor place(const Tensor& g, Span sizes, Span strides, int64_t offset) {
  Tensor y = zeros(sizes, g.dtype(), g.device());
  Tensor window = view_of(y, g.sizes(), strides, offset);
  if (may_overlap(g.sizes(), strides))
    KERNEL(add_strided, window, g);
  else
    copy_(window, plain(g));
  if (needs_grad(g))
    tape::record(y, "AsStridedBackwardBackward0", {g}, {},
                 [to = g.sizes(), strides = Dims(strides), offset](const Backward& b) -> Tensors {
                   Tensor dense = contiguous(b.g);
                   return {as_strided(dense, to, strides, dense.offset() + offset)};
                 });
  return y;
}

// --- shape ---

Tensor view(const Tensor& x, Span size) {
  Dims sizes = inferred_sizes(size, x.numel());
  Optional<Dims> strides = reshaped_strides(x.sizes(), x.strides(), sizes);
  CHECK(strides,
        "view size is not compatible with input tensor's size and stride (at least one dimension "
        "spans across two contiguous subspaces). Use .reshape(...) instead.");
  return view_as_shape(x, sizes, *strides, "ViewBackward0");
}

Tensor view_as(const Tensor& x, const Tensor& other) { return view(x, other.sizes()); }

Tensor view_dtype(const Tensor& x, DType dtype) {
  int64_t from = x.item_size(), to = item_size(dtype);
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t offset = x.offset();
  auto explain = [&] {
    return concat(" to view ", label(x.dtype()), " as ", label(dtype),
                  " (different element sizes)");
  };
  if (from != to) {
    CHECK(x.dim() != 0, "self.dim() cannot be 0", explain());
    CHECK(strides.back() == 1, "self.stride(-1) must be 1", explain(), ", but got ",
          strides.back());
  }
  if (from > to) {
    int64_t parts = from / to;
    for (size_t d = 0; d + 1 < strides.size(); ++d) strides[d] *= parts;
    sizes.back() *= parts;
    offset *= parts;
  } else if (from < to) {
    int64_t parts = to / from;
    CHECK(sizes.back() % parts == 0, "self.size(-1) must be divisible by ", parts, explain(),
          ", but got ", sizes.back());
    CHECK(offset % parts == 0, "self.storage_offset() must be divisible by ", parts, explain(),
          ", but got ", offset);
    for (size_t d = 0; d + 1 < strides.size(); ++d) {
      CHECK(strides[d] % parts == 0, "self.stride(", d, ") must be divisible by ", parts, explain(),
            ", but got ", strides[d]);
      strides[d] /= parts;
    }
    sizes.back() /= parts;
    offset /= parts;
  }
  Tensor y = from_storage(x.storage(), dtype, sizes, strides, offset);
  y->untracked = x->untracked;
  y->inference = x->inference;
  tape::mark_view(y, x);
  return y;
}

Tensor reshape(const Tensor& x, Span shape) {
  Dims sizes = inferred_sizes(shape, x.numel());
  if (Optional<Dims> strides = reshaped_strides(x.sizes(), x.strides(), sizes))
    return view_as_shape(x, sizes, *strides,
                         x.is_contiguous() ? "ViewBackward0" : "ReshapeAliasBackward0");
  Tensor dense = clone(x, MemoryFormat::Contiguous);
  Tensor y = view_of(dense, sizes, contiguous_strides(sizes));
  if (needs_grad(dense))
    tape::record(y, "UnsafeViewBackward0", {dense}, {},
                 [from = x.sizes()](const Backward& b) -> Tensors { return {reshape(b.g, from)}; });
  return y;
}

Tensor reshape_as(const Tensor& x, const Tensor& other) { return reshape(x, other.sizes()); }

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  int64_t start = wrap_dim(start_dim, x.dim()), end = wrap_dim(end_dim, x.dim());
  CHECK(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim");
  if (x.dim() == 0) return reshape(x, Dims{1});
  if (start == end) return x;
  Dims sizes;
  int64_t block = 1;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (d < start || d > end)
      sizes.push_back(x.size(d));
    else
      block *= x.size(d);
    if (d == end) sizes.push_back(block);
  }
  return reshape(x, sizes);
}

Tensor ravel(const Tensor& x) { return view(contiguous(x), Dims{-1}); }

Tensor unflatten(const Tensor& x, int64_t dim, Span sizes) {
  CHECK(!sizes.empty(), "unflatten: sizes must be non-empty");
  int64_t d = wrap_dim(dim, x.dim());
  int64_t size = x.dim() ? x.size(d) : 1, known = 1, open = 0;
  for (int64_t s : sizes) {
    if (s == -1)
      ++open;
    else
      CHECK(!__builtin_mul_overflow(known, s, &known), "unflatten: sizes are too large");
  }
  CHECK(open <= 1, "only one dimension can be inferred");
  bool fits = open ? known != 0 && size % known == 0 : known == size;
  CHECK(fits, "unflatten: Provided sizes ", to_string(sizes),
        " don't multiply up to the size of dim ", d, " (", size, ") in the input tensor");
  Dims shape;
  for (int64_t i = 0; i < d; ++i) shape.push_back(x.size(i));
  for (int64_t s : sizes) shape.push_back(s == -1 ? size / known : s);
  for (int64_t i = d + 1; i < x.dim(); ++i) shape.push_back(x.size(i));
  return view(x, shape);
}

Tensor expand(const Tensor& x, Span size) {
  Dims sizes(size);
  Dims strides = expanded_strides(x, sizes);
  checked_numel(sizes);
  return make_view(
      x, sizes, strides, x.offset(), "ExpandBackward0",
      [from = x.sizes()](const Backward& b) -> Tensors { return {sum_to(b.g, from)}; });
}

Tensor expand_as(const Tensor& x, const Tensor& other) { return expand(x, other.sizes()); }

// --- order of dimensions ---

Tensor permute(const Tensor& x, Span dims) {
  CHECK(
      dims.size() == x.sizes().size(),
      "permute(sparse_coo): number of dimensions in the tensor input does not match the length of "
      "the desired ordering of dimensions i.e. input.dim() = ",
      x.dim(), " is not equal to len(dims) = ", dims.size());
  Dims order;
  for (int64_t dim : dims) {
    int64_t d = wrap_dim(dim, x.dim());
    CHECK(std::find(order.begin(), order.end(), d) == order.end(),
          "permute(): duplicate dims are not allowed.");
    order.push_back(d);
  }
  return permuted(x, order, "PermuteBackward0");
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  return swapped(x, wrap_dim(dim0, x.dim()), wrap_dim(dim1, x.dim()), "TransposeBackward0");
}

Tensor t(const Tensor& x) {
  check_t(x, "t()");
  return swapped(x, 0, x.dim() < 2 ? 0 : 1, "TBackward0");
}

Tensor movedim(const Tensor& x, Span source, Span destination) {
  CHECK(source.size() == destination.size(),
        "movedim: Invalid source or destination dims: source (", to_string(source),
        " dims) should contain the same number of dims as destination (", to_string(destination),
        " dims)");
  auto wrapped = [&](Span dims, const char* name) {
    Dims result;
    for (int64_t d : dims) result.push_back(wrap_dim(d, x.dim()));
    for (size_t i = 0; i < result.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        CHECK(result[i] != result[j], "movedim: repeated dim in `", name, "` (", to_string(dims),
              ")");
    return result;
  };
  Dims from = wrapped(source, "source"), to = wrapped(destination, "destination");
  if (x.dim() == 0) return as_alias(x);
  Dims order(x.sizes().size(), -1);
  uint64_t used = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    order[to[i]] = from[i];
    used |= uint64_t{1} << from[i];
  }
  int64_t next = 0;
  for (int64_t& place : order) {
    if (place >= 0) continue;
    while (used >> next & 1) ++next;
    place = next++;
  }
  return permuted(x, order, "PermuteBackward0");
}

Tensor numpy_T(const Tensor& x) {
  Dims order(x.sizes().size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(order.size() - 1 - i);
  return permuted(x, order, "PermuteBackward0");
}

Tensor mT(const Tensor& x) {
  CHECK(x.dim() >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got ",
        x.dim(), "-D tensor.");
  return transpose(x, -2, -1);
}

Tensor adjoint(const Tensor& x) {
  CHECK(x.dim() >= 2, "tensor.adjoint() is only supported on matrices or batches of matrices. Got ",
        x.dim(), "-D tensor.");
  Tensor y = transpose(x, -2, -1);
  return x.is_complex() ? conj(y) : y;
}

Tensor mH(const Tensor& x) {
  CHECK(x.dim() >= 2, "tensor.mH is only supported on matrices or batches of matrices. Got ",
        x.dim(), "-D tensor.");
  return adjoint(x);
}

Tensor matrix_H(const Tensor& x) {
  CHECK(x.dim() == 2 || x.dim() == 0, "tensor.H is only supported on matrices (2-D tensors). Got ",
        x.dim(), "-D tensor.",
        x.dim() > 2 ? " For batches of matrices, consider using tensor.mH" : "");
  if (x.dim() == 0) return x.is_complex() ? conj(x) : as_alias(x);
  return adjoint(x);
}

// --- dimensions of size 1 ---

Tensor squeeze(const Tensor& x, int64_t dim) {
  return squeezed(x, uint64_t{1} << wrap_dim(dim, x.dim()), "SqueezeBackward1");
}

Tensor squeeze_dims(const Tensor& x, Span dim) {
  return squeezed(x, dim_bits(dim, x.dim()), "SqueezeBackward2");
}

Tensor squeeze_all(const Tensor& x) {
  return squeezed(x, all_dim_bits(x.dim()), "SqueezeBackward0");
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  int64_t d = wrap_dim(dim, x.dim() + 1);
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t stride = unsqueezed_stride(x, d);
  sizes.insert(d, 1);
  strides.insert(d, stride);
  return make_view(x, sizes, strides, x.offset(), "UnsqueezeBackward0",
                   [d](const Backward& b) -> Tensors { return {squeeze(b.g, d)}; });
}

// --- parts ---

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  CHECK_KIND(x.dim() > 0, Index, "select() cannot be applied to a 0-dim tensor.");
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d);
  CHECK_KIND(index >= -size && index < size, Index, "select(): index ", index,
             " out of range for tensor of size ", to_string(x.sizes()), " at dimension ", d);
  int64_t i = index < 0 ? index + size : index;
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t offset = x.offset() + i * strides[d];
  sizes.erase(d);
  strides.erase(d);
  return make_view(x, sizes, strides, offset, "SelectBackward0",
                   [from = x.sizes(), d, i](const Backward& b) -> Tensors {
                     Dims steps = contiguous_strides(from);
                     int64_t start = i * steps[d];
                     steps.erase(d);
                     return {place(b.g, from, steps, start)};
                   });
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  CHECK_KIND(x.dim() > 0, Index, "slice() cannot be applied to a 0-dim tensor.");
  CHECK(step > 0, "slice step must be positive");
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d);
  if (start < 0) start += size;
  if (end < 0) end += size;
  start = std::clamp<int64_t>(start, 0, size);
  end = std::clamp<int64_t>(end, start, size);
  Dims sizes = x.sizes(), strides = x.strides();
  sizes[d] = (end - start) / step + ((end - start) % step != 0);
  int64_t offset = x.offset() + start * strides[d];
  // A step past the end would overflow the stride of a single element; its value has no effect.
  if (__builtin_mul_overflow(strides[d], step, &strides[d])) strides[d] = x.stride(d);
  return make_view(x, sizes, strides, offset, "SliceBackward0",
                   [from = x.sizes(), d, start, step](const Backward& b) -> Tensors {
                     Dims steps = contiguous_strides(from);
                     int64_t first = from[d] == 0 ? 0 : start * steps[d];
                     if (b.g.size(d) > 1) steps[d] *= step;
                     return {place(b.g, from, steps, first)};
                   });
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  CHECK(x.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
  CHECK(length >= 0, "narrow(): length must be non-negative.");
  int64_t d = wrap_dim(dim, x.dim()), size = x.size(d);
  CHECK_KIND(start >= -size && start <= size, Index,
             "start out of range (expected to be in range of [", -size, ", ", size, "], but got ",
             start, ")");
  if (start < 0) start += size;
  CHECK(start <= size - length, "start (", start, ") + length (", length,
        ") exceeds dimension size (", size, ").");
  return slice(x, d, start, start + length, 1);
}

Tensor narrow_tensor(const Tensor& x, int64_t dim, const Tensor& start, int64_t length) {
  CHECK(start.dim() == 0 && is_integral(start.dtype()), "start must be an 0-dim integral Tensor.");
  Tensor wide = to(plain(start), DType::Int64);
  CHECK(wide.device().is_cpu(), "narrow(): start must be a CPU tensor");
  return narrow(x, dim, *wide.data<int64_t>(), length);
}

Tensor as_strided(const Tensor& x, Span size, Span stride, Optional<int64_t> storage_offset) {
  CHECK(size.size() == stride.size(), "mismatch in length of strides and shape");
  for (int64_t s : stride)
    CHECK(s >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ",
          to_string(stride));
  for (int64_t s : size)
    CHECK(s >= 0, "Storage size calculation overflowed with sizes=", to_string(size),
          " and strides=", to_string(stride));
  int64_t offset = storage_offset.value_or(x.offset());
  CHECK(offset >= 0, "Tensor: invalid storage offset ", offset);
  if (!needs_grad(x)) {
    Tensor y = view_of(x, size, stride, offset);
    tape::mark_view(y, x);
    return y;
  }
  Geometry from{x.sizes(), x.strides(), x.offset()}, to{Dims(size), Dims(stride), offset};
  return make_view(
      x, size, stride, offset, "AsStridedBackward0",
      [from, to](const Backward& b) -> Tensors { return {as_strided_backward(b.g, to, from)}; });
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  int64_t d1 = wrap_dim(dim1, x.dim()), d2 = wrap_dim(dim2, x.dim());
  CHECK(d1 != d2, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  Diagonal y = diagonal_of(x.sizes(), x.strides(), x.offset(), offset, d1, d2);
  return make_view(x, y.sizes, y.strides, y.offset, "DiagonalBackward0",
                   [from = x.sizes(), offset, d1, d2](const Backward& b) -> Tensors {
                     Diagonal at = diagonal_of(from, contiguous_strides(from), 0, offset, d1, d2);
                     return {place(b.g, from, at.strides, at.offset)};
                   });
}

Tensor unfold_dimension(const Tensor& x, int64_t dimension, int64_t size, int64_t step) {
  int64_t d = wrap_dim(dimension, x.dim());
  int64_t most = x.dim() ? x.size(d) : 1;
  CHECK(size >= 0, "size is ", size, " but must be >= 0");
  CHECK(size <= most, "maximum size for tensor at dimension ", d, " is ", most, " but size is ",
        size);
  CHECK(step > 0, "step is ", step, " but must be > 0");
  // Windows along dimension d of a tensor of this geometry.
  auto windows = [d, size, step](Dims& sizes, Dims& strides) {
    int64_t stride = sizes.empty() ? 1 : strides[d];
    if (!sizes.empty()) {
      sizes[d] = (sizes[d] - size) / step + 1;
      if (__builtin_mul_overflow(stride, step, &strides[d])) strides[d] = stride;
    }
    sizes.push_back(size);
    strides.push_back(stride);
  };
  Dims sizes = x.sizes(), strides = x.strides();
  windows(sizes, strides);
  return make_view(x, sizes, strides, x.offset(), "UnfoldBackward0",
                   [from = x.sizes(), windows](const Backward& b) -> Tensors {
                     Dims sizes = from, strides = contiguous_strides(from);
                     windows(sizes, strides);
                     return {place(b.g, from, strides, 0)};
                   });
}

// --- in place: only the tensor's own geometry changes ---

Tensor squeeze_in(const Tensor& x, uint64_t wanted, const char* node) {
  uint64_t removed = unit_dims(x, wanted);
  Dims sizes, strides;
  without(x, removed, sizes, strides);
  return restride_(x, sizes, strides, node,
                   [removed](const Backward& b) -> Tensors { return {unsqueezed(b.g, removed)}; });
}

Tensor squeeze_(const Tensor& x, int64_t dim) {
  return squeeze_in(x, uint64_t{1} << wrap_dim(dim, x.dim()), "SqueezeBackward1");
}

Tensor squeeze_dims_(const Tensor& x, Span dim) {
  return squeeze_in(x, dim_bits(dim, x.dim()), "SqueezeBackward2");
}

Tensor squeeze_all_(const Tensor& x) {
  return squeeze_in(x, all_dim_bits(x.dim()), "SqueezeBackward0");
}

Tensor unsqueeze_(const Tensor& x, int64_t dim) {
  int64_t d = wrap_dim(dim, x.dim() + 1);
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.insert(d, 1);
  strides.insert(d, unsqueezed_stride(x, d));
  return restride_(x, sizes, strides, "UnsqueezeBackward0",
                   [d](const Backward& b) -> Tensors { return {squeeze(b.g, d)}; });
}

Tensor transpose_(const Tensor& x, int64_t dim0, int64_t dim1) {
  int64_t a = wrap_dim(dim0, x.dim()), b = wrap_dim(dim1, x.dim());
  Dims sizes = x.sizes(), strides = x.strides();
  if (!sizes.empty()) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  return restride_(x, sizes, strides, "TransposeBackward0",
                   [a, b](const Backward& k) -> Tensors { return {transpose(k.g, a, b)}; });
}

Tensor t_(const Tensor& x) {
  check_t(x, "t_()");
  return transpose_(x, 0, x.dim() < 2 ? 0 : 1);
}

Tensor as_strided_(const Tensor& x, Span size, Span stride, Optional<int64_t> storage_offset) {
  Tensor probe = as_strided(plain(x), size, stride, storage_offset);  // its checks
  Geometry from{x.sizes(), x.strides(), x.offset()};
  Geometry to{probe.sizes(), probe.strides(), probe.offset()};
  tape::check_write(x);
  x->offset = probe.offset();
  return restride_(
      x, to.sizes, to.strides, "AsStridedBackward0",
      [from, to](const Backward& b) -> Tensors { return {as_strided_backward(b.g, to, from)}; });
}

}  // namespace lampas::ops
