// Names of the element types and the process-wide default.
#include "runtime/dtype.h"

namespace lampas {

std::string_view python_name(DType dtype) {
  switch (dtype) {
#define ROW(type, name, python, label) \
  case DType::name:                    \
    return python;
    LAMPAS_DTYPES(ROW)
#undef ROW
    default:
      return "undefined";
  }
}

std::string_view label(DType dtype) {
  switch (dtype) {
#define ROW(type, name, python, label) \
  case DType::name:                    \
    return label;
    LAMPAS_DTYPES(ROW)
#undef ROW
    default:
      return "Undefined";
  }
}

std::string_view c_name(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
      return "unsigned char";
    case DType::Int8:
      return "signed char";
    case DType::Int16:
      return "short";
    case DType::Int32:
      return "int";
    case DType::Int64:
      return "long";
    case DType::Float:
      return "float";
    case DType::Double:
      return "double";
    case DType::Bool:
      return "bool";
    case DType::Half:
      return "c10::Half";
    case DType::BFloat16:
      return "c10::BFloat16";
    case DType::ComplexHalf:
      return "c10::complex<c10::Half>";
    case DType::ComplexFloat:
      return "c10::complex<float>";
    case DType::ComplexDouble:
      return "c10::complex<double>";
    default:
      return label(dtype);
  }
}

static DType chosen_default = DType::Float;
DType default_dtype() { return chosen_default; }
void set_default_dtype(DType dtype) {
  CHECK_KIND(is_floating(dtype), Type,
             "only floating-point types are supported as the default type");
  chosen_default = dtype;
}

void fail_dtype(const char* name, DType dtype) {
  fail(ErrorKind::NotImplemented, "\"", name, "\" not implemented for '", label(dtype), "'");
}

}  // namespace lampas
