// Working memory of one kernel call, from the caching allocator. Uninitialised.
#pragma once
#include <cstdint>

#include "runtime/allocator.h"

namespace lampas::cpu {

template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count) : bytes_(static_cast<size_t>(count) * sizeof(T)) {
    data_ = static_cast<T*>(memory::allocate(bytes_));
  }
  ~Scratch() { memory::release(data_, bytes_); }
  Scratch(Scratch&& other) noexcept : data_(other.data_), bytes_(other.bytes_) {
    other.data_ = nullptr;
  }
  T* data() { return data_; }

 private:
  T* data_;
  size_t bytes_;
};

}  // namespace lampas::cpu
