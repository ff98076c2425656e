// One draw from a distribution that is sampled by rejection: Poisson, binomial, gamma. Read by the
// CPU (cpu/random_samplers.cc) and by kernels of a GPU. A generator G has uniform(), in [0, 1), and
// normal().
#pragma once

namespace lampas::samplers {

// W. Hörmann, "The transformed rejection method for generating Poisson random variables", 1993
// (PTRS).
template <class G>
inline double poisson_large(double rate, G& g) {
  double root = __builtin_sqrt(rate), log_rate = __builtin_log(rate);
  double b = 0.931 + 2.53 * root;
  double a = -0.059 + 0.02483 * b;
  double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  double v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    double u = g.uniform() - 0.5, v = g.uniform();
    double us = 0.5 - __builtin_fabs(u);
    double k = __builtin_floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    double weight =
        __builtin_log(v) + __builtin_log(inverse_alpha) - __builtin_log(a / (us * us) + b);
    if (weight <= -rate + k * log_rate - __builtin_lgamma(k + 1)) return k;
  }
}

// D. Knuth: uniform numbers are multiplied until the product falls below exp(-rate).
template <class G>
inline double poisson_small(double rate, G& g) {
  double limit = __builtin_exp(-rate), product = 1;
  for (double k = 0;; ++k) {
    product *= g.uniform();
    if (product <= limit) return k;
  }
}

template <class G>
inline double poisson(double rate, G& g) {
  if (rate != rate) return rate;
  if (rate >= 10) return poisson_large(rate, g);
  return rate == 0 ? 0 : poisson_small(rate, g);
}

// Waiting times between successes, L. Devroye 1986.
template <class G>
inline double binomial_small(double count, double p, G& g) {
  double scale = __builtin_log1p(-p), sum = 0;
  for (double successes = 0;; ++successes) {
    sum += __builtin_ceil(__builtin_log(g.uniform()) / scale);
    if (sum > count) return successes;
  }
}

// log(k!) minus Stirling's formula for it.
inline double stirling_tail(double k) {
  constexpr double kTable[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983,
                               0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
                               0.0118967099458917,  0.0104112652619720, 0.00925546218271273,
                               0.00833056343336287};
  if (k <= 9) return kTable[static_cast<int>(k)];
  double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

// W. Hörmann, "The generation of binomial random variates", 1993 (BTRS); count * p >= 10,
// p <= 0.5.
template <class G>
inline double binomial_large(double count, double p, G& g) {
  double deviation = __builtin_sqrt(count * p * (1 - p));
  double b = 1.15 + 2.53 * deviation;
  double a = -0.0873 + 0.0248 * b + 0.01 * p;
  double c = count * p + 0.5;
  double v_r = 0.92 - 4.2 / b;
  double odds = p / (1 - p);
  double alpha = (2.83 + 5.1 / b) * deviation;
  double mode = __builtin_floor((count + 1) * p);
  for (;;) {
    double u = g.uniform() - 0.5, v = g.uniform();
    double us = 0.5 - __builtin_fabs(u);
    double k = __builtin_floor((2 * a / us + b) * u + c);
    if (us >= 0.07 && v <= v_r) return k;
    if (k < 0 || k > count) continue;
    v = __builtin_log(v * alpha / (a / (us * us) + b));
    double bound = (mode + 0.5) * __builtin_log((mode + 1) / (odds * (count - mode + 1))) +
                   (count + 1) * __builtin_log((count - mode + 1) / (count - k + 1)) +
                   (k + 0.5) * __builtin_log(odds * (count - k + 1) / (k + 1)) +
                   stirling_tail(mode) + stirling_tail(count - mode) - stirling_tail(k) -
                   stirling_tail(count - k);
    if (v <= bound) return k;
  }
}

template <class G>
inline double binomial_half(double count, double p, G& g) {
  return count * p >= 10 ? binomial_large(count, p, g) : binomial_small(count, p, g);
}

template <class G>
inline double binomial(double count, double p, G& g) {
  if (count != count) return count;
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  if (p <= 0.5) return binomial_half(count, p, g);
  if (p > 0.5) return count - binomial_half(count, 1 - p, g);
  return p;  // NaN
}

// G. Marsaglia, W. Tsang, "A simple method for generating gamma variables", 2000. What is rounded
// to single precision, and when, shows in the results and is PyTorch's.
template <class T, class G>
inline double gamma(T shape, G& g) {
  if (shape == 0) return 0;
  double scale = 1;
  if (shape < 1) {
    scale = __builtin_pow(1 - g.uniform(), double(1 / shape));
    shape += 1;
  }
  double d = shape - 1.0f / 3, c = 1 / __builtin_sqrt(9 * d);
  if (c != c) return c;  // no shape of a gamma distribution: nothing would ever be accepted
  for (;;) {
    double x, y;
    do {
      x = g.normal();
      y = 1 + c * x;
    } while (y <= 0);
    double v = y * y * y, u = 1 - g.uniform(), xx = x * x;
    if (u < 1 - 0.0331f * xx * xx) return scale * d * v;
    if (__builtin_log(u) < 0.5 * xx + d * (1 - v + __builtin_log(v))) return scale * d * v;
  }
}

}  // namespace lampas::samplers
