// See stream.h. Contexts are the devices' primary ones, which PyTorch and CuPy share.
#include "cuda/stream.h"

#include <mutex>
#include <vector>

#include "cuda/failures.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr int kPooled = 32;
constexpr unsigned kNonBlocking = 1, kUntimed = 2;
enum Attribute { kMultiprocessors = 16, kWarp = 10, kMajor = 75, kMinor = 76, kThreads = 39 };

struct DeviceState {
  DeviceHandle handle = 0;
  Context context = nullptr;
  Properties properties;
  std::vector<StreamHandle> pool[2];  // normal, high priority
  size_t turn[2] = {};
};

std::mutex guard;
std::vector<DeviceState>& states() {
  static auto* all = new std::vector<DeviceState>(static_cast<size_t>(device_count()));
  return *all;
}

thread_local int current = 0, bound = -1;
thread_local std::vector<StreamHandle> streams;  // by device; missing: the default one

void read_properties(DeviceState& s) {
  const Driver& d = driver();
  Properties& p = s.properties;
  char name[256] = {};
  check(d.cuDeviceGetName(name, sizeof name, s.handle), "the name of a device");
  p.name = name;
  auto read = [&](int* to, Attribute which) {
    check(d.cuDeviceGetAttribute(to, which, s.handle), "the properties of a device");
  };
  read(&p.major, kMajor);
  read(&p.minor, kMinor);
  read(&p.multiprocessors, kMultiprocessors);
  read(&p.warp, kWarp);
  read(&p.threads_per_multiprocessor, kThreads);
  check(d.cuDeviceTotalMem_v2(&p.memory, s.handle), "the memory of a device");
}

DeviceState& state(int device) {
  driver();  // raises where there is none
  CHECK(device >= 0 && device < device_count(), "CUDA error: invalid device ordinal\nThe device ",
        device, " was asked for, there are ", device_count(), ".");
  DeviceState& s = states()[static_cast<size_t>(device)];
  if (s.context) return s;
  std::lock_guard<std::mutex> hold(guard);
  if (s.context) return s;
  check(driver().cuDeviceGet(&s.handle, device), "opening a device");
  read_properties(s);
  check(driver().cuDevicePrimaryCtxRetain(&s.context, s.handle), "making the context of a device");
  return s;
}

}  // namespace

const Properties& properties(int device) { return state(device).properties; }
Context context_of(int device) { return state(device).context; }

int current_device() { return current; }
void set_current_device(int device) {
  state(device);
  current = device;
}

void bind(int device) {
  if (bound == device) return;
  check(driver().cuCtxSetCurrent(state(device).context), "changing to a device");
  bound = device;
}

Stream current_stream(int device) {
  auto at = static_cast<size_t>(device);
  return {device, at < streams.size() ? streams[at] : nullptr};
}
void set_current_stream(Stream stream) {
  auto at = static_cast<size_t>(stream.device);
  if (at >= streams.size()) streams.resize(at + 1);
  streams[at] = stream.handle;
}

Stream pooled_stream(int device, int priority) {
  DeviceState& s = state(device);
  bind(device);
  std::lock_guard<std::mutex> hold(guard);
  int kind = priority < 0 ? 1 : 0;
  auto& pool = s.pool[kind];
  if (pool.size() == kPooled) return {device, pool[s.turn[kind]++ % kPooled]};
  StreamHandle made = nullptr;
  check(driver().cuStreamCreateWithPriority(&made, kNonBlocking, -kind), "making a stream");
  pool.push_back(made);
  return {device, made};
}

void synchronize(Stream stream) {
  bind(stream.device);
  check(driver().cuStreamSynchronize(stream.handle), "waiting for a stream");
  check_failures(stream.device);
}
void synchronize_device(int device) {
  bind(device);
  check(driver().cuCtxSynchronize(), "waiting for a device");
  check_failures(device);
}
bool is_done(Stream stream) {
  bind(stream.device);
  Result r = driver().cuStreamQuery(stream.handle);
  if (r != kNotReady) check(r, "asking a stream");
  return r == 0;
}

Event::~Event() {
  if (handle_) driver().cuEventDestroy_v2(handle_);
}
void Event::record(Stream stream) {
  bind(stream.device);
  if (!handle_) check(driver().cuEventCreate(&handle_, timed_ ? 0 : kUntimed), "making an event");
  device_ = stream.device;
  check(driver().cuEventRecord(handle_, stream.handle), "recording an event");
}
void Event::wait(Stream stream) const {
  if (!handle_) return;
  bind(stream.device);
  check(driver().cuStreamWaitEvent(stream.handle, handle_, 0), "waiting for an event");
}
bool Event::is_done() const {
  if (!handle_) return true;
  bind(device_);
  Result r = driver().cuEventQuery(handle_);
  if (r != kNotReady) check(r, "asking an event");
  return r == 0;
}
void Event::synchronize() const {
  if (!handle_) return;
  bind(device_);
  check(driver().cuEventSynchronize(handle_), "waiting for an event");
  check_failures(device_);
}
float Event::milliseconds_until(const Event& end) const {
  CHECK(timed_ && end.timed_, "Both events must be created with argument 'enable_timing=True'.");
  CHECK(handle_ && end.handle_, "Both events must be recorded before calculating elapsed time.");
  CHECK(is_done() && end.is_done(),
        "Both events must be completed before calculating elapsed time.");
  float milliseconds = 0;
  check(driver().cuEventElapsedTime(&milliseconds, handle_, end.handle_), "timing events");
  return milliseconds;
}

}  // namespace lampas::cuda
