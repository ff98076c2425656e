// Where memory lies: cpu, meta (no memory at all) or cuda:N.
#pragma once
#include <cstdint>
#include <string>

namespace lampas {

// Those after CUDA can be named, never used.
#define LAMPAS_DEVICES(row)                                                                 \
  row(CPU, "cpu") row(Meta, "meta") row(CUDA, "cuda") row(IPU, "ipu") row(XPU, "xpu")       \
      row(MKLDNN, "mkldnn") row(OpenGL, "opengl") row(OpenCL, "opencl") row(IDEEP, "ideep") \
          row(HIP, "hip") row(VE, "ve") row(FPGA, "fpga") row(MAIA, "maia") row(XLA, "xla") \
              row(Lazy, "lazy") row(Vulkan, "vulkan") row(MPS, "mps") row(HPU, "hpu")       \
                  row(MTIA, "mtia") row(PrivateUse1, "privateuseone")
enum class DeviceType : int8_t {
#define ROW(type, name) type,
  LAMPAS_DEVICES(ROW)
#undef ROW
};

struct Device {
  DeviceType type = DeviceType::CPU;
  int8_t index = -1;  // -1: the current one, or the only one
  bool is_cpu() const { return type == DeviceType::CPU; }
  bool is_meta() const { return type == DeviceType::Meta; }
  bool is_cuda() const { return type == DeviceType::CUDA; }
  friend bool operator==(Device a, Device b) = default;
};

std::string to_string(Device device);          // "cpu", "cuda:0"
Device parse_device(const std::string& text);  // raises RuntimeError with PyTorch's text
// For code that follows addresses on the host: raises for memory of another device.
void require_available(Device device);

}  // namespace lampas
