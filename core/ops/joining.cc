// Tensors joined, repeated, padded, flipped and cut to triangles.
#include "cpu/joining.h"

#include <algorithm>
#include <vector>

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/promotion.h"
#include "ops/views.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

// channels_last when x's strides say so, else contiguous. A dimension of size 1 may have any
// stride, so the strides must grow strictly from the channels outwards to count.
MemoryFormat suggested_format(const Tensor& x) {
  if (x.dim() != 4 && x.dim() != 5) return MemoryFormat::Contiguous;
  SmallVector<int64_t, 5> inward{1};
  for (int64_t d = x.dim() - 1; d >= 2; --d) inward.push_back(d);
  inward.push_back(0);
  int64_t least = 0;
  if (x.stride(1) == 0) return MemoryFormat::Contiguous;
  for (int64_t d : inward) {
    if (x.size(d) == 0 || x.stride(d) < least) return MemoryFormat::Contiguous;
    if (d == 0 && least == x.stride(1)) return MemoryFormat::Contiguous;
    least = x.stride(d) * std::max<int64_t>(x.size(d), 1);
  }
  return x.dim() == 4 ? MemoryFormat::ChannelsLast : MemoryFormat::ChannelsLast3d;
}

// A part of y along dimension d, without history.
Tensor part(const Tensor& y, int64_t d, int64_t start, int64_t length) {
  Dims sizes = y.sizes();
  sizes[d] = length;
  return view_of(y, sizes, y.strides(), y.offset() + start * y.stride(d));
}

constexpr int64_t kShortRun = 1 << 16;  // elements: longer ones are worth several threads

// Of what a list of tensors is joined into.
struct Joined {
  DType dtype;
  MemoryFormat format;
};

Joined joined_type(const Tensors& xs) {
  ResultType type;
  MemoryFormat format = suggested_format(xs[0]);
  for (const Tensor& x : xs) {
    if (x.device() != xs[0].device() && (x.device().is_cuda() || xs[0].device().is_cuda()))
      fail_devices(xs[0].device(), x.device());
    CHECK(x.device() == xs[0].device(), "Tensor on device ", to_string(x.device()),
          " is not on the expected device ", to_string(xs[0].device()), "!");
    type.add(x);
    if (suggested_format(x) != format) format = MemoryFormat::Contiguous;
  }
  return {type.result(), format};
}

// The gradient of an input of another type than the result.
Tensor back_to(const Tensor& g, DType dtype) {
  return to(is_complex(g.dtype()) && !is_complex(dtype) ? real(g) : g, dtype);
}

using Types = SmallVector<DType, 8>;
Types types_of(const Tensors& xs) {
  Types types;
  for (const Tensor& x : xs) types.push_back(x.dtype());
  return types;
}

bool is_legacy_empty(const Tensor& x) { return x.dim() == 1 && x.size(0) == 0; }

// Checks the shapes; returns the shape of the result, or of an empty vector when all inputs are
// skipped.
Dims joined_sizes(const Tensors& xs, const Tensor& first, int64_t d) {
  Dims sizes = first.sizes();
  sizes[d] = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    const Tensor& x = xs[i];
    if (is_legacy_empty(x) && !is_legacy_empty(first)) continue;
    CHECK(x.dim() == first.dim(), "Tensors must have same number of dimensions: got ", first.dim(),
          " and ", x.dim());
    for (int64_t k = 0; k < x.dim(); ++k)
      CHECK(k == d || x.size(k) == first.size(k),
            "Sizes of tensors must match except in dimension ", d, ". Expected size ",
            first.size(k), " but got size ", x.size(k), " for tensor number ", i, " in the list.");
    CHECK(!__builtin_add_overflow(sizes[d], x.size(d), &sizes[d]), "cat: the result is too large");
  }
  return sizes;
}

// 2n numbers (before, after) for the last n dimensions, innermost first -> cut and pad amounts.
Dims padded_sizes(const Tensor& x, Span pad) {
  CHECK(pad.size() % 2 == 0, "Length of pad must be even but instead it equals ", pad.size());
  CHECK(pad.size() / 2 <= x.sizes().size(),
        "Length of pad should be no more than twice the number of dimensions of the input. Pad "
        "length is ",
        pad.size(), "while the input has ", x.dim(), "dimensions.");
  Dims sizes = x.sizes();
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    size_t d = sizes.size() - 1 - i;
    int64_t size = sizes[d];
    bool fits = !__builtin_add_overflow(size, pad[2 * i], &size) &&
                !__builtin_add_overflow(size, pad[2 * i + 1], &size);
    CHECK(fits && size >= 0, "The input size ", sizes[d], ", plus negative padding ", pad[2 * i],
          " and ", pad[2 * i + 1],
          " resulted in a negative output size, which is invalid. Check dimension ", d,
          " of your input.");
    sizes[d] = size;
  }
  return sizes;
}

Tensor triangle_of(const Tensor& x, int64_t k, bool upper) {
  const char* name = upper ? "triu" : "tril";
  CHECK(x.dim() >= 2, name, ": input tensor must have at least 2 dimensions");
  CHECK_KIND(x.dtype() != DType::UInt16 && x.dtype() != DType::UInt32 && x.dtype() != DType::UInt64,
             NotImplemented, "\"", name, "\" not implemented for '", label(x.dtype()), "'");
  Tensor y = empty(x.sizes(), x.dtype(), x.device());
  KERNEL(triangle, y, x, k, upper);
  if (needs_grad(x))
    tape::record(y, upper ? "TriuBackward0" : "TrilBackward0", {x}, {},
                 [k, upper](const Backward& b) -> Tensors { return {triangle_of(b.g, k, upper)}; });
  return y;
}

// Copies x into y with every dimension d of `dims` shifted: each is cut in two, the parts change
// places.
void copy_rolled(const Tensor& y, const Tensor& x, Span shifts, Span dims) {
  if (dims.empty()) return copy_values(y, x);
  int64_t d = dims[0], size = x.size(d), shift = shifts[0] % size;
  if (shift < 0) shift += size;
  Span shifts_left = shifts.subspan(1), dims_left = dims.subspan(1);
  copy_rolled(part(y, d, shift, size - shift), part(x, d, 0, size - shift), shifts_left, dims_left);
  if (shift)
    copy_rolled(part(y, d, 0, shift), part(x, d, size - shift, shift), shifts_left, dims_left);
}

}  // namespace

Tensor cat(const Tensors& xs, int64_t dim) {
  CHECK_KIND(!xs.empty(), Value, "torch.cat(): expected a non-empty list of Tensors");
  const Tensor* first = nullptr;
  for (size_t i = 0; i < xs.size(); ++i) {
    CHECK(xs[i].dim() > 0, "zero-dimensional tensor (at position ", i, ") cannot be concatenated");
    if (!first && !is_legacy_empty(xs[i])) first = &xs[i];
  }
  auto [dtype, format] = joined_type(xs);
  if (!first) first = &xs[0];
  int64_t d = is_legacy_empty(*first) ? 0 : wrap_dim(dim, first->dim());
  Tensor y = empty_format(joined_sizes(xs, *first, d), dtype, first->device(), format);
  Dims lengths;  // along d; -1 for inputs that are skipped
  int64_t start = 0;
  bool in_order = y.is_contiguous();  // and each input is one run of it
  for (int64_t k = 0; k < d; ++k) in_order &= y.size(k) == 1;
  std::vector<cuda::JoinedPart> together;  // on a GPU: by one kernel
  for (const Tensor& x : xs) {
    bool skipped = is_legacy_empty(x) && first->dim() != 1;
    lengths.push_back(skipped ? -1 : x.size(d));
    if (skipped) continue;
    if (y.device().is_cuda() && y.is_contiguous() && x.is_contiguous() && x.dtype() == dtype) {
      together.push_back({x, start});
      start += x.size(d);
      continue;
    }
    bool short_run = in_order && x.is_contiguous() && x.dtype() == dtype && x.numel() < kShortRun;
    if (short_run)
      KERNEL(place_run, y, start * y.stride(d), x);
    else if (x.numel() > 0)
      copy_values(part(y, d, start, x.size(d)), x);
    start += x.size(d);
  }
  if (!together.empty()) cuda::join(cuda::On{}, y, together, d);
  if (needs_grad(xs))
    tape::record(y, "CatBackward0", xs, {},
                 [d, lengths, types = types_of(xs)](const Backward& b) -> Tensors {
                   Tensors grads(lengths.size());
                   int64_t start = 0;
                   for (size_t i = 0; i < lengths.size(); ++i) {
                     int64_t length = std::max<int64_t>(lengths[i], 0);
                     if (b.needs(static_cast<int>(i)))
                       grads[i] = lengths[i] < 0 ? zeros(Dims{0}, types[i], b.g.device())
                                                 : back_to(narrow(b.g, d, start, length), types[i]);
                     start += length;
                   }
                   return grads;
                 });
  return y;
}

// x with a dimension of size 1 put in at d, without history.
namespace {
Tensor as_row(const Tensor& x, int64_t d) {
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t step = d < x.dim() ? sizes[d] * strides[d] : 1;
  sizes.insert(d, 1);
  strides.insert(d, step);
  return view_of(x, sizes, strides);
}

// The first dimension of a joined tensor as (count, size): keeps the layout that cat has chosen.
Tensor unjoined(const Tensor& y, int64_t count) {
  Dims sizes = y.sizes(), strides = y.strides();
  int64_t size = sizes[0] / count;
  sizes[0] = size;
  sizes.insert(0, count);
  strides.insert(0, size * strides[0]);
  return view_of(y, sizes, strides);
}
}  // namespace

Tensor stack(const Tensors& xs, int64_t dim) {
  CHECK(!xs.empty(), "stack expects a non-empty TensorList");
  int64_t d = wrap_dim(dim, xs[0].dim() + 1);
  for (size_t i = 1; i < xs.size(); ++i)
    CHECK(xs[i].sizes() == xs[0].sizes(), "stack expects each tensor to be equal size, but got ",
          to_string(xs[0].sizes()), " at entry 0 and ", to_string(xs[i].sizes()), " at entry ", i);
  DType dtype = joined_type(xs).dtype;
  bool whole = d == 0 && xs[0].dim() > 1;
  Tensors rows;
  rows.reserve(xs.size());
  bool recorded = needs_grad(xs);
  for (const Tensor& x : xs) {
    Tensor row = !whole ? as_row(x, d) : recorded ? plain(x) : x;
    rows.push_back(row.dtype() == dtype ? row : to(row, dtype));
  }
  Tensor y = cat(rows, d);
  if (whole) y = unjoined(y, static_cast<int64_t>(xs.size()));
  if (needs_grad(xs))
    tape::record(y, "StackBackward0", xs, {},
                 [d, types = types_of(xs)](const Backward& b) -> Tensors {
                   Tensors grads(types.size());
                   for (size_t i = 0; i < types.size(); ++i)
                     if (b.needs(static_cast<int>(i)))
                       grads[i] = back_to(select(b.g, d, static_cast<int64_t>(i)), types[i]);
                   return grads;
                 });
  return y;
}

Tensor repeat(const Tensor& x, Span repeats) {
  CHECK(repeats.size() >= x.sizes().size(),
        "Number of dimensions of repeat dims can not be smaller than "
        "number of dimensions of tensor");
  // (1, s0, 1, s1, ...) beside (r0, s0, r1, s1, ...): x and its repetition as broadcastable shapes.
  Dims target, ones, wide;
  size_t lead = repeats.size() - x.sizes().size();
  for (size_t i = 0; i < repeats.size(); ++i) {
    int64_t size = i < lead ? 1 : x.size(static_cast<int64_t>(i - lead)), total;
    CHECK(!__builtin_mul_overflow(size, repeats[i], &total), "repeat: the result is too large");
    target.push_back(total);
    for (int64_t s : {int64_t{1}, size}) ones.push_back(s);
    for (int64_t s : {repeats[i], size}) wide.push_back(s);
  }
  Tensor y = empty(target, x.dtype(), x.device());
  if (y.numel() > 0) {
    Dims strides;  // of x, with a dimension of size 1 before each of its own
    for (size_t i = 0; i < repeats.size(); ++i) {
      strides.push_back(0);
      strides.push_back(i < lead ? 0 : x.stride(static_cast<int64_t>(i - lead)));
    }
    copy_values(view_of(y, wide, contiguous_strides(wide)), view_of(x, ones, strides));
  }
  if (needs_grad(x))
    tape::record(y, "RepeatBackward0", {x}, {},
                 [from = x.sizes(), ones, wide](const Backward& b) -> Tensors {
                   return {reshape(sum_to(reshape(b.g, wide), ones), from)};
                 });
  return y;
}

Tensor constant_pad_nd(const Tensor& x, Span pad, const Scalar& value) {
  Dims sizes = padded_sizes(x, pad);
  Tensor y = empty_format(sizes, x.dtype(), x.device(), suggested_format(x));
  Tensor to = plain(y), from = plain(x);
  Dims back;
  bool grows = false;
  for (size_t i = 0; i < pad.size(); ++i) {
    back.push_back(-pad[i]);
    grows |= pad[i] > 0;
  }
  if (grows) fill_values(y, value);
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    int64_t d = x.dim() - 1 - static_cast<int64_t>(i), before = pad[2 * i], after = pad[2 * i + 1];
    int64_t cut = std::max<int64_t>(-before, 0), skip = std::max<int64_t>(before, 0);
    int64_t length = from.size(d) - cut - std::max<int64_t>(-after, 0);
    CHECK(length >= 0, "narrow(): length must be non-negative.");
    from = part(from, d, cut, length);
    to = part(to, d, skip, length);
  }
  if (from.numel() > 0) copy_values(to, from);
  if (needs_grad(x))
    tape::record(y, "ConstantPadNdBackward0", {x}, {}, [back](const Backward& b) -> Tensors {
      return {constant_pad_nd(b.g, back, Scalar(0))};
    });
  return y;
}

Tensor flip(const Tensor& x, Span dims) {
  uint64_t bits = dim_bits(dims, x.dim());
  Tensor y = empty_like(x);
  KERNEL(flip, y, x, bits);
  if (needs_grad(x))
    tape::record(y, "FlipBackward0", {x}, {},
                 [dims = Dims(dims)](const Backward& b) -> Tensors { return {flip(b.g, dims)}; });
  return y;
}

Tensor roll(const Tensor& x, Span shifts, Span dims) {
  CHECK(!shifts.empty(), "`shifts` required");
  CHECK((dims.empty() && shifts.size() == 1) || shifts.size() == dims.size(),
        "shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
  Dims wrapped;
  for (int64_t d : dims) {
    CHECK_KIND(x.dim() > 0, Index, "Dimension specified as ", d, " but tensor has no dimensions");
    wrapped.push_back(wrap_dim(d, x.dim()));
  }
  Tensor y = dims.empty() ? empty(x.sizes(), x.dtype(), x.device())
                          : empty_format(x.sizes(), x.dtype(), x.device(), suggested_format(x));
  if (x.numel() > 0) {
    if (dims.empty()) {
      Tensor flat = reshape(plain(x), Dims{-1});
      copy_rolled(view_of(y, flat.sizes(), Dims{1}), flat, shifts, Dims{0});
    } else {
      copy_rolled(y, x, shifts, wrapped);
    }
  }
  if (needs_grad(x))
    tape::record(y, "RollBackward0", {x}, {},
                 [shifts = Dims(shifts), wrapped](const Backward& b) -> Tensors {
                   Dims back;
                   for (int64_t s : shifts) back.push_back(s == INT64_MIN ? s : -s);
                   return {roll(b.g, back, wrapped)};
                 });
  return y;
}

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle_of(x, diagonal, false); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle_of(x, diagonal, true); }

Tensor repeat_interleave_index(const Tensor& repeats, Optional<int64_t> output_size) {
  CHECK(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
  CHECK_KIND(!repeats.is_meta(), NotImplemented,
             "repeat_interleave() needs the values of repeats: it cannot run on the meta device");
  if (repeats.device().is_cuda()) return cuda::repeat_index(cuda::On{}, repeats, output_size);
  require_available(repeats.device());
  int64_t total = cpu::total_repeats(repeats);
  CHECK(!output_size || *output_size == total, "allocated size does not match required size");
  Tensor y = empty(Dims{total}, DType::Int64, repeats.device());
  KERNEL(repeat_index, y, repeats);
  return y;
}

}  // namespace lampas::ops
