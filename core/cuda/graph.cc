// See graph.h. Texts are PyTorch's.
#include "cuda/graph.h"

#include <atomic>

#include "runtime/error.h"

namespace lampas::cuda {

CaptureHooks capture_hooks;

namespace {
// Device work that stays in the driver's own order: graphs free what their nodes allocate.
constexpr unsigned long long kAutoFree = 1;
constexpr unsigned kVerbose = 1;
}  // namespace

Graph::~Graph() {
  try {
    reset();
  } catch (const Error&) {  // the driver is gone, or a kernel has failed: nothing to give back
  }
}

void Graph::capture_begin(PoolId pool, CaptureMode mode) {
  static std::atomic<uint64_t> captures{0};
  CHECK(!captured(),
        "This CUDAGraph instance already owns a captured graph. To capture a new graph, create a "
        "new instance.");
  CHECK(!capturing_, "This CUDAGraph instance is already capturing.");
  stream_ = current_stream(current_device());
  CHECK(stream_.handle,
        "CUDA graphs must be captured on a non-default stream. (However, after capture, it's ok "
        "to replay them on the default stream.)");
  bind(stream_.device);
  pool_ = pool == PoolId{} ? new_pool(false) : pool;
  begin_pool(stream_.device, pool_, true);
  has_pool_ = capturing_ = true;
  Result r = driver().cuStreamBeginCapture_v2(stream_.handle, static_cast<int>(mode));
  if (r != 0) {
    capturing_ = false;
    end_pool(stream_.device, pool_);
  }
  check(r, "capture_begin");
  number_ = ++captures;
  if (capture_hooks.begin) capture_hooks.begin(number_, stream_.device);
}

void Graph::capture_end() {
  CHECK(capturing_, "capture_end() was called without a capture_begin()");
  CHECK(current_stream(stream_.device) == stream_,
        "Capture must end on the same stream it began on.");
  bind(stream_.device);
  Result r = driver().cuStreamEndCapture(stream_.handle, &graph_);
  capturing_ = false;
  end_pool(stream_.device, pool_);
  if (capture_hooks.end) capture_hooks.end(number_);
  check(r, "capture_end");
  CHECK(graph_, "Invalid capture.");
  check(driver().cuGraphGetNodes(graph_, nullptr, &nodes_), "capture_end");
  if (!keep_) instantiate();
}

void Graph::instantiate() {
  CHECK(graph_, "Called CUDAGraph::instantiate without a preceding successful capture.");
  bind(stream_.device);
  if (exec_) check(driver().cuGraphExecDestroy(exec_), "instantiate");
  exec_ = nullptr;
  check(driver().cuGraphInstantiateWithFlags(&exec_, graph_, kAutoFree), "instantiate");
  if (keep_) return;
  check(driver().cuGraphDestroy(graph_), "instantiate");
  graph_ = nullptr;
}

void Graph::replay() {
  CHECK(captured(), "Called CUDAGraph::replay without a preceding successful capture.");
  if (!exec_) instantiate();
  int device = stream_.device;
  bind(device);
  Stream stream = current_stream(device);
  if (capture_hooks.replay) capture_hooks.replay(number_, stream);
  check(driver().cuGraphLaunch(exec_, stream.handle), "replay");
}

void Graph::reset() {
  if (capturing_) {  // given up: the driver forgets what it noted
    GraphHandle half = nullptr;
    bind(stream_.device);
    driver().cuStreamEndCapture(stream_.handle, &half);
    if (half) driver().cuGraphDestroy(half);
    capturing_ = false;
    end_pool(stream_.device, pool_);
    if (capture_hooks.end) capture_hooks.end(number_);
  }
  if (graph_) driver().cuGraphDestroy(graph_);
  if (exec_) driver().cuGraphExecDestroy(exec_);
  graph_ = nullptr;
  exec_ = nullptr;
  nodes_ = 0;
  if (capture_hooks.forget && number_) capture_hooks.forget(number_);
  number_ = 0;
  if (has_pool_) leave_pool(stream_.device, pool_);
  has_pool_ = false;
}

PoolId Graph::pool() const {
  CHECK(captured() || capturing_,
        "Called CUDAGraph::pool() without a preceding successful capture.");
  return pool_;
}

void Graph::debug_dump(const std::string& path) const {
  CHECK(graph_, "CUDA Graphs debug_dump() needs enable_debug_mode() before the capture");
  check(driver().cuGraphDebugDotPrint(graph_, path.c_str(), kVerbose), "debug_dump");
}

}  // namespace lampas::cuda
