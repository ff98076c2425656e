// Batch normalisation, and instance normalisation as its special case.
// Source: S. Ioffe, C. Szegedy, "Batch Normalization", 2015; D. Ulyanov et al., "Instance
// Normalization", 2016.
#include "ops/normalize.h"
#include "tape/history.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

// Everything but channels, and the shape with which a vector of channels broadcasts.
Dims around_channels(const Tensor& x) {
  Dims dims;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (d != 1) dims.push_back(d);
  return dims;
}
Tensor along_channels(const Tensor& v, const Tensor& x) {
  if (!v.defined()) return v;
  Dims sizes(static_cast<size_t>(x.dim()), 1);
  sizes[1] = v.size(0);
  return reshape(v, sizes);
}

MemoryFormat format_of(const Tensor& x) {
  if (x.is_contiguous()) return MemoryFormat::Contiguous;
  if (x.dim() == 4 && x.is_contiguous(MemoryFormat::ChannelsLast))
    return MemoryFormat::ChannelsLast;
  if (x.dim() == 5 && x.is_contiguous(MemoryFormat::ChannelsLast3d))
    return MemoryFormat::ChannelsLast3d;
  return MemoryFormat::Contiguous;
}

cpu::Cut cut_of(const Tensor& x, MemoryFormat format) {
  cpu::Cut cut{x.size(0), x.size(1), 1, format != MemoryFormat::Contiguous};
  for (int64_t d = 2; d < x.dim(); ++d) cut.inner *= x.size(d);
  if (cut.inner == 1) cut.last = true;
  if (cut.last) cut = {1, cut.channels, cut.outer * cut.inner, true};
  return cut;
}

void check_vector(const Tensor& v, const char* name, int64_t channels) {
  CHECK(!v.defined() || (v.dim() == 1 && v.size(0) == channels), name, " should contain ", channels,
        " elements not ", v.defined() ? v.numel() : 0);
}

struct Call {
  bool training;
  double momentum, eps;

  void check(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean,
             const Tensor& var) const {
    int64_t channels = x.dim() > 1 ? x.size(1) : 0;
    if (!training) {
      CHECK(mean.defined(), "running_mean must be defined in evaluation mode");
      CHECK(var.defined(), "running_var must be defined in evaluation mode");
    }
    check_vector(mean, "running_mean", channels);
    check_vector(var, "running_var", channels);
    check_vector(weight, "weight", channels);
    check_vector(bias, "bias", channels);
    CHECK(x.dim() > 1, "batch_norm: expected input with at least 2 dimensions, got ", x.dim());
    if (!x.is_floating()) fail_dtype("batch_norm", x.dtype());
  }

  static void written(const Tensor& running) {
    if (!running.defined()) return;
    tape::check_write(running);
    bump_version(running);
  }

  Tensors slow_gradient(const Backward& b, const Tensor& x, const Tensor& weight,
                        const Tensor& mean, const Tensor& var) const {
    DType wide = compute_dtype(x.dtype());
    Tensor xw = to(x, wide), gw = to(b.g, wide);
    Tensor w = weight.defined() ? along_channels(to(weight, wide), x) : weight;
    Dims dims = around_channels(x);
    NormGradient::Results found;
    if (training) {
      found = NormGradient{dims, eps, true}(gw, xw, w);
    } else {
      Tensor r = rsqrt(along_channels(to(var, wide), x) + eps);
      Tensor scaled = gw * r;
      found = {w.defined() ? scaled * w : scaled,
               scaled * (xw - along_channels(to(mean, wide), x))};
    }
    Tensor dx = to(found.dx, x.dtype()), dw, db;
    if (b.needs(1)) dw = to(sum(found.scaled, dims, false), weight.dtype());
    if (b.needs(2)) db = sum(gw, dims, false);
    return {dx, dw, db};
  }
};

Triple run(const Tensor& input, const Tensor& weight, const Tensor& bias,
           const Tensor& running_mean, const Tensor& running_var, const Call& call) {
  call.check(input, weight, bias, running_mean, running_var);
  bool mixed = is_mixed(input, {&weight, &bias}) ||
               (!weight.defined() && !bias.defined() && is_reduced(input.dtype()) &&
                running_mean.defined() && running_mean.dtype() == DType::Float);
  DType stat = mixed ? DType::Float : input.dtype();
  for (const Tensor* t : {&running_mean, &running_var})
    CHECK(!t->defined() || t->dtype() == stat, "expected scalar type ", label(stat), " but found ",
          label(t->defined() ? t->dtype() : stat));
  MemoryFormat format = format_of(input);
  Tensor x;
  {
    tape::NoGrad off;
    x = contiguous(input, format);
  }
  Tensor y = empty_format(x.sizes(), x.dtype(), x.device(), format);
  int64_t channels = x.size(1);
  Tensor mean = empty(Dims{channels}, DType::Double, x.device()), rstd;
  bool nothing = x.numel() == 0;
  {
    tape::NoGrad off;
    cpu::Cut cut = cut_of(x, format);
    if (call.training && !nothing) {
      Tensor var = empty(Dims{channels}, DType::Double, x.device());
      KERNEL(channel_moments, mean, var, x, cut);
      double n = static_cast<double>(cut.outer * cut.inner);
      Call::written(running_mean);
      Call::written(running_var);
      rstd = empty_like(mean);
      KERNEL(track_statistics, rstd, mean, var, running_mean, running_var, call.momentum,
             n / (n - 1), call.eps);
    } else if (call.training) {
      mean = zeros(Dims{channels}, DType::Double, x.device());
      rstd = full(Dims{channels}, Scalar(1 / std::sqrt(call.eps)), DType::Double, x.device());
    } else {
      rstd = empty_like(mean);
      KERNEL(known_statistics, mean, rstd, running_mean, running_var, call.eps);
    }
    if (!nothing) KERNEL(normalize, y, x, cut, mean, rstd, weight, bias);
  }
  if (needs_grad(input, weight, bias)) {
    DType bias_type = bias.defined() ? bias.dtype() : stat;
    record(y, "NativeBatchNormBackward0", {input, weight, bias},
           {input, weight, mean, rstd, call.training ? Tensor() : running_mean,
            call.training ? Tensor() : running_var},
           [call, bias_type](const Backward& b) -> Tensors {
             Tensor x = b.saved(0), w = b.saved(1);
             if (tape::grad_enabled()) {
               Tensors found = call.slow_gradient(b, x, w, call.training ? Tensor() : b.saved(4),
                                                  call.training ? Tensor() : b.saved(5));
               if (found[2].defined()) found[2] = to(found[2], bias_type);
               return found;
             }
             MemoryFormat format = format_of(x);
             Tensor dx, dw, db;
             if (b.needs(0)) dx = empty_format(x.sizes(), x.dtype(), x.device(), format);
             bool any = x.numel() != 0;
             if (b.needs(1)) dw = parameter_sums(Dims{x.size(1)}, w.dtype(), x.device(), any);
             if (b.needs(2)) db = parameter_sums(Dims{x.size(1)}, bias_type, x.device(), any);
             if (any) {
               Tensor from = contiguous(x, format);
               Tensor g = contiguous(b.g, format);
               KERNEL(normalize_backward, g, dx, dw, db, from, cut_of(from, format), b.saved(2),
                      b.saved(3), w, !call.training);
             }
             if (dw.defined()) dw = to(dw, w.dtype());
             if (db.defined()) db = to(db, bias_type);
             return {dx, dw, db};
           });
  }
  return {y, mean, rstd};
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Optional<Tensor>& weight, const Optional<Tensor>& bias,
                  const Optional<Tensor>& running_mean, const Optional<Tensor>& running_var,
                  bool training, double momentum, double eps, bool) {
  return std::get<0>(run(x, given(weight), given(bias), given(running_mean), given(running_var),
                         {training, momentum, eps}));
}

Triple native_batch_norm(const Tensor& x, const Optional<Tensor>& weight,
                         const Optional<Tensor>& bias, const Optional<Tensor>& running_mean,
                         const Optional<Tensor>& running_var, bool training, double momentum,
                         double eps) {
  auto [y, mean, rstd] = run(x, given(weight), given(bias), given(running_mean), given(running_var),
                             {training, momentum, eps});
  auto other = [&](const Tensor& t) { return t.defined() && t.dtype() != x.dtype(); };
  bool mixed = other(given(weight)) || other(given(running_mean));
  DType stat = mixed ? DType::Float : x.dtype();
  if (!training) return {y, empty(Dims{0}, stat, x.device()), empty(Dims{0}, stat, x.device())};
  return {y, to(mean, stat), to(rstd, stat)};
}

Tensor instance_norm(const Tensor& input, const Optional<Tensor>& weight,
                     const Optional<Tensor>& bias, const Optional<Tensor>& running_mean,
                     const Optional<Tensor>& running_var, bool use_input_stats, double momentum,
                     double eps, bool cudnn) {
  CHECK(use_input_stats || (running_mean && running_var),
        "Expected running_mean and running_var to be defined when use_input_stats is false");
  CHECK_KIND(input.dim() > 1, Index,
             "Dimension out of range (expected to be in range of [-1, 0], but got 1)");
  int64_t n = input.size(0), c = input.size(1);
  // One channel for each sample and channel makes this a batch norm.
  auto tiled = [n](const Optional<Tensor>& v) { return v ? repeat(*v, Dims{n}) : Tensor(); };
  Tensor means = tiled(running_mean), variances = tiled(running_var);
  Dims flat = input.sizes();
  flat[0] = 1;
  flat[1] = n * c;
  Tensor y = batch_norm(view(contiguous(input), flat), tiled(weight), tiled(bias), means, variances,
                        use_input_stats, momentum, eps, cudnn);
  if (use_input_stats) {
    tape::NoGrad off;
    auto gather = [&](const Optional<Tensor>& running, const Tensor& copies) {
      if (running) copy_(*running, mean(view(copies, Dims{n, c}), Dims{0}, false, {}));
    };
    gather(running_mean, means);
    gather(running_var, variances);
  }
  return view(y, input.sizes());
}

}  // namespace lampas::ops
