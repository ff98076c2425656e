// See allocator_options.h.
#include "cuda/allocator_options.h"

#include <cstdlib>
#include <vector>

#include "ops/pointwise.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

constexpr size_t kSmallestSplit = 20;  // MB: the segments of medium requests must stay divisible
constexpr const char* kIgnored[] = {"backend",
                                    "expandable_segments",
                                    "garbage_collection_threshold",
                                    "roundup_power2_divisions",
                                    "max_non_split_rounding_mb",
                                    "release_lock_on_cudamalloc",
                                    "pinned_use_cuda_host_register",
                                    "pinned_num_register_threads",
                                    "pinned_use_background_threads",
                                    "pinned_reserve_segment_size_mb",
                                    "graph_capture_record_stream_reuse",
                                    "throw_on_cudamalloc_oom"};

std::string stripped(const std::string& text) {
  size_t from = text.find_first_not_of(" "), to = text.find_last_not_of(" ");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

// Cut at commas outside of brackets: "a:1,b:[256:1,512:2]" is two.
std::vector<std::string> pieces(const std::string& text) {
  std::vector<std::string> all(1);
  int depth = 0;
  for (char c : text) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && depth == 0)
      all.emplace_back();
    else
      all.back() += c;
  }
  return all;
}

void take(AllocatorOptions& o, const std::string& key, const std::string& value) {
  if (key == "max_split_size_mb") {
    size_t mb = std::strtoull(value.c_str(), nullptr, 10);
    CHECK(mb > kSmallestSplit, "CachingAllocator option max_split_size_mb too small, must be > ",
          kSmallestSplit);
    o.max_split_size = mb << 20;
    return;
  }
  if (key == "per_process_memory_fraction") {
    o.fraction = std::strtod(value.c_str(), nullptr);
    CHECK(o.fraction >= 0 && o.fraction <= 1,
          "per_process_memory_fraction is invalid, set it in [0.0, 1.0]");
    return;
  }
  for (const char* known : kIgnored)
    if (key == known) {
      bool plain = key == "backend" ? value == "native" : value == "False";
      if (!plain) o.ignored += (o.ignored.empty() ? "" : ", ") + key;
      return;
    }
  fail("Unrecognized CachingAllocator option: ", key);
}

AllocatorOptions of_environment() {
  const char* text = std::getenv("PYTORCH_ALLOC_CONF");
  if (!text) text = std::getenv("PYTORCH_CUDA_ALLOC_CONF");
  AllocatorOptions o = text ? parse_options(text) : AllocatorOptions{};
  if (!o.ignored.empty() && ops::warn)
    ops::warn(concat("PYTORCH_ALLOC_CONF: ", o.ignored,
                     " has no effect in Lampas, whose allocator keeps fixed segments. "
                     "max_split_size_mb and per_process_memory_fraction have.")
                  .c_str());
  return o;
}

}  // namespace

AllocatorOptions parse_options(const std::string& text) {
  AllocatorOptions o;
  for (const std::string& piece : pieces(text)) {
    size_t colon = piece.find(':');
    std::string key = stripped(piece.substr(0, colon));
    if (key.empty()) continue;
    CHECK(colon != std::string::npos, "Error parsing CachingAllocator settings: ", key,
          " has no value");
    take(o, key, stripped(piece.substr(colon + 1)));
  }
  return o;
}

const AllocatorOptions& options() {
  static const AllocatorOptions once = of_environment();
  return once;
}

}  // namespace lampas::cuda
