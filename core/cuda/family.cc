// See family.h.
#include "cuda/family.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "runtime/error.h"

namespace lampas::cuda {

std::string family_text(const FamilyKernel& kernel) {
  return concat("#include \"cuda/device/standard.h\"\n#include \"cuda/device/", kernel.family,
                ".h\"\nnamespace lampas::device {\nLAMPAS_KERNEL(", kFamilyEntry, ", ",
                kernel.arguments, ") {\n  ", kernel.function, "(a);\n}\n}\n");
}

void run_family(const FamilyKernel& kernel, const void* arguments, const Grid& grid, int device,
                const char* what) {
  static std::mutex guard;
  static auto* known = new std::unordered_map<std::string, Function>;
  std::string key = concat(kernel.family, "/", kernel.function, "@", device);
  Function function = nullptr;
  {
    std::lock_guard<std::mutex> hold(guard);
    Function& kept = (*known)[key];
    if (!kept) kept = load(family_text(kernel), kFamilyEntry, device, what);
    function = kept;
  }
  launch(function, grid, arguments, device, what);
}

unsigned blocks_for(int64_t n, int64_t each) {
  return static_cast<unsigned>(std::clamp<int64_t>((n + each - 1) / each, 1, 0x7fffffff));
}

const char* device_type(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
      return "uint8_t";
    case DType::Int8:
      return "int8_t";
    case DType::Int16:
      return "int16_t";
    case DType::Int32:
      return "int32_t";
    case DType::Int64:
      return "int64_t";
    case DType::UInt16:
      return "uint16_t";
    case DType::UInt32:
      return "uint32_t";
    case DType::UInt64:
      return "uint64_t";
    case DType::Half:
      return "Half";
    case DType::BFloat16:
      return "BFloat16";
    case DType::Float:
      return "float";
    case DType::Double:
      return "double";
    case DType::ComplexHalf:
      return "ComplexHalf";
    case DType::ComplexFloat:
      return "Complex<float>";
    case DType::ComplexDouble:
      return "Complex<double>";
    case DType::Bool:
      return "bool";
    default:
      return "FromNumber";
  }
}

}  // namespace lampas::cuda
