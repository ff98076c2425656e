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
  size_t memory = 0;
};
const Properties& properties(int device);

int current_device();
void set_current_device(int device);  // raises for what is no device
// Makes the device's context the thread's: before every call of the driver that needs one.
void bind(int device);
Context context_of(int device);

// A stream of a device. The default one (handle null) runs in order with every other of its kind.
struct Stream {
  int device = 0;
  StreamHandle handle = nullptr;
  friend bool operator==(const Stream&, const Stream&) = default;
};
Stream current_stream(int device);
void set_current_stream(Stream stream);
// One of 32 streams of the device and priority (0 normal, -1 high), in turn: making one costs much.
Stream pooled_stream(int device, int priority);
void synchronize(Stream stream);
void synchronize_device(int device);
bool is_done(Stream stream);

// Marks a moment on a stream. The driver's object is made by the first record.
class Event {
 public:
  explicit Event(bool timed) : timed_(timed) {}
  ~Event();
  Event(const Event&) = delete;
  void record(Stream stream);
  void wait(Stream stream) const;  // the stream waits; not the caller
  bool is_done() const;
  void synchronize() const;
  float milliseconds_until(const Event& end) const;
  bool recorded() const { return handle_; }

 private:
  EventHandle handle_ = nullptr;
  int device_ = 0;
  bool timed_;
};

}  // namespace lampas::cuda
