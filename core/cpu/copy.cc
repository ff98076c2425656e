// Contiguous copies are runs, transpositions go block by block, everything else goes through tiles.
#include "cpu/copy.h"

#include <algorithm>
#include <cstring>

#include "cpu/convert.h"
#include "cpu/streaming.h"
#include "cpu/walk.h"
#include "runtime/parallel.h"

namespace lampas::cpu {

namespace {

constexpr int64_t kGrain = 1 << 16;  // elements
constexpr int64_t kBlock = 32;       // a transposed block: 32 lines of cache on either side

bool is_run(const Plan& plan, int i) {
  return plan.sizes.empty() ||
         (plan.sizes.size() == 1 && plan.strides[i][0] == item_size(plan.dtype[i]));
}

void copy_run(const Plan& plan) {
  Convert run = converter(plan.dtype[0], plan.dtype[1]);
  int64_t to = item_size(plan.dtype[0]), from = item_size(plan.dtype[1]);
  bool streamed = plan.dtype[0] == plan.dtype[1] && plan.numel * to >= kStreamed;
  parallel_for(plan.numel, kGrain, [&](int64_t begin, int64_t end) {
    char* y = plan.data[0] + begin * to;
    const char* x = plan.data[1] + begin * from;
    if (!streamed) return run(y, x, end - begin);
    LAMPAS_BEST(stream(y, x, (end - begin) * to));
    LAMPAS_BEST(stream_end());
  });
}

template <class T>
void transpose_block(char* to, int64_t to_step, const char* from, int64_t from_step, int64_t rows,
                     int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    T* y = reinterpret_cast<T*>(to + j * to_step);
    const char* x = from + j * static_cast<int64_t>(sizeof(T));
    for (int64_t i = 0; i < rows; ++i) y[i] = *reinterpret_cast<const T*>(x + i * from_step);
  }
}

// A unit of work is a strip: kBlock columns of one matrix.
void copy_transposed(const Plan& plan, size_t d) {
  int64_t rows = plan.sizes[0], columns = plan.sizes[d], item = item_size(plan.dtype[0]);
  int64_t strips = (columns + kBlock - 1) / kBlock, matrices = plan.numel / (rows * columns);
  int64_t grain = std::max<int64_t>(1, kGrain / (rows * kBlock));
  parallel_for(strips * matrices, grain, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      char* to = plan.data[0];
      const char* from = plan.data[1];
      int64_t rest = unit / strips, first = unit % strips * kBlock;
      for (size_t k = 1; k < plan.sizes.size(); ++k) {
        if (k == d) continue;
        to += rest % plan.sizes[k] * plan.strides[0][k];
        from += rest % plan.sizes[k] * plan.strides[1][k];
        rest /= plan.sizes[k];
      }
      to += first * plan.strides[0][d];
      from += first * item;
      int64_t width = std::min(kBlock, columns - first);
      dispatch_size(item, [&](auto tag) {
        for (int64_t i = 0; i < rows; i += kBlock)
          transpose_block<decltype(tag)>(to + i * item, plan.strides[0][d],
                                         from + i * plan.strides[1][0], plan.strides[1][0],
                                         std::min(kBlock, rows - i), width);
      });
    }
  });
}

template <int kItem>
void move_tile(void* const* operands, const Scalar*, int64_t n) {
  std::memmove(operands[0], operands[1], static_cast<size_t>(n) * kItem);
}

rows::Tile mover(int64_t item) {
  switch (item) {
    case 1:
      return move_tile<1>;
    case 2:
      return move_tile<2>;
    case 4:
      return move_tile<4>;
    case 8:
      return move_tile<8>;
    default:
      return move_tile<16>;
  }
}

// A run too large for the caches is written past them.
void fill_run(char* to, const char* element, int64_t item, int64_t n) {
  constexpr int64_t kPiece = 4096;  // bytes
  if (n * item < kStreamed)
    return parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      repeat(to + begin * item, element, item, end - begin);
    });
  alignas(64) char piece[kPiece];
  repeat(piece, element, item, kPiece / item);
  parallel_for(n * item, kGrain * item, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at += kPiece)
      LAMPAS_BEST(stream(to + at, piece, std::min(kPiece, end - at)));
    LAMPAS_BEST(stream_end());
  });
}

void copy_tiles(const Plan& plan) {
  walk(plan, {mover(item_size(plan.dtype[0])), nullptr, {plan.dtype[0], plan.dtype[0]}});
}

}  // namespace

size_t transposed_dim(const Plan& plan) {
  int64_t item = item_size(plan.dtype[0]);
  if (plan.dtype[0] != plan.dtype[1] || plan.sizes.size() < 2) return 0;
  if (plan.strides[0][0] != item || plan.strides[1][0] == item || plan.sizes[0] < 4) return 0;
  for (size_t d = 1; d < plan.sizes.size(); ++d)
    if (plan.strides[1][d] == item && plan.sizes[d] >= 4) return d;
  return 0;
}

void copy(const Tensor& to, const Tensor& from) {
  if (to.numel() == 0) return;
  Plan plan;
  plan.add(to);
  plan.add(from);
  plan.finish(to.sizes());
  copy(plan);
}

void copy(const Plan& plan) {
  if (is_run(plan, 0) && is_run(plan, 1)) return copy_run(plan);
  if (size_t d = transposed_dim(plan)) return copy_transposed(plan, d);
  copy_tiles(plan);
}

void fill(const Tensor& x, const Scalar& value) {
  if (x.numel() == 0) return;
  alignas(16) char element[16];
  dispatch<Everything>(x.dtype(), "fill", [&](auto tag) {
    *reinterpret_cast<decltype(tag)*>(element) = value.to<decltype(tag)>();
  });
  if (x.is_contiguous()) return fill_run(x.data<char>(), element, x.item_size(), x.numel());
  Plan plan;
  plan.add(x);
  plan.add_number(element, x.dtype());
  plan.finish(x.sizes());
  if (!is_run(plan, 0)) return copy_tiles(plan);
  fill_run(plan.data[0], element, x.item_size(), plan.numel);
}

}  // namespace lampas::cpu
