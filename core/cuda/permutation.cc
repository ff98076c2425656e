// randperm: numbers sorted by random keys, which have so many bits that few are equal; equal ones
// are shuffled (cuda/device/permutation.h). Keys and their number of bits are PyTorch's.
#include <bit>
#include <cmath>

#include "cuda/family.h"
#include "cuda/kernels.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr int64_t kShare = 512, kBucket = 2048;  // elements of a bucket: on average, at most

// PermutationArguments of cuda/device/permutation.h.
struct Arguments {
  void* y = nullptr;
  const void* keys = nullptr;
  int64_t n = 0;
  uint64_t mask = 0;
  int shift = 0, buckets = 1;
  int *counts = nullptr, *cursors = nullptr;
  uint64_t* dealt = nullptr;
  int* numbers = nullptr;
  PhiloxPlace place{};
};

// Bits of a key with which two of n keys are equal in one of ten permutations at most.
int bits_for(int64_t n) {
  double count = static_cast<double>(n);
  double bits = std::ceil(std::log2(count - (6 * count * count + 1) / (12 * std::log(0.9))));
  return std::min(64, static_cast<int>(bits));
}

void run(const std::string& function, const Arguments& a, int64_t blocks, unsigned threads,
         int device) {
  run_family({"permutation", "PermutationArguments", function}, &a,
             {.x = static_cast<unsigned>(blocks), .threads = threads}, device, "randperm");
}

}  // namespace

void randperm(On, const Tensor& y, Generator& g) {
  int64_t n = y.numel();
  if (n == 0) return;
  CHECK_KIND(n <= INT32_MAX, NotImplemented, "randperm of more than 2^31 - 1 on CUDA");
  int bits = bits_for(n), device = y.device().index;
  bool wide = bits > 32;
  Tensor keys = empty(Span(&n, 1), wide ? DType::Int64 : DType::Int32, y.device());
  random(On{}, keys, g);
  int drawn = std::min(bits, wide ? 63 : 31);  // keys are not negative
  Arguments a{.y = y.raw(), .keys = keys.raw(), .n = n, .mask = (uint64_t{1} << drawn) - 1};
  if (n > kBucket) {
    int share = std::bit_width(static_cast<uint64_t>((n + kShare - 1) / kShare - 1));
    a.buckets = 1 << share;
    a.shift = drawn - share;
  }
  a.place = g.advance(static_cast<uint64_t>(n));
  const char* key = device_type(keys.dtype());
  Tensor counts, cursors, dealt, numbers;
  if (a.buckets > 1) {
    int64_t buckets = a.buckets, ends = buckets + 1;
    counts = empty(Span(&ends, 1), DType::Int32, y.device());
    cursors = empty(Span(&buckets, 1), DType::Int32, y.device());
    dealt = empty(Span(&n, 1), DType::Int64, y.device());
    numbers = empty(Span(&n, 1), DType::Int32, y.device());
    fill(On{}, counts, Scalar(int64_t{0}));
    a.counts = counts.data<int>(), a.cursors = cursors.data<int>();
    a.dealt = dealt.data<uint64_t>(), a.numbers = numbers.data<int>();
    run(concat("count_keys<", key, ">"), a, blocks_for(n, 256), 256, device);
    run("begin_buckets", a, 1, 256, device);
    run(concat("deal_keys<", key, ">"), a, blocks_for(n, 256), 256, device);
  }
  run(concat("sort_bucket<", device_type(y.dtype()), ", ", key, ">"), a, a.buckets, 256, device);
}

}  // namespace lampas::cuda
