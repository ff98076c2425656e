// Random fills that use a fixed number of words per element. Rejection samplers are in
// random_samplers.cc. The order of floating point operations, and which of them are fused, decides
// the last bit and is PyTorch's on x86-64 with FMA: hence the spelt-out std::fma. Nothing else may
// be contracted: this file and random_samplers.cc need -ffp-contract=off.
#include "cpu/random.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <numbers>

#include "cpu/random_steps.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr double kPi = std::numbers::pi;

uint64_t pair(const uint32_t* w) { return static_cast<uint64_t>(w[0]) << 32 | w[1]; }
double unit(const uint32_t* w) { return Generator::unit(pair(w)); }

// A uniform number in [0, 1) as T is drawn: double takes two words, the others one.
template <class T>
constexpr int kUnitWords = std::is_same_v<T, double> ? 2 : 1;
template <class T>
compute_t<T> unit_as(const uint32_t* w) {
  if constexpr (kUnitWords<T> == 2)
    return unit(w);
  else
    return Generator::unit_float(*w);
}

// True with probability p: u < p for u = m / 2**53 is m < ceil(p * 2**53), whole numbers, exact.
struct Chance {
  uint64_t below;
  explicit Chance(double p) : below(static_cast<uint64_t>(std::ceil(p * 0x1p53))) {}
  bool operator()(const uint32_t* w) const { return (pair(w) & ((1ull << 53) - 1)) < below; }
};

enum class Cost { Light, Heavy };  // Heavy: worth a thread, transcendental functions

// y[i] = f(words of element i), kWords of them each. Words are drawn in order; the lock is never
// held across parallel_for, which may release the interpreter's lock.
template <int kWords, Cost cost = Cost::Light, class T, class F>
void fill(T* y, int64_t n, Generator& g, F f) {
  constexpr int64_t kSmall = 64, kBlock = cost == Cost::Heavy ? 1 << 16 : 1 << 10;
  if (n <= kSmall) {
    uint32_t words[kSmall * kWords];
    g.locked_words(words, n * kWords);
    for (int64_t i = 0; i < n; ++i) y[i] = f(words + i * kWords);
    return;
  }
  auto words = std::make_unique_for_overwrite<uint32_t[]>(std::min(n, kBlock) * kWords);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    int64_t count = std::min(kBlock, n - begin);
    g.locked_words(words.get(), count * kWords);
    auto body = [&, w = words.get()](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) y[begin + i] = f(w + i * kWords);
    };
    if constexpr (cost == Cost::Heavy)
      parallel_for(count, 1 << 13, body);
    else
      body(0, count);
  }
}

// Real and imaginary parts as numbers of their own.
Run as_real(Run y) { return is_complex(y.dtype) ? Run{y.data, real_of(y.dtype), 2 * y.n} : y; }

// f: 64-bit draw -> double, stored in any dtype of Set.
template <class Set, class F>
void fill_from_unit(Run y, const char* name, Generator& g, F f) {
  dispatch<Set>(y.dtype, name, [&](auto tag) {
    using T = decltype(tag);
    fill<2, Cost::Heavy>(static_cast<T*>(y.data), y.n, g,
                         [f](const uint32_t* w) { return convert<T>(f(unit(w))); });
  });
}

// --- normal numbers in blocks ---

// Blocks of 16 uniform numbers become normal ones in place, after G. Box and M. Muller, 1958.
void box_muller(float* y, int64_t blocks, double mean, double std) {
  LAMPAS_BEST(normal_blocks(y, blocks, static_cast<float>(mean), static_cast<float>(std)));
}
void box_muller(double* y, int64_t blocks, double mean, double std) {
  for (; blocks > 0; --blocks, y += 16) {
    for (int j = 0; j < 8; ++j) {
      double radius = std::sqrt(-2 * std::log(1 - y[j]));
      double angle = 2 * kPi * y[j + 8];
      y[j] = std::fma(radius * std::cos(angle), std, mean);
      y[j + 8] = std::fma(radius * std::sin(angle), std, mean);
    }
  }
}

template <class T>
void fill_unit(T* y, int64_t n, Generator& g) {
  fill<kUnitWords<T>>(y, n, g, [](const uint32_t* w) -> T { return unit_as<T>(w); });
}

template <class T>
void normal_blocks(T* y, int64_t n, double mean, double std, Generator& g) {
  T last[16];
  fill_unit(y, n, g);
  if (n % 16 != 0) fill_unit(last, 16, g);  // an incomplete block at the end is drawn anew
  constexpr int64_t kGrain = std::is_same_v<T, float> ? 1 << 12 : 1 << 9;
  parallel_for(n / 16, kGrain, [=](int64_t begin, int64_t end) {
    box_muller(y + 16 * begin, end - begin, mean, std);
  });
  if (n % 16 == 0) return;
  box_muller(last, 1, mean, std);
  std::copy_n(last, 16, y + n - 16);
}

// 16-bit floats are drawn in single precision; the incomplete block draws nothing twice.
template <class T>
void normal_blocks_reduced(T* y, int64_t n, double mean, double std, Generator& g) {
  constexpr int64_t kBuffer = 1 << 10;
  float buffer[kBuffer];
  auto put = [&](T* to, int64_t count) {
    fill_unit(buffer, count, g);
    box_muller(buffer, count / 16, mean, std);
    std::copy_n(buffer, count, to);
  };
  int64_t whole = n / 16 * 16;
  for (int64_t i = 0; i < whole; i += kBuffer) put(y + i, std::min(kBuffer, whole - i));
  if (whole != n) put(y + n - 16, 16);
}

template <class T, class F>
void fill_normal(T* y, int64_t n, Generator& g, F f) {
  std::lock_guard lock(g.mutex);
  for (int64_t i = 0; i < n; ++i) y[i] = convert<T>(f(g.normal()));
}

}  // namespace

// --- continuous ---

void uniform(Run run, double from, double to, Generator& g) {
  Run y = as_real(run);
  dispatch<Floats>(y.dtype, "check_uniform_bounds", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    constexpr int64_t kBlock = 1 << 12;
    C low = static_cast<C>(from), width = static_cast<C>(to) - low;
    T first = convert<T>(from), last = convert<T>(to);
    T* data = static_cast<T*>(y.data);
    bool plain = low == 0 && width == 1 && !is_reduced_v<T>;
    [[maybe_unused]] C buffer[is_reduced_v<T> ? kBlock : 1];
    for (int64_t begin = 0; begin < y.n; begin += kBlock) {
      int64_t count = std::min(kBlock, y.n - begin);
      C* u;
      if constexpr (is_reduced_v<T>)
        u = buffer;
      else
        u = data + begin;
      fill_unit(u, count, g);
      if (plain) continue;
      LAMPAS_BEST(stretch(u, count, width, low));
      // Rounding may reach the open end.
      if constexpr (is_reduced_v<T>) {
        for (int64_t i = 0; i < count; ++i) {
          T value = static_cast<T>(u[i]);
          data[begin + i] = value == last ? first : value;
        }
      } else {
        for (int64_t i = 0; i < count; ++i) u[i] = u[i] == last ? first : u[i];
      }
    }
  });
}

void normal(Run run, double mean, double std, Generator& g, NormalOrder order) {
  Run y = as_real(run);
  if (is_complex(run.dtype)) std /= std::numbers::sqrt2;
  dispatch<Floats>(y.dtype, "normal_kernel_cpu", [&](auto tag) {
    using T = decltype(tag);
    T* data = static_cast<T*>(y.data);
    if (y.n < 16 || order == NormalOrder::Sequence) {
      fill_normal(data, y.n, g, [=](double x) { return std::fma(x, std, mean); });
    } else if constexpr (is_reduced_v<T>) {
      normal_blocks_reduced(data, y.n, mean, std, g);
    } else {
      normal_blocks(data, y.n, mean, std, g);
    }
  });
}

void log_normal(Run y, double mean, double std, Generator& g) {
  dispatch<Floats>(y.dtype, "log_normal_cpu", [&](auto tag) {
    fill_normal(static_cast<decltype(tag)*>(y.data), y.n, g,
                [=](double x) { return std::exp(std::fma(x, std, mean)); });
  });
}

void exponential(Run y, double rate, Generator& g) {
  fill_from_unit<Floats>(y, "exponential_cpu", g,
                         [scale = -1 / rate](double u) { return scale * std::log1p(-u); });
}

void cauchy(Run y, double median, double sigma, Generator& g) {
  fill_from_unit<Floats>(y, "cauchy_cpu", g, [=](double u) {
    return std::fma(sigma, std::tan(kPi * (u - 0.5)), median);
  });
}

// --- discrete ---

void bernoulli(Run y, double p, Generator& g) {
  Chance chance(p);
  dispatch<RealsAndBool>(y.dtype, "bernoulli_scalar_cpu_", [&](auto tag) {
    using T = decltype(tag);
    fill<2>(static_cast<T*>(y.data), y.n, g,
            [=](const uint32_t* w) { return convert<T>(chance(w)); });
  });
}

void bernoulli(Run y, ConstRun p, Generator& g) {
  dispatch<Floats>(p.dtype, "bernoulli_tensor_cpu_p_", [&](auto p_tag) {
    using P = decltype(p_tag);
    auto* probability = static_cast<const P*>(p.data);
    bool valid =
        std::all_of(probability, probability + y.n, [](P v) { return v >= P(0) && v <= P(1); });
    CHECK(valid,
          "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message "
          "be improved?  If so, please report an enhancement request to PyTorch.)");
    dispatch<RealsAndBool>(y.dtype, "bernoulli_tensor_cpu_self_", [&](auto tag) {
      using T = decltype(tag);
      fill<kUnitWords<P>>(
          static_cast<T*>(y.data), y.n, g, [probability](const uint32_t* w) mutable {
            return convert<T>(unit_as<P>(w) < static_cast<compute_t<P>>(*probability++));
          });
    });
  });
}

void dropout_noise(Run y, double keep, Generator& g) {
  Chance chance(keep);
  dispatch<Floats>(y.dtype, "bernoulli_scalar_cpu_", [&](auto tag) {
    using T = decltype(tag);
    T kept = static_cast<T>(compute_t<T>(1) / static_cast<compute_t<T>>(keep));
    std::array<T, 2> values{T(0), kept};  // looked up: a branch on a random bit is mispredicted
    fill<2>(static_cast<T*>(y.data), y.n, g, [=](const uint32_t* w) { return values[chance(w)]; });
  });
}

void geometric(Run y, double p, Generator& g) {
  fill_from_unit<Reals>(y, "geometric_cpu", g, [scale = std::log(1 - p)](double u) {
    return std::ceil(std::log(u) / scale);
  });
}

void random(Run y, Generator& g) {
  dispatch<RealsAndBool>(y.dtype, "random_kernel_cpu", [&](auto tag) {
    using T = decltype(tag);
    T* data = static_cast<T*>(y.data);
    constexpr uint64_t range = static_cast<uint64_t>(largest_drawn<T>) + 1;
    if constexpr (sizeof(T) == 8) {
      fill<2>(data, y.n, g, [](const uint32_t* w) { return convert<T>(pair(w) % range); });
    } else {
      fill<1>(data, y.n, g, [](const uint32_t* w) { return convert<T>(*w % range); });
    }
  });
}

void random_range(Run y, int64_t from, uint64_t range, Generator& g) {
  dispatch<WholeNumbers>(y.dtype, "random_from_to_kernel_cpu", [&](auto tag) {
    using T = decltype(tag);
    T* data = static_cast<T*>(y.data);
    // Unsigned addition: wraps to the right signed number.
    auto place = [from](uint64_t offset) {
      return convert<T>(static_cast<int64_t>(static_cast<uint64_t>(from) + offset));
    };
    if (range >= 1u << 28) {  // wide ranges take 64 bits, so that the remainder stays even
      fill<2>(data, y.n, g, [=](const uint32_t* w) { return place(pair(w) % range); });
    } else {
      fill<1>(data, y.n, g,
              [=, r = static_cast<uint32_t>(range)](const uint32_t* w) { return place(*w % r); });
    }
  });
}

void random_bits(Run y, Generator& g) {
  using Wide = Types<int64_t, double, float, BFloat16>;
  dispatch<Wide>(y.dtype, "random_full_64_bits_range_kernel_cpu", [&](auto tag) {
    using T = decltype(tag);
    fill<2>(static_cast<T*>(y.data), y.n, g,
            [](const uint32_t* w) { return convert<T>(static_cast<int64_t>(pair(w))); });
  });
}

// R. Fisher, F. Yates: from the front; beyond 32-bit remainders "inside-out", which fills as it
// goes.
void randperm(Run y, Generator& g) {
  constexpr int64_t kWide = UINT32_MAX / 20;
  dispatch<Reals>(y.dtype, "randperm", [&](auto tag) {
    using T = decltype(tag);
    T* data = static_cast<T*>(y.data);
    std::lock_guard lock(g.mutex);
    if (y.n >= kWide) {
      for (int64_t i = 0; i < y.n; ++i) {
        uint64_t place = g.word64() % (i + 1);
        data[i] = data[place];
        data[place] = convert<T>(i);
      }
      return;
    }
    for (int64_t i = 0; i < y.n; ++i) data[i] = convert<T>(i);
    for (int64_t i = 0; i + 1 < y.n; ++i) {
      std::swap(data[i], data[i + g.word() % static_cast<uint32_t>(y.n - i)]);
    }
  });
}

// --- randomised leaky ReLU ---

void rrelu(Run y, Run noise, ConstRun x, double lower, double upper, Generator& g) {
  dispatch<Types<float, double, BFloat16>>(y.dtype, "rrelu_with_noise_out_cpu", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    auto* in = static_cast<const T*>(x.data);
    auto *out = static_cast<T*>(y.data), *slopes = static_cast<T*>(noise.data);
    double low = convert<C>(lower), high = convert<C>(upper);
    std::lock_guard lock(g.mutex);
    for (int64_t i = 0; i < y.n; ++i) {
      C slope = in[i] <= T(0) ? static_cast<C>(g.uniform() * (high - low) + low) : C(1);
      out[i] = static_cast<T>(static_cast<C>(in[i]) * slope);
      slopes[i] = static_cast<T>(slope);
    }
  });
}

}  // namespace lampas::cpu
