// Fused optimizer steps: one call updates a whole list of parameters in place. A call that returns
// false has changed nothing: the tensors are none that the kernels take, and the caller uses tensor
// expressions.
#include "cpu/optim.h"

#include <cmath>
#include <optional>

#include "cuda/optim.h"
#include "ops/kernel.h"
#include "ops/primitives.h"

namespace lampas::ops {

namespace {

using rules::Decay;

// The lists of one call. `steps` may be null (no counters), and any state too.
struct Lists {
  const Tensors& params;
  const Tensors& grads;
  const Tensors* steps;
  const Tensors* states[3];
};

bool same_order(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.device() == b.device() && a.sizes() == b.sizes() &&
         ((a.is_contiguous() && b.is_contiguous()) || a.strides() == b.strides());
}

bool is_counter(const Tensor& x) {
  return x.device().is_cpu() && x.numel() == 1 &&
         (x.dtype() == DType::Float || x.dtype() == DType::Double);
}
// A counter that only the device reads.
bool is_device_counter(const Tensor& x, Device device) {
  return x.device() == device && x.numel() == 1 && x.dtype() == DType::Float;
}

bool is_updated(const Tensor& p) {
  if (p.device().is_cuda()) return p.is_floating();
  return p.device().is_cpu() && (p.dtype() == DType::Float || p.dtype() == DType::Double);
}

// The parameters, gradients and states; not the counters.
bool takes_tensors(const Lists& lists) {
  size_t n = lists.params.size();
  if (lists.grads.size() != n || (lists.steps && lists.steps->size() != n)) return false;
  for (const Tensors* states : lists.states)
    if (states && states->size() != n) return false;
  for (size_t i = 0; i < n; ++i) {
    const Tensor& p = lists.params[i];
    if (!p || !is_updated(p)) return false;
    if (!p.is_contiguous() && !is_dense(p.sizes(), p.strides())) return false;
    if (!lists.grads[i] || !same_order(p, lists.grads[i])) return false;
    for (const Tensors* states : lists.states)
      if (states && (!(*states)[i] || !same_order(p, (*states)[i]))) return false;
  }
  return true;
}

bool takes(const Lists& lists) {
  if (!takes_tensors(lists)) return false;
  if (lists.steps)
    for (const Tensor& step : *lists.steps)
      if (!step || !is_counter(step)) return false;
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

cpu::Operands operands_of(const Lists& lists, size_t i) {
  const Tensor& p = lists.params[i];
  cpu::Operands o{p.dtype(), p.numel(), p.raw(), lists.grads[i].raw(), {}};
  for (int s = 0; s < 3; ++s)
    if (lists.states[s]) o.states[s] = (*lists.states[s])[i].raw();
  return o;
}

void bump_versions(const Lists& lists, size_t i) {
  for (const Tensors* states : lists.states)
    if (states) bump_version((*states)[i]);
  bump_version(lists.params[i]);
}

// What is updated on a GPU, gathered until dtype, device or rule change.
template <class Rule>
class Gathered {
 public:
  explicit Gathered(const cuda::DeviceNumbers& numbers) { updates_.numbers = numbers; }
  void add(const Rule& rule, const Lists& lists, size_t i) {
    const Tensor& p = lists.params[i];
    bool fits = updates_.dtype == p.dtype() && updates_.device == p.device().index;
    if (!updates_.list.empty() && !(fits && rule == rule_)) flush();
    rule_ = rule, updates_.dtype = p.dtype(), updates_.device = p.device().index;
    cuda::Update x{p.raw(), lists.grads[i].raw(), {}, nullptr, p.numel()};
    for (int s = 0; s < 3; ++s)
      if (lists.states[s]) x.states[s] = (*lists.states[s])[i].raw();
    if (counted_) x.step = (*lists.steps)[i].data<float>();
    updates_.list.push_back(x);
  }
  void flush() {
    if (counted_) cuda::count_steps(updates_);
    cuda::step(rule_, updates_);
    updates_.list.clear();
  }
  void count_on_device() { counted_ = true; }

 private:
  cuda::Updates updates_{};
  Rule rule_{};
  bool counted_ = false;
};

// rule_of(t, i) gives the rule for parameter i in its step t (counting from 1).
template <class F>
bool update(const Lists& lists, F&& rule_of, const cuda::DeviceNumbers& numbers = {}) {
  if (!takes(lists)) return false;
  using Rule = std::decay_t<decltype(rule_of(0.0, size_t{0}))>;
  std::optional<Gathered<Rule>> gathered;
  for (size_t i = 0; i < lists.params.size(); ++i) {
    double t = 0;
    if (lists.steps) {
      t = number((*lists.steps)[i]) + 1;
      set_number((*lists.steps)[i], t);
    }
    Rule rule = rule_of(t, i);
    if (lists.params[i].device().is_cuda()) {
      if (!gathered) gathered.emplace(numbers);
      gathered->add(rule, lists, i);
    } else if (cpu::Operands o = operands_of(lists, i); o.n) {
      cpu::step(rule, o);
    }
    bump_versions(lists, i);
  }
  if (gathered) gathered->flush();
  return true;
}

bool counts_on_device(const Lists& lists) {
  if (lists.steps->size() != lists.params.size()) return false;
  for (size_t i = 0; i < lists.params.size(); ++i) {
    Device device = lists.params[i].device();
    const Tensor& step = (*lists.steps)[i];
    if (!device.is_cuda() || !step || !is_device_counter(step, device)) return false;
  }
  return !lists.params.empty();
}

// As update(), where the step counts lie beside the parameters on a GPU.
template <class Options>
bool update_counted(const Lists& lists, const Options& options,
                    const cuda::DeviceNumbers& numbers) {
  if (!takes_tensors(lists)) return false;
  Gathered<Options> gathered(numbers);
  gathered.count_on_device();
  for (size_t i = 0; i < lists.params.size(); ++i) {
    gathered.add(options, lists, i);
    bump_version((*lists.steps)[i]);
    bump_versions(lists, i);
  }
  gathered.flush();
  return true;
}

// The rule of a step, made anew when the step changes: parameters usually share one.
template <class Options, class Rule>
class MadeOnce {
 public:
  MadeOnce(const Options& options, Rule (*make)(const Options&, double, double))
      : options_(options), make_(make) {}
  Rule operator()(double t, size_t) {
    if (t != t_) rule_ = make_(options_, t_ = t, options_.lr);
    return rule_;
  }

 private:
  Options options_;
  Rule (*make_)(const Options&, double, double);
  double t_ = -1;
  Rule rule_{};
};

// As update() with rules made of options, wherever the step counts lie.
template <class Options, class Rule>
bool update_with(const Lists& lists, const Options& options,
                 Rule (*make)(const Options&, double, double)) {
  if (counts_on_device(lists)) return update_counted(lists, options, {});
  return update(lists, MadeOnce(options, make));
}
template <class Rule>
bool update_with(const Lists& lists, const Rule& rule) {
  if (counts_on_device(lists)) return update_counted(lists, rule, {});
  return update(lists, [&](double, size_t) { return rule; });
}

const float* device_number(const Tensor& x) { return x ? x.data<float>() : nullptr; }

// Whether numbers that lie on a device may be used for these parameters.
bool takes_numbers(const Tensors& params, const Tensor& rate, const Tensor& scale,
                   const Tensor& found) {
  for (const Tensor& x : {rate, scale, found})
    for (const Tensor& p : params)
      if (x && !is_device_counter(x, p.device())) return false;
  return true;
}

const Tensors* pointer(const Optional<Tensors>& list) { return list ? &*list : nullptr; }

double sign_of(bool maximize) { return maximize ? -1 : 1; }

using baseline::updates::decay_of;

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
                bool maximize, const Tensor& rate, const Tensor& scale, const Tensor& found) {
  if (!takes_numbers(params, rate, scale, found)) return false;
  rules::Sgd rule{
      lr, momentum, dampening, sign_of(maximize), nesterov, decay_of(weight_decay, lr, false)};
  return update({params, grads, nullptr, {pointer(buffers)}}, [&](double, size_t) { return rule; },
                {device_number(scale), device_number(found), device_number(rate)});
}

bool fused_adam_(const Tensors& params, const Tensors& grads, const Tensors& means,
                 const Tensors& squares, const Optional<Tensors>& maxima, const Tensors& steps,
                 double lr, double beta1, double beta2, double weight_decay, double eps,
                 bool maximize, bool decoupled, const Tensor& rate, const Tensor& scale,
                 const Tensor& found) {
  Lists lists{params, grads, &steps, {&means, &squares, pointer(maxima)}};
  rules::AdamOptions options{lr, beta1, beta2, eps, weight_decay, sign_of(maximize), decoupled};
  if (!takes_numbers(params, rate, scale, found)) return false;
  if (counts_on_device(lists))
    return update_counted(lists, options,
                          {device_number(scale), device_number(found), device_number(rate)});
  if (rate || scale || found) return false;
  return update(lists, MadeOnce(options, baseline::updates::adam_at));
}

bool fused_adamax_(const Tensors& params, const Tensors& grads, const Tensors& means,
                   const Tensors& norms, const Tensors& steps, double lr, double beta1,
                   double beta2, double eps, double weight_decay, bool maximize) {
  rules::AdamaxOptions options{lr, beta1, beta2, eps, weight_decay, sign_of(maximize)};
  return update_with({params, grads, &steps, {&means, &norms}}, options,
                     baseline::updates::adamax_at);
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
    return rules::NAdam{beta1,
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
  rules::RAdamOptions options{lr, beta1, beta2, eps, weight_decay, sign_of(maximize), decoupled};
  return update_with({params, grads, &steps, {&means, &squares}}, options,
                     baseline::updates::radam_at);
}

bool fused_rmsprop_(const Tensors& params, const Tensors& grads, const Tensors& squares,
                    const Optional<Tensors>& buffers, const Optional<Tensors>& means,
                    const Tensors& steps, double lr, double alpha, double eps, double weight_decay,
                    double momentum, bool maximize) {
  rules::RMSprop rule{
      lr, alpha, eps, momentum, sign_of(maximize), decay_of(weight_decay, lr, false)};
  return update_with({params, grads, &steps, {&squares, pointer(buffers), pointer(means)}}, rule);
}

bool fused_adagrad_(const Tensors& params, const Tensors& grads, const Tensors& sums,
                    const Tensors& steps, double lr, double lr_decay, double weight_decay,
                    double eps, bool maximize) {
  Decay decay = decay_of(weight_decay, lr, false);
  return update({params, grads, &steps, {&sums}}, [&](double t, size_t) {
    return rules::Adagrad{lr / (1 + (t - 1) * lr_decay), eps, sign_of(maximize), decay};
  });
}

bool fused_adadelta_(const Tensors& params, const Tensors& grads, const Tensors& squares,
                     const Tensors& deltas, const Tensors& steps, double lr, double rho, double eps,
                     double weight_decay, bool maximize) {
  rules::Adadelta rule{lr, rho, eps, sign_of(maximize), decay_of(weight_decay, lr, false)};
  return update_with({params, grads, &steps, {&squares, &deltas}}, rule);
}

bool fused_rprop_(const Tensors& params, const Tensors& grads, const Tensors& previous,
                  const Tensors& sizes, const Tensors& steps, double shrink, double grow,
                  double smallest, double largest, bool maximize) {
  rules::Rprop rule{shrink, grow, smallest, largest, sign_of(maximize)};
  return update_with({params, grads, &steps, {&previous, &sizes}}, rule);
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
    return rules::Asgd{rate, 1 - lambd * rate, weight, sign_of(maximize), decay};
  });
}

}  // namespace lampas::ops
