// Layer and RMS normalisation: over the last dimensions. Group normalisation: over groups of
// channels. Source: J. Ba et al., "Layer Normalization", 2016; B. Zhang, R. Sennrich, "Root Mean
// Square Layer Normalization", 2019; Y. Wu, K. He, "Group Normalization", 2018.
#include "ops/normalize.h"

namespace lampas::ops {

using tape::Backward;
using tape::needs_grad;
using tape::record;

namespace {

// Shapes and options of one call; a formula keeps it.
struct Rows {
  int64_t normalized;  // how many last dimensions
  int64_t n;           // elements of a row
  double eps;
  bool centred;

  Dims dims(const Tensor& x) const {
    Dims list;
    for (int64_t d = x.dim() - normalized; d < x.dim(); ++d) list.push_back(d);
    return list;
  }
  // Row statistics have the last dimensions as 1.
  Dims statistics(const Tensor& x) const {
    Dims sizes = x.sizes();
    for (int64_t d : dims(x)) sizes[static_cast<size_t>(d)] = 1;
    return sizes;
  }
};

// In the compute type for the CPU's kernels; those of a GPU read any.
Tensor prepared(const Tensor& parameter, DType dtype) {
  if (!parameter.defined()) return parameter;
  return contiguous(parameter.device().is_cuda() ? parameter : to(parameter, dtype));
}

Triple rows_forward(const Tensor& input, const Tensor& weight, const Tensor& bias, const Rows& rows,
                    const char* node) {
  Tensor x, y = empty(input.sizes(), input.dtype(), input.device());
  Tensor mean = empty(rows.statistics(input), DType::Double, input.device()),
         rstd = empty_like(mean);
  {
    tape::NoGrad off;
    x = contiguous(input);
    DType wide = compute_dtype(x.dtype());
    if (rows.n == 0) {
      fill_values(mean, Scalar(0));
      fill_values(rstd, Scalar(std::numeric_limits<double>::quiet_NaN()));
    }
    KERNEL(normalize_rows, y, mean, rstd, x, prepared(weight, wide), prepared(bias, wide), rows.n,
           rows.eps, rows.centred);
  }
  if (needs_grad(input, weight, bias)) {
    DType bias_type = bias.defined() ? bias.dtype() : x.dtype();
    record(y, node, {input, weight, bias}, {input, weight, mean, rstd},
           [rows, bias_type](const Backward& b) -> Tensors {
             Tensor x = b.saved(0), w = b.saved(1), dx, dw, db;
             DType wide = compute_dtype(x.dtype());
             Dims parameter(x.sizes().end() - rows.normalized, x.sizes().end());
             if (tape::grad_enabled()) {
               Tensor g = to(b.g, wide);
               auto found = NormGradient{rows.dims(x), rows.eps, rows.centred}(
                   g, to(x, wide), w.defined() ? to(w, wide) : w);
               if (b.needs(1)) dw = to(sum_to(found.scaled, parameter), w.dtype());
               if (b.needs(2)) db = to(sum_to(g, parameter), bias_type);
               return {to(found.dx, x.dtype()), dw, db};
             }
             if (b.needs(0)) dx = empty(x.sizes(), x.dtype(), x.device());
             bool any = x.numel() != 0;
             if (b.needs(1)) dw = parameter_sums(parameter, w.dtype(), x.device(), any);
             if (b.needs(2)) db = parameter_sums(parameter, bias_type, x.device(), any);
             Tensor g = contiguous(b.g);
             KERNEL(normalize_rows_backward, g, dx, dw, db, contiguous(x), b.saved(2), b.saved(3),
                    prepared(w, wide), rows.n, rows.centred);
             if (dw.defined()) dw = to(dw, w.dtype());
             if (db.defined()) db = to(db, bias_type);
             return {dx, dw, db};
           });
  }
  return {y, mean, rstd};
}

void check_shape(Span shape, const Tensor& weight, const Tensor& bias) {
  CHECK(!shape.empty(),
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
        "element, "
        "but got normalized_shape = ",
        to_string(shape));
  for (const Tensor* p : {&weight, &bias})
    CHECK(!p->defined() || same(p->sizes(), shape), "Expected ", p == &weight ? "weight" : "bias",
          " to be of same shape as normalized_shape, but got ", p == &weight ? "weight" : "bias",
          " of shape ", to_string(p->defined() ? Span(p->sizes()) : Span()),
          " and normalized_shape = ", to_string(shape));
}

bool ends_with(const Tensor& x, Span shape) {
  return x.dim() >= static_cast<int64_t>(shape.size()) &&
         same(Span(x.sizes()).last(shape.size()), shape);
}

// "[*, 3, 4]", as the messages spell it.
std::string pattern(Span shape, const char* between) {
  std::string text = "[*";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? std::string(", ") : std::string(between)) + std::to_string(shape[i]);
  return text + "]";
}

Rows rows_of(Span shape, double eps, bool centred) {
  return {static_cast<int64_t>(shape.size()), checked_numel(shape), eps, centred};
}

}  // namespace

namespace {

Triple layer(const Tensor& x, Span shape, const Tensor& weight, const Tensor& bias, double eps) {
  check_shape(shape, weight, bias);
  CHECK(ends_with(x, shape), "Given normalized_shape=", to_string(shape),
        ", expected input with shape ", pattern(shape, ", "), ", but got input of size",
        to_string(x.sizes()));
  if (!x.is_floating()) fail_dtype("LayerNormKernelImpl", x.dtype());
  is_mixed(x, {&weight, &bias});
  return rows_forward(x, weight, bias, rows_of(shape, eps, true), "NativeLayerNormBackward0");
}

}  // namespace

Tensor layer_norm(const Tensor& x, Span shape, const Tensor& weight, const Tensor& bias, double eps,
                  bool) {
  return std::get<0>(layer(x, shape, weight, bias, eps));
}

Triple native_layer_norm(const Tensor& x, Span shape, const Optional<Tensor>& weight_given,
                         const Optional<Tensor>& bias_given, double eps) {
  Tensor weight = given(weight_given), bias = given(bias_given);
  auto [y, mean, rstd] = layer(x, shape, weight, bias, eps);
  DType stat = is_mixed(x, {&weight, &bias}) ? DType::Float : x.dtype();
  return {y, to(mean, stat), to(rstd, stat)};
}

Tensor rms_norm(const Tensor& x, Span shape, const Tensor& weight, Optional<double> eps) {
  check_shape(shape, weight, {});
  CHECK(ends_with(x, shape), "Given normalized_shape=", to_string(shape),
        ", expected input with shape ", pattern(shape, ""), ", but got input of size",
        to_string(x.sizes()));
  CHECK_KIND(x.is_floating() || x.is_complex(), NotImplemented,
             "\"rms_norm\" not implemented for '", label(x.dtype()), "'");
  DType wide = compute_dtype(x.dtype());
  double small = eps ? *eps
                 : real_of(wide) == DType::Double
                     ? std::numeric_limits<double>::epsilon()
                     : static_cast<double>(std::numeric_limits<float>::epsilon());
  Rows rows = rows_of(shape, small, false);
  bool other = weight.defined() && weight.dtype() != x.dtype();
  if (x.is_complex() || other) {
    if (other && warn)
      warn(concat("Mismatch dtype between input and weight: input dtype = ", c_name(x.dtype()),
                  ", weight dtype = ", c_name(weight.dtype()),
                  ", Cannot dispatch to fused implementation.")
               .c_str());
    Tensor u = to(x, wide), r = rsqrt(mean(pow(u, 2), rows.dims(x), true, {}) + small), y = u * r;
    return to(weight.defined() ? y * weight : y, x.dtype());
  }
  const char* node = is_reduced(x.dtype()) ? "ToCopyBackward0" : "MulBackward0";
  return std::get<0>(rows_forward(x, weight, {}, rows, node));
}

// --- groups ---

namespace {

struct Groups {
  int64_t n, channels, inner, groups;
  double eps;

  cpu::Cut cut(bool last) const { return {n, channels, inner, last}; }
  Dims grouped() const { return {n, groups, channels / groups, inner}; }
  // A vector of channels against grouped().
  Tensor along(const Tensor& v) const { return reshape(v, Dims{1, groups, channels / groups, 1}); }
};

bool channels_last(const Tensor& x) {
  return !x.is_contiguous() && x.dim() == 4 && x.is_contiguous(MemoryFormat::ChannelsLast);
}
MemoryFormat format_of(const Tensor& x) {
  return channels_last(x) ? MemoryFormat::ChannelsLast : MemoryFormat::Contiguous;
}

Tensors slow_gradient(const Groups& s, const Backward& b, const Tensor& x, const Tensor& w) {
  DType wide = compute_dtype(x.dtype());
  Tensor g = reshape(to(b.g, wide), s.grouped()), from = reshape(to(x, wide), s.grouped());
  auto found =
      NormGradient{Dims{2, 3}, s.eps, true}(g, from, w.defined() ? s.along(to(w, wide)) : w);
  auto gathered = [&](const Tensor& t) {
    return reshape(sum(t, Dims{0, 3}, false), Dims{s.channels});
  };
  Tensor dw, db;
  if (b.needs(1)) dw = gathered(found.scaled);
  if (b.needs(2)) db = gathered(g);
  return {to(reshape(found.dx, x.sizes()), x.dtype()), dw, db};
}

Triple groups_forward(const Tensor& input, const Tensor& weight, const Tensor& bias,
                      const Groups& s) {
  if (!input.is_floating()) fail_dtype("GroupNormKernelImpl", input.dtype());
  is_mixed(input, {&weight, &bias});
  MemoryFormat format = format_of(input);
  Tensor x, y = empty_format(input.sizes(), input.dtype(), input.device(), format);
  Tensor mean = zeros(Dims{s.n, s.groups}, DType::Double, input.device()),
         rstd = zeros(Dims{s.n, s.groups}, DType::Double, input.device());
  {
    tape::NoGrad off;
    x = contiguous(input, format);
    if (x.numel() != 0) {
      Tensor var = empty_like(mean);
      KERNEL(group_moments, mean, var, x, s.cut(channels_last(x)));
      rstd = rsqrt(var + s.eps);
      KERNEL(normalize, y, x, s.cut(channels_last(x)), mean, rstd, weight, bias);
    }
  }
  if (needs_grad(input, weight, bias)) {
    DType bias_type = bias.defined() ? bias.dtype() : x.dtype();
    record(y, "NativeGroupNormBackward0", {input, weight, bias}, {input, weight, mean, rstd},
           [s, bias_type](const Backward& b) -> Tensors {
             Tensor x = b.saved(0), w = b.saved(1), dx, dw, db;
             if (tape::grad_enabled()) {
               Tensors found = slow_gradient(s, b, x, w);
               if (found[1].defined()) found[1] = to(found[1], w.dtype());
               if (found[2].defined()) found[2] = to(found[2], bias_type);
               return found;
             }
             MemoryFormat format = format_of(x);
             if (b.needs(0)) dx = empty_format(x.sizes(), x.dtype(), x.device(), format);
             bool any = x.numel() != 0;
             if (b.needs(1)) dw = parameter_sums(Dims{s.channels}, w.dtype(), x.device(), any);
             if (b.needs(2)) db = parameter_sums(Dims{s.channels}, bias_type, x.device(), any);
             if (any) {
               Tensor g = contiguous(b.g, format);
               KERNEL(normalize_backward, g, dx, dw, db, contiguous(x, format),
                      s.cut(channels_last(x)), b.saved(2), b.saved(3), w, false);
             }
             if (dw.defined()) dw = to(dw, w.dtype());
             if (db.defined()) db = to(db, bias_type);
             return {dx, dw, db};
           });
  }
  return {y, mean, rstd};
}

void check_groups(const Tensor& x, int64_t groups, int64_t channels, const Tensor& weight,
                  const Tensor& bias) {
  CHECK(groups > 0, "Expected num groups to be greater than 0, got ", groups);
  CHECK(
      channels % groups == 0,
      "Expected number of channels in input to be divisible by num_groups, but got input of shape ",
      to_string(x.sizes()), " and num_groups=", groups);
  auto fits = [&](const Tensor& p) {
    return !p.defined() || (p.dim() == 1 && p.numel() == channels);
  };
  CHECK(fits(weight),
        "Expected weight to be a vector of size equal to the number of channels in input, but got "
        "weight of shape ",
        to_string(weight.defined() ? Span(weight.sizes()) : Span()), " and input of shape ",
        to_string(x.sizes()));
  CHECK(fits(bias),
        "Expected bias to be a vector of size equal to the number of channels in input, but got "
        "bias of shape ",
        to_string(weight.defined() ? Span(weight.sizes()) : Span()), " and input of shape ",
        to_string(x.sizes()));
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps, bool) {
  CHECK_KIND(x.dim() > 1, Index, "Dimension out of range (expected to be in range of [",
             x.dim() ? -1 : -1, ", 0], but got 1)");
  check_groups(x, groups, x.size(1), weight, bias);
  Groups s{x.size(0), x.size(1), 1, groups, eps};
  for (int64_t d = 2; d < x.dim(); ++d) s.inner *= x.size(d);
  return std::get<0>(groups_forward(x, weight, bias, s));
}

Triple native_group_norm(const Tensor& x, const Optional<Tensor>& weight_given,
                         const Optional<Tensor>& bias_given, int64_t n, int64_t channels,
                         int64_t inner, int64_t groups, double eps) {
  Tensor weight = given(weight_given), bias = given(bias_given);
  check_groups(x, groups, channels, weight, bias);
  CHECK(n >= 0 && channels >= 0 && inner >= 0 && x.numel() == n * channels * inner,
        "Expected input to have ", n, " * ", channels, " * ", inner,
        " elements, but got input of shape ", to_string(x.sizes()));
  auto [y, mean, rstd] = groups_forward(x, weight, bias, {n, channels, inner, groups, eps});
  DType stat = is_mixed(x, {&weight, &bias}) ? DType::Float : x.dtype();
  if (needs_grad(x) && channels * inner > 0) {  // here the moments are results of their own
    Tensor grouped = reshape(x, Dims{n, groups, channels * inner / groups});
    mean = ops::mean(grouped, Dims{-1}, false, {});
    rstd = rsqrt(ops::var(grouped, Dims{-1}, Scalar(0), false) + eps);
  }
  return {y, to(mean, stat), to(rstd, stat)};
}

}  // namespace lampas::ops
