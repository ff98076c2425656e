// Packed weights, kept from call to call while the weights' bytes are the same: with one image,
// packing costs as much as the convolution. What is kept is found by address and shape and checked
// by a fingerprint of all bytes, so it does not matter who has written them, or how.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <memory>

#include "cpu/convolution.h"
#include "cpu/scratch.h"

namespace lampas::cpu {

// Who packs, and all that the packing depends on beside the bytes.
struct Packing {
  enum Method : int64_t { kGathered, kGatheredInput, kWinograd, kWinogradInput, kRows, kRowsInput };
  const void* weights;
  int64_t bytes;
  std::array<int64_t, 20> shape;  // of everything but the batch

  Packing(Method method, const void* weights, int64_t item, const ConvShape& s);
  auto operator<=>(const Packing&) const = default;
};

class PackedWeights {
 public:
  // make(memory of `count` elements) packs, where nothing is kept.
  template <class T, class Make>
  static PackedWeights of(const Packing& packing, int64_t count, Make&& make) {
    auto bytes = count * static_cast<int64_t>(sizeof(T));
    PackedWeights found(packing, bytes);
    if (!found.ready_) {
      make(found.data<T>());
      found.keep();
    }
    return found;
  }
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(block_->data());
  }

 private:
  PackedWeights(const Packing& packing, int64_t bytes);
  void keep();

  Packing packing_;
  int64_t bytes_;
  std::shared_ptr<Scratch<char>> block_;
  bool ready_ = false, wanted_ = false;
};

}  // namespace lampas::cpu
