// A captured kernel reads its seed and where its streams begin from memory that belongs to the
// capture. A replay first writes there where the device's default generator stands, and lets that
// go on by what the graph draws; so replays and calls outside of graphs are one sequence of
// numbers.
#include "cuda/graph_random.h"

#include <map>
#include <mutex>

#include "cuda/graph.h"
#include "cuda/memory.h"
#include "runtime/generator.h"

namespace lampas::cuda {
namespace {

struct Drawing {
  int device = 0;
  Block* place = nullptr;  // seed and offset, 64 bits each
  uint64_t numbers = 0;    // of every stream, in one replay
};

std::mutex guard;
std::map<uint64_t, Drawing>& drawings() {
  static auto* all = new std::map<uint64_t, Drawing>;
  return *all;
}

Device gpu(int device) { return {DeviceType::CUDA, static_cast<int8_t>(device)}; }

void begin(uint64_t capture, int device) {
  Drawing drawing{device, allocate(2 * sizeof(uint64_t), device), 0};
  const auto* from = static_cast<const uint64_t*>(address_of(drawing.place));
  default_generator(gpu(device)).begin_capture(from);
  std::lock_guard<std::mutex> hold(guard);
  drawings()[capture] = drawing;
}

void end(uint64_t capture) {
  std::lock_guard<std::mutex> hold(guard);
  Drawing& drawing = drawings()[capture];
  drawing.numbers = default_generator(gpu(drawing.device)).end_capture();
}

void replay(uint64_t capture, Stream stream) {
  Drawing drawing;
  {
    std::lock_guard<std::mutex> hold(guard);
    drawing = drawings()[capture];
  }
  if (drawing.numbers == 0) return;
  PhiloxPlace now = default_generator(gpu(drawing.device)).advance(drawing.numbers);
  uint64_t words[2] = {now.seed, now.offset};
  copy_bytes(address_of(drawing.place), gpu(stream.device), words, Device{}, sizeof words);
}

void forget(uint64_t capture) {
  std::lock_guard<std::mutex> hold(guard);
  auto found = drawings().find(capture);
  if (found == drawings().end()) return;
  release(found->second.place);
  drawings().erase(found);
}

}  // namespace

void draw_in_graphs() { capture_hooks = {begin, end, replay, forget}; }

}  // namespace lampas::cuda
