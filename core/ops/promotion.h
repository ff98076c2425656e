// Which element type a calculation runs in: promotion of types, tensors and numbers, and what may
// be written into what.
#pragma once
#include "runtime/tensor.h"

namespace lampas {

DType promote(DType a, DType b);         // raises for the unsigned types wider than 8 bits
bool can_cast(DType from, DType to);     // complex > floating > integral > bool may only grow
DType dtype_of_number(const Scalar& x);  // Bool, Long, the default float or its complex

// Gathers operands by category. A tensor with dimensions outweighs a 0-d tensor, which outweighs a
// number, unless the lighter one is of a higher kind (bool < integral < floating < complex).
class ResultType {
 public:
  void add(const Tensor& x) {
    if (x->wrapped_number)
      add_number(x.dtype());
    else if (x.dim() == 0)
      merge(zero_dim_, x.dtype());
    else
      merge(dimensioned_, x.dtype());
  }
  void add(const Scalar& x) { merge(number_, dtype_of_number(x)); }
  DType result() const;

 private:
  void add_number(DType dtype);
  static void merge(DType& held, DType dtype) {
    held = held == DType::Undefined || held == dtype ? dtype : promote(held, dtype);
  }
  DType dimensioned_ = DType::Undefined, zero_dim_ = DType::Undefined, number_ = DType::Undefined;
};

DType result_type(const Tensor& a, const Tensor& b);
DType result_type(const Tensor& a, const Scalar& b);

[[noreturn]] void fail_cast(DType from, DType to);
// A result of type `from` is about to be written into a tensor of type `to`.
inline void check_cast(DType from, DType to) {
  if (from != to && !can_cast(from, to)) fail_cast(from, to);
}

}  // namespace lampas
