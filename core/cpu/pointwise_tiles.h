// The tables of tiles, one per instruction set: what pointwise.cc offers to pointwise_table.cc.
#pragma once
#include "cpu/isa.h"
#include "ops/rows.h"

namespace lampas {

struct TileRow {
  rows::Tile forward[10];     // UInt8, Int8, Int16, Int32, Int64, Float, Double, ComplexFloat,
                              // ...Double, Bool
  rows::Tile backward[3][4];  // by input, then Float, Double, ComplexFloat, ComplexDouble
};

namespace baseline {
extern const TileRow kTiles[];
}
namespace avx2 {
extern const TileRow kTiles[];
}
namespace avx512 {
extern const TileRow kTiles[];
}

}  // namespace lampas
