// The inner loops of the reductions, one set per row and element type. Compiled once per
// instruction set.
#include "cpu/reduce_steps.h"

#include "cpu/simd/reduce_rows.h"

namespace lampas::LAMPAS_ISA {
namespace {

using cpu::kFold;
using cpu::Steps;

template <class R, class T, int Fixed>
void add_rows(typename R::A* __restrict acc, const T* __restrict x,
              const typename R::C* __restrict c, int64_t lanes, int64_t rows, int64_t row_stride,
              double p) {
  using X = typename R::X;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + r * row_stride;
    for (int64_t l = 0; l < (Fixed ? Fixed : lanes); ++l) {
      X value = convert<X>(row[l]);
      acc[l] = R::combine(acc[l], R::map(value, R::centred ? c[l] : typename R::C{}, p));
    }
  }
}

template <class R, class T>
struct StepsOf {
  using A = typename R::A;
  using C = typename R::C;
  using Y = typename R::Y;
  using Stored = typename R::Centre;

  static void identity(char* acc, int64_t n) {
    for (int64_t l = 0; l < n; ++l) reinterpret_cast<A*>(acc)[l] = R::identity();
  }
  static void combine(char* into, const char* from, int64_t n) {
    A* __restrict a = reinterpret_cast<A*>(into);
    const A* __restrict b = reinterpret_cast<const A*>(from);
    for (int64_t l = 0; l < n; ++l) a[l] = R::combine(a[l], b[l]);
  }
  static void add(char* acc, const char* x, const char* c, int64_t lanes, int64_t rows,
                  int64_t row_stride, double p) {
    A* a = reinterpret_cast<A*>(acc);
    const T* from = reinterpret_cast<const T*>(x);
    const C* centre = reinterpret_cast<const C*>(c);
    // The fixed length lets the compiler keep all accumulators in registers.
    constexpr int fixed = std::is_floating_point_v<T> ? kFold : 0;
    if (lanes == kFold)
      add_rows<R, T, fixed>(a, from, centre, lanes, rows, row_stride, p);
    else
      add_rows<R, T, 0>(a, from, centre, lanes, rows, row_stride, p);
  }
  static void finish(char* y, int64_t stride, const char* acc, const char* c, int64_t n, double p,
                     int64_t count) {
    for (int64_t l = 0; l < n; ++l) {
      C centre = R::centred ? reinterpret_cast<const C*>(c)[l] : C{};
      reinterpret_cast<Y*>(y)[l * stride] = R::finish(reinterpret_cast<const A*>(acc)[l], centre, p,
                                                      static_cast<typename R::N>(count));
    }
  }
  static void load_centre(char* c, const char* stored, int64_t stride, int64_t n) {
    for (int64_t l = 0; l < n; ++l)
      reinterpret_cast<C*>(c)[l] = convert<C>(reinterpret_cast<const Stored*>(stored)[l * stride]);
  }
  static constexpr Steps steps = {
      sizeof(T),  sizeof(A), sizeof(Y), sizeof(C), sizeof(Stored), dtype_of<Y>, dtype_of<Stored>,
      R::centred, identity,  combine,   add,       finish,         load_centre};
};

template <template <class> class Row, class... Ts>
const Steps* steps_of(Types<Ts...>, DType dtype) {
  const Steps* found = nullptr;
  ((dtype == dtype_of<Ts> ? (void)(found = &StepsOf<Row<Ts>, Ts>::steps) : (void)0), ...);
  return found;
}

}  // namespace

const Steps* reduction_steps(Reduction row, DType dtype) {
  switch (row) {
#define REDUCE(name, label, types, ...) \
  case Reduction::name:                 \
    return steps_of<name##_row>(types{}, dtype);
#include "ops/reduce.def"
  }
  return nullptr;
}

}  // namespace lampas::LAMPAS_ISA
