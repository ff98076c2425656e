// See type_spelling.h.
#include "ops/type_spelling.h"

namespace lampas::ops {

const char* type_spelling(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
      return "unsigned char";
    case DType::Int8:
      return "signed char";
    case DType::Int16:
      return "short int";
    case DType::Int32:
      return "int";
    case DType::Int64:
      return "long int";
    case DType::UInt16:
      return "short unsigned int";
    case DType::UInt32:
      return "unsigned int";
    case DType::UInt64:
      return "long unsigned int";
    case DType::Bool:
      return "bool";
    case DType::Half:
      return "c10::Half";
    case DType::BFloat16:
      return "c10::BFloat16";
    case DType::Float:
      return "float";
    case DType::Double:
      return "double";
    case DType::ComplexHalf:
      return "c10::complex<c10::Half>";
    case DType::ComplexFloat:
      return "c10::complex<float>";
    default:
      return "c10::complex<double>";
  }
}

}  // namespace lampas::ops
