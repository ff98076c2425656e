// Joining recorded rows into one pass over memory (cpu/chain.h). No Python here: values of the
// recording are numbers.
#pragma once
#include <memory>

#include "cpu/chain.h"
#include "ops/row_call.h"
#include "runtime/dims.h"

namespace lampas::ops {

// One call of a row as part of a chain: kernel and types are those the call itself would choose.
struct ChainedRow {
  rows::Tile tile;
  int count = 0;        // of operands, without the result
  DType lanes[4];       // of the result, then of the operands
  int values[3];        // the recording's; -1: a number
  int64_t numels[3];    // of the operands
  bool prefix[3] = {};  // broadcast along the last dimensions, else along the first
  char numbers[3][16];  // of numbers, in the lane
  SmallVector<Scalar, 6> params;
  Dims sizes;  // of the result
};

// How the row would run on these arguments (y: its result, `values`: those of the operands); null
// where it cannot be part of a chain.
std::shared_ptr<ChainedRow> chained(rows::Row row, const RowArgs& args, const Tensor& y,
                                    const int* values);

// pointwise.cc's part of it: kernel, types, numbers and parameters. False: not on the CPU, or the
// result is of another type than the kernel writes.
bool describe_call(rows::Row row, const RowArgs& args, ChainedRow& described);

struct ChainProgram {
  cpu::Chain chain;
  std::vector<std::shared_ptr<ChainedRow>> rows;  // own params and numbers
  std::vector<int> inputs;   // values read; operand i of the chain shows inputs[i]
  std::vector<int> outputs;  // values written, in order of their operands
  std::vector<int> places;   // operands of the outputs
  std::vector<DType> dtypes;
  Dims sizes;
};

// `results[i]` is the value that rows[i] makes, `wanted` tells which of them others read.
std::shared_ptr<ChainProgram> join(std::vector<std::shared_ptr<ChainedRow>> rows,
                                   const std::vector<int>& results,
                                   const std::vector<bool>& wanted);
// Fresh tensors for the outputs, given the inputs' memory.
Tensors run(const ChainProgram& program, char* const* inputs);

}  // namespace lampas::ops
