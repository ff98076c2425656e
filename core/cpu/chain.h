// A chain of rows over contiguous memory as one pass: each tile goes through all of them while it
// lies in the first-level cache. Which rows may be joined is decided in ops/chain.cc.
#pragma once
#include <vector>

#include "ops/rows.h"

namespace lampas::cpu {

struct ChainOperand {
  enum class Kind : uint8_t {
    Direct,    // one element per element of the result
    Constant,  // one element for all
    Periodic,  // `period` elements, over and over: a row (C,) beside (N, C)
    Repeated   // each element `period` times: a column (N, 1) beside (N, C)
  };
  Kind kind = Kind::Direct;
  int32_t bytes = 4;     // of an element
  int64_t period = 1;    // in elements
  char* data = nullptr;  // filled in before each run; of scratch: null
  int slot = -1;         // of scratch, and of what is not Direct: where its tile lies
};

struct ChainStep {
  rows::Tile tile;
  const Scalar* params;
  int operands[4];  // the written one first; places in Chain::operands
  int count;        // of operands
};

struct Chain {
  std::vector<ChainOperand> operands;
  std::vector<ChainStep> steps;
  int slots = 0;       // tiles of scratch
  int32_t widest = 4;  // bytes of the widest element
};

void run(Chain chain, int64_t numel);

}  // namespace lampas::cpu
