// A Python number on its way into the core: bool, int, float or complex.
#pragma once
#include "runtime/dtype.h"

namespace lampas {

class Scalar {
 public:
  enum class Kind : uint8_t { Bool, Int, Float, Complex };
  Scalar() : Scalar(0) {}
  Scalar(bool v) : kind_(Kind::Bool), i_(v) {}
  Scalar(int v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(int64_t v) : kind_(Kind::Int), i_(v) {}
  Scalar(double v) : kind_(Kind::Float), d_{v, 0} {}
  Scalar(ComplexDouble v) : kind_(Kind::Complex), d_{v.real(), v.imag()} {}
  static Scalar unsigned_int(uint64_t v) {  // only values of 2**63 and above need the mark
    Scalar s(static_cast<int64_t>(v));
    s.unsigned_ = v > static_cast<uint64_t>(INT64_MAX);
    return s;
  }

  Kind kind() const { return kind_; }
  bool is_bool() const { return kind_ == Kind::Bool; }
  bool is_integral() const { return kind_ <= Kind::Int; }
  bool is_floating() const { return kind_ == Kind::Float; }
  bool is_complex() const { return kind_ == Kind::Complex; }
  bool is_unsigned() const { return unsigned_; }

  // The value as element type T; a complex number loses its imaginary part.
  template <class T>
  T to() const {
    if (kind_ == Kind::Complex) return convert<T>(ComplexDouble(d_[0], d_[1]));
    if (kind_ == Kind::Float) return convert<T>(d_[0]);
    if (unsigned_) return convert<T>(static_cast<uint64_t>(i_));
    return convert<T>(i_);
  }
  double real() const { return to<double>(); }

 private:
  Kind kind_;
  bool unsigned_ = false;
  union {
    int64_t i_;
    double d_[2];
  };
};

}  // namespace lampas
