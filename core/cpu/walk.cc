// Work is cut into chunks by size alone, a chunk into tiles. Where the innermost dimension is long
// a tile stays inside one row of it; where it is short a tile spans whole rows.
#include "cpu/walk.h"

#include <algorithm>

#include "cpu/convert.h"
#include "cpu/copy.h"
#include "cpu/streaming.h"
#include "runtime/allocator.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kTileBytes = 4096;
constexpr int64_t kGrain = 32768;    // elements; a hand-off to a thread costs tens of microseconds
constexpr int64_t kLongRow = 128;    // elements
constexpr int64_t kLarge = 1 << 14;  // elements; below, everything is in a cache anyway

enum class Access : uint8_t {
  Unused,   // the kernel does not read it
  Direct,   // the kernel works on the operand's own memory
  Convert,  // contiguous within a tile, but of another type
  Stream,   // as Direct, of a result that is made in a buffer and written past the caches
  Gather,   // strided
  Row,      // the same value along a row
  Once      // every tile sees the same elements: prepared once per chunk
};

// Where a tile begins: an index per dimension, innermost first.
struct Position {
  Dims index;
  Position(Span sizes, int64_t linear) : index(sizes.size()) {
    for (size_t d = 0; d < sizes.size(); ++d) {
      index[d] = linear % sizes[d];
      linear /= sizes[d];
    }
  }
  int64_t offset(Span strides) const {
    int64_t sum = 0;
    for (size_t d = 0; d < index.size(); ++d) sum += index[d] * strides[d];
    return sum;
  }
  void next_row(Span sizes) {
    index[0] = 0;
    for (size_t d = 1; d < index.size(); ++d) {
      if (++index[d] < sizes[d]) return;
      index[d] = 0;
    }
  }
  void advance(Span sizes, int64_t n) {
    if (index.empty()) return;
    index[0] += n;
    for (size_t d = 0; index[d] >= sizes[d] && d + 1 < index.size(); ++d) {
      index[d + 1] += index[d] / sizes[d];
      index[d] %= sizes[d];
    }
  }
};

class Walker {
 public:
  Walker(const Plan& plan, const Program& program);
  void run() {
    parallel_for(plan_.numel, grain_, [this](int64_t begin, int64_t end) { chunk(begin, end); });
  }

 private:
  struct Buffers {
    alignas(64) char lane[Plan::kMost][kTileBytes];
    alignas(64) char raw[kTileBytes];
  };

  Access classify(int i) const;
  bool worth_streaming() const;
  void chunk(int64_t begin, int64_t end) const;
  void* fetch(int i, const Position& at, int64_t n, Buffers& buffers) const;
  void prepare_once(int i, int64_t n, Buffers& buffers) const;
  void store(const Position& at, int64_t n, Buffers& buffers) const;
  template <class Move>
  void each_row(int i, Position at, int64_t n, Move&& move) const;

  const Plan& plan_;
  const Program& program_;
  Access access_[Plan::kMost];
  int64_t tile_ = kTileBytes, grain_ = kGrain;
  bool rows_;         // tiles stay inside rows
  bool free_ = true;  // no buffers: a tile may be as long as memory allows
};

Walker::Walker(const Plan& plan, const Program& program) : plan_(plan), program_(program) {
  rows_ = plan.sizes.size() < 2 || plan.sizes[0] >= kLongRow;
  int64_t widest = 1;
  for (int i = 0; i < plan.count; ++i) {
    access_[i] = classify(i);
    if (i == 0 && access_[0] == Access::Direct && worth_streaming()) access_[0] = Access::Stream;
    if (access_[i] != Access::Direct && access_[i] != Access::Unused) free_ = false;
    widest = std::max({widest, item_size(program.lanes[i]), item_size(plan.dtype[i])});
  }
  tile_ = free_ ? kGrain : kTileBytes / widest;
  if (!rows_) {  // whole rows, so that what repeats per row repeats per tile
    tile_ = std::max<int64_t>(1, tile_ / plan.sizes[0]) * plan.sizes[0];
    grain_ = (kGrain + tile_ - 1) / tile_ * tile_;
  }
}

// In place the lines of the result have been read anyway.
bool Walker::worth_streaming() const {
  if (plan_.numel * item_size(plan_.dtype[0]) < kStreamed) return false;
  for (int i = 1; i < plan_.count; ++i)
    if (plan_.data[i] == plan_.data[0]) return false;
  return true;
}

Access Walker::classify(int i) const {
  if (!plan_.data[i]) return Access::Unused;
  Span strides = plan_.strides[i];
  bool same_type = plan_.dtype[i] == program_.lanes[i];
  bool constant = true, periodic = true, dense = true;
  int64_t step = item_size(plan_.dtype[i]);
  for (size_t d = 0; d < strides.size(); ++d) {
    constant &= strides[d] == 0;
    periodic &= d == 0 || strides[d] == 0;
    dense &= (d > 0 && rows_) || strides[d] == step;
    step *= plan_.sizes[d];
  }
  if (dense) return same_type ? Access::Direct : Access::Convert;
  if (i > 0 && (constant || (periodic && !rows_))) return Access::Once;
  return i > 0 && rows_ && strides[0] == 0 ? Access::Row : Access::Gather;
}

// Calls move(address, step, done, count) for each piece of n elements that lies in one row.
template <class Move>
void Walker::each_row(int i, Position at, int64_t n, Move&& move) const {
  Span sizes = plan_.sizes, strides = plan_.strides[i];
  for (int64_t done = 0; done < n;) {
    int64_t count = std::min(n - done, sizes[0] - at.index[0]);
    move(plan_.data[i] + at.offset(strides), strides[0], done, count);
    done += count;
    at.next_row(sizes);
  }
}

void* Walker::fetch(int i, const Position& at, int64_t n, Buffers& buffers) const {
  DType from = plan_.dtype[i], lane = program_.lanes[i];
  char* buffer = buffers.lane[i];
  switch (access_[i]) {
    case Access::Unused:
      return nullptr;
    case Access::Once:
      return buffer;
    case Access::Direct:
    case Access::Stream:
      return plan_.data[i] + at.offset(plan_.strides[i]);
    case Access::Convert:
      converter(lane, from)(buffer, plan_.data[i] + at.offset(plan_.strides[i]), n);
      return buffer;
    case Access::Row:
      converter(lane, from)(buffers.raw, plan_.data[i] + at.offset(plan_.strides[i]), 1);
      repeat(buffer, buffers.raw, item_size(lane), n);
      return buffer;
    case Access::Gather:
      break;
  }
  int64_t bytes = item_size(from);
  char* raw = from == lane ? buffer : buffers.raw;
  dispatch_size(bytes, [&](auto tag) {
    using T = decltype(tag);
    each_row(i, at, n, [&](const char* x, int64_t step, int64_t done, int64_t count) {
      T* y = reinterpret_cast<T*>(raw) + done;
      for (int64_t k = 0; k < count; ++k) y[k] = *reinterpret_cast<const T*>(x + k * step);
    });
  });
  if (from != lane) converter(lane, from)(buffer, raw, n);
  return buffer;
}

void Walker::prepare_once(int i, int64_t n, Buffers& buffers) const {
  DType from = plan_.dtype[i], lane = program_.lanes[i];
  int64_t bytes = item_size(lane), period = rows_ ? 1 : plan_.sizes[0];
  int64_t step = rows_ || plan_.strides[i].empty() ? 0 : plan_.strides[i][0];
  move_strided(buffers.raw, item_size(from), plan_.data[i], step, item_size(from), period);
  converter(lane, from)(buffers.lane[i], buffers.raw, period);
  if (period == 1) return repeat(buffers.lane[i], buffers.lane[i], bytes, n);
  for (int64_t done = period; done < n; done += period)
    std::memcpy(buffers.lane[i] + done * bytes, buffers.lane[i],
                static_cast<size_t>(std::min(period, n - done) * bytes));
}

void Walker::store(const Position& at, int64_t n, Buffers& buffers) const {
  DType to = plan_.dtype[0], lane = program_.lanes[0];
  char* result = buffers.lane[0];
  if (access_[0] == Access::Stream)
    return LAMPAS_BEST(
        stream(plan_.data[0] + at.offset(plan_.strides[0]), result, n * item_size(to)));
  if (access_[0] == Access::Convert)
    return converter(to, lane)(plan_.data[0] + at.offset(plan_.strides[0]), result, n);
  if (to != lane) {
    converter(to, lane)(buffers.raw, result, n);
    result = buffers.raw;
  }
  dispatch_size(item_size(to), [&](auto tag) {
    using T = decltype(tag);
    each_row(0, at, n, [&](char* y, int64_t step, int64_t done, int64_t count) {
      const T* x = reinterpret_cast<const T*>(result) + done;
      for (int64_t k = 0; k < count; ++k) *reinterpret_cast<T*>(y + k * step) = x[k];
    });
  });
}

void Walker::chunk(int64_t begin, int64_t end) const {
  Buffers buffers;
  Span sizes = plan_.sizes;
  Position at(sizes, begin);
  int64_t row = sizes.empty() ? 1 : sizes[0];
  int64_t longest = std::min(tile_, end - begin);
  for (int i = 1; i < plan_.count; ++i)
    if (access_[i] == Access::Once) prepare_once(i, longest, buffers);
  for (int64_t done = begin; done < end;) {
    int64_t n = std::min(tile_, end - done);
    if (rows_ && !sizes.empty()) n = std::min(n, row - at.index[0]);
    void* operands[Plan::kMost];
    for (int i = 1; i < plan_.count; ++i) operands[i] = fetch(i, at, n, buffers);
    bool direct = access_[0] == Access::Direct;
    operands[0] = direct ? plan_.data[0] + at.offset(plan_.strides[0]) : buffers.lane[0];
    program_.tile(operands, program_.params, n);
    if (!direct) store(at, n, buffers);
    done += n;
    at.advance(sizes, n);
  }
  if (access_[0] == Access::Stream) LAMPAS_BEST(stream_end());
}

bool all_direct(const Plan& plan, const Program& program) {
  for (int i = 0; i < plan.count; ++i) {
    if (!plan.data[i]) continue;
    if (plan.dtype[i] != program.lanes[i]) return false;
    if (!plan.sizes.empty() && plan.strides[i][0] != item_size(plan.dtype[i])) return false;
  }
  return true;
}

// Operands transposed against the rest are first copied, block by block, into the order of the
// plan: read in place, each of their cache lines would be fetched once for every element of it.
class Straightened {
 public:
  explicit Straightened(const Plan& plan) : plan_(plan) {
    for (int i = 1; i < plan.count; ++i)
      if (plan.data[i] && is_transposed(i)) straighten(i);
  }
  ~Straightened() {
    for (int i = 0; i < Plan::kMost; ++i) memory::release(scratch_[i], bytes_[i]);
  }
  Straightened(const Straightened&) = delete;
  const Plan& plan() const { return plan_; }

 private:
  Plan pair_with(char* to, int i) const {
    Plan pair;
    int64_t step = item_size(plan_.dtype[i]);
    pair.count = 2;
    pair.numel = plan_.numel;
    pair.sizes = plan_.sizes;
    for (int64_t size : plan_.sizes) {
      pair.strides[0].push_back(step);
      step *= size;
    }
    pair.strides[1] = plan_.strides[i];
    pair.data[0] = to;
    pair.data[1] = plan_.data[i];
    pair.dtype[0] = pair.dtype[1] = plan_.dtype[i];
    return pair;
  }
  bool is_transposed(int i) const {
    for (int64_t stride : plan_.strides[i])
      if (stride == 0) return false;
    return transposed_dim(pair_with(nullptr, i)) != 0;
  }
  void straighten(int i) {
    bytes_[i] = static_cast<size_t>(plan_.numel * item_size(plan_.dtype[i]));
    scratch_[i] = memory::allocate(bytes_[i]);
    Plan pair = pair_with(static_cast<char*>(scratch_[i]), i);
    copy(pair);
    plan_.data[i] = pair.data[0];
    plan_.strides[i] = pair.strides[0];
  }

  Plan plan_;
  void* scratch_[Plan::kMost] = {};
  size_t bytes_[Plan::kMost] = {};
};

}  // namespace

void walk(const Plan& plan, const Program& program) {
  if (plan.numel == 0) return;
  if (plan.sizes.size() < 2 && plan.numel <= kGrain && all_direct(plan, program)) {
    void* operands[Plan::kMost];
    for (int i = 0; i < plan.count; ++i) operands[i] = plan.data[i];
    return program.tile(operands, program.params, plan.numel);
  }
  if (plan.numel < kLarge || plan.sizes.size() < 2) return Walker(plan, program).run();
  Straightened straight(plan);
  Walker(straight.plan(), program).run();
}

}  // namespace lampas::cpu
