// Convolutions by cuDNN: one operation, with the addition of a bias behind it where tensor cores
// compute. Plans are kept by problem.
#include <algorithm>
#include <mutex>

#include "cuda/convolution.h"
#include "cuda/cudnn_graph.h"
#include "runtime/switches.h"

namespace lampas::cuda {
namespace {

using cpu::ConvMap;
using cpu::ConvShape;
using namespace dnn;

enum Attribute {
  kPointwiseMode = 0,
  kPointwiseType = 1,
  kComputeType = 100,
  kMode = 101,
  kDilations = 102,
  kStrides = 103,
  kPaddingsAfter = 104,
  kPaddingsBefore = 105,
  kSpatial = 106,
  kPointwise = 750,
  kPointwiseX = 751,
  kPointwiseB = 752,
  kPointwiseY = 753
};
// Of an operation: factors of the product and of what was there, then the descriptors.
struct OperationAttributes {
  Kind kind;
  int alpha, beta, convolution, w, x, y;
};
constexpr OperationAttributes kForward{Kind::forward, 700, 701, 702, 703, 704, 705};
constexpr OperationAttributes kToInput{Kind::backward_input, 706, 707, 708, 709, 710, 711};
constexpr OperationAttributes kToWeight{Kind::backward_weight, 712, 713, 714, 715, 716, 717};
constexpr int kCrossCorrelation = 1, kAdd = 0;
constexpr int64_t kX = 1, kW = 2, kY = 3, kBias = 4, kSum = 5;
constexpr size_t kMostWorkspace = size_t{1} << 30;

const OperationAttributes& attributes_of(ConvMap map) {
  return map == ConvMap::result ? kForward : map == ConvMap::input ? kToInput : kToWeight;
}

struct Problem {
  ConvMap map;
  int type, compute;
  int64_t alignment;
  TensorDescription x, w, y;
  std::vector<int64_t> stride, padding, dilation;
  bool has_bias;
};

// The library wants two spatial dimensions or three; one gets a first of size 1.
TensorDescription described(int64_t id, const Tensor& x, const Problem& p) {
  TensorDescription d{id, p.type, {}, {}, p.alignment, false};
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (i == 2 && x.dim() == 3) {
      d.sizes.push_back(1);
      d.steps.push_back(x.size(2) * x.stride(2));
    }
    d.sizes.push_back(x.size(i));
    d.steps.push_back(x.stride(i));
  }
  return d;
}

Descriptor convolution_of(const Problem& p) {
  Descriptor d(Kind::convolution);
  d.set(kComputeType, Type::data_type, p.compute)
      .set(kMode, Type::convolution_mode, kCrossCorrelation)
      .set(kSpatial, std::vector<int64_t>{static_cast<int64_t>(p.stride.size())})
      .set(kDilations, p.dilation)
      .set(kStrides, p.stride)
      .set(kPaddingsBefore, p.padding)
      .set(kPaddingsAfter, p.padding)
      .finish();
  return d;
}

void set_factors(Descriptor& d, const OperationAttributes& a, bool wide) {
  if (wide) {
    double one = 1, zero = 0;
    d.set(a.alpha, Type::float64, 1, &one).set(a.beta, Type::float64, 1, &zero);
  } else {
    float one = 1, zero = 0;
    d.set(a.alpha, Type::float32, 1, &one).set(a.beta, Type::float32, 1, &zero);
  }
}

Plan make_plan(const Problem& p, const Wishes& wishes, int device) {
  Plan plan;
  auto& parts = plan.parts;
  parts.reserve(16);
  auto keep = [&](Descriptor d) -> Descriptor& {
    parts.push_back(std::move(d));
    return parts.back();
  };
  Descriptor &x = keep(describe(p.x)), &w = keep(describe(p.w)), &y = keep(describe(p.y));
  TensorDescription between = p.y;
  between.id = kSum, between.type = p.compute, between.is_virtual = true;
  Descriptor& sum = p.has_bias ? keep(describe(between)) : y;
  const OperationAttributes& a = attributes_of(p.map);
  Descriptor& convolution = keep(convolution_of(p));
  Descriptor& product = keep(Descriptor(a.kind));
  set_factors(product, a, p.compute == kDouble);
  product.set(a.convolution, convolution).set(a.w, w).set(a.x, x).set(a.y, sum).finish();
  std::vector<DnnDescriptor> operations{product.raw()};
  if (p.has_bias) {
    TensorDescription row{kBias, p.type,      std::vector<int64_t>(p.y.sizes.size(), 1),
                          {},    p.alignment, false};
    row.sizes[1] = p.y.sizes[1];
    row.steps.assign(row.sizes.size(), 1);
    row.steps[0] = row.sizes[1];
    Descriptor& bias = keep(describe(row));
    Descriptor& add = keep(Descriptor(Kind::pointwise));
    add.set(kPointwiseMode, Type::pointwise_mode, kAdd)
        .set(kPointwiseType, Type::data_type, p.compute)
        .finish();
    Descriptor& addition = keep(Descriptor(Kind::pointwise_operation));
    addition.set(kPointwise, add)
        .set(kPointwiseX, sum)
        .set(kPointwiseB, bias)
        .set(kPointwiseY, y)
        .finish();
    operations.push_back(addition.raw());
  }
  choose(plan, operations, wishes, kMostWorkspace, device);
  return plan;
}

Key key_of(const Problem& p, const Wishes& wishes, int device) {
  Key key{
      static_cast<int64_t>(p.map), p.type, p.alignment, device, p.has_bias, wishes.exact_float32,
      wishes.deterministic};
  key.reserve(64);
  auto append = [&](const std::vector<int64_t>& values) {
    key.push_back(static_cast<int64_t>(values.size()));
    key.insert(key.end(), values.begin(), values.end());
  };
  for (const TensorDescription* t : {&p.x, &p.w, &p.y}) append(t->sizes), append(t->steps);
  append(p.stride), append(p.padding), append(p.dilation);
  return key;
}

// Tensor cores add a bias for free; other engines do not fuse it.
bool fuses_bias(DType dtype) {
  return is_reduced(dtype) || (dtype == DType::Float && switches.cudnn_tf32);
}

}  // namespace

bool convolve_by_library(ConvMap map, const Tensor& x, const Tensor& w, const Tensor& y,
                         const Tensor& bias, const ConvShape& s) {
  int type = data_type(x.dtype());
  if (type < 0 || !switches.cudnn_enabled || !cudnn()) return false;
  if (bias.defined() && !fuses_bias(x.dtype())) return false;
  Problem p;
  p.map = map, p.type = type, p.compute = type == kDouble ? kDouble : kFloat;
  p.has_bias = bias.defined();
  p.alignment = alignment_of({x.raw(), w.raw(), y.raw(), bias.defined() ? bias.raw() : nullptr},
                             x.item_size());
  p.x = described(kX, x, p), p.w = described(kW, w, p), p.y = described(kY, y, p);
  for (int64_t d = 3 - std::max<int64_t>(x.dim() - 2, 2); d < 3; ++d) {
    p.stride.push_back(s.stride[d]);
    p.padding.push_back(s.padding[d]);
    p.dilation.push_back(s.dilation[d]);
  }
  Wishes wishes{type == kFloat && !switches.cudnn_tf32,
                switches.cudnn_deterministic || switches.deterministic};
  int device = x.device().index;
  static std::mutex guard;
  static auto* plans = new Plans;
  Key key = key_of(p, wishes, device);
  std::lock_guard<std::mutex> hold(guard);
  auto found = plans->find(key);
  if (found == plans->end()) {
    Plan made;
    try {
      made = make_plan(p, wishes, device);
    } catch (const Refused&) {  // kept as a plan that does not work
    }
    found = plans->emplace(std::move(key), std::move(made)).first;
  }
  if (!found->second.works()) return false;
  std::vector<int64_t> ids{kX, kW, kY};
  std::vector<void*> data{x.raw(), w.raw(), y.raw()};
  if (p.has_bias) ids.push_back(kBias), data.push_back(bias.raw());
  run(found->second, ids, data, device, "convolution");
  return true;
}

}  // namespace lampas::cuda
