// Programs for the GPU: from their text through NVRTC to machine code, kept in memory and on disk.
// Loading and launching are in launch.h.
#pragma once
#include <string>

namespace lampas::cuda {

// Machine code for an architecture ("sm_90": the very GPU; "compute_90": PTX, which the driver
// translates). Looks on disk first. Raises, with the compiler's log, what does not compile; `what`
// names the operator.
std::string compile(const std::string& text, const std::string& architecture, const char* what);

// "sm_90" where NVRTC knows the GPU, else the newest "compute_.." it knows.
std::string architecture_for(int major, int minor);

// Where machine code is kept: $LAMPAS_CACHE_DIR, $XDG_CACHE_HOME/lampas or ~/.cache/lampas, then
// cuda/; empty when there is no such place or LAMPAS_CUDA_CACHE=0.
std::string cache_folder();

// The shared headers of core/ as texts, put into the library by the build (cmake/embed.cmake).
struct Header {
  const char *name, *text;
};
extern const Header kHeaders[];
extern const int kHeaderCount;

}  // namespace lampas::cuda
