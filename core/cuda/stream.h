// Devices, streams and events of CUDA: what is current on this thread, and the objects behind
// lampas.cuda.Stream and Event.
#pragma once
#include <string>

#include "cuda/driver.h"
#include "runtime/device.h"

namespace lampas::cuda {

struct Properties {
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0, warp = 32, threads_per_multiprocessor = 0;
  int threads_per_block = 0, registers_per_multiprocessor = 0, l2_cache = 0, integrated = 0;
  int multi_gpu_board = 0, shared_per_block = 0, shared_per_block_optin = 0;
  int shared_per_multiprocessor = 0, clock_rate = 0, memory_clock_rate = 0, memory_bus_width = 0;
  int pci_bus = 0, pci_device = 0, pci_domain = 0;
  int reads_pageable = 0;  // may read the host's ordinary memory while the host goes on
  size_t memory = 0;
};
const Properties& properties(int device);

int current_device();
void set_current_device(int device);  // raises for what is no device
// Makes the device's context the thread's: before every call of the driver that needs one.
void bind(int device);
Context context_of(int device);
bool can_access_peer(int device, int peer);
// Lets a device read the other's memory, where the machine can: copies then need no detour.
void enable_peer_access(int device, int peer);

// A stream of a device. The default one (handle null) runs in order with every other of its kind.
struct Stream {
  int device = 0;
  StreamHandle handle = nullptr;
  friend bool operator==(const Stream&, const Stream&) = default;
};
Stream current_stream(int device);
void set_current_stream(Stream stream);
extern void (*on_stream_change)(Stream);  // told before every set_current_stream
// One of 32 streams of the device and priority (0 normal, to -3 first), in turn: making one costs
// much.
Stream pooled_stream(int device, int priority);
void synchronize(Stream stream);
void synchronize_device(int device);
bool is_done(Stream stream);
bool is_capturing(Stream stream);
// The stream of the current device takes part in a capture.
bool is_current_stream_capturing();
int priority_of(Stream stream);
struct PriorityRange {
  int least = 0, greatest = 0;
};
PriorityRange priority_range(int device);

// What the driver forbids while a stream is captured, though it touches no captured stream:
// allocations, loading kernels.
class Uncaptured {
 public:
  Uncaptured();
  ~Uncaptured();
  Uncaptured(const Uncaptured&) = delete;

 private:
  int mode_;
};

// Marks a moment on a stream. The driver's object is made by the first record.
class Event {
 public:
  explicit Event(bool timed, bool blocking = false) : timed_(timed), blocking_(blocking) {}
  ~Event();
  Event(const Event&) = delete;
  void record(Stream stream);
  void wait(Stream stream) const;  // the stream waits; not the caller
  bool is_done() const;
  void synchronize() const;
  float milliseconds_until(const Event& end) const;
  bool recorded() const { return handle_; }
  int device() const { return device_; }
  EventHandle handle() const { return handle_; }

 private:
  EventHandle handle_ = nullptr;
  int device_ = -1;
  bool timed_, blocking_;
};

}  // namespace lampas::cuda
