// A graph of a device's work: what a stream is given between capture_begin and capture_end is not
// done but noted, and done as a whole by each replay. The memory it touches stays the graph's.
#pragma once
#include <string>

#include "cuda/allocator.h"

namespace lampas::cuda {

enum class CaptureMode : int { Global = 0, ThreadLocal = 1, Relaxed = 2 };

class Graph {
 public:
  explicit Graph(bool keep) : keep_(keep) {}
  ~Graph();
  Graph(const Graph&) = delete;

  // On the current stream, which may not be the default one. `pool`: of another graph, whose memory
  // is shared; the null id: a new one.
  void capture_begin(PoolId pool, CaptureMode mode);
  void capture_end();
  void instantiate();
  void replay();  // on the current stream; the host goes on
  void reset();
  PoolId pool() const;
  // Whether anything was captured.
  bool empty() const { return nodes_ == 0; }
  void enable_debug_mode() { keep_ = true; }
  void debug_dump(const std::string& path) const;
  bool captured() const { return graph_ || exec_; }

 private:
  GraphHandle graph_ = nullptr;
  GraphExecHandle exec_ = nullptr;
  Stream stream_;  // of the capture
  PoolId pool_;
  uint64_t number_ = 0;  // of the capture, for `capture_hooks`
  size_t nodes_ = 0;
  bool capturing_ = false, has_pool_ = false, keep_ = false;
};

// Who keeps state on the host that each replay must advance (generators of random numbers). The
// number is the capture's; 0 is none.
struct CaptureHooks {
  void (*begin)(uint64_t capture, int device) = nullptr;
  void (*end)(uint64_t capture) = nullptr;
  void (*replay)(uint64_t capture, Stream stream) = nullptr;  // before the launch
  void (*forget)(uint64_t capture) = nullptr;
};
extern CaptureHooks capture_hooks;

}  // namespace lampas::cuda
