// See attention.h. The kernels: cuda/device/attention.h, flash_attention.h.
#include "cuda/attention.h"

#include "cuda/family.h"
#include "cuda/kernels.h"
#include "cuda/libraries.h"
#include "cuda/matmul.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

struct HeadSteps {
  int64_t batch, head, row, col;
};
// AttentionArguments of cuda/device/attention.h.
struct Arguments {
  const void *q, *k, *v, *mask, *dy;
  void *y, *dq, *dk, *dv;
  void *log_sums, *deltas;
  HeadSteps q_at, k_at, v_at, mask_at, dy_at, y_at, dq_at, dk_at, dv_at;
  int64_t batch, heads, kv_heads, queries, keys, width;
  double scale;
  int32_t causal, mask_kind;
};

HeadSteps steps_of(const Tensor& x) { return {x.stride(0), x.stride(1), x.stride(2), x.stride(3)}; }

Arguments arguments_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                       const Tensor& y, const Tensor& log_sums, AttentionOptions options) {
  Arguments a{};
  a.q = q.raw(), a.k = k.raw(), a.v = v.raw(), a.y = y.raw(), a.log_sums = log_sums.raw();
  a.q_at = steps_of(q), a.k_at = steps_of(k), a.v_at = steps_of(v), a.y_at = steps_of(y);
  if (mask.defined()) {
    a.mask = mask.raw();
    a.mask_at = steps_of(mask);
    a.mask_kind = mask.dtype() == DType::Bool ? 1 : 2;
  }
  a.batch = q.size(0), a.heads = q.size(1), a.kv_heads = k.size(1);
  a.queries = q.size(2), a.keys = k.size(2), a.width = q.size(3);
  a.scale = options.scale, a.causal = options.causal;
  return a;
}

// Tiles that fit 48 KB of shared memory; 0: none do.
struct Tiling {
  int width, forward, backward;
};
Tiling tiling_of(DType dtype, int64_t width) {
  if (dtype == DType::Double)
    return width <= 32 ? Tiling{32, 32, 16} : width <= 64 ? Tiling{64, 16, 16} : Tiling{};
  return width <= 32    ? Tiling{32, 32, 32}
         : width <= 64  ? Tiling{64, 32, 32}
         : width <= 128 ? Tiling{128, 32, 16}
                        : Tiling{};
}

int64_t tiles(int64_t rows, int64_t each) { return (rows + each - 1) / each; }

// Tensor cores take 16-bit floats.
bool is_flash(const Tensor& q) {
  return is_reduced(q.dtype()) && q.size(3) <= 128 && properties(q.device().index).major >= 8;
}

class Launch {
 public:
  Launch(const Arguments& a, const Tensor& q)
      : a_(a),
        device_(q.device().index),
        flash_(is_flash(q)),
        tiling_(tiling_of(q.dtype(), a.width)),
        type_(device_type(q.dtype())),
        sum_(accumulator(q.dtype())) {}

  void forward() {
    if (!flash_) return tiled("attention", tiling_.forward, a_.queries, a_.heads);
    int m = deep() <= 64 ? 2 : 1;
    flash(concat("flash<", type_, ", ", deep(), ", ", m, ">"), a_.queries, 64 * m, a_.heads);
  }
  void backward() {
    go("attention", concat("attention_deltas<", type_, ", ", sum_, ">"),
       tiles(a_.batch * a_.heads * a_.queries, 8), 256);
    if (!flash_) {
      tiled("attention_queries", tiling_.backward, a_.queries, a_.heads);
      return tiled("attention_keys", tiling_.backward, a_.keys, a_.kv_heads);
    }
    flash(concat("flash_queries<", type_, ", ", deep(), ">"), a_.queries, 64, a_.heads);
    // Fewer queries at a time leave registers to wider sums.
    flash(concat("flash_keys<", type_, ", ", deep(), deep() <= 64 ? ", 64>" : ", 32>"), a_.keys, 64,
          a_.kv_heads);
  }

 private:
  int64_t deep() const { return (a_.width + 15) / 16 * 16; }
  void tiled(const char* name, int side, int64_t rows, int64_t heads) {
    go("attention", concat(name, "<", type_, ", ", sum_, ", ", tiling_.width, ", ", side, ">"),
       tiles(rows, side) * heads * a_.batch, 256);
  }
  void flash(const std::string& function, int64_t rows, int64_t side, int64_t heads) {
    go("flash_attention", function, tiles(rows, side) * heads * a_.batch, 128);
  }
  void go(const char* family, const std::string& function, int64_t blocks, unsigned threads) {
    run_family({family, "AttentionArguments", function}, &a_,
               {.x = blocks_for(blocks, 1), .threads = threads}, device_,
               "scaled_dot_product_attention");
  }

  const Arguments& a_;
  int device_;
  bool flash_;
  Tiling tiling_;
  std::string type_, sum_;
};

}  // namespace

DType log_sum_type(DType dtype) { return is_reduced(dtype) ? DType::Float : dtype; }

bool attention_fits(const Tensor& q) {
  if (!tiling_of(q.dtype(), q.size(3)).width) return false;
  if (is_flash(q)) return true;
  // Tensor cores make products of 16-bit floats so much faster that writing all scores is cheaper.
  return !is_reduced(q.dtype()) || !cublaslt();
}

void attention(On, const Tensor& y, const Tensor& log_sums, const Tensor& q, const Tensor& k,
               const Tensor& v, const Tensor& mask, AttentionOptions options) {
  Arguments a = arguments_of(q, k, v, mask, y, log_sums, options);
  Launch(a, q).forward();
}

void attention_backward(On, const Tensor& dq, const Tensor& dk, const Tensor& dv, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& mask, const Tensor& y,
                        const Tensor& log_sums, const Tensor& dy, AttentionOptions options) {
  Arguments a = arguments_of(q, k, v, mask, y, log_sums, options);
  Tensor deltas = empty(log_sums.sizes(), log_sums.dtype(), log_sums.device());
  a.deltas = deltas.raw();
  a.dy = dy.raw(), a.dq = dq.raw(), a.dk = dk.raw(), a.dv = dv.raw();
  a.dy_at = steps_of(dy), a.dq_at = steps_of(dq), a.dk_at = steps_of(dk), a.dv_at = steps_of(dv);
  Launch(a, q).backward();
}

}  // namespace lampas::cuda
