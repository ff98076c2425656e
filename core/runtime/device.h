// Where memory lies: cpu, meta (no memory at all) or cuda:N.
#pragma once
#include <cstdint>
#include <string>

namespace lampas {

enum class DeviceType : int8_t { CPU, Meta, CUDA };

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
void require_available(Device device);         // raises when a device cannot be used here

}  // namespace lampas
