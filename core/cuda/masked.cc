// See masked.h.
#include "cuda/masked.h"

#include "cuda/failures.h"
#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

constexpr int64_t kTile = 256 * 16;  // as device/masked.h has it
constexpr unsigned kScanThreads = 512;

// Mirrors of device/masked.h.
struct FillArguments {
  void* y;
  const void* mask;
  const void* value;
  int64_t n;
  Walk<2> walk;
};
struct TileArguments {
  const void* mask;
  const void* from = nullptr;
  void* to = nullptr;
  int64_t* tiles;
  int64_t n, count = 0, rank = 0, flat = 0;
  int64_t sizes[kWalkRank] = {};
  Report report;
  Walk<2> walk;
};
struct ScanArguments {
  int64_t* tiles;
  int64_t n;
};

Walk<2> walk_with(const Tensor& first, const Tensor& second, const char* what) {
  cpu::Box<2> box;
  for (int64_t d = 0; d < first.dim(); ++d)
    box.add(first.size(d), {first.stride(d), second.stride(d)});
  return walk_of(box, what);
}

// The tiles of a mask, with what lies before each once `scanned`.
struct Tiles {
  Tensor sums;
  int64_t count;
  TileArguments a;
  std::string index;
  int device;
  const char* what;

  Tiles(const Tensor& mask, const Tensor& other, const char* element, const char* name)
      : count((mask.numel() + kTile - 1) / kTile),
        index(index_type(mask.numel())),
        device(mask.device().index),
        what(name) {
    sums = empty(Dims{count + 1}, DType::Int64, mask.device());
    a.mask = mask.raw();
    a.tiles = sums.data<int64_t>();
    a.n = mask.numel();
    a.walk = walk_with(mask, other, what);
    a.flat = mask.is_contiguous() && reinterpret_cast<uintptr_t>(a.mask) % 16 == 0;
    run("count_tiles", element);
    ScanArguments s{a.tiles, count};
    run_family({"masked", "ScanArguments", "scan_tiles"}, &s, {.threads = kScanThreads}, device,
               what);
  }
  void run(const char* kernel, const char* type) {
    run_family({"masked", "TileArguments", concat(kernel, "<", type, ", ", index, ">")}, &a,
               {.x = blocks_for(count, 1), .threads = 256}, device, what);
  }
  int64_t total() const {
    int64_t sum = 0;
    copy_bytes(&sum, Device{}, a.tiles + count, sums.device(), sizeof sum);
    return sum;
  }
};

bool flat(const Tensor& x, const Tensor& mask) { return x.is_contiguous() && mask.is_contiguous(); }

}  // namespace

void masked_fill(On, Tensor& y, const Tensor& mask, const Tensor& value) {
  if (y.numel() == 0) return;
  const char* what = "masked_fill";
  FillArguments a{y.raw(), mask.raw(), value.raw(), y.numel(), {}};
  bool vectors = flat(y, mask);
  if (!vectors) a.walk = walk_with(y, mask, what);
  static auto* table = new KernelTable;
  table->run(
      kernel_key(y.item_size(), is_wide(a.n), vectors),
      [&] {
        const char* word = word_type(y.item_size());
        return FamilyKernel{"masked", "FillArguments",
                            vectors ? concat("masked_fill_flat<", word, ">")
                                    : concat("masked_fill<", word, ", ", index_type(a.n), ">")};
      },
      &a, grid_of(vectors ? (a.n + 3) / 4 : a.n), y.device().index, what);
}

Tensor masked_select(On, const Tensor& x, const Tensor& mask) {
  if (mask.numel() == 0) return empty(Dims{0}, x.dtype(), x.device());
  Tiles tiles(mask, x, "uint8_t", "masked_select");
  int64_t count = tiles.total();
  Tensor y = empty(Dims{count}, x.dtype(), x.device());
  if (count == 0) return y;
  tiles.a.from = x.raw();
  tiles.a.to = y.raw();
  tiles.run("masked_select", word_type(x.item_size()));
  return y;
}

void masked_scatter(On, Tensor& y, const Tensor& mask, const Tensor& source) {
  if (y.numel() == 0) return;
  Tiles tiles(mask, y, "uint8_t", "masked_scatter");
  tiles.a.from = source.raw();
  tiles.a.to = y.raw();
  tiles.a.count = source.numel();
  tiles.a.report = report_of(
      y.device().index, "masked_scatter",
      [](int64_t, int64_t, int64_t) {
        fail("Number of elements of source < number of ones in mask");
      },
      0, source.numel());
  tiles.run("masked_scatter", word_type(y.item_size()));
}

Tensor nonzero(On, const Tensor& x) {
  if (x.numel() == 0) return empty(Dims{x.dim(), 0}, DType::Int64, x.device());
  const char* type = x.dtype() == DType::Bool ? "uint8_t" : device_type(x.dtype());
  CHECK_KIND(x.dim() <= kWalkRank, NotImplemented, "nonzero on CUDA takes at most ", kWalkRank,
             " dimensions");
  Tiles tiles(x, x, type, "nonzero");
  int64_t count = tiles.total();
  Tensor y = empty(Dims{x.dim(), count}, DType::Int64, x.device());
  if (count == 0 || x.dim() == 0) return y;
  tiles.a.to = y.raw();
  tiles.a.count = count;
  tiles.a.rank = x.dim();
  std::copy(x.sizes().begin(), x.sizes().end(), tiles.a.sizes);
  tiles.run("nonzero", type);
  return y;
}

}  // namespace lampas::cuda
