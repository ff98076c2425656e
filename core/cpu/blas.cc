// See blas.h. The wheels of scipy-openblas32 prefix every symbol with scipy_.
#include "cpu/blas.h"

#include <dlfcn.h>

#include <mutex>

#include "runtime/error.h"

namespace lampas::blas {

std::string (*find_library)() = nullptr;

namespace {

void* library = nullptr;
std::mutex opening;

void open() {
  std::lock_guard<std::mutex> hold(opening);
  if (library) return;
  std::string path = find_library ? find_library() : "";
  CHECK(!path.empty(),
        "OpenBLAS is needed for matrix operations and was not found. hint: pip install "
        "scipy-openblas32");
  void* opened = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  CHECK(opened, "OpenBLAS could not be opened: ", dlerror());
  for (const char* name : {"scipy_openblas_set_num_threads", "openblas_set_num_threads"})
    if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(opened, name))) {
      set(1);
      break;
    }
  library = opened;
}

}  // namespace

void* symbol(const char* name) {
  if (!library) open();
  std::string prefixed = std::string("scipy_") + name;
  void* found = dlsym(library, prefixed.c_str());
  if (!found) found = dlsym(library, name);
  CHECK(found, "OpenBLAS has no function ", name);
  return found;
}

}  // namespace lampas::blas
