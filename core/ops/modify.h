// Operators that change some elements of a tensor (index_add, scatter, masked_fill, ...) exist as
// f(x) and as x.f_(): one body serves both, by writing into a Target.
#pragma once
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/iterator.h"
#include "ops/kernel.h"
#include "ops/views.h"

namespace lampas::ops {

// How the copy of the out-of-place form is laid out: as x, or row-major.
enum class Layout : uint8_t { AsInput, RowMajor };

class Target {
 public:
  Tensor y;  // what to write: x itself, or a copy of it without history

  Target(const Tensor& x, bool in_place, Layout layout = Layout::AsInput) : in_place_(in_place) {
    if (in_place) {
      tape::check_write(x);
      y = x;
      bump_version(y);
      return;
    }
    y = empty_like(x, {},
                   layout == Layout::AsInput ? MemoryFormat::Preserve : MemoryFormat::Contiguous);
    copy_values(y, x);
  }

  // Leaves the gradient node; `inputs` begin with x.
  template <class F>
  Tensor finish(const char* node, std::initializer_list<tape::In> inputs,
                std::initializer_list<tape::Keep> keep, F formula) {
    bool wanted = false;
    for (const tape::In& input : inputs) wanted |= tape::needs_grad(*input.x);
    if (!wanted) return y;
    if (in_place_)
      tape::record_written(y, node, inputs, keep, std::move(formula));
    else
      tape::record(y, node, inputs, keep, std::move(formula));
    return y;
  }

 private:
  bool in_place_;
};

// The index tensor as int64; int32 is widened.
inline Tensor wide_index(const Tensor& index) {
  return index.dtype() == DType::Int64 ? index : to(plain(index), DType::Int64);
}

}  // namespace lampas::ops
