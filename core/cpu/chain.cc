// The loop of a chain. Chunks and tiles are cut by size alone.
#include "cpu/chain.h"

#include <algorithm>
#include <cstring>

#include "cpu/convert.h"
#include "cpu/streaming.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 32768;         // elements of a chunk
constexpr int64_t kScratchBytes = 24576;  // leaves room for memory that streams through
constexpr int64_t kLongest = 2048, kShortest = 64;
// Lines written past the caches at once: few enough to drain while the next tile is computed.
constexpr int64_t kStreamedTile = 512;

using Kind = ChainOperand::Kind;

int64_t tile_length(const Chain& chain) {
  int64_t n = kScratchBytes / (std::max(chain.slots, 1) * int64_t{chain.widest});
  return std::clamp(n / kShortest * kShortest, kShortest, kLongest);
}

void fill_periodic(char* to, const ChainOperand& x, int64_t at, int64_t n) {
  for (int64_t done = 0; done < n;) {
    int64_t place = (at + done) % x.period, count = std::min(n - done, x.period - place);
    std::memcpy(to + done * x.bytes, x.data + place * x.bytes,
                static_cast<size_t>(count * x.bytes));
    done += count;
  }
}

void fill_repeated(char* to, const ChainOperand& x, int64_t at, int64_t n) {
  for (int64_t done = 0; done < n;) {
    int64_t place = (at + done) / x.period;
    int64_t count = std::min(n - done, (place + 1) * x.period - at - done);
    repeat(to + done * x.bytes, x.data + place * x.bytes, x.bytes, count);
    done += count;
  }
}

// A result that no cache will keep: its tile is made in scratch and written past the caches.
struct Streamed {
  char* data;
  int operand;
};
std::vector<Streamed> stream_results(Chain& chain, int64_t numel) {
  std::vector<Streamed> results;
  for (const ChainStep& step : chain.steps) {
    ChainOperand& y = chain.operands[step.operands[0]];
    if (y.slot >= 0 || numel * y.bytes < kStreamed) continue;
    results.push_back({y.data, step.operands[0]});
    y.slot = chain.slots++;
  }
  return results;
}

void chunk(const Chain& chain, const std::vector<Streamed>& streamed, int64_t tile, char* scratch,
           int64_t begin, int64_t end) {
  int64_t stride = tile * chain.widest;
  auto place = [&](const ChainOperand& x) { return scratch + x.slot * stride; };
  for (const ChainOperand& x : chain.operands)
    if (x.kind == Kind::Constant && x.slot >= 0)
      repeat(place(x), x.data, x.bytes, std::min(tile, end - begin));
  for (int64_t at = begin; at < end; at += tile) {
    int64_t n = std::min(tile, end - at);
    for (const ChainOperand& x : chain.operands) {
      if (x.kind == Kind::Periodic) fill_periodic(place(x), x, at, n);
      if (x.kind == Kind::Repeated) fill_repeated(place(x), x, at, n);
    }
    for (const ChainStep& step : chain.steps) {
      void* operands[4];
      for (int i = 0; i < step.count; ++i) {
        const ChainOperand& x = chain.operands[step.operands[i]];
        operands[i] = x.slot >= 0 ? place(x) : x.data + at * x.bytes;
      }
      step.tile(operands, step.params, n);
    }
    for (const Streamed& y : streamed) {
      const ChainOperand& made = chain.operands[y.operand];
      LAMPAS_BEST(stream(y.data + at * made.bytes, place(made), n * made.bytes));
    }
  }
  if (!streamed.empty()) LAMPAS_BEST(stream_end());
}

}  // namespace

void run(Chain chain, int64_t numel) {
  std::vector<Streamed> streamed = stream_results(chain, numel);
  int64_t tile = tile_length(chain);
  if (!streamed.empty()) tile = std::min(tile, kStreamedTile);
  size_t bytes = static_cast<size_t>(std::max(chain.slots, 1) * tile * chain.widest);
  parallel_for(numel, kGrain, [&](int64_t begin, int64_t end) {
    alignas(64) char few[kScratchBytes];
    if (bytes <= sizeof few) return chunk(chain, streamed, tile, few, begin, end);
    std::vector<char> many(bytes + 64);
    auto start = (reinterpret_cast<uintptr_t>(many.data()) + 63) / 64 * 64;
    chunk(chain, streamed, tile, reinterpret_cast<char*>(start), begin, end);
  });
}

}  // namespace lampas::cpu
