// Where the libraries are looked for: LAMPAS_CUDA_DRIVER and LAMPAS_NVRTC (a path each), for NVRTC
// NVIDIA's wheels, then wherever the system's loader finds them.
#include "cuda/driver.h"

#include <mutex>
#include <vector>

#include "cuda/libraries.h"
#include "runtime/error.h"

namespace lampas::cuda {

std::string (*find_wheels)() = nullptr;

namespace {

constexpr int kOldest = 12000;  // driver interface 12.0: what NVRTC 12 and 13 of the wheels need

constexpr const char* kNoDriver =
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed "
    "a driver from http://www.nvidia.com/Download/index.aspx";

struct Opened {
  Driver table;
  int devices = 0;
  std::string problem;

  Opened() {
    void* library = open_library("LAMPAS_CUDA_DRIVER", {"libcuda.so.1"});
    problem = library ? start(library) : kNoDriver;
  }

 private:
  std::string start(void* library) {
#define ENTRY(name, parameters) {#name, reinterpret_cast<void**>(&table.name)},
    const char* lacking = fill_table(library, {LAMPAS_DRIVER(ENTRY) LAMPAS_DRIVER_RUNTIME(ENTRY)});
    int version = 0;
    if (!lacking && table.cuInit(0) == 0 && table.cuDriverGetVersion(&version) == 0 &&
        version >= kOldest && table.cuDeviceGetCount(&devices) == 0 && devices > 0)
      return "";
    devices = 0;
    if (!lacking) table.cuDriverGetVersion(&version);
    if (!lacking && version >= kOldest) return "No CUDA GPUs are available";
    return concat(
        "The NVIDIA driver on your system is too old (found version ", version,
        "). Please update your GPU driver by downloading and installing a new version from the "
        "URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to: https://pytorch.org "
        "to install a PyTorch version that has been compiled with your version of the CUDA "
        "driver.");
  }
};

const Opened& opened() {
  static const Opened once;
  return once;
}

struct Compiler {
  Nvrtc table;
  std::string problem;

  Compiler() {
    void* library =
        open_library("LAMPAS_NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"},
                     find_wheels ? find_wheels() : "");
    if (!library) {
      problem = "NVRTC, the compiler of kernels for the GPU, was not found.";
    } else if (const char* lacking = fill_table(library, {LAMPAS_NVRTC(ENTRY)})) {
      problem = concat("NVRTC on this system is too old: it has no ", lacking, ".");
    }
    if (!problem.empty()) problem += " hint: pip install lampas[cuda] (or nvidia-cuda-nvrtc-cu12)";
  }
};
#undef ENTRY

const Compiler& compiler() {
  static const Compiler once;
  return once;
}

}  // namespace

const Driver& driver() {
  const Opened& o = opened();
  if (!o.problem.empty()) fail(o.problem);
  return o.table;
}

const Nvrtc& nvrtc() {
  if (!compiler().problem.empty()) fail(compiler().problem);
  return compiler().table;
}

int device_count() { return opened().devices; }
const std::string& why_unavailable() {
  return opened().problem.empty() ? compiler().problem : opened().problem;
}

void check(Result result, const char* what) {
  if (__builtin_expect(result == 0, 1)) return;
  const char *name = nullptr, *text = nullptr;
  const Driver& d = driver();
  if (d.cuGetErrorName(result, &name) || !name) name = "CUDA_ERROR_UNKNOWN";
  if (d.cuGetErrorString(result, &text) || !text) text = "unknown error";
  fail(ErrorKind::Accelerator, "CUDA error: ", text, "\nin ", what, "\nSearch for `", name,
       "' in https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html for more "
       "information.\nCUDA kernel errors might be asynchronously reported at some other API call, "
       "so the stacktrace below might be incorrect.\nFor debugging consider passing "
       "CUDA_LAUNCH_BLOCKING=1");
}

}  // namespace lampas::cuda
