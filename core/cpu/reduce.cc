// One loop nest for every row of ops/reduce.def: any strides, any set of dimensions. Elements are
// gathered on up to kLanes neighbouring accumulators at once (SIMD), in blocks whose partial
// results cascade, so that rounding errors grow with the logarithm of the length. The cuts depend
// on sizes alone.
#include "cpu/reduce.h"

#include <memory>

#include "cpu/ordered_sums.h"
#include "cpu/reduce_plan.h"
#include "cpu/reduce_steps.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

constexpr int64_t kLanes = 256;  // accumulators side by side
constexpr int64_t kBlock = 128;  // additions before a level of the cascade is emptied into the
                                 // next: fewer stall the reads of what comes from memory
constexpr int kLevels = 4;
constexpr int64_t kShortRow = 32;  // below this, many rows are gathered side by side
constexpr int64_t kPacked = 1024;  // elements packed at a time; at least kLanes
constexpr int64_t kMaxItem = sizeof(ComplexDouble);
constexpr int64_t kGrain = 1 << 17;  // elements for one thread

// Offsets of element `index` of the space spanned by axes.
struct Offsets {
  int64_t in = 0, out = 0;
};
Offsets offsets_at(const ReduceAxes& axes, int64_t index) {
  Offsets o;
  for (size_t d = axes.size(); d-- > 0;) {
    int64_t i = index % axes[d].size;
    index /= axes[d].size;
    o.in += i * axes[d].in;
    o.out += i * axes[d].out;
  }
  return o;
}

// Accumulators of up to kLanes results, in levels: level k holds up to kBlock emptied blocks of k
// - 1.
class Cascade {
 public:
  Cascade(const Steps& steps, int64_t lanes) : steps_(steps), lanes_(lanes) { empty(0); }
  char* lanes() { return level_[0]; }
  // How many rows fit before the next call of advance.
  int64_t room() const { return kBlock - used_[0]; }
  void advance(int64_t rows) {
    used_[0] += rows;
    for (int k = 0; k + 1 < kLevels && used_[k] == kBlock; ++k) {
      if (top_ == k) empty(++top_);
      steps_.combine(level_[k + 1], level_[k], lanes_);
      ++used_[k + 1];
      empty(k);
    }
  }
  char* result() {
    for (int k = 0; k < top_; ++k) steps_.combine(level_[k + 1], level_[k], lanes_);
    return level_[top_];
  }

 private:
  void empty(int k) {
    used_[k] = 0;
    steps_.identity(level_[k], lanes_);
  }
  const Steps& steps_;
  int64_t lanes_, used_[kLevels];
  int top_ = 0;
  alignas(64) char level_[kLevels][kLanes * kMaxItem];
};

int64_t fold_of(int64_t lanes, int64_t rows) {
  int64_t fold = 1;
  while (fold * lanes * 2 <= kFold && fold * 8 <= rows) fold *= 2;
  return fold;
}

struct Run {
  const Steps& steps;
  const char* x;
  char* y;
  const char* centre;
  ReducePlan plan;
  double p;
  bool plain_sum;  // of float32: lines in memory are added in PyTorch's order

  int64_t tiles() const { return (plan.lane.size + kLanes - 1) / kLanes; }

  // Lanes that do not lie side by side are packed first.
  void add(char* acc, const char* x, const char* c, int64_t lanes, int64_t lane_stride,
           int64_t rows, int64_t row_stride) const {
    if (lane_stride == 1) return steps.add(acc, x, c, lanes, rows, row_stride, p);
    alignas(64) char packed[kPacked * kMaxItem];
    for (int64_t room = kPacked / lanes; rows > 0; rows -= room) {
      int64_t take = std::min(rows, room);
      dispatch_size(steps.item, [&]<class T>(T) {
        const T* from = reinterpret_cast<const T*>(x);
        T* to = reinterpret_cast<T*>(packed);
        for (int64_t r = 0; r < take; ++r)
          for (int64_t l = 0; l < lanes; ++l) *to++ = from[r * row_stride + l * lane_stride];
      });
      steps.add(acc, packed, c, lanes, take, lanes, p);
      x += take * row_stride * steps.item;
    }
  }

  // Gathers elements begin..end of the reduced space for `lanes` neighbouring results.
  void gather(char* result, const char* x, char* c, int64_t lanes, int64_t begin,
              int64_t end) const {
    ReduceAxis row{1, 1, 0, true};
    if (!plan.reduced.empty()) row = plan.reduced.back();
    if (plain_sum && lanes == 1 && row.in == 1 && begin == 0 && end == row.size &&
        end < kOrderedMost) {
      *reinterpret_cast<float*>(result) = ordered_sum(reinterpret_cast<const float*>(x), end);
      return;
    }
    int64_t lane_stride = lanes == 1 ? row.in : plan.lane.in;
    // Neighbouring rows that follow each other in memory become further lanes.
    int64_t fold =
        row.in == lanes * lane_stride ? fold_of(lanes, std::min(row.size, end - begin)) : 1;
    int64_t wide = lanes * fold;
    for (int64_t k = 1; steps.centred && k < fold; ++k)
      std::memcpy(c + k * lanes * steps.c_size, c, lanes * steps.c_size);
    Cascade cascade(steps, wide);
    for (int64_t i = begin; i < end;) {
      const char* at = x + offsets_at(plan.reduced, i).in * steps.item;
      int64_t run = std::min(row.size - i % row.size, end - i);
      i += run;
      for (int64_t left = run / fold; left > 0;) {
        int64_t take = std::min(left, cascade.room());
        add(cascade.lanes(), at, c, wide, lane_stride, take, fold * row.in);
        at += take * fold * row.in * steps.item;
        cascade.advance(take);
        left -= take;
      }
      if (int64_t rest = run % fold) {
        add(cascade.lanes(), at, c, rest * lanes, lane_stride, 1, 0);
        cascade.advance(1);
      }
    }
    char* acc = cascade.result();
    for (int64_t w = wide / 2; w >= lanes; w /= 2) steps.combine(acc, acc + w * steps.a_size, w);
    std::memcpy(result, acc, lanes * steps.a_size);
  }

  // One tile of results: begin..end of the reduced space into acc; written to y when `finish`.
  void tile(int64_t task, int64_t begin, int64_t end, char* acc, bool finish) const {
    Offsets at = offsets_at(plan.kept, task / tiles());
    int64_t first = task % tiles() * kLanes, lanes = std::min(kLanes, plan.lane.size - first);
    at.in += first * plan.lane.in;
    at.out += first * plan.lane.out;
    alignas(64) char c[kLanes * kMaxItem];
    if (steps.centred)
      steps.load_centre(c, centre + at.out * steps.stored_size, plan.lane.out, lanes);
    if (begin < end)
      gather(acc, x + at.in * steps.item, c, lanes, begin, end);
    else if (plan.count == 0)
      steps.identity(acc, lanes);
    if (finish)
      steps.finish(y + at.out * steps.y_size, plan.lane.out, acc, c, lanes, p, plan.count);
  }

  // Few results of many elements each: the elements are cut into parts, then the parts are added.
  void in_parts(int64_t tasks, int64_t width, int64_t parts) const {
    int64_t length = (plan.count + parts - 1) / parts, bytes = width * steps.a_size;
    std::unique_ptr<char[]> partial(new char[tasks * parts * bytes]);
    parallel_for(tasks * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t from = i % parts * length;
        tile(i / parts, from, std::min(plan.count, from + length), &partial[i * bytes], false);
      }
    });
    for (int64_t task = 0; task < tasks; ++task) {
      char* acc = &partial[task * parts * bytes];
      for (int64_t step = 1; step < parts; step *= 2)
        for (int64_t i = 0; i + step < parts; i += 2 * step)
          steps.combine(acc + i * bytes, acc + (i + step) * bytes, width);
      tile(task, 1, 1, acc, true);
    }
  }

  void operator()() const {
    int64_t tasks = plan.rows * tiles(), width = std::min(kLanes, plan.lane.size);
    int64_t work = std::max<int64_t>(plan.count, 1) * width;
    if (work >= 2 * kGrain && tasks < 32) {
      int64_t length = std::max<int64_t>(kGrain / width, 1),
              parts = (plan.count + length - 1) / length;
      length = (plan.count + parts - 1) / parts;
      return in_parts(tasks, width, (plan.count + length - 1) / length);
    }
    parallel_for(tasks, std::max<int64_t>(kGrain / work, 1), [&](int64_t begin, int64_t end) {
      alignas(64) char acc[kLanes * kMaxItem];
      for (int64_t i = begin; i < end; ++i) tile(i, 0, plan.count, acc, true);
    });
  }
};

}  // namespace

static const Steps& steps_for(Reduction row, DType dtype) {
  const Steps* steps = reduction_steps(row, dtype);
  if (!steps) fail_dtype(label(row), dtype);
  return *steps;
}

const Steps* reduction_steps(Reduction row, DType dtype) {
  return LAMPAS_BEST(reduction_steps(row, dtype));
}

void reduce(const Tensor& y, Reduction row, const Tensor& x, uint64_t reduced, const Tensor& centre,
            double p) {
  if (y.numel() == 0) return;
  const char* c = centre.defined() ? centre.data<char>() : nullptr;
  Run{steps_for(row, x.dtype()),
      x.data<char>(),
      y.data<char>(),
      c,
      reduce_plan(x, reduced, y.numel() == 1, kShortRow),
      p,
      x.dtype() == DType::Float && (row == Reduction::sum || row == Reduction::mean)}();
}

void variance(const Tensor& y, const Tensor& mean, Reduction row, const Tensor& x, uint64_t reduced,
              double correction) {
  reduce(mean, Reduction::wide_mean, x, reduced, Tensor(), 0);
  reduce(y, row, x, reduced, mean, correction);
}

}  // namespace lampas::cpu

namespace lampas {

const char* label(Reduction row) {
  switch (row) {
#define REDUCE(name, label, ...) \
  case Reduction::name:          \
    return label;
#include "ops/reduce.def"
  }
  return "";
}

DType result_of(Reduction row, DType x) { return cpu::steps_for(row, x).y; }
DType centre_of(Reduction row, DType x) { return cpu::steps_for(row, x).centre; }

}  // namespace lampas
