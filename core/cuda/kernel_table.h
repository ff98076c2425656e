// The kernels of a family, found by a number that says which it is, so that a launch makes no text.
#pragma once
#include <mutex>
#include <unordered_map>

#include "cuda/family.h"

namespace lampas::cuda {

class KernelTable {
 public:
  // `make` gives the FamilyKernel of the key (below 2^56) when it is first asked for.
  template <class Make>
  void run(uint64_t key, Make&& make, const void* arguments, const Grid& grid, int device,
           const char* what) {
    Function function = nullptr;
    {
      std::lock_guard<std::mutex> hold(guard_);
      Function& kept = known_[key << 8 | static_cast<uint64_t>(device)];
      if (!kept) kept = load(family_text(make()), kFamilyEntry, device, what);
      function = kept;
    }
    launch(function, grid, arguments, device, what);
  }

 private:
  std::mutex guard_;
  std::unordered_map<uint64_t, Function> known_;
};

}  // namespace lampas::cuda
