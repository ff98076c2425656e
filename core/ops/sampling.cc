// Samples whose parameters are tensors: Bernoulli, Poisson, binomial, gamma, Dirichlet,
// multinomial, normal. Results are contiguous and drawn in row-major order, whatever the layout of
// the parameters.
#include <algorithm>
#include <vector>

#include "cpu/sample_gradients.h"
#include "ops/arithmetic.h"
#include "ops/kernel.h"
#include "ops/primitives.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/views.h"
#include "tape/tape.h"

namespace lampas::ops {
namespace {

// What zeros like a tensor are made from.
struct Shell {
  Dims sizes;
  DType dtype;
  Device device;
};

std::vector<Shell> shells_of(const Tensors& xs) {
  std::vector<Shell> shells;
  for (const Tensor& x : xs) shells.push_back({x.sizes(), x.dtype(), x.device()});
  return shells;
}

// A result that depends on `inputs` through its distribution only: zero gradients.
void record_zero(Tensor& y, const char* node, const Tensors& inputs) {
  if (!tape::needs_grad(inputs)) return;
  tape::record(
      y, node, inputs, {}, [inputs = shells_of(inputs)](const tape::Backward& b) -> Tensors {
        Tensors gradients;
        for (size_t i = 0; i < inputs.size(); ++i) {
          const Shell& x = inputs[i];
          gradients.push_back(b.needs(static_cast<int>(i)) ? zeros(x.sizes, x.dtype, x.device)
                                                           : Tensor());
        }
        return gradients;
      });
}

// A result whose gradient nobody knows: an error once it is asked for.
void record_unknown(Tensor& y, const char* op, const Tensors& inputs) {
  if (!tape::needs_grad(inputs)) return;
  tape::record(y, "NotImplemented", inputs, {}, [op](const tape::Backward&) -> Tensors {
    fail("derivative for aten::", op, " is not implemented");
  });
}

bool none_negative(const Tensor& x) {
  if (!x.device().is_cpu()) {
    tape::NoGrad off;
    return x.numel() == 0 || item(amin(x, {}, false)).real() >= 0;
  }
  Tensor values = plain_contiguous(x);
  return dispatch<cpu::WholeNumbers>(x.dtype(), "normal", [&](auto tag) {
    using T = decltype(tag);
    const T* data = values.template data<T>();
    return std::all_of(data, data + values.numel(), [](T v) { return v >= T(0); });
  });
}

Tensor normal_like(Span sizes, const Tensor& like, double std, Generator* g) {
  Tensor y = empty(sizes, like.dtype(), like.device());
  KERNEL(normal, y, 0.0, std, pick(g, y), cpu::NormalOrder::Blocks);
  return y;
}

void check_deviations(const Tensor& std) {
  CHECK(!std.is_complex(), "normal expects standard deviation to be non-complex");
  CHECK(std.is_meta() || none_negative(std), "normal expects all elements of std >= 0.0");
}

}  // namespace

Tensor bernoulli(const Tensor& p, Generator* generator) {
  Tensor y = empty(p.sizes(), p.dtype(), p.device());
  KERNEL(bernoulli, y, plain_contiguous(p), pick(generator, y));
  record_zero(y, "BernoulliBackward0", {p});
  return y;
}

Tensor bernoulli_like(const Tensor& x, double p, Generator* generator) {
  tape::NoGrad off;
  return bernoulli_(empty(x.sizes(), x.dtype(), x.device()), p, generator);
}

Tensor poisson(const Tensor& rate, Generator* generator) {
  Tensor y = empty(rate.sizes(), rate.dtype(), rate.device());
  KERNEL(poisson, y, plain_contiguous(rate), pick(generator, y));
  record_zero(y, "PoissonBackward0", {rate});
  return y;
}

Tensor binomial(const Tensor& count, const Tensor& prob, Generator* generator) {
  CHECK_KIND(count.is_floating(), Value,
             "binomial only supports floating-point dtypes for count, got: ", label(count.dtype()));
  CHECK_KIND(prob.is_floating(), Value,
             "binomial only supports floating-point dtypes for prob, got: ", label(prob.dtype()));
  CHECK(count.dtype() == prob.dtype(), "Found dtype ", label(prob.dtype()), " but expected ",
        label(count.dtype()));
  Dims sizes = broadcast(count.sizes(), prob.sizes());
  Tensor y = empty(sizes, count.dtype(), count.device());
  Tensor counts = plain_contiguous(plain_expand(count, sizes));
  Tensor chances = plain_contiguous(plain_expand(prob, sizes));
  KERNEL(binomial, y, counts, chances, pick(generator, y));
  record_unknown(y, "binomial", {count, prob});
  return y;
}

Tensor _standard_gamma(const Tensor& shape, Generator* generator) {
  Tensor y = empty(shape.sizes(), shape.dtype(), shape.device());
  KERNEL(standard_gamma, y, plain_contiguous(shape), pick(generator, y));
  if (tape::needs_grad(shape)) {
    tape::record(y, "StandardGammaBackward0", {shape}, {shape, tape::out(y)},
                 [](const tape::Backward& b) -> Tensors {
                   return {b.g * _standard_gamma_grad(b.saved(0), b.saved(1))};
                 });
  }
  return y;
}

Tensor _standard_gamma_grad(const Tensor& shape, const Tensor& sample) {
  require_device(shape.device(), sample);
  Dims sizes = broadcast(shape.sizes(), sample.sizes());
  Tensor y = empty(sizes, shape.dtype(), shape.device());
  Tensor shapes = plain_contiguous(plain_expand(shape, sizes));
  Tensor xs = plain_contiguous(plain_expand(to(sample, shape.dtype()), sizes));
  KERNEL(standard_gamma_gradient, y, shapes, xs);
  record_unknown(y, "_standard_gamma_grad", {shape, sample});
  return y;
}

Tensor _dirichlet_grad(const Tensor& x, const Tensor& alpha, const Tensor& total) {
  for (const Tensor& other : {alpha, total}) require_device(x.device(), other);
  Dims sizes = broadcast(broadcast(x.sizes(), alpha.sizes()), total.sizes());
  Tensor y = empty(sizes, x.dtype(), x.device());
  Tensor xs = plain_contiguous(plain_expand(x, sizes));
  Tensor shapes = plain_contiguous(plain_expand(to(alpha, x.dtype()), sizes));
  Tensor sums = plain_contiguous(plain_expand(to(total, x.dtype()), sizes));
  KERNEL(dirichlet_gradient, y, xs, shapes, sums);
  record_unknown(y, "_dirichlet_grad", {x, alpha, total});
  return y;
}

Tensor _sample_dirichlet(const Tensor& concentration, Generator* generator) {
  Tensor y = empty(concentration.sizes(), concentration.dtype(), concentration.device());
  if (y.numel() > 0) {
    int64_t categories = y.dim() == 0 ? 1 : y.size(y.dim() - 1);
    KERNEL(dirichlet, y, plain_contiguous(concentration), categories, pick(generator, y));
  }
  record_unknown(y, "_sample_dirichlet", {concentration});
  return y;
}

// What multinomial refuses. weights: (categories) or (rows, categories).
void _check_multinomial(const Tensor& weights, int64_t samples, bool replacement) {
  CHECK(weights.dim() == 1 || weights.dim() == 2, "prob_dist must be 1 or 2 dim");
  CHECK(weights.is_floating(),
        "multinomial only supports floating-point dtypes for input, got: ", label(weights.dtype()));
  CHECK(samples > 0, "cannot sample n_sample <= 0 samples");
  int64_t categories = weights.size(weights.dim() - 1);
  CHECK(categories <= 1 << 24, "number of categories cannot exceed 2^24");
  CHECK(replacement || samples <= categories,
        "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  if (replacement && samples > 1) return;  // those are checked as they are summed
  int64_t rows = weights.dim() == 1 ? 1 : weights.size(0);
  Tensor values = plain_contiguous(weights);
  KERNEL(check_weights, values, rows, categories);
}

Tensor _multinomial_with_replacement(const Tensor& weights, int64_t samples, Generator* generator) {
  CHECK(weights.dim() == 1 || weights.dim() == 2, "prob_dist must be 1 or 2 dim");
  CHECK(samples >= 0 && weights.size(weights.dim() - 1) > 0, "cannot sample n_sample <= 0 samples");
  int64_t rows = weights.dim() == 1 ? 1 : weights.size(0);
  Dims sizes = weights.dim() == 1 ? Dims{samples} : Dims{rows, samples};
  Tensor y = empty(sizes, DType::Int64, weights.device());
  KERNEL(multinomial, y, plain_contiguous(weights), rows, weights.size(weights.dim() - 1), samples,
         pick(generator, y));
  return y;
}

// --- normal numbers of given means and deviations ---

Tensor normal_each(const Tensor& mean, const Tensor& std, Generator* generator) {
  check_deviations(std);
  Tensor y = normal_like(broadcast(mean.sizes(), std.sizes()), mean, 1, generator);
  {
    tape::NoGrad off;
    y = to(mul(y, std), y.dtype());
    y = to(add(y, mean), y.dtype());
  }
  record_zero(y, "NormalBackward3", {mean, std});
  return y;
}

Tensor normal_around(const Tensor& mean, double std, Generator* generator) {
  check_std(std);
  Tensor y = normal_like(mean.sizes(), mean, std, generator);
  {
    tape::NoGrad off;
    y = add(y, mean);
  }
  record_zero(y, "NormalBackward1", {mean});
  return y;
}

Tensor normal_spread(double mean, const Tensor& std, Generator* generator) {
  check_deviations(std);
  Tensor y = normal_like(std.sizes(), std, 1, generator);
  {
    tape::NoGrad off;
    y = add(mul(y, std), mean);
  }
  record_zero(y, "NormalBackward2", {std});
  return y;
}

}  // namespace lampas::ops
