// The memory format that results of image operators take over from their input.
#pragma once
#include "ops/copy.h"

namespace lampas::ops {

// Channels last when x lies so in memory and not also in row-major order.
inline MemoryFormat image_format(const Tensor& x) {
  if (x.is_contiguous()) return MemoryFormat::Contiguous;
  if (x.dim() == 4 && x.is_contiguous(MemoryFormat::ChannelsLast))
    return MemoryFormat::ChannelsLast;
  if (x.dim() == 5 && x.is_contiguous(MemoryFormat::ChannelsLast3d))
    return MemoryFormat::ChannelsLast3d;
  return MemoryFormat::Contiguous;
}

// x itself, or a copy of its values in `format`. No history.
inline Tensor in_format(const Tensor& x, MemoryFormat format) {
  return format == MemoryFormat::Contiguous ? x : clone(x, format);
}

}  // namespace lampas::ops
