// Parsing and naming of devices.
#include "runtime/device.h"

#include <cctype>

#include "runtime/error.h"

namespace lampas {

namespace {

struct Named {
  const char *name, *backend;
};
constexpr Named kDevices[] = {
#define ROW(type, name) {name, #type},
    LAMPAS_DEVICES(ROW)
#undef ROW
};

}  // namespace

std::string to_string(Device device) {
  const char* name = kDevices[static_cast<size_t>(device.type)].name;
  return device.index < 0 ? name : concat(name, ":", int{device.index});
}

Device parse_device(const std::string& text) {
  size_t colon = text.find(':');
  std::string name = text.substr(0, colon);
  CHECK(!text.empty(), "Device string must not be empty");
  bool word = true;
  for (char c : name) word = word && (std::isalnum(static_cast<unsigned char>(c)) || c == '_');
  CHECK(word && !name.empty(), "Invalid device string: '", text, "'");
  Device device;
  bool known = false;
  for (size_t i = 0; i < std::size(kDevices); ++i)
    if (name == kDevices[i].name) {
      device.type = static_cast<DeviceType>(i);
      known = true;
    }
  if (!known)
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
    fail(ErrorKind::NotImplemented, "not implemented for CUDA tensors in Lampas yet");
  if (device.is_cpu() || device.is_meta()) return;
  fail(ErrorKind::NotImplemented,
       "Could not run 'aten::empty.memory_format' with arguments from the '",
       kDevices[static_cast<size_t>(device.type)].backend, "' backend.");
}

}  // namespace lampas
