// Tiles of the pointwise rows: each text of pointwise.def as loops over Lane<T>, forward and
// backward. Compiled once per instruction set (isa.h) with -O3 -fno-trapping-math -fno-math-errno,
// else gcc does not vectorise the loops. The choice between the copies is in pointwise_table.cc.
#include <iterator>

#include "cpu/isa.h"
#include "cpu/pointwise_tiles.h"
#include "ops/lane.h"
#include "ops/rows.h"

namespace lampas::LAMPAS_ISA {
namespace {

using rows::Inf;
using rows::NaN;
using rows::NONE;
using rows::Rule;
using rows::Tile;
using std::string_view;
enum : uint8_t {
  F = rows::F,
  I = rows::I,
  B = rows::B,
  C = rows::C,
  CP = rows::CP,
  R = rows::R,
  CF = rows::CF,
  PW = rows::PW
};

// One struct per row: what it is, and its texts as functions over any V. `first` may be of another
// type than the rest (Select).
#define ROW(inputs_, law, lanes, params, ...)                                  \
  static constexpr int inputs = inputs_, numbers = rows::count_names(#params); \
  static constexpr Rule rule = Rule::law;                                      \
  static constexpr int types = lanes;                                          \
  __VA_ARGS__
#define UNARY(name, node, rule_, types_, forms, params, signature, domain, y_, dx)                \
  struct name##_row {                                                                             \
    ROW(1, rule_, types_, params)                                                                 \
    static constexpr string_view text = #y_, derivative[] = {#dx};                                \
    template <class V>                                                                            \
    LAMPAS_INLINE static auto f([[maybe_unused]] V x, const V* p) {                               \
      BIND(params);                                                                               \
      return y_;                                                                                  \
    }                                                                                             \
    template <int, class V>                                                                       \
    LAMPAS_INLINE static auto d([[maybe_unused]] V g, [[maybe_unused]] V x, [[maybe_unused]] V y, \
                                const V* p) {                                                     \
      BIND(params);                                                                               \
      return dx;                                                                                  \
    }                                                                                             \
  };
#define BINARY(name, node, rule_, types_, forms, params, signature, domain, y_, da, db)           \
  struct name##_row {                                                                             \
    ROW(2, rule_, types_, params)                                                                 \
    static constexpr string_view text = #y_, derivative[] = {#da, #db};                           \
    template <class V>                                                                            \
    LAMPAS_INLINE static auto f(V a, V b, const V* p) {                                           \
      BIND(params);                                                                               \
      return y_;                                                                                  \
    }                                                                                             \
    template <int input, class V>                                                                 \
    LAMPAS_INLINE static auto d([[maybe_unused]] V g, [[maybe_unused]] V a, [[maybe_unused]] V b, \
                                [[maybe_unused]] V y, const V* p) {                               \
      BIND(params);                                                                               \
      if constexpr (input == 0)                                                                   \
        return da;                                                                                \
      else                                                                                        \
        return db;                                                                                \
    }                                                                                             \
  };
#define TERNARY(name, node, rule_, types_, forms, params, signature, domain, y_, da, db, dc)      \
  struct name##_row {                                                                             \
    ROW(3, rule_, types_, params)                                                                 \
    static constexpr string_view text = #y_, derivative[] = {#da, #db, #dc};                      \
    template <class A, class V>                                                                   \
    LAMPAS_INLINE static auto f(A a, V b, V c, const V* p) {                                      \
      BIND(params);                                                                               \
      return y_;                                                                                  \
    }                                                                                             \
    template <int input, class A, class V>                                                        \
    LAMPAS_INLINE static auto d([[maybe_unused]] V g, [[maybe_unused]] A a, [[maybe_unused]] V b, \
                                [[maybe_unused]] V c, [[maybe_unused]] V y, const V* p) {         \
      BIND(params);                                                                               \
      if constexpr (input == 0)                                                                   \
        return da;                                                                                \
      else if constexpr (input == 1)                                                              \
        return db;                                                                                \
      else                                                                                        \
        return dc;                                                                                \
    }                                                                                             \
  };
#define BIND(params)                                                                              \
  [[maybe_unused]] const V(&values)[numbers + 1] = *reinterpret_cast<const V(*)[numbers + 1]>(p); \
  LAMPAS_BIND(params, values)
#include "ops/pointwise.def"
#undef BIND
#undef ROW

// --- operands ---

template <class T>
constexpr bool supports(int types) {
  if constexpr (is_complex_lane<T>)
    return types & (C | CP | CF);
  else if constexpr (std::is_same_v<T, bool>)
    return types & B;
  else if constexpr (is_float_lane<T>)
    return types & F;
  else
    return types & I;
}
// The first input: Select's condition is bool.
template <class Row, class V>
using First = std::conditional_t<Row::rule == Rule::Select, bool, V>;

template <class T, bool Far>
LAMPAS_INLINE T plain(Lane<T, Far> x) {
  return x.v;
}
LAMPAS_INLINE bool plain(bool x) { return x; }

template <class V, class T>
void read_numbers(V* p, const Scalar* numbers, int count, T) {
  for (int i = 0; i < count; ++i) {
    if constexpr (is_complex_lane<T>) {
      double re, im;
      rows::read(numbers[i], re, im);
      p[i].v = T{static_cast<decltype(T{}.re)>(re), static_cast<decltype(T{}.re)>(im)};
    } else if constexpr (is_float_lane<T>) {
      double x;
      rows::read(numbers[i], x);
      p[i].v = static_cast<T>(x);
    } else {
      int64_t x;
      rows::read(numbers[i], x);
      p[i] = V(x);
    }
  }
}

// --- loops. The output may be one of the inputs but never overlaps one partly, hence ivdep. ---

template <class Row, class T, bool Far>
void forward(void* const* o, const Scalar* numbers, int64_t n) {
  using V = Lane<T, Far>;
  V p[Row::numbers + 1] = {};
  read_numbers(p, numbers, Row::numbers, T{});
  using A = First<Row, V>;
  auto* a = static_cast<const A*>(o[1]);
  if constexpr (Row::inputs == 1) {
    auto* y = static_cast<decltype(plain(Row::f(*a, p)))*>(o[0]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = plain(Row::f(a[i], p));
  } else if constexpr (Row::inputs == 2) {
    auto* b = static_cast<const V*>(o[2]);
    auto* y = static_cast<decltype(plain(Row::f(*a, *b, p)))*>(o[0]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = plain(Row::f(a[i], b[i], p));
  } else {
    auto *b = static_cast<const V*>(o[2]), *c = static_cast<const V*>(o[3]);
    auto* y = static_cast<decltype(plain(Row::f(*a, *b, *c, p)))*>(o[0]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = plain(Row::f(a[i], b[i], c[i], p));
  }
}

// Operand `name` of a derivative: read only where its text mentions it, since it may be null.
template <class V, bool mentioned>
LAMPAS_INLINE V load(const V* from, int64_t i) {
  if constexpr (mentioned)
    return from[i];
  else
    return V(0);
}

template <class Row, int input, class T, bool Far>
void backward(void* const* o, const Scalar* numbers, int64_t n) {
  using V = Lane<T, Far>;
  using A = First<Row, V>;
  constexpr string_view text = Row::derivative[input];
  constexpr bool reads_g = rows::mentions(text, "g"), reads_y = rows::mentions(text, "y");
  constexpr bool reads_a = rows::mentions(text, Row::inputs == 1 ? "x" : "a");
  constexpr bool reads_b = rows::mentions(text, "b"), reads_c = rows::mentions(text, "c");
  V p[Row::numbers + 1] = {};
  read_numbers(p, numbers, Row::numbers, T{});
  auto* dx = static_cast<T*>(o[0]);
  auto* g = static_cast<const V*>(o[1]);
  auto* a = static_cast<const A*>(o[2]);
  auto* y = static_cast<const V*>(o[2 + Row::inputs]);
  if constexpr (Row::inputs == 1) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = V(Row::template d<input>(load<V, reads_g>(g, i), load<V, reads_a>(a, i),
                                       load<V, reads_y>(y, i), p))
                  .v;
    }
  } else if constexpr (Row::inputs == 2) {
    auto* b = static_cast<const V*>(o[3]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = V(Row::template d<input>(load<V, reads_g>(g, i), load<V, reads_a>(a, i),
                                       load<V, reads_b>(b, i), load<V, reads_y>(y, i), p))
                  .v;
    }
  } else {
    auto *b = static_cast<const V*>(o[3]), *c = static_cast<const V*>(o[4]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = V(Row::template d<input>(load<V, reads_g>(g, i), load<A, reads_a>(a, i),
                                       load<V, reads_b>(b, i), load<V, reads_c>(c, i),
                                       load<V, reads_y>(y, i), p))
                  .v;
    }
  }
}

// --- trigonometry: tiles with an argument beyond the reduction's reach take the C library's loop
// ---

consteval bool is_periodic(string_view text) {
  return rows::mentions(text, "sin") || rows::mentions(text, "cos") || rows::mentions(text, "tan");
}
template <class T>
bool reaches_far(const void* x, int64_t n) {
  T top = 0;
  auto* values = static_cast<const T*>(x);
  for (int64_t i = 0; i < n; ++i) {
    T a = math::abs(values[i]);
    top = a > top ? a : top;
  }
  return top > math::trig_limit<T> / 4;  // the text may multiply by pi (sinc)
}
template <class Row, class T>
void forward_periodic(void* const* o, const Scalar* numbers, int64_t n) {
  auto tile = reaches_far<T>(o[1], n) ? forward<Row, T, true> : forward<Row, T, false>;
  tile(o, numbers, n);
}
template <class Row, class T>
void backward_periodic(void* const* o, const Scalar* numbers, int64_t n) {
  auto tile = reaches_far<T>(o[2], n) ? backward<Row, 0, T, true> : backward<Row, 0, T, false>;
  tile(o, numbers, n);
}

// use(f) for the f that is x^e where a product or quotient does (x^2, x^3, 1/x, ...): faster, and
// what PyTorch computes. False where there is none.
template <class T, class F>
bool with_product(double e, F&& use) {
  using V = Lane<T>;
  if (e == 2) return use([](V v) { return v * v; }), true;
  if (e == 3) return use([](V v) { return v * v * v; }), true;
  if constexpr (!is_integer_lane<T>) {
    if (e == 0.5) return use([](V v) { return sqrt(v); }), true;
    if (e == -0.5) return use([](V v) { return 1 / sqrt(v); }), true;
    if (e == -1) return use([](V v) { return 1 / v; }), true;
    if (e == -2) return use([](V v) { return 1 / (v * v); }), true;
  }
  return false;
}
template <class T>
void power_tile(void* const* o, const Scalar* numbers, int64_t n) {
  double e, im = 0;
  rows::read(numbers[0], e, im);
  auto* x = static_cast<const Lane<T>*>(o[1]);
  auto* y = static_cast<Lane<T>*>(o[0]);
  bool done = im == 0 && with_product<T>(e, [=](auto f) {
#pragma GCC ivdep
                for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
              });
  if (!done) forward<pow_scalar_row, T, false>(o, numbers, n);
}
template <class T>
void power_gradient_tile(void* const* o, const Scalar* numbers, int64_t n) {
  using V = Lane<T>;
  double e, im = 0;
  rows::read(numbers[0], e, im);
  V p[1];
  read_numbers(p, numbers, 1, T{});
  V factor = p[0];
  auto* dx = static_cast<V*>(o[0]);
  auto *g = static_cast<const V*>(o[1]), *x = static_cast<const V*>(o[2]);
  bool done = im == 0 && e != 0 && with_product<T>(e - 1, [=](auto f) {
#pragma GCC ivdep
                for (int64_t i = 0; i < n; ++i) dx[i] = g[i] * (factor * f(x[i]));
              });
  if (!done) backward<pow_scalar_row, 0, T, false>(o, numbers, n);
}

// --- tables ---

template <class Row, class T>
constexpr Tile forward_of() {
  if constexpr (!supports<T>(Row::types))
    return nullptr;
  else if constexpr (std::is_same_v<Row, pow_scalar_row>)
    return power_tile<T>;
  else if constexpr (is_float_lane<T> && is_periodic(Row::text))
    return forward_periodic<Row, T>;
  else
    return forward<Row, T, false>;
}
template <class Row, int input, class T>
constexpr Tile backward_of() {
  if constexpr (input >= Row::inputs)
    return nullptr;
  else if constexpr (Row::derivative[input] == "NONE")
    return nullptr;
  else if constexpr (!supports<T>(Row::types))
    return nullptr;
  else if constexpr (is_complex_lane<T> && (Row::types & (R | CF)))
    return nullptr;
  else if constexpr (std::is_same_v<Row, pow_scalar_row>)
    return power_gradient_tile<T>;
  else if constexpr (is_float_lane<T> && Row::inputs == 1 && is_periodic(Row::derivative[input])) {
    return backward_periodic<Row, T>;
  } else {
    return backward<Row, input, T, false>;
  }
}

}  // namespace

// Gradients exist for floating and complex types only.
const TileRow kTiles[] = {
#define ENTRY(name)                                                             \
  {{forward_of<name##_row, uint8_t>(), forward_of<name##_row, int8_t>(),        \
    forward_of<name##_row, int16_t>(), forward_of<name##_row, int32_t>(),       \
    forward_of<name##_row, int64_t>(), forward_of<name##_row, float>(),         \
    forward_of<name##_row, double>(), forward_of<name##_row, Complex<float>>(), \
    forward_of<name##_row, Complex<double>>(), forward_of<name##_row, bool>()}, \
   {{GRADIENTS(name, 0)}, {GRADIENTS(name, 1)}, {GRADIENTS(name, 2)}}},
#define GRADIENTS(name, input)                                                       \
  backward_of<name##_row, input, float>(), backward_of<name##_row, input, double>(), \
      backward_of<name##_row, input, Complex<float>>(),                              \
      backward_of<name##_row, input, Complex<double>>()
#define UNARY(name, ...) ENTRY(name)
#define BINARY(name, ...) ENTRY(name)
#define TERNARY(name, ...) ENTRY(name)
#include "ops/pointwise.def"
#undef ENTRY
#undef GRADIENTS
};

}  // namespace lampas::LAMPAS_ISA
