// Kernels of the pointwise rows as texts: a row's formula from pointwise.def, the types its
// operands have in memory, and the layout. cuda/device/pointwise.h has the loops; cuda/pointwise.cc
// runs them.
#pragma once
#include <string>
#include <vector>

#include "ops/rows.h"

namespace lampas::cuda {

enum class Layout : uint8_t { Contiguous, Strided };

struct KernelKey {
  static constexpr int kForward = -1, kCopy = -2;  // a copy has no row: y = x
  static constexpr int kMost = 6;

  rows::Row row;
  int8_t which = kForward;  // or the input whose gradient it computes
  DType lane;               // the type it computes in
  Layout layout = Layout::Contiguous;
  int8_t count = 0;          // operands, the written one first
  DType stored[kMost] = {};  // as they lie in memory; Undefined: a number
  bool operator==(const KernelKey&) const = default;
};

// What a kernel reads, in order: "x", "a b", or for a gradient what its text mentions of g, the
// inputs and y.
std::string operands_of(rows::Row row, int which);
bool has_kernel(rows::Row row, int which, DType lane);
// The type the formula's operand has: the lane, or bool for Select's condition.
DType operand_lane(rows::Row row, char operand, DType lane);
DType result_lane(rows::Row row, int which, DType lane);
// A key whose operands all lie in memory as the kernel computes.
KernelKey plain_key(rows::Row row, int which, DType lane, Layout layout);

const char* operator_of(const KernelKey& key);
std::string kernel_name(const KernelKey& key);
// Many kernels may share a program.
std::string program_text(const std::vector<KernelKey>& keys);
int vector_width(const KernelKey& key);  // elements a thread takes at once, contiguous layout

}  // namespace lampas::cuda
