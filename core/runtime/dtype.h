// Element types: the enum, the C++ type of each, 16-bit floats, and dispatch from one to the other.
#pragma once
#include <bit>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "runtime/error.h"

namespace lampas {

struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float value) {
    _Float16 h = static_cast<_Float16>(value);
    std::memcpy(&bits, &h, 2);
  }
  operator float() const {
    _Float16 h;
    std::memcpy(&h, &bits, 2);
    return static_cast<float>(h);
  }
};

struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  // Round to nearest, ties to even; every NaN becomes the quiet one.
  BFloat16(float value) {
    uint32_t u = std::bit_cast<uint32_t>(value);
    bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? 0x7fc0 : static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// Two Halfs. Arithmetic is done in ComplexFloat; here are only the parts.
struct ComplexHalf {
  using value_type = Half;
  Half re, im;
  ComplexHalf() = default;
  ComplexHalf(float real, float imag = 0) : re(real), im(imag) {}
  float real() const { return re; }
  float imag() const { return im; }
};

using ComplexFloat = std::complex<float>;
using ComplexDouble = std::complex<double>;

// DTYPES(row): C++ type, enumerator, Python name, PyTorch's C++ name (used in messages).
#define LAMPAS_DTYPES(row)                                                                         \
  row(uint8_t, UInt8, "uint8", "Byte") row(int8_t, Int8, "int8", "Char")                           \
      row(int16_t, Int16, "int16", "Short") row(int32_t, Int32, "int32", "Int")                    \
          row(int64_t, Int64, "int64", "Long") row(::lampas::Half, Half, "float16", "Half")        \
              row(float, Float, "float32", "Float") row(double, Double, "float64", "Double")       \
                  row(::lampas::ComplexFloat, ComplexFloat, "complex64", "ComplexFloat")           \
                      row(::lampas::ComplexDouble, ComplexDouble, "complex128", "ComplexDouble")   \
                          row(bool, Bool, "bool", "Bool")                                          \
                              row(::lampas::BFloat16, BFloat16, "bfloat16", "BFloat16")            \
                                  row(uint16_t, UInt16, "uint16", "UInt16")                        \
                                      row(uint32_t, UInt32, "uint32", "UInt32")                    \
                                          row(uint64_t, UInt64, "uint64", "UInt64")                \
                                              row(::lampas::ComplexHalf, ComplexHalf, "complex32", \
                                                  "ComplexHalf")

enum class DType : uint8_t {
#define ROW(type, name, python, label) name,
  LAMPAS_DTYPES(ROW)
#undef ROW
      Undefined
};
inline constexpr int kDTypes = static_cast<int>(DType::Undefined);

template <class T>
struct dtype_of_;
#define ROW(type, name, python, label)          \
  template <>                                   \
  struct dtype_of_<type> {                      \
    static constexpr DType value = DType::name; \
  };
LAMPAS_DTYPES(ROW)
#undef ROW
template <class T>
inline constexpr DType dtype_of = dtype_of_<T>::value;

constexpr int64_t item_size(DType dtype) {
  switch (dtype) {
#define ROW(type, name, python, label) \
  case DType::name:                    \
    return sizeof(type);
    LAMPAS_DTYPES(ROW)
#undef ROW
    default:
      return 0;
  }
}

std::string_view python_name(DType dtype);  // "float32"
std::string_view label(DType dtype);        // "Float", as messages spell it
std::string_view c_name(DType dtype);       // "float", "c10::Half": as other messages spell it

constexpr bool is_complex(DType d) {
  return d == DType::ComplexFloat || d == DType::ComplexDouble || d == DType::ComplexHalf;
}
constexpr bool is_floating(DType d) {
  return d == DType::Half || d == DType::BFloat16 || d == DType::Float || d == DType::Double;
}
constexpr bool is_integral(DType d, bool with_bool = false) {
  return d == DType::Bool ? with_bool : !is_floating(d) && !is_complex(d);
}
constexpr bool is_reduced(DType d) { return d == DType::Half || d == DType::BFloat16; }
constexpr bool is_unsigned(DType d) {
  return d == DType::UInt8 || d == DType::UInt16 || d == DType::UInt32 || d == DType::UInt64;
}
constexpr bool is_differentiable(DType d) { return is_floating(d) || is_complex(d); }
// The real type of a complex one; others unchanged.
constexpr DType real_of(DType d) {
  return d == DType::ComplexFloat    ? DType::Float
         : d == DType::ComplexDouble ? DType::Double
         : d == DType::ComplexHalf   ? DType::Half
                                     : d;
}
constexpr DType complex_of(DType d) {
  DType real = real_of(d);
  return real == DType::Double ? DType::ComplexDouble
         : real == DType::Half ? DType::ComplexHalf
                               : DType::ComplexFloat;
}

DType default_dtype();
void set_default_dtype(DType dtype);

template <class T>
inline constexpr bool is_complex_v = false;
template <class T>
inline constexpr bool is_complex_v<std::complex<T>> = true;
template <>
inline constexpr bool is_complex_v<ComplexHalf> = true;
template <class T>
inline constexpr bool is_reduced_v = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
inline constexpr bool is_floating_v = std::is_floating_point_v<T> || is_reduced_v<T>;
// The type in which arithmetic on T is done: float for the 16-bit floats.
template <class T>
using compute_t =
    std::conditional_t<is_reduced_v<T>, float,
                       std::conditional_t<std::is_same_v<T, ComplexHalf>, ComplexFloat, T>>;

// Conversion between any two element types; complex -> real drops the imaginary part; float -> int
// of NaN and out-of-range values is defined here (as x86 does it), never undefined behaviour.
template <class To, class From>
inline To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, ComplexHalf>) {
    return convert<To>(ComplexFloat(value.real(), value.imag()));
  } else if constexpr (std::is_same_v<To, ComplexHalf>) {
    ComplexFloat wide = convert<ComplexFloat>(value);
    return To(wide.real(), wide.imag());
  } else if constexpr (is_reduced_v<From>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (is_reduced_v<To>) {
    return To(convert<float>(value));
  } else if constexpr (is_complex_v<From> && is_complex_v<To>) {
    return To(static_cast<typename To::value_type>(value.real()),
              static_cast<typename To::value_type>(value.imag()));
  } else if constexpr (is_complex_v<From>) {
    if constexpr (std::is_same_v<To, bool>)
      return value.real() != 0 || value.imag() != 0;
    else
      return convert<To>(value.real());
  } else if constexpr (is_complex_v<To>) {
    return To(convert<typename To::value_type>(value), 0);
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Through int32 or int64, as the machine converts: what does not fit becomes the lowest value,
    // then narrow targets wrap. uint64 keeps its own range.
    using Middle =
        std::conditional_t<sizeof(To) < 4 || std::is_same_v<To, int32_t>, int32_t, int64_t>;
    constexpr From limit = sizeof(Middle) == 4 ? From(2147483648.0) : From(9223372036854775808.0);
    if constexpr (std::is_same_v<To, uint64_t>) {
      if (value >= limit && value < 2 * limit) return static_cast<To>(value);
    }
    bool inside = value >= -limit && value < limit;
    return static_cast<To>(inside ? static_cast<Middle>(value)
                                  : std::numeric_limits<Middle>::min());
  } else {
    return static_cast<To>(value);
  }
}

// dispatch<Set>(dtype, "name", [&](auto tag) { using T = decltype(tag); ... }) calls the lambda
// with a value of the C++ type, or raises PyTorch's error for types outside the set.
template <class... Ts>
struct Types {};
using RealFloats = Types<float, double>;
using Floats = Types<float, double, Half, BFloat16>;
using Complexes = Types<ComplexFloat, ComplexDouble>;
using FloatsAndComplex = Types<float, double, Half, BFloat16, ComplexFloat, ComplexDouble>;
using Integers = Types<uint8_t, int8_t, int16_t, int32_t, int64_t>;
using IntegersAndBool = Types<uint8_t, int8_t, int16_t, int32_t, int64_t, bool>;
using Reals = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t>;
using RealsAndBool =
    Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t, bool>;
using Numbers = Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t,
                      ComplexFloat, ComplexDouble>;
using Everything =
    Types<float, double, Half, BFloat16, uint8_t, int8_t, int16_t, int32_t, int64_t, ComplexFloat,
          ComplexDouble, bool, uint16_t, uint32_t, uint64_t, ComplexHalf>;
// Bit patterns by size, for kernels that only move elements.
struct alignas(8) Bits128 {
  uint64_t low, high;
};

[[noreturn]] void fail_dtype(const char* name, DType dtype);

template <class Set, class F, class... Ts>
decltype(auto) dispatch_(Types<Ts...>, DType dtype, const char* name, F&& f) {
  using First = std::tuple_element_t<0, std::tuple<Ts...>>;
  using R = decltype(f(First{}));
  if constexpr (std::is_void_v<R>) {
    bool found = ((dtype == dtype_of<Ts> ? (f(Ts{}), true) : false) || ...);
    if (!found) fail_dtype(name, dtype);
  } else {
    R result{};
    bool found = ((dtype == dtype_of<Ts> ? (result = f(Ts{}), true) : false) || ...);
    if (!found) fail_dtype(name, dtype);
    return result;
  }
}
template <class Set, class F>
decltype(auto) dispatch(DType dtype, const char* name, F&& f) {
  return dispatch_<Set>(Set{}, dtype, name, std::forward<F>(f));
}

// By element size only: uint8_t, uint16_t, uint32_t, uint64_t or Bits128.
template <class F>
void dispatch_size(int64_t bytes, F&& f) {
  switch (bytes) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    case 8:
      return f(uint64_t{});
    default:
      return f(Bits128{});
  }
}

}  // namespace lampas
