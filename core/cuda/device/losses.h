// Picking the entries of class targets, one line to a thread; what must hold of inputs is asserted.
#pragma once
#include "cuda/device/block.h"

namespace lampas::device {

// Mirrored by cuda/losses.cc. Lines: outer x n x inner elements.
struct LossArguments {
  void *y, *weights;                      // losses and what they weigh, or dx
  const void *x, *lse, *target, *weight;  // lse and weight may be null
  int64_t outer, n, inner, ignored, numel;
};

LAMPAS_INLINE int64_t thread_of_grid() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

template <class T>
LAMPAS_INLINE void pick_losses(const LossArguments& a) {
  using C = compute_t<T>;
  int64_t i = thread_of_grid();
  if (i >= a.outer * a.inner) return;
  C *loss = static_cast<C*>(a.y), *used = static_cast<C*>(a.weights);
  int64_t c = static_cast<const int64_t*>(a.target)[i];
  if (c == a.ignored) {
    loss[i] = used[i] = 0;
    return;
  }
  device_assert(c >= 0 && c < a.n, "t >= 0 && t < n_classes");
  int64_t o = i / a.inner, start = o * a.n * a.inner + (i - o * a.inner);
  C value = convert<C>(static_cast<const T*>(a.x)[start + c * a.inner]);
  C w = a.weight ? static_cast<const C*>(a.weight)[c] : C(1);
  loss[i] = w * (a.lse ? static_cast<const C*>(a.lse)[i] - value : -value);
  used[i] = w;
}

// dx[i, class] = -scale[i] (x here), zero elsewhere.
template <class T>
LAMPAS_INLINE void scatter_losses(const LossArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  int64_t sheet = a.n * a.inner, packs = (sheet + V - 1) / V, q = thread_of_grid();
  if (q >= a.outer * packs) return;
  int64_t o = q / packs, i = (q - o * packs) * V, c = i / a.inner;
  int64_t line = o * a.inner + (i - c * a.inner);
  Neighbours<T, V> v;
#pragma unroll
  for (int k = 0; k < V; ++k) {
    bool hit = i + k < sheet && static_cast<const int64_t*>(a.target)[line] == c;
    v.v[k] = convert<T>(hit ? -static_cast<const C*>(a.x)[line] : C(0));
    if (++line == (o + 1) * a.inner) line -= a.inner, ++c;
  }
  store<V>(static_cast<T*>(a.y) + o * sheet + i, v, sheet - i);
}

// x: losses, weight: their weights; y: the loss, lse: the sum of weights (written, or null).
template <class C, class Y>
LAMPAS_INLINE void total_loss(const LossArguments& a) {
  const C *losses = static_cast<const C*>(a.x), *weights = static_cast<const C*>(a.weight);
  C sum = 0, total = 0;
  for (int64_t i = threadIdx.x; i < a.numel; i += blockDim.x) {
    sum += losses[i];
    if (a.weights) total += weights[i];
  }
  sum = block_reduce(sum, Plus{});
  total = block_reduce(total, Plus{});
  if (threadIdx.x != 0) return;
  if (a.weights) *static_cast<C*>(a.weights) = total;
  *static_cast<Y*>(a.y) = convert<Y>(a.weights ? sum / total : sum);
}

// x: g, of which there is one (n 1) or one for each; lse: the sum of weights, or null.
template <class C, class G>
LAMPAS_INLINE void line_scales(const LossArguments& a) {
  int64_t i = thread_of_grid();
  if (i >= a.numel) return;
  C w = static_cast<const C*>(a.weight)[i];
  C g = convert<C>(static_cast<const G*>(a.x)[a.n == 1 ? 0 : i]);
  if (a.lse) g = g / *static_cast<const C*>(a.lse);
  static_cast<C*>(a.y)[i] = w == 0 ? C(0) : g * w;
}

template <class T>
LAMPAS_INLINE void check_probabilities(const LossArguments& a) {
  constexpr int V = kWidth<T>;
  using C = compute_t<T>;
  int64_t i = thread_of_grid() * V;
  if (i >= a.numel) return;
  Neighbours<T, V> v = load<V>(static_cast<const T*>(a.x) + i, a.numel - i);
#pragma unroll
  for (int k = 0; k < V; ++k) {
    C p = convert<C>(v.v[k]);
    device_assert(p >= 0 && p <= 1, "input_val >= zero && input_val <= one");
  }
}

}  // namespace lampas::device
