// Nodes carry no stream. Which one was current when a node was made follows from the node's place
// in the sequence of all nodes and from a log of the changes of streams; the log is the program's,
// not the thread's.
//
// A pass that changes from one stream to another lets the new one wait for the old one, so the
// nodes run in order whatever their streams are. At its end every stream that took part is level
// with the caller's.
#include "cuda/backward_streams.h"

#include <deque>
#include <vector>

#include "cuda/stream.h"
#include "runtime/error.h"
#include "tape/engine.h"

namespace lampas::cuda {
namespace {

constexpr size_t kMostChanges = 4096;  // of a device; older nodes count as made on its first stream

struct Change {
  uint64_t after;  // made for nodes newer than this one
  StreamHandle handle;
};
std::vector<std::deque<Change>>& log() {  // by device
  static auto* all = new std::vector<std::deque<Change>>;
  return *all;
}

Stream stream_at(int device, uint64_t sequence) {
  const std::deque<Change>& changes = log()[static_cast<size_t>(device)];
  StreamHandle handle = nullptr;
  for (size_t i = changes.size(); i-- > 0;) {
    handle = changes[i].handle;
    if (changes[i].after < sequence) return {device, handle};
  }
  return {device, changes.size() == kMostChanges ? handle : nullptr};
}

struct Pass {
  std::vector<Stream> before;  // the caller's, by device
  std::vector<Stream> used;
};
thread_local std::vector<Pass> passes;
thread_local bool following = false;

void make_current(Stream stream) {
  following = true;
  set_current_stream(stream);
  following = false;
}
void let_wait(Stream later, Stream earlier) {
  Event reached(false);
  reached.record(earlier);
  reached.wait(later);
}

void begin() {
  Pass pass;
  for (size_t d = 0; d < log().size(); ++d)
    pass.before.push_back(current_stream(static_cast<int>(d)));
  passes.push_back(std::move(pass));
}

// Leaves sum where their gradient was made. What is captured stays among captured streams.
void before(const tape::Node* node) {
  if (node->edges.empty()) return;
  Pass& pass = passes.back();
  for (const Stream& first : pass.before) {
    if (log()[static_cast<size_t>(first.device)].empty()) continue;
    Stream now = current_stream(first.device), wanted = stream_at(first.device, node->sequence);
    if (now == wanted || is_capturing(now) != is_capturing(wanted)) continue;
    let_wait(wanted, now);
    make_current(wanted);
    pass.used.push_back(wanted);
  }
}

void end() {
  Pass pass = std::move(passes.back());
  passes.pop_back();
  if (pass.used.empty()) return;
  try {
    for (const Stream& first : pass.before) {
      Stream now = current_stream(first.device);
      if (now == first) continue;
      let_wait(first, now);
      make_current(first);
    }
    for (const Stream& other : pass.used)  // in a capture that would be work without an end
      if (!is_capturing(other)) let_wait(other, pass.before[static_cast<size_t>(other.device)]);
  } catch (const Error&) {  // a kernel has failed: nothing runs any more
  }
}

constexpr tape::StreamFollower kFollower = {begin, before, end};

void note(Stream stream) {
  if (following) return;
  auto device = static_cast<size_t>(stream.device);
  if (!stream.handle && device >= log().size()) return;
  while (log().size() <= device) log().emplace_back();
  std::deque<Change>& changes = log()[device];
  changes.push_back({tape::newest_sequence(), stream.handle});
  if (changes.size() > kMostChanges) changes.pop_front();
  tape::stream_follower = &kFollower;
}

}  // namespace

void follow_streams() { on_stream_change = note; }

}  // namespace lampas::cuda
