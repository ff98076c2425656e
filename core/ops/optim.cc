// Fused optimizer steps: one call updates a whole list of parameters in place. A call that returns
// false has changed nothing: the tensors are none that the kernels take, and the caller uses tensor
// expressions.
#include "cpu/optim.h"

#include <cmath>

#include "ops/kernel.h"
#include "ops/primitives.h"

namespace lampas::ops {

namespace {

using cpu::Decay;

// The lists of one call. `steps` may be null (no counters), and any state too.
struct Lists {
  const Tensors& params;
  const Tensors& grads;
  const Tensors* steps;
  const Tensors* states[3];
};

bool same_order(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && b.device().is_cpu() && a.sizes() == b.sizes() &&
         ((a.is_contiguous() && b.is_contiguous()) || a.strides() == b.strides());
}

bool is_counter(const Tensor& x) {
  return x.device().is_cpu() && x.numel() == 1 &&
         (x.dtype() == DType::Float || x.dtype() == DType::Double);
}

bool takes(const Lists& lists) {
  size_t n = lists.params.size();
  if (lists.grads.size() != n || (lists.steps && lists.steps->size() != n)) return false;
  for (const Tensors* states : lists.states)
    if (states && states->size() != n) return false;
  for (size_t i = 0; i < n; ++i) {
    const Tensor& p = lists.params[i];
    if (!p || !p.device().is_cpu() || (p.dtype() != DType::Float && p.dtype() != DType::Double))
      return false;
    if (!p.is_contiguous() && !is_dense(p.sizes(), p.strides())) return false;
    if (!lists.grads[i] || !same_order(p, lists.grads[i])) return false;
    for (const Tensors* states : lists.states)
      if (states && (!(*states)[i] || !same_order(p, (*states)[i]))) return false;
    if (lists.steps && (!(*lists.steps)[i] || !is_counter((*lists.steps)[i]))) return false;
  }
  return true;
}

double number(const Tensor& x) {
  return x.dtype() == DType::Float ? *x.data<float>() : *x.data<double>();
}
void set_number(const Tensor& x, double value) {
  if (x.dtype() == DType::Float)
    *x.data<float>() = static_cast<float>(value);
  else
    *x.data<double>() = value;
  bump_version(x);
}

// rule_of(t, i) gives the rule for parameter i in its step t (counting from 1).
template <class F>
bool update(const Lists& lists, F&& rule_of) {
  if (!takes(lists)) return false;
  for (size_t i = 0; i < lists.params.size(); ++i) {
    const Tensor& p = lists.params[i];
    double t = 0;
    if (lists.steps) {
      t = number((*lists.steps)[i]) + 1;
      set_number((*lists.steps)[i], t);
    }
    cpu::Operands o{p.dtype(), p.numel(), p.raw(), lists.grads[i].raw(), {}};
    for (int s = 0; s < 3; ++s) {
      if (!lists.states[s]) continue;
      const Tensor& state = (*lists.states[s])[i];
      o.states[s] = state.raw();
      bump_version(state);
    }
    auto rule = rule_of(t, i);
    if (o.n) cpu::step(rule, o);
    bump_version(p);
  }
  return true;
}

const Tensors* pointer(const Optional<Tensors>& list) { return list ? &*list : nullptr; }

double sign_of(bool maximize) { return maximize ? -1 : 1; }

Decay decay_of(double weight_decay, double lr, bool decoupled) {
  Decay decay;
  if (weight_decay == 0) return decay;
  (decoupled ? decay.shrink : decay.decay) = decoupled ? 1 - lr * weight_decay : weight_decay;
  return decay;
}

// 1 - beta^t; parameters usually share one t.
class Correction {
 public:
  explicit Correction(double beta) : beta_(beta) {}
  double operator()(double t) {
    if (t != t_) {
      t_ = t;
      value_ = 1 - std::pow(beta_, t);
    }
    return value_;
  }

 private:
  double beta_, t_ = 0, value_ = 0;
};

}  // namespace

bool fused_sgd_(const Tensors& params, const Tensors& grads, const Optional<Tensors>& buffers,
                double lr, double momentum, double dampening, double weight_decay, bool nesterov,
                bool maximize) {
  cpu::Sgd rule{
      lr, momentum, dampening, sign_of(maximize), nesterov, decay_of(weight_decay, lr, false)};
  return update({params, grads, nullptr, {pointer(buffers)}}, [&](double, size_t) { return rule; });
}

bool fused_adam_(const Tensors& params, const Tensors& grads, const Tensors& means,
                 const Tensors& squares, const Optional<Tensors>& maxima, const Tensors& steps,
                 double lr, double beta1, double beta2, double weight_decay, double eps,
                 bool maximize, bool decoupled) {
  Correction first(beta1), second(beta2);
  Decay decay = decay_of(weight_decay, lr, decoupled);
  return update(
      {params, grads, &steps, {&means, &squares, pointer(maxima)}}, [&](double t, size_t) {
        return cpu::Adam{beta1, beta2, eps, lr / first(t), std::sqrt(second(t)), sign_of(maximize),
                         decay};
      });
}

bool fused_adamax_(const Tensors& params, const Tensors& grads, const Tensors& means,
                   const Tensors& norms, const Tensors& steps, double lr, double beta1,
                   double beta2, double eps, double weight_decay, bool maximize) {
  Correction first(beta1);
  Decay decay = decay_of(weight_decay, lr, false);
  return update({params, grads, &steps, {&means, &norms}}, [&](double t, size_t) {
    return cpu::Adamax{beta1, beta2, eps, lr / first(t), sign_of(maximize), decay};
  });
}

bool fused_nadam_(const Tensors& params, const Tensors& grads, const Tensors& means,
                  const Tensors& squares, const Tensors& products, const Tensors& steps, double lr,
                  double beta1, double beta2, double weight_decay, double momentum_decay,
                  double eps, bool maximize, bool decoupled) {
  if (products.size() != params.size()) return false;
  for (const Tensor& product : products)
    if (!product || !is_counter(product)) return false;
  Correction second(beta2);
  Decay decay = decay_of(weight_decay, lr, decoupled);
  auto momentum = [&](double t) { return beta1 * (1 - 0.5 * std::pow(0.96, t * momentum_decay)); };
  return update({params, grads, &steps, {&means, &squares}}, [&](double t, size_t i) {
    double now = momentum(t), next = momentum(t + 1);
    set_number(products[i], number(products[i]) * now);
    double passed = number(products[i]);
    return cpu::NAdam{beta1,
                      beta2,
                      eps,
                      second(t),
                      lr * (1 - now) / (1 - passed),
                      lr * next / (1 - passed * next),
                      sign_of(maximize),
                      decay};
  });
}

bool fused_radam_(const Tensors& params, const Tensors& grads, const Tensors& means,
                  const Tensors& squares, const Tensors& steps, double lr, double beta1,
                  double beta2, double weight_decay, double eps, bool maximize, bool decoupled) {
  Correction first(beta1), second(beta2);
  Decay decay = decay_of(weight_decay, lr, decoupled);
  double limit = 2 / (1 - beta2) - 1;
  return update({params, grads, &steps, {&means, &squares}}, [&](double t, size_t) {
    double correction = second(t), length = limit - 2 * t * (1 - correction) / correction;
    double rectified = 0;
    if (length > 5) {
      double ratio = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length);
      rectified = std::sqrt(ratio) * std::sqrt(correction);
    }
    return cpu::RAdam{beta1, beta2, eps, lr, first(t), rectified, sign_of(maximize), decay};
  });
}

bool fused_rmsprop_(const Tensors& params, const Tensors& grads, const Tensors& squares,
                    const Optional<Tensors>& buffers, const Optional<Tensors>& means,
                    const Tensors& steps, double lr, double alpha, double eps, double weight_decay,
                    double momentum, bool maximize) {
  cpu::RMSprop rule{lr, alpha, eps, momentum, sign_of(maximize), decay_of(weight_decay, lr, false)};
  return update({params, grads, &steps, {&squares, pointer(buffers), pointer(means)}},
                [&](double, size_t) { return rule; });
}

bool fused_adagrad_(const Tensors& params, const Tensors& grads, const Tensors& sums,
                    const Tensors& steps, double lr, double lr_decay, double weight_decay,
                    double eps, bool maximize) {
  Decay decay = decay_of(weight_decay, lr, false);
  return update({params, grads, &steps, {&sums}}, [&](double t, size_t) {
    return cpu::Adagrad{lr / (1 + (t - 1) * lr_decay), eps, sign_of(maximize), decay};
  });
}

bool fused_adadelta_(const Tensors& params, const Tensors& grads, const Tensors& squares,
                     const Tensors& deltas, const Tensors& steps, double lr, double rho, double eps,
                     double weight_decay, bool maximize) {
  cpu::Adadelta rule{lr, rho, eps, sign_of(maximize), decay_of(weight_decay, lr, false)};
  return update({params, grads, &steps, {&squares, &deltas}}, [&](double, size_t) { return rule; });
}

bool fused_rprop_(const Tensors& params, const Tensors& grads, const Tensors& previous,
                  const Tensors& sizes, const Tensors& steps, double shrink, double grow,
                  double smallest, double largest, bool maximize) {
  cpu::Rprop rule{shrink, grow, smallest, largest, sign_of(maximize)};
  return update({params, grads, &steps, {&previous, &sizes}}, [&](double, size_t) { return rule; });
}

bool fused_asgd_(const Tensors& params, const Tensors& grads, const Tensors& averages,
                 const Tensors& etas, const Tensors& mus, const Tensors& steps, double lr,
                 double lambd, double alpha, double t0, double weight_decay, bool maximize) {
  if (etas.size() != params.size() || mus.size() != params.size()) return false;
  for (size_t i = 0; i < etas.size(); ++i)
    if (!etas[i] || !mus[i] || !is_counter(etas[i]) || !is_counter(mus[i])) return false;
  Decay decay = decay_of(weight_decay, lr, false);
  return update({params, grads, &steps, {&averages}}, [&](double t, size_t i) {
    double rate = number(etas[i]), weight = number(mus[i]);
    // The rate and the weight of the next step.
    set_number(etas[i], lr / std::pow(1 + lambd * lr * t, alpha));
    set_number(mus[i], 1 / std::fmax(1, t - t0));
    return cpu::Asgd{rate, 1 - lambd * rate, weight, sign_of(maximize), decay};
  });
}

}  // namespace lampas::ops
