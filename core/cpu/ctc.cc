// Connectionist temporal classification: sums over all alignments by dynamic programming, in
// logarithms. A sample with L labels has 2 L + 1 states: its labels, with blanks before, between
// and after.
#include "cpu/ctc.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();

template <class T>
T log_add(T a, T b) {
  T top = std::max(a, b);
  return top == kNever<T> ? top : top + std::log1p(std::exp(std::min(a, b) - top));
}

template <class T>
struct Sample {
  const T* logs;  // (T, C), rows `stride` apart
  int64_t stride, steps, states;
  const int64_t* labels;
  int64_t blank;

  int64_t label(int64_t s) const { return s % 2 ? labels[s / 2] : blank; }
  T at(int64_t t, int64_t s) const { return logs[t * stride + label(s)]; }
  // May a path go from state s - 2 to s, past the blank between two different labels?
  bool skips(int64_t s) const { return s % 2 == 1 && s >= 2 && label(s) != label(s - 2); }

  // alpha (steps, states): all ways into a state, its own probability included.
  std::vector<T> forward() const {
    std::vector<T> alpha(steps * states, kNever<T>);
    if (steps == 0) return alpha;
    for (int64_t s = 0; s < std::min<int64_t>(2, states); ++s) alpha[s] = at(0, s);
    for (int64_t t = 1; t < steps; ++t) {
      const T* before = &alpha[(t - 1) * states];
      for (int64_t s = 0; s < states; ++s) {
        T sum = before[s];
        if (s >= 1) sum = log_add(sum, before[s - 1]);
        if (skips(s)) sum = log_add(sum, before[s - 2]);
        alpha[t * states + s] = sum + at(t, s);
      }
    }
    return alpha;
  }
  T loss(const std::vector<T>& alpha) const {
    if (steps == 0) return states == 1 ? T(0) : -kNever<T>;
    const T* last = &alpha[(steps - 1) * states];
    return -(states == 1 ? last[0] : log_add(last[states - 1], last[states - 2]));
  }
  // beta (states) of one step from that of the next: all ways out of a state, itself included.
  void step_back(std::vector<T>& beta, int64_t t) const {
    if (t == steps - 1) {
      std::fill(beta.begin(), beta.end(), kNever<T>);
      for (int64_t s = std::max<int64_t>(states - 2, 0); s < states; ++s) beta[s] = at(t, s);
      return;
    }
    for (int64_t s = 0; s < states; ++s) {
      T sum = beta[s];
      if (s + 1 < states) sum = log_add(sum, beta[s + 1]);
      if (s + 2 < states && skips(s + 2)) sum = log_add(sum, beta[s + 2]);
      beta[s] = sum + at(t, s);
    }
  }
};

template <class T>
Sample<T> sample_of(const Tensor& logs, const Tensor& targets, const CtcBatch& batch, int64_t n) {
  int64_t classes = logs.size(2), stride = logs.size(1) * classes;
  return {logs.data<T>() + n * classes,
          stride,
          batch.input_lengths[n],
          2 * batch.target_lengths[n] + 1,
          targets.data<int64_t>() + batch.starts[n],
          batch.blank};
}

}  // namespace

void ctc_losses(const Tensor& losses, const Tensor& logs, const Tensor& targets,
                const CtcBatch& batch) {
  dispatch<RealFloats>(logs.dtype(), "ctc_loss_cpu", [&](auto tag) {
    using T = decltype(tag);
    T* to = losses.data<T>();
    parallel_for(losses.numel(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        auto sample = sample_of<T>(logs, targets, batch, n);
        to[n] = sample.loss(sample.forward());
      }
    });
  });
}

void ctc_gradient(const Tensor& dx, const Tensor& g, const Tensor& losses, const Tensor& logs,
                  const Tensor& targets, const CtcBatch& batch, bool drop_infinite) {
  dispatch<RealFloats>(logs.dtype(), "ctc_loss_backward_cpu", [&](auto tag) {
    using T = decltype(tag);
    int64_t classes = logs.size(2);
    std::fill(dx.data<T>(), dx.data<T>() + dx.numel(), T(0));
    parallel_for(losses.numel(), 1, [&](int64_t begin, int64_t end) {
      std::vector<T> sums(classes);
      for (int64_t n = begin; n < end; ++n) {
        T loss = losses.data<T>()[n], scale = g.data<T>()[n];
        if (drop_infinite && loss == -kNever<T>) continue;
        auto sample = sample_of<T>(logs, targets, batch, n);
        std::vector<T> alpha = sample.forward(), beta(sample.states);
        for (int64_t t = sample.steps; t-- > 0;) {
          sample.step_back(beta, t);
          std::fill(sums.begin(), sums.end(), kNever<T>);
          for (int64_t s = 0; s < sample.states; ++s) {
            T& sum = sums[sample.label(s)];
            sum = log_add(sum, alpha[t * sample.states + s] + beta[s]);
          }
          // As if the log-probabilities came out of a log_softmax, whose gradient is then
          // unchanged.
          const T* row = sample.logs + t * sample.stride;
          T* out = dx.data<T>() + n * classes + t * sample.stride;
          for (int64_t c = 0; c < classes; ++c)
            out[c] = (std::exp(row[c]) - std::exp(sums[c] + loss - row[c])) * scale;
        }
      }
    });
  });
}

}  // namespace lampas::cpu
