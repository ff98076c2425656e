// Random fills of dense tensors on a GPU, in the order of their memory. Streams and values are
// those of CUDA PyTorch where they follow from what is published: curand's Philox4x32-10, a stream
// for each thread, threads and elements as in random.cc. Ranges of the parameters are checked by
// the operators.
#pragma once
#include "runtime/generator.h"
#include "runtime/tensor.h"

namespace lampas::cpu {
enum class NormalOrder;
}

namespace lampas::cuda {

struct On;  // see kernels.h

// --- continuous; floating dtypes; complex ones are their real and imaginary parts ---
void uniform(On, const Tensor& y, double from, double to, Generator& g);
void normal(On, const Tensor& y, double mean, double std, Generator& g, cpu::NormalOrder);
void log_normal(On, const Tensor& y, double mean, double std, Generator& g);
void exponential(On, const Tensor& y, double rate, Generator& g);
void cauchy(On, const Tensor& y, double median, double sigma, Generator& g);

// --- discrete; any real dtype ---
void bernoulli(On, const Tensor& y, double p, Generator& g);
void bernoulli(On, const Tensor& y, const Tensor& p, Generator& g);  // p: as many as y
void geometric(On, const Tensor& y, double p, Generator& g);
void random(On, const Tensor& y, Generator& g);
void random_range(On, const Tensor& y, int64_t from, uint64_t range, Generator& g);
void random_bits(On, const Tensor& y, Generator& g);
void randperm(On, const Tensor& y, Generator& g);

// --- regularisers; x in the order of y ---
// y = x / keep with probability `keep`, else 0; kept (bool) says where.
void dropout(On, const Tensor& y, const Tensor& kept, const Tensor& x, double keep, Generator& g);
void masked_scale(On, const Tensor& y, const Tensor& x, const Tensor& kept, double scale);
void rrelu(On, const Tensor& y, const Tensor& slopes, const Tensor& x, double lower, double upper,
           Generator& g);

// --- samplers; contiguous. Not PyTorch's streams: its algorithms there are not published ---
void poisson(On, const Tensor& y, const Tensor& rate, Generator& g);
void binomial(On, const Tensor& y, const Tensor& count, const Tensor& p, Generator& g);
void standard_gamma(On, const Tensor& y, const Tensor& shape, Generator& g);
void dirichlet(On, const Tensor& y, const Tensor& concentration, int64_t categories, Generator& g);

// Draws with replacement: y (rows, samples), int64, from weights (rows, categories).
void multinomial(On, const Tensor& y, const Tensor& weights, int64_t rows, int64_t categories,
                 int64_t samples, Generator& g);
// Raises unless every row is finite, not negative and not all zero. Waits for the device.
void check_weights(On, const Tensor& weights, int64_t rows, int64_t categories);

}  // namespace lampas::cuda
