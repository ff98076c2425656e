// x[i, :, j] with index tensors, read (index) and written (index_put), and nonzero. Along one
// dimension see index_dim.cc; gather and scatter are in scatter.cc; the parsing of Python's x[...]
// is in python/.
#include "ops/indexing.h"

#include "cpu/masked.h"
#include "ops/copy.h"

namespace lampas::ops {

namespace {

using tape::Backward;
using tape::needs_grad;

constexpr cpu::Bounds kWrapped{true, [](int64_t index, int64_t dim, int64_t size) {
                                 if (size == 0)
                                   fail(ErrorKind::Index,
                                        "index is out of bounds for dimension with size 0");
                                 fail(ErrorKind::Index, "index ", index,
                                      " is out of bounds for dimension ", dim, " with size ", size);
                               }};

bool is_mask(const Tensor& index) {
  return index.dtype() == DType::Bool || index.dtype() == DType::UInt8;
}

void check_index_type(const Tensor& index) {
  CHECK_KIND(is_mask(index) || index.dtype() == DType::Int64 || index.dtype() == DType::Int32,
             Index, "tensors used as indices must be long, int, byte or bool tensors");
}

void check_mask(const Tensor& x, const Tensor& mask, int64_t first) {
  for (int64_t d = 0; d < mask.dim(); ++d)
    CHECK_KIND(mask.size(d) == x.size(first + d), Index, "The shape of the mask ",
               to_string(mask.sizes()), " at index ", d,
               " does not match the shape of the indexed tensor ", to_string(x.sizes()),
               " at index ", first + d);
}

Dims broadcast_block(const Tensors& indices) {
  Dims block;
  bool fits = true;
  for (const Tensor& index : indices) {
    if (!index.defined()) continue;
    try {
      block = broadcast(block, index.sizes());
    } catch (const Error&) {
      fits = false;
    }
  }
  if (fits) return block;
  std::string shapes;
  for (const Tensor& index : indices)
    if (index.defined()) shapes += (shapes.empty() ? "" : ", ") + to_string(index.sizes());
  fail(ErrorKind::Index,
       "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
}

// Index tensors of the host may name elements on a GPU.
Tensors placed_beside(const Tensor& x, const Tensors& given) {
  Tensors indices = given;
  for (Tensor& index : indices) {
    bool here = !index.defined() || index.device() == x.device();
    if (here || index.is_meta() || x.is_meta()) continue;
    CHECK(index.device().is_cpu(),
          "indices should be either on cpu or on the same device as the indexed tensor (",
          to_string(x.device()), ")");
    index = to(plain(index), x.device());
  }
  return indices;
}

// How x[indices] lies: the indexed dimensions become one block, in place when they are neighbours,
// else at the front.
struct Indexing {
  Tensors indices;   // int64; undefined for dimensions taken whole; as many as x has dimensions
  Dims block;        // broadcast shape of the indices
  Dims sizes;        // of the result
  size_t start = 0;  // of the block in the result
  Dims whole;        // dimensions of x outside the block, in order

  Indexing(const Tensor& x, const Tensors& given);
  Tensor seen(const Tensor& x) const;
  Tensor empty_like_indexed(const Tensor& x) const;
  cpu::IndexPlan plan(const Tensor& x, const Tensor& y, Dims& order) const;
  Tensor offsets(const Tensor& x, const Dims& order, cpu::IndexPlan& plan) const;
};

Indexing::Indexing(const Tensor& x, const Tensors& given) : indices(integer_indices(x, given)) {
  block = broadcast_block(indices);
  int64_t first = -1, last = -1, count = 0;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (indices[d].defined()) {
      if (first < 0) first = d;
      last = d;
      ++count;
      CHECK_KIND(x.size(d) > 0 || checked_numel(block) == 0, Index,
                 "index is out of bounds for dimension with size 0");
    } else {
      whole.push_back(d);
    }
  }
  start = last - first + 1 == count ? static_cast<size_t>(first) : 0;
  for (size_t i = 0; i < start; ++i) sizes.push_back(x.size(whole[i]));
  for (int64_t s : block) sizes.push_back(s);
  for (size_t i = start; i < whole.size(); ++i) sizes.push_back(x.size(whole[i]));
  checked_numel(sizes);
}

// x as if it had the shape of the result: its own strides outside the block, 0 inside.
Tensor Indexing::seen(const Tensor& x) const {
  Tensor y = plain(x);
  y->sizes = sizes;
  y->strides = Dims(sizes.size());
  for (size_t i = 0; i < whole.size(); ++i)
    y->strides[i < start ? i : i + block.size()] = x.stride(whole[i]);
  refresh(y.get());
  return y;
}

// The result: laid out in the order of the strides of x and of the index tensors.
Tensor Indexing::empty_like_indexed(const Tensor& x) const {
  std::array<Tensor, 5> operands;  // x and the first index tensors: more cannot matter in practice
  std::array<const Tensor*, 5> inputs;
  size_t count = 0;
  operands[count] = seen(x);
  inputs[count] = &operands[count];
  ++count;
  for (const Tensor& index : indices) {
    if (!index.defined() || count == operands.size()) continue;
    Tensor aligned = plain(index);  // followed by dimensions of size 1, so that it broadcasts
    for (size_t i = start; i < whole.size(); ++i) {
      aligned->sizes.push_back(1);
      aligned->strides.push_back(0);
    }
    operands[count] = std::move(aligned);
    inputs[count] = &operands[count];
    ++count;
  }
  return empty_result(sizes, {inputs.data(), count}, x.dtype(), x.device());
}

// `order`: the dimensions of the block from the largest step in y to the smallest. Positions in
// that order must be evenly spaced in y; where they are not, y_step is -1.
cpu::IndexPlan Indexing::plan(const Tensor& x, const Tensor& y, Dims& order) const {
  cpu::IndexPlan p;
  for (size_t i = 0; i < whole.size(); ++i) {
    p.sizes.push_back(x.size(whole[i]));
    p.x_strides.push_back(x.stride(whole[i]));
    p.y_strides.push_back(y.stride(i < start ? i : i + block.size()));
  }
  order.clear();
  for (size_t i = 0; i < block.size(); ++i) order.push_back(static_cast<int64_t>(i));
  auto stride = [&](int64_t d) { return y.stride(start + d); };
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return stride(a) > stride(b); });
  int64_t covered = 0;
  for (size_t i = order.size(); i-- > 0;) {
    int64_t size = block[order[i]], step = stride(order[i]);
    if (size == 1) continue;
    if (covered == 0) {
      p.y_step = step;
      covered = size;
    } else {
      if (step != p.y_step * covered) p.y_step = -1;
      covered *= size;
    }
    if (p.y_step < 0) break;
  }
  return p;
}

Tensor Indexing::offsets(const Tensor& x, const Dims& order, cpu::IndexPlan& plan) const {
  Dims shape(order.size());
  for (size_t i = 0; i < order.size(); ++i) shape[i] = block[order[i]];
  int64_t only = -1, count = 0;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (indices[d].defined()) only = d, ++count;
  if (count == 1 && x.device().is_cuda()) {
    Tensor ordered = plain(indices[only]);
    for (size_t i = 0; i < order.size(); ++i) {
      ordered->sizes[i] = indices[only].size(order[i]);
      ordered->strides[i] = indices[only].stride(order[i]);
    }
    refresh(ordered.get());
    plan.raw = {kWrapped, x.size(only), x.stride(only), 0};
    return contiguous(ordered);
  }
  Tensor result = empty(shape, DType::Int64, x.device());
  bool first = true;
  int64_t nth = 0;
  for (int64_t d = 0; d < x.dim(); ++d) {
    if (!indices[d].defined()) continue;
    Tensor wide = plain_expand(indices[d], block), ordered = plain(wide);
    for (size_t i = 0; i < order.size(); ++i) {
      ordered->sizes[i] = wide.size(order[i]);
      ordered->strides[i] = wide.stride(order[i]);
    }
    refresh(ordered.get());
    KERNEL(index_offsets, result, ordered, x.size(d), x.stride(d), nth++, kWrapped, !first);
    first = false;
  }
  return result;
}

int64_t defined_count(const Tensors& indices) {
  int64_t count = 0;
  for (const Tensor& index : indices) count += index.defined();
  return count;
}

// Records with the index tensors kept besides `inputs`: their number is known at run time only.
template <class F, class Place>
void record_indexed(const char* node, std::initializer_list<tape::In> inputs,
                    const Tensors& indices, F formula, Place place) {
  tape::record_with(node, inputs, {}, formula, [&](const Ref<tape::Node>& owner) {
    place(owner);
    auto& kept = static_cast<tape::FormulaNode<F>*>(owner.get())->kept;
    for (const Tensor& index : indices)
      if (index.defined()) kept.push_back(tape::Saved(index, false));
  });
}

uint64_t defined_bits(const Tensors& indices) {
  uint64_t bits = 0;
  for (size_t d = 0; d < indices.size(); ++d) bits |= uint64_t{indices[d].defined()} << d;
  return bits;
}

Tensors kept_indices(const Backward& b, uint64_t bits) {
  Tensors indices;
  int next = 0;
  for (int d = 0; d < 64 && bits >> d; ++d)
    indices.push_back(bits >> d & 1 ? b.saved(next++) : Tensor());
  return indices;
}

// The one mask among the indices when nothing else is given: its elements need not be listed then.
const Tensor* lone_mask(const Tensor& x, const Tensors& given) {
  const Tensor* mask = nullptr;
  int64_t first = 0;
  for (const Tensor& index : given) {
    if (!index.defined()) {
      if (mask) return nullptr;
      ++first;
      continue;
    }
    if (mask || index.dtype() != DType::Bool || index.dim() == 0) return nullptr;
    mask = &index;
  }
  if (!mask || first + mask->dim() > x.dim()) return nullptr;
  check_mask(x, *mask, first);
  return mask;
}

// The mask as it broadcasts to x: dimensions of size 1 for what it does not reach.
Tensor spread_mask(const Tensor& x, const Tensor& mask, int64_t first) {
  Tensor wide = plain(mask);
  for (int64_t d = first + mask.dim(); d < x.dim(); ++d) {
    wide->sizes.push_back(1);
    wide->strides.push_back(0);
  }
  refresh(wide.get());
  return wide;
}

int64_t first_defined(const Tensors& given) {
  int64_t first = 0;
  while (!given[first].defined()) ++first;
  return first;
}

// x[mask] = one value.
Tensor fill_where(const Tensor& x, const Tensor& mask, const Tensor& value, bool in_place) {
  Target target(x, in_place);
  Tensor written = plain(target.y), wide = plain_expand(mask, x.sizes());
  KERNEL(masked_fill, written, wide, value);
  return target.finish("IndexPutBackward0", {x, value}, {mask},
                       [shape = value.sizes()](const Backward& b) -> Tensors {
                         Tensor mask = b.saved(0);
                         Tensors grads(2);
                         if (b.needs(0)) grads[0] = masked_fill(b.g, mask, Scalar(0));
                         if (b.needs(1))
                           grads[1] = reshape(sum_to(b.g * to(mask, b.g.dtype()), Dims{}), shape);
                         return grads;
                       });
}

// x[mask], for a mask of x's shape: no list of coordinates is made.
Tensor select_where(const Tensor& x, const Tensor& mask) {
  Tensor y;
  if (x.device().is_cuda()) {
    y = cuda::masked_select(cuda::On{}, x, mask);
  } else {
    y = empty(Dims{cpu::count_nonzero(mask)}, x.dtype(), x.device());
    KERNEL(masked_select, y, x, mask);
  }
  if (needs_grad(x))
    tape::record(
        y, "IndexBackward0", {x}, {mask}, [from = x.sizes()](const Backward& b) -> Tensors {
          return {masked_scatter_(zeros(from, b.g.dtype(), b.g.device()), b.saved(0), b.g)};
        });
  return y;
}

Tensor put(const Tensor& x, const Tensors& anywhere, const Tensor& values, bool accumulate,
           bool in_place) {
  Tensors given = placed_beside(x, anywhere);
  CHECK(values.dtype() == x.dtype(),
        "Index put requires the source and destination dtypes match, got ", label(x.dtype()),
        " for the destination and ", label(values.dtype()), " for the source.");
  if (!accumulate && values.numel() == 1 && values.dim() <= 1)
    if (const Tensor* mask = lone_mask(x, given))
      return fill_where(x, spread_mask(x, *mask, first_defined(given)), values, in_place);
  Indexing at(x, given);
  if (in_place) check_partial_overlap(x, values);
  Tensor wide;
  try {
    wide = plain_expand(values, at.sizes);
  } catch (const Error&) {
    fail("shape mismatch: value tensor of shape ", to_string(values.sizes()),
         " cannot be broadcast to indexing result of shape ", to_string(at.sizes));
  }
  Target target(x, in_place);
  Dims order;
  cpu::IndexPlan plan = at.plan(target.y, wide, order);
  if (plan.y_step < 0) {  // values whose block dimensions are not evenly spaced
    wide = contiguous(wide);
    plan = at.plan(target.y, wide, order);
  }
  Tensor offsets = at.offsets(target.y, order, plan);
  KERNEL(index_put, target.y, wide, offsets, plan,
         accumulate ? cpu::Combine::Add : cpu::Combine::Assign, "index_put");
  if (!needs_grad(x, values)) return target.y;
  uint64_t bits = defined_bits(at.indices);
  auto formula = [bits, accumulate, shape = values.sizes()](const Backward& b) -> Tensors {
    Tensors indices = kept_indices(b, bits);
    Tensors grads(2);
    if (b.needs(0))
      grads[0] = accumulate
                     ? b.g
                     : index_put(b.g, indices, zeros(Dims{}, b.g.dtype(), b.g.device()), false);
    if (b.needs(1)) grads[1] = sum_to(index(b.g, indices), shape);
    return grads;
  };
  Tensor y = target.y;
  record_indexed("IndexPutBackward0", {x, values}, at.indices, formula,
                 [&](const Ref<tape::Node>& node) {
                   if (in_place)
                     tape::set_written(node, y);
                   else
                     tape::set_output(node.get(), y);
                 });
  return y;
}

void check_known_data(const Tensor& x) {
  CHECK_KIND(!x.is_meta(), NotImplemented,
             "nonzero() needs the values of its input: it cannot run on the meta device");
}

}  // namespace

Tensors integer_indices(const Tensor& x, const Tensors& given) {
  Tensors indices;
  for (const Tensor& index : given) {
    if (!index.defined()) {
      indices.push_back(Tensor());
      continue;
    }
    check_index_type(index);
    if (!is_mask(index)) {
      indices.push_back(wide_index(index));
      continue;
    }
    int64_t first = static_cast<int64_t>(indices.size());
    CHECK_KIND(first + index.dim() <= x.dim() && index.dim() > 0, Index,
               "too many indices for tensor of dimension ", x.dim(), " (got ",
               first + std::max<int64_t>(index.dim(), 1), ")");
    check_mask(x, index, first);
    Tensor places = nonzero(plain(index));
    for (int64_t d = 0; d < index.dim(); ++d) indices.push_back(select(places, 1, d));
  }
  CHECK_KIND(static_cast<int64_t>(indices.size()) <= x.dim(), Index,
             "too many indices for tensor of dimension ", x.dim(), " (got ", indices.size(), ")");
  CHECK(defined_count(indices) > 0 || !given.empty(), "at least one index must be provided");
  indices.resize(static_cast<size_t>(x.dim()));
  return indices;
}

Tensor index(const Tensor& x, const GappedTensors& anywhere) {
  Tensors given = placed_beside(x, anywhere);
  const Tensor* mask = lone_mask(x, given);
  if (mask && mask->dim() == x.dim() && !x.is_meta() && mask->device() == x.device())
    return select_where(x, *mask);
  Indexing at(x, given);
  if (defined_count(at.indices) == 0) return clone(x, MemoryFormat::Preserve);
  Tensor y = at.empty_like_indexed(x);
  Dims order;
  cpu::IndexPlan plan = at.plan(x, y, order);
  if (plan.y_step < 0) {
    y = empty(at.sizes, x.dtype(), x.device());
    plan = at.plan(x, y, order);
  }
  Tensor offsets = at.offsets(x, order, plan);
  KERNEL(index, y, x, offsets, plan);
  if (!needs_grad(x)) return y;
  uint64_t bits = defined_bits(at.indices);
  auto formula = [bits, from = x.sizes()](const Backward& b) -> Tensors {
    return {index_put_(zeros(from, b.g.dtype(), b.g.device()), kept_indices(b, bits), b.g, true)};
  };
  record_indexed("IndexBackward0", {x}, at.indices, formula,
                 [&](const Ref<tape::Node>& node) { tape::set_output(node.get(), y); });
  return y;
}

Tensor index_put(const Tensor& x, const GappedTensors& indices, const Tensor& values,
                 bool accumulate) {
  return put(x, indices, values, accumulate, false);
}

Tensor index_put_(const Tensor& x, const GappedTensors& indices, const Tensor& values,
                  bool accumulate) {
  return put(x, indices, values, accumulate, true);
}

// The coordinates of true elements are the columns of the result; each column is contiguous.
Tensor nonzero(const Tensor& x) {
  check_known_data(x);
  if (x.device().is_cuda()) return transpose(cuda::nonzero(cuda::On{}, x), 0, 1);
  require_available(x.device());
  int64_t count = cpu::count_nonzero(x);
  Tensor rows = empty(Dims{x.dim(), count}, DType::Int64, x.device());
  KERNEL(nonzero, rows, x);
  return transpose(rows, 0, 1);
}

Tensor argwhere(const Tensor& x) { return nonzero(x); }

Tensors nonzero_columns(const Tensor& x) {
  return unbind(nonzero(x.dim() == 0 ? unsqueeze(plain(x), 0) : x), 1);
}

}  // namespace lampas::ops
