// Parsing and naming of devices.
#include "runtime/device.h"

#include <cctype>

#include "runtime/error.h"

namespace lampas {

std::string to_string(Device device) {
  const char* name = device.is_cpu() ? "cpu" : device.is_meta() ? "meta" : "cuda";
  return device.index < 0 ? name : concat(name, ":", int{device.index});
}

Device parse_device(const std::string& text) {
  size_t colon = text.find(':');
  std::string name = text.substr(0, colon);
  Device device;
  if (name == "cpu")
    device.type = DeviceType::CPU;
  else if (name == "meta")
    device.type = DeviceType::Meta;
  else if (name == "cuda")
    device.type = DeviceType::CUDA;
  else
    fail(
        "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, "
        "xla, lazy, "
        "vulkan, mps, meta, hpu, mtia, privateuseone device type at start of device string: ",
        name);
  if (colon != std::string::npos) {
    std::string digits = text.substr(colon + 1);
    bool fine = !digits.empty() && digits.size() <= 3 && (digits.size() == 1 || digits[0] != '0');
    for (char c : digits) fine = fine && std::isdigit(static_cast<unsigned char>(c));
    CHECK(fine && std::stoi(digits) < 128, "Invalid device string: '", text, "'");
    device.index = static_cast<int8_t>(std::stoi(digits));
  }
  return device;
}

void require_available(Device device) {
  if (device.is_cuda())
    fail(
        "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and "
        "installed a driver "
        "from http://www.nvidia.com/Download/index.aspx");
}

}  // namespace lampas
