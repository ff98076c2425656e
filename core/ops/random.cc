// Random operators: parameter checks, the order in which memory is filled, and gradients. The
// streams themselves are in cpu/random.h. Creation functions (rand, randn, ...) are composites over
// these.
#include <cmath>

#include "ops/arithmetic.h"
#include "ops/copy.h"
#include "ops/iterator.h"
#include "ops/kernel.h"
#include "ops/primitives.h"
#include "ops/random.h"
#include "ops/type_spelling.h"
#include "ops/views.h"
#include "tape/history.h"

namespace lampas::ops {

Generator& pick(Generator* given, Device device) {
  if (!given || device.is_meta()) return default_generator(device);
  CHECK(given->device().type == device.type, "Expected a '", device.is_cuda() ? "cuda" : "cpu",
        "' device type for generator but found '", given->device().is_cuda() ? "cuda" : "cpu", "'");
  return *given;
}

namespace {

// The memory of `self` as one run in the order of descending strides, in which PyTorch fills it, or
// a dense stand-in of the same order.
Tensor dense_like(const Tensor& self) {
  return is_dense(self.sizes(), self.strides()) ? self : empty_like(self);
}

// In-place fills: draw(target) writes a dense tensor.
template <class F>
Tensor fill_random(const Tensor& self, const char* node, F draw) {
  tape::check_write(self);
  check_internal_overlap(self);
  if (!self.is_meta()) {
    Tensor target = dense_like(self);
    draw(target);
    if (!target.is(self)) copy_values(self, target);
  }
  bump_version(self);
  if (tape::needs_grad(self)) {
    Tensor written = self;
    tape::record_written(written, node, {self}, {},
                         [](const tape::Backward& b) -> Tensors { return {zeros_like(b.g)}; });
  }
  return self;
}

double largest(DType dtype) {
  switch (dtype) {
    case DType::Half:
      return 65504;
    case DType::BFloat16:
      return 0x1.fep127;
    case DType::Float:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

void check_uniform(DType dtype, double from, double to) {
  dtype = real_of(dtype);
  if (!is_floating(dtype)) fail_dtype("check_uniform_bounds", dtype);
  double most = largest(dtype);
  CHECK(from >= -most && from <= most, "from is out of bounds for ", type_spelling(dtype));
  CHECK(to >= -most && to <= most, "to is out of bounds for ", type_spelling(dtype));
  CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from,
        " > to=", to);
  CHECK(to - from <= most, "uniform_ expects to-from <= std::numeric_limits<", label(dtype),
        ">::max(), but found to=", to, " and from=", from,
        " which result in to-from to exceed the limit");
}

// --- whole numbers: random_ ---

struct WholeRange {
  int64_t from;
  uint64_t count;
};

// Bounds of T as far as int64 reaches.
template <class T>
bool holds(int64_t v) {
  if constexpr (std::is_same_v<T, Half>) {
    return v >= -65504 && v <= 65504;
  } else if constexpr (is_floating_v<T>) {
    return true;
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    return v >= 0;
  } else {
    return v >= static_cast<int64_t>(std::numeric_limits<T>::lowest()) &&
           v <= static_cast<int64_t>(std::numeric_limits<T>::max());
  }
}

// The distance of neighbouring T near v.
template <class T>
int64_t spacing(int64_t v) {
  int exponent = 0;
  std::frexp(std::fabs(static_cast<double>(v)), &exponent);
  constexpr int digits = std::countr_zero(static_cast<uint64_t>(cpu::largest_drawn<T>));
  return int64_t{1} << std::max(exponent - digits, 0);
}

// The lower bound as T holds it without falling below.
template <class T>
int64_t round_up(int64_t from) {
  auto next = static_cast<int64_t>(static_cast<uint64_t>(from) + 1);
  int64_t held = convert<int64_t>(convert<T>(next));
  return held < from ? held + spacing<T>(next) : from;
}

// Bounds that T cannot hold move inwards, so that no result falls outside.
template <class T>
WholeRange fit_range(int64_t from, int64_t to) {
  if constexpr (is_floating_v<T>) {
    from = round_up<T>(from);
    if (int64_t high = convert<int64_t>(convert<T>(to - 1)); high >= to) {
      to = high - spacing<T>(to - 1);
    }
    CHECK(from < to,
          "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
          "from=",
          from, " >= to=", to);
  }
  CHECK(holds<T>(from), "from is out of bounds for ", type_spelling(dtype_of<T>));
  CHECK(holds<T>(to - 1), "to - 1 is out of bounds for ", type_spelling(dtype_of<T>));
  return {from, static_cast<uint64_t>(to) - static_cast<uint64_t>(from)};
}

// from .. the largest number T is given.
template <class T>
WholeRange open_range(int64_t from) {
  CHECK((!std::is_same_v<T, uint64_t>), "to - 1 is out of bounds for ", type_spelling(dtype_of<T>));
  int64_t most = cpu::largest_drawn<T>;
  if constexpr (is_floating_v<T>) {
    from = round_up<T>(from);
    CHECK(from <= most,
          "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to "
          "dtype, but got from=",
          from, " > to_inc=", most);
  }
  CHECK(holds<T>(from), "from is out of bounds for ", type_spelling(dtype_of<T>));
  return {from, static_cast<uint64_t>(most) - static_cast<uint64_t>(from) + 1};
}

// What random_ over all 64 bits does not refuse at once.
bool is_wide(DType dtype) {
  return !is_integral(dtype, true) || item_size(dtype) == 8 || dtype == DType::UInt16 ||
         dtype == DType::UInt32;
}

// `x` broadcast to the sizes of `like` and laid out in memory as `like` (dense) is.
Tensor arranged_as(const Tensor& x, const Tensor& like) {
  Tensor wide = plain_expand(x, like.sizes());
  if (wide.strides() == like.strides()) return wide;
  Tensor y = empty_strided(like.sizes(), like.strides(), x.dtype(), x.device());
  copy_values(y, wide);
  return y;
}

}  // namespace

// --- in-place fills ---

Tensor uniform_(const Tensor& self, double from, double to, Generator* generator) {
  return fill_random(self, "UniformBackward0", [&](const Tensor& y) {
    check_uniform(y.dtype(), from, to);
    KERNEL(uniform, y, from, to, pick(generator, y));
  });
}

Tensor normal_(const Tensor& self, double mean, double std, Generator* generator) {
  check_std(std);
  return fill_random(self, "NormalBackward0", [&](const Tensor& y) {
    auto order = self.is_contiguous() ? cpu::NormalOrder::Blocks : cpu::NormalOrder::Sequence;
    KERNEL(normal, y, mean, std, pick(generator, y), order);
  });
}

Tensor log_normal_(const Tensor& self, double mean, double std, Generator* generator) {
  CHECK(std > 0, "log_normal_ expects std > 0.0, but found std=", std);
  return fill_random(self, "LogNormalBackward0", [&](const Tensor& y) {
    KERNEL(log_normal, y, mean, std, pick(generator, y));
  });
}

Tensor exponential_(const Tensor& self, double lambd, Generator* generator) {
  CHECK(lambd > 0, "exponential_ expects lambda > 0.0, but found lambda=", lambd);
  CHECK(self.is_floating(),
        "Exponential distribution is a continuous probability distribution. dtype must be a "
        "floating point "
        "but you specified ",
        label(self.dtype()));
  return fill_random(self, "ExponentialBackward0",
                     [&](const Tensor& y) { KERNEL(exponential, y, lambd, pick(generator, y)); });
}

Tensor cauchy_(const Tensor& self, double median, double sigma, Generator* generator) {
  CHECK(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  CHECK(self.is_floating(),
        "Cauchy distribution is a continuous probability distribution. dtype must be a floating "
        "point but you "
        "specified ",
        type_spelling(self.dtype()));
  return fill_random(self, "CauchyBackward0", [&](const Tensor& y) {
    KERNEL(cauchy, y, median, sigma, pick(generator, y));
  });
}

Tensor geometric_(const Tensor& self, double p, Generator* generator) {
  CHECK(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
  return fill_random(self, "GeometricBackward0",
                     [&](const Tensor& y) { KERNEL(geometric, y, p, pick(generator, y)); });
}

Tensor bernoulli_(const Tensor& self, double p, Generator* generator) {
  CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
  return fill_random(self, "BernoulliBackward2",
                     [&](const Tensor& y) { KERNEL(bernoulli, y, p, pick(generator, y)); });
}

Tensor bernoulli_each_(const Tensor& self, const Tensor& p, Generator* generator) {
  require_device(self.device(), p);
  Tensor wide = plain_expand(p, self.sizes());
  return fill_random(self, "BernoulliBackward1", [&](const Tensor& y) {
    Tensor chances = arranged_as(wide, y);
    KERNEL(bernoulli, y, chances, pick(generator, y));
  });
}

Tensor random_(const Tensor& self, Generator* generator) {
  return fill_random(self, "RandomBackward2",
                     [&](const Tensor& y) { KERNEL(random, y, pick(generator, y)); });
}

Tensor random_to_(const Tensor& self, int64_t to, Generator* generator) {
  return random_from_(self, 0, to, generator);
}

Tensor random_from_(const Tensor& self, int64_t from, Optional<int64_t> to, Generator* generator) {
  if (to) {
    CHECK(from < *to, "random_ expects 'from' to be less than 'to', but got from=", from,
          " >= to=", *to);
  }
  return fill_random(self, "RandomBackward0", [&](const Tensor& y) {
    if (!to && from == std::numeric_limits<int64_t>::min()) {
      CHECK(is_wide(y.dtype()),
            "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16");
      KERNEL(random_bits, y, pick(generator, y));
      return;
    }
    CHECK(!is_complex(y.dtype()), to ? "check_random_bounds" : "random_from_to_impl",
          " handles only integral, floating-point and boolean types");
    WholeRange range =
        dispatch<cpu::WholeNumbers>(y.dtype(), "random_from_to_kernel_cpu", [&](auto tag) {
          using T = decltype(tag);
          return to ? fit_range<T>(from, *to) : open_range<T>(from);
        });
    KERNEL(random_range, y, range.from, range.count, pick(generator, y));
  });
}

Tensor randperm_(const Tensor& self, Generator* generator) {
  int64_t n = self.numel();
  if (self.dtype() == DType::Half) CHECK(n <= 2049, "n cannot be greater than 2049 for Half type.");
  if (self.dtype() == DType::Float) {
    CHECK(n <= (1 << 24) + 1, "n cannot be greater than 2^24+1 for Float type.");
  }
  if (n > 0 && is_integral(self.dtype())) check_value(n - 1, self.dtype());
  return fill_random(self, "RandpermBackward0",
                     [&](const Tensor& y) { KERNEL(randperm, y, pick(generator, y)); });
}

}  // namespace lampas::ops
