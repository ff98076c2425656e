// A permutation from random keys: numbers 0 .. n-1 sorted by them, equal keys shuffled. The keys'
// upper bits deal them out to buckets of about kShare, which fit a block's memory.
#pragma once
#include "cuda/device/philox.h"

namespace lampas::device {

constexpr int kBucket = 2048;  // most of a bucket: far beyond what chance gives around kShare

// Mirrored by cuda/permutation.cc.
struct PermutationArguments {
  void* y;
  const void* keys;  // K, n
  int64_t n;
  uint64_t mask;  // the bits that count
  int shift;      // masked key >> shift: its bucket
  int buckets;
  int* counts;      // (buckets + 1): elements of each; then where each begins
  int* cursors;     // (buckets)
  uint64_t* dealt;  // (n): masked keys by bucket, in any order
  int* numbers;     // (n): which element each is
  PhiloxPlace place;
};

template <class K>
inline uint64_t masked(const PermutationArguments& a, int64_t i) {
  return static_cast<uint64_t>(static_cast<const K*>(a.keys)[i]) & a.mask;
}

template <class K>
inline void count_keys(const PermutationArguments& a) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < a.n) atomicAdd(&a.counts[masked<K>(a, i) >> a.shift], 1);
}

// One block of 256: counts become places where buckets begin.
inline void begin_buckets(const PermutationArguments& a) {
  __shared__ int sums[256];
  const int thread = threadIdx.x, each = (a.buckets + 255) / 256;
  const int from = thread * each;
  int to = from + each < a.buckets ? from + each : a.buckets, sum = 0;
  for (int b = from; b < to; ++b) sum += a.counts[b];
  sums[thread] = sum;
  for (int step = 1; step < 256; step *= 2) {
    __syncthreads();
    int other = thread >= step ? sums[thread - step] : 0;
    __syncthreads();
    sums[thread] += other;
  }
  int at = sums[thread] - sum;
  for (int b = from; b < to; ++b) {
    int count = a.counts[b];
    a.counts[b] = a.cursors[b] = at;
    at += count;
  }
  if (thread == 0) a.counts[a.buckets] = static_cast<int>(a.n);
}

template <class K>
inline void deal_keys(const PermutationArguments& a) {
  int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= a.n) return;
  uint64_t key = masked<K>(a, i);
  int at = atomicAdd(&a.cursors[key >> a.shift], 1);
  a.dealt[at] = key;
  a.numbers[at] = static_cast<int>(i);
}

// A block for a bucket: sorted by (key, number) in its memory (K. Batcher, 1968), then written. A
// single bucket has not been dealt.
template <class T, class K>
inline void sort_bucket(const PermutationArguments& a) {
  __shared__ uint64_t keys[kBucket];
  __shared__ int numbers[kBucket];
  const bool dealt = a.buckets > 1;
  const int begin = dealt ? a.counts[blockIdx.x] : 0;
  const int n = dealt ? a.counts[blockIdx.x + 1] - begin : static_cast<int>(a.n);
  const int threads = blockDim.x;
  int room = 2;
  while (room < n) room *= 2;
  for (int i = threadIdx.x; i < room; i += threads) {
    keys[i] = i >= n ? ~uint64_t{0} : dealt ? a.dealt[begin + i] : masked<K>(a, i);
    numbers[i] = i >= n ? 0x7fffffff : dealt ? a.numbers[begin + i] : i;
  }
  for (int size = 2; size <= room; size *= 2) {
    for (int step = size / 2; step; step /= 2) {
      __syncthreads();
      for (int i = threadIdx.x; i < room / 2; i += threads) {
        int low = 2 * i - (i & (step - 1)), high = low + step;
        bool up = (low & size) == 0;
        bool above =
            keys[low] > keys[high] || (keys[low] == keys[high] && numbers[low] > numbers[high]);
        if (above == up) {
          uint64_t key = keys[low];
          keys[low] = keys[high], keys[high] = key;
          int number = numbers[low];
          numbers[low] = numbers[high], numbers[high] = number;
        }
      }
    }
  }
  __syncthreads();
  // The first of equal keys shuffles them: R. Fisher, F. Yates, from the back.
  for (int i = threadIdx.x; i < n; i += threads) {
    if (i + 1 >= n || keys[i] != keys[i + 1] || (i > 0 && keys[i - 1] == keys[i])) continue;
    int count = 2;
    while (i + count < n && keys[i + count] == keys[i]) ++count;
    Stream stream(a.place, begin + i);
    Words words{};
    for (int left = count - 1, drawn = 0; left > 0; --left, ++drawn) {
      if (drawn % 4 == 0) words = stream.next();
      uint32_t word = drawn % 4 == 0   ? words.x
                      : drawn % 4 == 1 ? words.y
                      : drawn % 4 == 2 ? words.z
                                       : words.w;
      int other = static_cast<int>(word % static_cast<uint32_t>(left + 1));
      int number = numbers[i + left];
      numbers[i + left] = numbers[i + other], numbers[i + other] = number;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += threads)
    static_cast<T*>(a.y)[begin + i] = convert<T>(numbers[i]);
}

}  // namespace lampas::device
