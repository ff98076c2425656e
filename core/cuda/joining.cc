// See joining.h.
#include "cuda/joining.h"

#include <numeric>

#include "cuda/failures.h"
#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "cuda/pointwise.h"
#include "cuda/walk.h"
#include "ops/iterator.h"

namespace lampas::cuda {
namespace {

// Mirrors of device/joining.h and device/masked.h.
constexpr int kParts = 96;
struct Part {
  const void* x;
  int64_t words, start;
};
struct JoinArguments {
  void* y;
  int64_t rows, row_words;
  Part parts[kParts];
};
struct TriangleArguments {
  void* y;
  const void* x;
  int64_t n, rows, columns, k, upper;
  Walk<1> walk;
};
struct RepeatArguments {
  int64_t *y, *ends;
  const void* repeats;
  int64_t n, step, length;
  Report report;
};
struct ScanArguments {
  int64_t* tiles;
  int64_t n;
};

int64_t alignment(const void* p) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(p) & 15);
}

// `words` of the parts are in elements when this is called.
void join_some(JoinArguments& a, int count, int64_t item, int device) {
  int64_t elements = a.row_words, bytes = std::gcd<int64_t>(16, alignment(a.y)), largest = 0;
  for (int i = 0; i < count; ++i) {
    elements = std::gcd(elements, std::gcd(a.parts[i].words, a.parts[i].start));
    bytes = std::gcd(bytes, alignment(a.parts[i].x));
  }
  bytes = std::gcd(bytes, elements * item);
  if (bytes < item) bytes = 8;  // complex numbers at a multiple of 8
  for (int i = 0; i < count; ++i) {
    a.parts[i].words = a.parts[i].words * item / bytes;
    a.parts[i].start = a.parts[i].start * item / bytes;
    largest = std::max(largest, a.rows * a.parts[i].words);
  }
  a.row_words = a.row_words * item / bytes;
  unsigned blocks = blocks_for(largest, int64_t{4} * kThreads);
  static auto* table = new KernelTable;
  table->run(
      kernel_key(bytes, is_wide(largest)),
      [&] {
        return FamilyKernel{"joining", "JoinArguments",
                            concat("join<", bytes == 16 ? "Word16" : word_type(bytes), ", ",
                                   index_type(largest), ">")};
      },
      &a, {.x = blocks, .y = static_cast<unsigned>(count), .threads = kThreads}, device, "cat");
}

}  // namespace

void place_run(On, const Tensor& y, int64_t at, const Tensor& x) {
  if (x.numel() == 0) return;
  copy_bytes(static_cast<char*>(y.raw()) + at * y.item_size(), y.device(), x.raw(), x.device(),
             static_cast<size_t>(x.numel() * x.item_size()));
}

void join(On, const Tensor& y, std::span<const JoinedPart> parts, int64_t d) {
  int64_t rows = 1, inner = 1;
  for (int64_t i = 0; i < y.dim(); ++i) (i < d ? rows : inner) *= y.size(i);
  if (y.numel() == 0) return;
  int64_t below = inner / y.size(d);
  JoinArguments a{y.raw(), rows, inner, {}};
  int count = 0;
  for (const JoinedPart& part : parts) {
    if (part.x.numel() == 0) continue;
    a.parts[count++] = {part.x.raw(), part.x.size(d) * below, part.start * below};
    if (count < kParts) continue;
    join_some(a, count, y.item_size(), y.device().index);
    a.row_words = inner;
    count = 0;
  }
  if (count) join_some(a, count, y.item_size(), y.device().index);
}

void flip(On, Tensor& y, const Tensor& x, uint64_t dims) {
  if (x.numel() == 0) return;
  cpu::Box<2> box;
  int64_t item = x.item_size();
  char* last = static_cast<char*>(x.raw());
  for (int64_t d = 0; d < x.dim(); ++d) {
    bool back = dims >> d & 1;
    if (back) last += (x.size(d) - 1) * x.stride(d) * item;
    box.add(x.size(d), {y.stride(d) * item, (back ? -1 : 1) * x.stride(d) * item});
  }
  Plan plan;
  plan.count = 2;
  plan.numel = x.numel();
  plan.data[0] = static_cast<char*>(y.raw());
  plan.data[1] = last;
  plan.dtype[0] = plan.dtype[1] = x.dtype();
  for (size_t d = box.sizes.size(); d-- > 0;) {
    plan.sizes.push_back(box.sizes[d]);
    for (int k = 0; k < 2; ++k) plan.strides[k].push_back(box.strides[static_cast<size_t>(k)][d]);
  }
  run_copy(plan, x.device().index);
}

void triangle(On, Tensor& y, const Tensor& x, int64_t k, bool upper) {
  if (x.numel() == 0) return;
  int64_t rows = x.size(x.dim() - 2), columns = x.size(x.dim() - 1);
  k = std::clamp(k, -rows - 1, columns + 1);
  const char* what = upper ? "triu" : "tril";
  TriangleArguments a{y.raw(), x.raw(), x.numel(), rows, columns, k, upper, walk_of(x, what)};
  run_family({"joining", "TriangleArguments",
              concat("triangle<", word_type(x.item_size()), ", ", index_type(a.n), ">")},
             &a, grid_of(a.n), x.device().index, what);
}

Tensor repeat_index(On, const Tensor& repeats, Optional<int64_t> length) {
  const char* what = "repeat_interleave";
  int device = repeats.device().index;
  CHECK_KIND(repeats.dtype() == DType::Int32 || repeats.dtype() == DType::Int64, NotImplemented,
             "\"repeat_interleave_cuda\" not implemented for '", label(repeats.dtype()), "'");
  int64_t n = repeats.numel();
  if (n == 0) {
    CHECK(!length || *length == 0, "allocated size does not match required size");
    return empty(Dims{0}, DType::Int64, repeats.device());
  }
  Tensor ends = empty(Dims{n + 1}, DType::Int64, repeats.device());
  auto negative = [](int64_t, int64_t, int64_t) { fail("repeats can not be negative"); };
  RepeatArguments a{nullptr,
                    ends.data<int64_t>(),
                    repeats.raw(),
                    n,
                    repeats.stride(0),
                    0,
                    report_of(device, what, negative, 0, 0)};
  run_family(
      {"joining", "RepeatArguments", concat("read_repeats<", device_type(repeats.dtype()), ">")},
      &a, grid_of(n), device, what);
  ScanArguments scan{a.ends, n};
  run_family({"masked", "ScanArguments", "scan_tiles"}, &scan, {.threads = 512}, device, what);
  if (length)
    a.length = *length;
  else
    copy_bytes(&a.length, Device{}, a.ends + n, repeats.device(), sizeof a.length);
  Tensor y = empty(Dims{a.length}, DType::Int64, repeats.device());
  auto other = [](int64_t, int64_t, int64_t) {
    fail("allocated size does not match required size");
  };
  a.report = report_of(device, what, other, 0, 0);
  a.y = y.data<int64_t>();
  run_family({"joining", "RepeatArguments", "repeat_index"}, &a, grid_of(a.length), device, what);
  return y;
}

}  // namespace lampas::cuda
