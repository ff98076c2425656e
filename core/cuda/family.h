// Kernels that are templates of a header in cuda/device/, made for the types of a call when they
// are first asked for. (Those of the rows are put together in pointwise_text.cc.)
#pragma once
#include <string>

#include "cuda/launch.h"
#include "runtime/dtype.h"

namespace lampas::cuda {

struct FamilyKernel {
  const char* family;     // cuda/device/<family>.h
  const char* arguments;  // the struct that is its one argument, as the header names it
  std::string function;   // with its template arguments: "softmax_rows<float, 4>"
};

// `arguments` mirrors the header's struct. `what`: the operator, for errors.
void run_family(const FamilyKernel& kernel, const void* arguments, const Grid& grid, int device,
                const char* what);

// The program of a kernel; its entry is kFamilyEntry.
std::string family_text(const FamilyKernel& kernel);
inline constexpr const char* kFamilyEntry = "run";

// How kernels name an element that lies in memory (cuda/device/elements.h).
const char* device_type(DType dtype);

// Blocks for `n` pieces of work, `each` to a block, within what a grid may have.
unsigned blocks_for(int64_t n, int64_t each);

}  // namespace lampas::cuda
