// Steps of optimizers (ops/update_rules.h) over lists of parameters: one pass that reads and writes
// parameter, gradient and states.
#pragma once
#include "cuda/device/tensor_lists.h"
#include "ops/update_rules.h"

namespace lampas::device {

// Mirrored by cuda/optim.cc. Columns: parameter, gradient, three states, step count.
template <class Rule>
struct OptimArguments {
  Rule rule;
  const float* scale;  // of the gradients, which are divided by it; may be null
  const float* found;  // not 0: nothing changes; may be null
  const float* rate;   // the learning rate, where it lies on the device
  TensorTable<6, 60> tensors;
};

// A rule whose numbers follow from a step count on the device.
template <class Rule>
inline Rule at_step(const Rule& rule, const float*, const float*) {
  return rule;
}
inline rules::Sgd at_step(rules::Sgd rule, const float*, const float* rate) {
  if (rate) rule.lr = *rate;
  return rule;
}
#define LAMPAS_AT_STEP(Rule, at)                                               \
  inline rules::Rule at_step(const rules::Rule##Options& o, const float* step, \
                             const float* rate) {                              \
    return updates::at(o, *step, rate ? static_cast<double>(*rate) : o.lr);    \
  }
LAMPAS_AT_STEP(Adam, adam_at)
LAMPAS_AT_STEP(Adamax, adamax_at)
LAMPAS_AT_STEP(RAdam, radam_at)
#undef LAMPAS_AT_STEP

template <class Rule>
inline auto rule_of_block(const OptimArguments<Rule>& a, const float* step) {
  using Made = decltype(at_step(a.rule, nullptr, nullptr));
  if constexpr (!std::is_same_v<Rule, Made>) {  // powers in double are made once
    __shared__ double kept[sizeof(Made) / sizeof(double)];
    auto* made = reinterpret_cast<Made*>(kept);
    if (threadIdx.x == 0) *made = at_step(a.rule, step, a.rate);
    __syncthreads();
    return *made;
  } else {
    return at_step(a.rule, step, a.rate);
  }
}

template <class T, class C, int States, class Rule>
inline void optim_step(const OptimArguments<Rule>& a) {
  if (a.found && *a.found != 0) return;
  const Chunk c = chunk_of_block(a.tensors);
  const auto& data = a.tensors.data[c.tensor];
  T* const arrays[5] = {static_cast<T*>(data[0]), static_cast<T*>(data[1]),
                        static_cast<T*>(data[2]), static_cast<T*>(data[3]),
                        static_cast<T*>(data[4])};
  const auto rule = rule_of_block(a, static_cast<const float*>(data[5]));
  const C scale = a.scale ? static_cast<C>(*a.scale) : C(1);
  const bool scaled = a.scale != nullptr;

  auto step_of = [&](T& p, T& g, T& s0, T& s1, T& s2) {
    updates::Element<C> x{convert<C>(p), convert<C>(g), C(0), C(0), C(0)};
    if (scaled) g = convert<T>(x.g = x.g / scale);
    if constexpr (States & 1) x.a = convert<C>(s0);
    if constexpr (States & 2) x.b = convert<C>(s1);
    if constexpr (States & 4) x.c = convert<C>(s2);
    updates::apply<States>(rule, x);
    p = convert<T>(x.p);
    if constexpr (States & 1) s0 = convert<T>(x.a);
    if constexpr (States & 2) s1 = convert<T>(x.b);
    if constexpr (States & 4) s2 = convert<T>(x.c);
  };
  constexpr bool used[5] = {true, true, (States & 1) != 0, (States & 2) != 0, (States & 4) != 0};
  bool aligned = true;
#pragma unroll
  for (int k = 0; k < 5; ++k) aligned = aligned && (!used[k] || is_aligned(arrays[k]));

  int64_t at = c.begin;
  if (aligned) {
    constexpr int width = Sixteen<T>::count;
    int64_t whole = c.begin + (c.end - c.begin) / width * width;
    for (int64_t i = c.begin + threadIdx.x * width; i < whole; i += blockDim.x * width) {
      Sixteen<T> pack[5];
#pragma unroll
      for (int k = 0; k < 5; ++k)
        if (used[k]) pack[k] = *reinterpret_cast<const Sixteen<T>*>(arrays[k] + i);
#pragma unroll
      for (int k = 0; k < width; ++k)
        step_of(pack[0].v[k], pack[1].v[k], pack[2].v[k], pack[3].v[k], pack[4].v[k]);
#pragma unroll
      for (int k = 0; k < 5; ++k)
        if (used[k] && (k != 1 || scaled)) *reinterpret_cast<Sixteen<T>*>(arrays[k] + i) = pack[k];
    }
    at = whole;
  }
  for (int64_t i = at + threadIdx.x; i < c.end; i += blockDim.x) {
    T x[5] = {};
#pragma unroll
    for (int k = 0; k < 5; ++k)
      if (used[k]) x[k] = arrays[k][i];
    step_of(x[0], x[1], x[2], x[3], x[4]);
#pragma unroll
    for (int k = 0; k < 5; ++k)
      if (used[k] && (k != 1 || scaled)) arrays[k][i] = x[k];
  }
}

// Adds 1 to the step counts of the table, unless an infinity was found. One thread for a tensor.
template <class Rule>
inline void count_steps(const OptimArguments<Rule>& a) {
  if (a.found && *a.found != 0) return;
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < a.tensors.count) *static_cast<float*>(a.tensors.data[i][5]) += 1;
}

}  // namespace lampas::device
