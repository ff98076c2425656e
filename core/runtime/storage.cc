// Making, resizing and giving back blocks of memory.
#include "runtime/storage.h"

#include <cstring>

#include "runtime/allocator.h"
#include "runtime/error.h"
#include "runtime/reuse.h"

namespace lampas {

DeviceMemory device_memory;

static void free_host(Storage* s) { memory::release(s->data, s->bytes); }

Ref<Storage> Storage::allocate(size_t bytes, Device device) {
  auto* s = ::new (Reuse<Storage>::take()) Storage;
  Ref<Storage> owner = Ref<Storage>::adopt(s);
  s->device = device;
  if (device.is_cpu()) {
    s->data = memory::allocate(bytes);
    s->free = free_host;
  } else if (!device.is_meta()) {
    if (!device.is_cuda()) require_available(device);
    s->device = device_memory.resolve(device);
    device_memory.place(s, bytes);
  }
  s->bytes = bytes;
  return owner;
}

Ref<Storage> Storage::borrow(void* data, size_t bytes, Device device, void (*free)(Storage*),
                             void* owner) {
  auto* s = ::new (Reuse<Storage>::take()) Storage;
  s->data = data;
  s->bytes = bytes;
  s->device = device;
  s->resizable = false;
  s->free = free;
  s->owner = owner;
  return Ref<Storage>::adopt(s);
}

void Storage::resize(size_t wanted) {
  if (wanted == bytes) return;
  CHECK(resizable && exports == 0, "Trying to resize storage that is not resizable");
  if (device.is_cpu() && free == free_host) {
    void* fresh = memory::allocate(wanted);
    size_t common = wanted < bytes ? wanted : bytes;
    if (common) std::memcpy(fresh, data, common);
    memory::release(data, bytes);
    data = fresh;
  } else if (!device.is_meta()) {  // of a device, or page-locked for one
    device_memory.resize(this, wanted);
  }
  bytes = wanted;
}

void Storage::destroy(Storage* s) {
  if (s->free) s->free(s);
  s->~Storage();
  Reuse<Storage>::give(s);
}

}  // namespace lampas
