// Random fills of contiguous host memory, drawing PyTorch's streams. `n` counts elements of
// `dtype`; a complex dtype is filled as its real and imaginary parts in turn. Every function takes
// the generator's lock. Ranges of the parameters are checked by the operators, not here.
#pragma once
#include <cstdint>

#include "runtime/generator.h"
#include "runtime/tensor.h"

namespace lampas::cpu {

// A contiguous run of elements: a dense tensor in the order of its memory.
struct Run {
  void* data;
  DType dtype;
  int64_t n;
  Run(void* data, DType dtype, int64_t n) : data(data), dtype(dtype), n(n) {}
  Run(const Tensor& x) : Run(x.raw(), x.dtype(), x.numel()) {}
};
struct ConstRun {
  const void* data;
  DType dtype;
  ConstRun(const Tensor& x) : data(x.raw()), dtype(x.dtype()) {}
};

// How normal() draws from 16 numbers on: pairs eight apart in blocks of 16, or one after another,
// as PyTorch fills memory that is not contiguous.
enum class NormalOrder { Blocks, Sequence };

using WholeNumbers = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t,
                           int64_t, bool, uint16_t, uint32_t, uint64_t>;
// The largest number that random draws give in type T: all whole numbers up to it are exact.
template <class T>
inline constexpr int64_t largest_drawn =
    std::is_same_v<T, double>     ? int64_t{1} << 53
    : std::is_same_v<T, float>    ? int64_t{1} << 24
    : std::is_same_v<T, Half>     ? int64_t{1} << 11
    : std::is_same_v<T, BFloat16> ? int64_t{1} << 8
    : sizeof(T) == 8              ? std::numeric_limits<int64_t>::max()
                                  : static_cast<int64_t>(std::numeric_limits<T>::max());

// --- continuous; floating dtypes ---
void uniform(Run y, double from, double to, Generator& g);
void normal(Run y, double mean, double std, Generator& g, NormalOrder order = NormalOrder::Blocks);
void log_normal(Run y, double mean, double std, Generator& g);
void exponential(Run y, double rate, Generator& g);
void cauchy(Run y, double median, double sigma, Generator& g);

// --- discrete; any real dtype ---
void bernoulli(Run y, double p, Generator& g);
void bernoulli(Run y, ConstRun p, Generator& g);  // p: floating, as many as y
// floating: 1 / keep with probability keep, else 0
void dropout_noise(Run y, double keep, Generator& g);
void geometric(Run y, double p, Generator& g);
void random(Run y, Generator& g);  // 0 .. the largest whole number the dtype holds
void random_range(Run y, int64_t from, uint64_t range, Generator& g);  // from .. from + range - 1
void random_bits(Run y, Generator& g);                                 // all 64 bits
void randperm(Run y, Generator& g);

// --- sampled by rejection; y and the parameters share their dtype ---
void poisson(Run y, ConstRun rate, Generator& g);
void binomial(Run y, ConstRun count, ConstRun p, Generator& g);
void standard_gamma(Run y, ConstRun shape, Generator& g);
void dirichlet(Run y, ConstRun concentration, int64_t categories, Generator& g);

// Draws with replacement: y (rows, samples), int64, from weights (rows, categories) of any sum.
void multinomial(Run y, ConstRun weights, int64_t rows, int64_t categories, int64_t samples,
                 Generator& g);

// Raises unless every row is finite, not negative and not all zero.
void check_weights(ConstRun weights, int64_t rows, int64_t categories);

// y = slope * x, and the slopes: uniform in [lower, upper) where x <= 0, else 1.
void rrelu(Run y, Run noise, ConstRun x, double lower, double upper, Generator& g);

}  // namespace lampas::cpu
