// Chooses among the copies of the pointwise tiles. Compiled once.
#include "cpu/pointwise.h"
#include "cpu/pointwise_tiles.h"

namespace lampas::cpu {
namespace {

const TileRow* tiles() {
  static const TileRow* const best = LAMPAS_BEST(kTiles);
  return best;
}

int column(DType compute) {
  switch (compute) {
    case DType::UInt8:
      return 0;
    case DType::Int8:
      return 1;
    case DType::Int16:
      return 2;
    case DType::Int32:
      return 3;
    case DType::Int64:
      return 4;
    case DType::Float:
      return 5;
    case DType::Double:
      return 6;
    case DType::ComplexFloat:
      return 7;
    case DType::ComplexDouble:
      return 8;
    case DType::Bool:
      return 9;
    default:
      return -1;
  }
}

}  // namespace

rows::Tile forward_tile(rows::Row row, DType compute) {
  int c = column(compute);
  return c < 0 ? nullptr : tiles()[static_cast<int>(row)].forward[c];
}

rows::Tile backward_tile(rows::Row row, int input, DType compute) {
  int c = column(compute) - 5;
  return c < 0 || c > 3 ? nullptr : tiles()[static_cast<int>(row)].backward[input][c];
}

}  // namespace lampas::cpu
