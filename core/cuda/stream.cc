// See stream.h. Contexts are the devices' primary ones, which PyTorch and CuPy share.
#include "cuda/stream.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "cuda/failures.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr int kPooled = 32, kPriorities = 4;  // 0, -1, -2, -3
constexpr unsigned kNonBlocking = 1, kUntimed = 2, kSleeping = 1;
constexpr int kRelaxed = 2;  // of a thread's capture mode

// The driver's numbers of what Properties tells.
constexpr struct {
  int Properties::* place;
  int attribute;
} kAttributes[] = {{&Properties::major, 75},
                   {&Properties::minor, 76},
                   {&Properties::multiprocessors, 16},
                   {&Properties::warp, 10},
                   {&Properties::threads_per_multiprocessor, 39},
                   {&Properties::threads_per_block, 1},
                   {&Properties::registers_per_multiprocessor, 82},
                   {&Properties::l2_cache, 38},
                   {&Properties::integrated, 18},
                   {&Properties::multi_gpu_board, 84},
                   {&Properties::shared_per_block, 8},
                   {&Properties::shared_per_block_optin, 97},
                   {&Properties::shared_per_multiprocessor, 81},
                   {&Properties::clock_rate, 13},
                   {&Properties::memory_clock_rate, 36},
                   {&Properties::memory_bus_width, 37},
                   {&Properties::pci_bus, 33},
                   {&Properties::pci_device, 34},
                   {&Properties::pci_domain, 50},
                   {&Properties::reads_pageable, 88}};

struct DeviceState {
  DeviceHandle handle = 0;
  Context context = nullptr;
  Properties properties;
  std::vector<StreamHandle> pool[kPriorities];
  size_t turn[kPriorities] = {};
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
  for (const auto& [place, attribute] : kAttributes)
    check(d.cuDeviceGetAttribute(&(p.*place), attribute, s.handle), "the properties of a device");
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

bool can_access_peer(int device, int peer) {
  int can = 0;
  check(driver().cuDeviceCanAccessPeer(&can, state(device).handle, state(peer).handle),
        "asking for peer access");
  return can;
}
void enable_peer_access(int device, int peer) {
  static std::mutex once;
  static auto* asked = new std::set<std::pair<int, int>>;
  std::lock_guard<std::mutex> hold(once);
  if (!asked->insert({device, peer}).second || !can_access_peer(device, peer)) return;
  bind(device);
  Uncaptured aside;
  Result r = driver().cuCtxEnablePeerAccess(context_of(peer), 0);
  if (r != kPeerAccessOn) check(r, "enabling peer access");
}

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
void (*on_stream_change)(Stream) = nullptr;
void set_current_stream(Stream stream) {
  if (on_stream_change) on_stream_change(stream);
  auto at = static_cast<size_t>(stream.device);
  if (at >= streams.size()) streams.resize(at + 1);
  streams[at] = stream.handle;
}

Stream pooled_stream(int device, int priority) {
  DeviceState& s = state(device);
  bind(device);
  std::lock_guard<std::mutex> hold(guard);
  int kind = std::clamp(-priority, 0, kPriorities - 1);
  auto& pool = s.pool[kind];
  if (pool.size() == kPooled) return {device, pool[s.turn[kind]++ % kPooled]};
  StreamHandle made = nullptr;
  Uncaptured aside;
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

// The default stream cannot be captured, and must not be asked while another one is.
bool is_capturing(Stream stream) {
  if (!stream.handle) return false;
  int status = 0;
  check(driver().cuStreamIsCapturing(stream.handle, &status), "asking a stream for its capture");
  return status != 0;
}
bool is_current_stream_capturing() { return is_capturing(current_stream(current)); }
int priority_of(Stream stream) {
  int priority = 0;
  bind(stream.device);
  check(driver().cuStreamGetPriority(stream.handle, &priority), "the priority of a stream");
  return priority;
}
PriorityRange priority_range(int device) {
  PriorityRange range;
  bind(device);
  check(driver().cuCtxGetStreamPriorityRange(&range.least, &range.greatest),
        "the priorities of streams");
  return range;
}

Uncaptured::Uncaptured() : mode_(kRelaxed) {
  check(driver().cuThreadExchangeStreamCaptureMode(&mode_), "changing the mode of capture");
}
Uncaptured::~Uncaptured() { driver().cuThreadExchangeStreamCaptureMode(&mode_); }

namespace {
// Plain events, kept by device for the next of their kind: every small copy takes one.
struct FreeEvents {
  std::mutex guard;
  std::vector<std::vector<EventHandle>> of;
};
FreeEvents& free_events() {
  static auto* all = new FreeEvents{
      {}, std::vector<std::vector<EventHandle>>(static_cast<size_t>(device_count()))};
  return *all;
}
EventHandle take_event(int device) {
  FreeEvents& kept = free_events();
  std::lock_guard<std::mutex> hold(kept.guard);
  auto& list = kept.of[static_cast<size_t>(device)];
  if (list.empty()) return nullptr;
  EventHandle handle = list.back();
  list.pop_back();
  return handle;
}
}  // namespace

Event::~Event() {
  if (!handle_) return;
  if (timed_ || blocking_) {
    driver().cuEventDestroy_v2(handle_);
    return;
  }
  FreeEvents& kept = free_events();
  std::lock_guard<std::mutex> hold(kept.guard);
  kept.of[static_cast<size_t>(device_)].push_back(handle_);
}
void Event::record(Stream stream) {
  bind(stream.device);
  CHECK(!handle_ || device_ == stream.device, "Event device ", device_,
        " does not match recording stream's device ", stream.device, ".");
  if (!handle_ && !timed_ && !blocking_) handle_ = take_event(stream.device);
  unsigned flags = (timed_ ? 0 : kUntimed) | (blocking_ ? kSleeping : 0);
  if (!handle_) check(driver().cuEventCreate(&handle_, flags), "making an event");
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
