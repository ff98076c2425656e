// A block of memory on one device, shared by all tensors that view it.
#pragma once
#include "runtime/device.h"
#include "runtime/ref.h"

namespace lampas {

struct Storage {
  uint32_t refs = 1;
  uint32_t version =
      0;  // bumped by every in-place write; what autograd checks saved tensors against
  void* data = nullptr;  // null when empty or on meta
  size_t bytes = 0;      // usable length
  Device device;
  bool opaque = false;               // a Python object keeps the elements (python/opaque.cc)
  bool resizable = true;             // false for memory that belongs to someone else
  uint32_t exports = 0;              // views of other libraries: while there are any, `data` stays
  void (*free)(Storage*) = nullptr;  // gives `data` back; null: nothing to do
  void* owner = nullptr;             // for `free`: e.g. the foreign object that owns the memory

  static Ref<Storage> allocate(size_t bytes, Device device);
  static Ref<Storage> borrow(void* data, size_t bytes, Device device, void (*free)(Storage*),
                             void* owner);
  void resize(size_t bytes);  // keeps the common prefix
  static void destroy(Storage* storage);
};

// Memory of devices other than the host, lent by core/cuda.
struct DeviceMemory {
  Device (*resolve)(Device) = nullptr;  // "cuda" is the current one; raises what is no device
  void (*place)(Storage*, size_t bytes) = nullptr;  // sets data, owner and free
  void (*resize)(Storage*, size_t bytes) = nullptr;
};
extern DeviceMemory device_memory;

// Keeps a storage alive and its memory in place for as long as another library looks at it.
class Pinned {
 public:
  explicit Pinned(Ref<Storage> storage) : storage_(std::move(storage)) { ++storage_->exports; }
  ~Pinned() { --storage_->exports; }
  Pinned(const Pinned&) = delete;

 private:
  Ref<Storage> storage_;
};

}  // namespace lampas
