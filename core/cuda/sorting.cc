// See sorting.h. Lines are short (one block sorts some of them) or long (radix sorts, selection).
#include "cuda/sorting.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

constexpr int64_t kShort = 2048, kSortTile = 4096, kDigits = 256, kMostRows = 32768;
constexpr int64_t kHuge = int64_t{1} << 22;  // one block would take longer than a whole sort

// Mirrors of device/sorting.h and device/selection.h.
struct SortArguments {
  const void* x;
  void* values;
  int64_t* indices;
  const int64_t* origin;
  int64_t lines, n, inner, take, descending;
};
struct RadixArguments {
  const void *x, *keys;
  const int32_t* places;
  void* keys_to;
  int32_t* places_to;
  void* values;
  int64_t* indices;
  uint32_t *counts, *totals;
  int64_t n, tiles, shift, descending;
};
struct PermuteArguments {
  int64_t* to;
  const int64_t *from, *order;
  int64_t n, width, lines;
};
struct ModeArguments {
  const void* sorted;
  const int64_t* places;
  void* values;
  int64_t* indices;
  int64_t lines, n;
};
struct SelectArguments {
  const void* x;
  void* values;
  int64_t* indices;
  int64_t lines, n, inner, k, descending;
};

std::string element(const Tensor& x) {
  return x.dtype() == DType::Bool ? "uint8_t" : device_type(x.dtype());
}
void check_type(const Tensor& x, const char* what, bool bools) {
  DType t = x.dtype();
  bool known = is_floating(t) || (is_integral(t, false) && t != DType::UInt16 &&
                                  t != DType::UInt32 && t != DType::UInt64);
  CHECK_KIND(known || (bools && t == DType::Bool), NotImplemented, "\"", what,
             "\" not implemented for '", label(t), "'");
}

// Lines that lie together, whatever they were.
Tensor gathered(const Tensor& x, const Lines& lines) {
  if (lines.inner == 1) return x;
  Tensor y = empty(Dims{lines.outer, lines.inner, lines.n}, x.dtype(), x.device());
  copy(On{}, y,
       from_storage(x.storage(), x.dtype(), y.sizes(), Dims{lines.n * lines.inner, 1, lines.inner},
                    x.offset()));
  return y;
}
// What `gathered` lines of n elements have become, back in y.
void spread(const Tensor& y, const Tensor& gathered, const Lines& lines, int64_t n) {
  copy(On{},
       from_storage(y.storage(), y.dtype(), gathered.sizes(), Dims{n * lines.inner, 1, lines.inner},
                    y.offset()),
       gathered);
}
Lines together(const Lines& lines) {
  Lines t;
  t.outer = lines.count();
  t.n = lines.n;
  return t;
}

void sort_short(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
                int64_t take, bool descending, const Tensor& origin, const char* what) {
  int64_t size = lines.n <= 32 ? 32 : lines.n <= 128 ? 128 : lines.n <= 512 ? 512 : kShort;
  int64_t per_block = std::max<int64_t>(512 / size, 1);
  SortArguments a{x.raw(),
                  values.defined() ? values.raw() : nullptr,
                  indices.data<int64_t>(),
                  origin.defined() ? origin.data<int64_t>() : nullptr,
                  lines.count(),
                  lines.n,
                  lines.inner,
                  take,
                  descending};
  run_family({"sorting", "SortArguments",
              concat("sort_short<", element(x), ", ", size, ", ", per_block, ">")},
             &a,
             {.x = blocks_for(a.lines, per_block),
              .threads = static_cast<unsigned>(std::min<int64_t>(size * per_block / 2, 512))},
             x.device().index, what);
}

void sort_long(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
               bool descending, const char* what, int64_t passes = 8) {
  CHECK_KIND(lines.n < (int64_t{1} << 31), NotImplemented, what,
             " on CUDA takes lines of less than 2**31 elements");
  int64_t bytes = x.item_size(), rows = std::min(lines.outer, kMostRows), n = lines.n;
  int64_t tiles = (n + kSortTile - 1) / kSortTile;
  passes = std::min(passes, bytes);
  auto made = [&](int64_t count, DType type) { return empty(Dims{count}, type, x.device()); };
  Tensor keys[2], places[2], counts = made(rows * kDigits * tiles, DType::Int32),
                             totals = made(rows * kDigits, DType::Int32);
  for (int k = 0; k < 2 && passes > 1; ++k) {
    keys[k] = made(rows * n * bytes, DType::UInt8);
    places[k] = made(rows * n, DType::Int32);
  }
  for (int64_t first = 0; first < lines.outer; first += rows) {
    int64_t some = std::min(rows, lines.outer - first);
    for (int64_t pass = 0; pass < passes; ++pass) {
      size_t from = pass % 2 ? 0 : 1, to = 1 - from;
      RadixArguments a{};
      a.x = static_cast<const char*>(x.raw()) + first * n * bytes;
      if (pass) {
        a.keys = keys[from].raw();
        a.places = places[from].data<int32_t>();
      }
      if (pass + 1 < passes) {
        a.keys_to = keys[to].raw();
        a.places_to = places[to].data<int32_t>();
      }
      if (values.defined()) a.values = static_cast<char*>(values.raw()) + first * n * bytes;
      a.indices = indices.data<int64_t>() + first * n;
      a.counts = reinterpret_cast<uint32_t*>(counts.raw());
      a.totals = reinterpret_cast<uint32_t*>(totals.raw());
      a.n = n;
      a.tiles = tiles;
      a.shift = 8 * pass;
      a.descending = descending;
      auto y = static_cast<unsigned>(some);
      std::string type = element(x);
      int device = x.device().index;
      Grid by_tiles{.x = static_cast<unsigned>(tiles), .y = y, .threads = 256};
      run_family({"sorting", "RadixArguments", "radix_count<" + type + ">"}, &a, by_tiles, device,
                 what);
      run_family({"sorting", "RadixArguments", "radix_scan"}, &a,
                 {.x = 256, .y = y, .threads = 256}, device, what);
      run_family({"sorting", "RadixArguments", "radix_scatter<" + type + ">"}, &a, by_tiles, device,
                 what);
    }
  }
}

void select(const char* wanted, const Tensor& indices, const Tensor& values, const Tensor& x,
            const Lines& lines, int64_t k, bool descending, const char* what) {
  SelectArguments a{
      x.raw(), values.raw(), indices.data<int64_t>(), lines.count(), lines.n, lines.inner,
      k,       descending};
  unsigned threads = lines.n >= 8192 ? 512 : lines.n >= 1024 ? 256 : 64;
  run_family(
      {"selection", "SelectArguments", concat("select<", element(x), ", Wanted::", wanted, ">")},
      &a, {.x = blocks_for(a.lines, 1), .threads = threads}, x.device().index, what);
}

// The first k of long lines that lie together.
void first_of_long(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
                   int64_t k, bool largest, bool sorted) {
  const char* what = "topk";
  if (lines.n >= kHuge && lines.outer < 16) {
    Dims all{lines.outer, lines.n}, few{lines.outer, k}, steps{lines.n, 1};
    Tensor y = empty(all, x.dtype(), x.device()), at = empty(all, DType::Int64, x.device());
    sort_long(at, y, x, lines, largest, what);
    for (auto& [to, from] : {std::pair(values, y), std::pair(indices, at)})
      copy(On{}, from_storage(to.storage(), to.dtype(), few, Dims{k, 1}, to.offset()),
           from_storage(from.storage(), from.dtype(), few, steps, from.offset()));
    return;
  }
  Lines chosen = lines;
  chosen.n = k;
  if (!sorted) return select("first", indices, values, x, lines, k, largest, what);
  Dims sizes{lines.outer, k};
  Tensor y = empty(sizes, x.dtype(), x.device()), at = empty(sizes, DType::Int64, x.device());
  select("first", at, y, x, lines, k, largest, what);
  if (k <= kShort) return sort_short(indices, values, y, chosen, k, largest, at, what);
  Tensor order = empty(sizes, DType::Int64, x.device());
  sort_long(order, values, y, chosen, largest, what);
  PermuteArguments p{
      indices.data<int64_t>(), at.data<int64_t>(), order.data<int64_t>(), k, k, lines.outer};
  run_family({"sorting", "PermuteArguments", "permute"}, &p, grid_of(p.n * p.lines),
             x.device().index, what);
}

}  // namespace

void sort_lines(const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
                bool descending, const char* what) {
  if (lines.n <= kShort)
    sort_short(indices, values, x, lines, lines.n, descending, {}, what);
  else
    sort_long(indices, values, x, lines, descending, what);
}

// Of the least digits no more are looked at than tell the numbers apart: those of -1 are all ones.
void order_of(const Tensor& order, const Tensor& numbers, int64_t limit, const char* what) {
  Lines line;
  line.n = numbers.numel();
  if (line.n <= kShort) return sort_short(order, {}, numbers, line, line.n, false, {}, what);
  int64_t passes = 1;
  while (passes < 8 && (int64_t{1} << (8 * passes)) - 1 <= limit) ++passes;
  sort_long(order, {}, numbers, line, false, what, passes);
}

void sort(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          bool descending, bool) {
  if (x.numel() == 0) return;
  check_type(x, "sort", true);
  if (lines.inner == 1 || lines.n <= kShort)
    return sort_lines(indices, values, x, lines, descending, "sort");
  Tensor from = gathered(x, lines), y = empty(from.sizes(), x.dtype(), x.device()),
         at = empty(from.sizes(), DType::Int64, x.device());
  sort_lines(at, y, from, together(lines), descending, "sort");
  spread(values, y, lines, lines.n);
  spread(indices, at, lines, lines.n);
}

void topk(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
          int64_t k, bool largest, bool sorted) {
  if (x.numel() == 0 || k == 0) return;
  check_type(x, "topk", false);
  if (lines.n <= kShort) return sort_short(indices, values, x, lines, k, largest, {}, "topk");
  if (lines.inner == 1) return first_of_long(indices, values, x, lines, k, largest, sorted);
  Tensor from = gathered(x, lines);
  Dims sizes{lines.outer, lines.inner, k};
  Tensor y = empty(sizes, x.dtype(), x.device()), at = empty(sizes, DType::Int64, x.device());
  first_of_long(at, y, from, together(lines), k, largest, sorted);
  spread(values, y, lines, k);
  spread(indices, at, lines, k);
}

void kth(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
         int64_t k) {
  if (x.numel() == 0) return;
  check_type(x, "kthvalue", false);
  select("rank", indices, values, gathered(x, lines), together(lines), k, false, "kthvalue");
}

void median(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
            bool ignore_nan) {
  if (x.numel() == 0) return;
  check_type(x, "median", false);
  select(ignore_nan ? "nanmedian" : "median", indices, values, gathered(x, lines), together(lines),
         0, false, "median");
}

void mode(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines) {
  if (x.numel() == 0) return;
  check_type(x, "mode", true);
  Tensor from = gathered(x, lines);
  Tensor y = empty(from.sizes(), x.dtype(), x.device()),
         at = empty(from.sizes(), DType::Int64, x.device());
  sort_lines(at, y, from, together(lines), false, "mode");
  ModeArguments a{y.raw(), at.data<int64_t>(), values.raw(), indices.data<int64_t>(), lines.count(),
                  lines.n};
  run_family({"sorting", "ModeArguments", concat("mode_of_sorted<", element(x), ">")}, &a,
             {.x = blocks_for(a.lines, 1), .threads = 128}, x.device().index, "mode");
}

}  // namespace lampas::cuda
