// Connectionist temporal classification, as cpu/ctc.cc has it: a block for each sample, a thread
// for each of its states, one step of time after the other.
#pragma once
#include "cuda/device/elements.h"
#include "cuda/device/failures.h"

namespace lampas::device {

struct CtcArguments {
  const void* logs;                  // (steps, samples, classes)
  const int64_t *targets, *lengths;  // lengths: of inputs, of targets, where targets begin
  void *alpha, *beta;                // (samples, steps, states), (samples, 2, states)
  void *losses, *dx;
  const void* g;
  int64_t samples, steps, classes, states, blank, drop_infinite;
  Report report;  // labels that are no class
};

template <class T>
inline T log_of_sum(T a, T b) {
  T never = -std::numeric_limits<T>::infinity(), top = a > b ? a : b, low = a > b ? b : a;
  if (top == never) return top;
  if constexpr (std::is_same_v<T, float>)
    return top + ::log1pf(::expf(low - top));
  else
    return top + ::log1p(::exp(low - top));
}

template <class T>
struct CtcSample {
  const T* logs;
  const int64_t* labels;
  T* alpha;
  int64_t stride, steps, states, row, classes, blank, n;
  const Report* bad;

  inline CtcSample(const CtcArguments& a)
      : stride(a.samples * a.classes),
        row(a.states),
        classes(a.classes),
        blank(a.blank),
        n(blockIdx.x),
        bad(&a.report) {
    logs = static_cast<const T*>(a.logs) + n * classes;
    steps = a.lengths[n];
    states = 2 * a.lengths[a.samples + n] + 1;
    labels = a.targets + a.lengths[2 * a.samples + n];
    alpha = static_cast<T*>(a.alpha) + n * a.steps * a.states;
  }
  inline int64_t label(int64_t s) const {
    if (s % 2 == 0) return blank;
    int64_t l = labels[s / 2];
    if (l >= 0 && l < classes) return l;
    report(*bad, l);
    return blank;
  }
  inline T at(int64_t t, int64_t s) const { return logs[t * stride + label(s)]; }
  inline bool skips(int64_t s) const { return s % 2 == 1 && s >= 2 && label(s) != label(s - 2); }

  inline void forward() const {
    T never = -std::numeric_limits<T>::infinity();
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t s = threadIdx.x; s < states; s += blockDim.x) {
        T sum = s < 2 ? T(0) : never;
        if (t > 0) {
          const T* before = alpha + (t - 1) * row;
          sum = before[s];
          if (s >= 1) sum = log_of_sum(sum, before[s - 1]);
          if (skips(s)) sum = log_of_sum(sum, before[s - 2]);
        }
        alpha[t * row + s] = sum + at(t, s);
      }
      __syncthreads();
    }
  }
  inline T loss() const {
    if (steps == 0) return states == 1 ? T(0) : std::numeric_limits<T>::infinity();
    const T* last = alpha + (steps - 1) * row;
    return -(states == 1 ? last[0] : log_of_sum(last[states - 1], last[states - 2]));
  }
};

template <class T>
inline void ctc_losses(const CtcArguments& a) {
  CtcSample<T> sample(a);
  sample.forward();
  if (threadIdx.x == 0) static_cast<T*>(a.losses)[blockIdx.x] = sample.loss();
}

// dx is zero where nothing is written.
template <class T>
inline void ctc_gradient(const CtcArguments& a) {
  T never = -std::numeric_limits<T>::infinity();
  CtcSample<T> x(a);
  T loss = static_cast<const T*>(a.losses)[x.n], scale = static_cast<const T*>(a.g)[x.n];
  if (a.drop_infinite && loss == -never) return;
  x.forward();
  T* betas = static_cast<T*>(a.beta) + x.n * 2 * a.states;
  for (int64_t t = x.steps; t-- > 0;) {
    T *beta = betas + t % 2 * a.states, *next = betas + (t + 1) % 2 * a.states;
    const T *alpha = x.alpha + t * x.row, *row = x.logs + t * x.stride;
    T* out = static_cast<T*>(a.dx) + x.n * x.classes + t * x.stride;
    for (int64_t s = threadIdx.x; s < x.states; s += blockDim.x) {
      T sum = s + 2 >= x.states ? T(0) : never;
      if (t + 1 < x.steps) {
        sum = next[s];
        if (s + 1 < x.states) sum = log_of_sum(sum, next[s + 1]);
        if (s + 2 < x.states && x.skips(s + 2)) sum = log_of_sum(sum, next[s + 2]);
      }
      beta[s] = sum + x.at(t, s);
    }
    for (int64_t c = threadIdx.x; c < x.classes; c += blockDim.x)
      out[c] = (::exp(row[c]) - ::exp(never + loss - row[c])) * scale;
    __syncthreads();
    // The first state of each label sums up all of them.
    for (int64_t s = threadIdx.x; s < x.states; s += blockDim.x) {
      int64_t own = x.label(s);
      bool first = s == 0 || own != x.blank;
      for (int64_t r = 1; r < s && first; r += 2) first = x.label(r) != own;
      if (!first) continue;
      T sum = never;
      for (int64_t r = s; r < x.states; ++r)
        if (x.label(r) == own) sum = log_of_sum(sum, alpha[r] + beta[r]);
      out[own] = (::exp(row[own]) - ::exp(sum + loss - row[own])) * scale;
    }
    __syncthreads();
  }
}

}  // namespace lampas::device
