// Views and in-place writes: whose history changes when memory is written.
#pragma once
#include "tape/tape.h"

namespace lampas::tape {

// y shows memory of x. Call after record(), so that y's own grad_fn is kept.
void mark_view(Tensor& y, const Tensor& x, ViewOrigin origin = ViewOrigin::Normal);

// To be called before memory of `self` is written by a recorded or unrecorded operator: raises for
// leaves that require grad and for views that may not be written.
void check_write(const Tensor& self);

// The few operators that the tape itself needs; ops/ fills them in when the core is loaded.
struct Arithmetic {
  Tensor (*add)(const Tensor&, const Tensor&);
  void (*add_)(Tensor&, const Tensor&);
  Tensor (*zeros)(Span sizes, DType, Device);
  Tensor (*ones_like)(const Tensor&);
  Tensor (*clone)(const Tensor&);
  void (*copy_)(Tensor&, const Tensor&);
  Tensor (*as_strided)(const Tensor&, Span sizes, Span strides, int64_t offset);
  Tensor (*fit)(const Tensor& g, Span sizes, DType);  // sums broadcast dimensions away, casts
  bool (*has_nan)(const Tensor&);
};
extern Arithmetic arithmetic;

// The same for tensors whose elements a Python object keeps; python/opaque.cc fills it in.
struct OpaqueArithmetic {
  Tensor (*add)(const Tensor&, const Tensor&);  // one of both is opaque
  Tensor (*clone)(const Tensor&);
};
extern OpaqueArithmetic opaque_arithmetic;
inline bool is_opaque(const Tensor& x) { return x.is_meta() && x.storage() && x.storage()->opaque; }

}  // namespace lampas::tape
