// Variances and standard deviations: two passes around a mean kept in double.
#include "cpu/reduce.h"
#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/reduce.h"
#include "tape/tape.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

// What a call asks for, and its two results; formulas keep one.
struct Spread {
  Reduced r;
  double correction;
  bool root;  // the standard deviation

  double freedom() const { return static_cast<double>(r.count()) - correction; }

  // The gradient of the variance (or deviation y) that arrived as g.
  Tensor gradient(Tensor g, const Tensor& x, const Tensor& y) const {
    g = r.restore(g);
    if (root) {
      Tensor z = r.restore(y);
      g = where(eq(z, 0), 0, g / (z * 2));
    }
    return g * (2 / freedom()) * (x - mean(x, r.dims(), true, {}));
  }
};

void check(const Tensor& x, const char* name, const Spread& s) {
  CHECK(x.is_floating() || x.is_complex(),
        "std and var only support floating point and complex dtypes");
  if (s.freedom() <= 0 && warn && !x.is_meta())
    warn(concat(name,
                "(): degrees of freedom is <= 0. Correction should be strictly less than the "
                "reduction factor (input numel divided by output numel).")
             .c_str());
}

std::pair<Tensor, Tensor> forward(const Tensor& x, const Spread& s) {
  Reduction row = s.root ? Reduction::std : Reduction::var;
  Tensor y = empty(s.r.result(), result_of(row, x.dtype()), x.device());
  Tensor middle = empty(s.r.result(), result_of(Reduction::wide_mean, x.dtype()), x.device());
  KERNEL(variance, y, middle, row, x, s.r.mask, s.correction);
  return {y, middle};
}

Spread spread(const Tensor& x, const Optional<Dims>& dim, const Optional<Scalar>& correction,
              bool keepdim, bool root) {
  return {Reduced(x, dim, keepdim), correction ? correction->real() : 1, root};
}

Tensor one(const Tensor& x, const Spread& s) {
  check(x, s.root ? "std" : "var", s);
  Tensor y = forward(x, s).first;
  if (!needs_grad(x)) return y;
  if (s.root) {
    record(y, "StdBackward0", {x}, {x, tape::out(y)},
           [s](const Backward& b) -> Tensors { return {s.gradient(b.g, b.saved(0), b.saved(1))}; });
  } else {
    record(y, "VarBackward0", {x}, {x},
           [s](const Backward& b) -> Tensors { return {s.gradient(b.g, b.saved(0), {})}; });
  }
  return y;
}

std::tuple<Tensor, Tensor> with_mean(const Tensor& x, const Spread& s) {
  check(x, s.root ? "std_mean" : "var_mean", s);
  auto [y, wide] = forward(x, s);
  Tensor middle = to(wide, x.dtype());
  if (needs_grad(x)) {
    const char* node = s.root ? "StdMeanBackward0" : "VarMeanBackward0";
    record({&y, &middle}, node, {x}, {x, tape::out(y)}, [s](const Backward& b) -> Tensors {
      Tensor x = b.saved(0), dx;
      if (b.grads[0].defined()) dx = s.gradient(b.grads[0], x, s.root ? b.saved(1) : Tensor());
      if (b.grads[1].defined()) {
        Tensor g = s.r.restore(b.grads[1]) / static_cast<double>(s.r.count());
        dx = dx.defined() ? dx + g : expand(g, s.r.sizes);
      }
      return {dx};
    });
  }
  return {y, middle};
}

const Optional<Dims> all_dims;
Optional<Scalar> correction_of(bool unbiased) { return Scalar(unbiased ? 1 : 0); }

}  // namespace

#define FAMILY(name, both, root)                                                                 \
  Tensor name##_unbiased(const Tensor& x, bool unbiased) {                                       \
    return one(x, spread(x, all_dims, correction_of(unbiased), false, root));                    \
  }                                                                                              \
  Tensor name##_unbiased_dim(const Tensor& x, Optional<Dims> dim, bool unbiased, bool keepdim) { \
    return one(x, spread(x, dim, correction_of(unbiased), keepdim, root));                       \
  }                                                                                              \
  Tensor name(const Tensor& x, Optional<Dims> dim, Optional<Scalar> correction, bool keepdim) {  \
    return one(x, spread(x, dim, correction, keepdim, root));                                    \
  }                                                                                              \
  std::tuple<Tensor, Tensor> both##_unbiased(const Tensor& x, bool unbiased) {                   \
    return with_mean(x, spread(x, all_dims, correction_of(unbiased), false, root));              \
  }                                                                                              \
  std::tuple<Tensor, Tensor> both##_unbiased_dim(const Tensor& x, Optional<Dims> dim,            \
                                                 bool unbiased, bool keepdim) {                  \
    return with_mean(x, spread(x, dim, correction_of(unbiased), keepdim, root));                 \
  }                                                                                              \
  std::tuple<Tensor, Tensor> both(const Tensor& x, Optional<Dims> dim,                           \
                                  Optional<Scalar> correction, bool keepdim) {                   \
    return with_mean(x, spread(x, dim, correction, keepdim, root));                              \
  }
FAMILY(var, var_mean, false)
FAMILY(std, std_mean, true)
#undef FAMILY

}  // namespace lampas::ops
