// A cuDNN for tests: takes graphs of descriptors through its backend interface, demands of each
// what the documentation demands (attributes, their types and counts, finished before they are
// used), and computes convolutions on the host from sizes and steps. DNN_REFUSES names what it has
// no engine for: "all", "fused".
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fake_library.h"

namespace {

enum Type {
  kHandle,
  kDataType,
  kBoolean,
  kInt64,
  kFloat,
  kDouble,
  kPointer,
  kConvolutionMode,
  kHeuristicMode,
  kNote = 11,
  kPointwiseMode = 14,
  kDescriptor = 15
};
enum Kind {
  kPointwise,
  kConvolution,
  kEngine,
  kConfiguration,
  kHeuristic,
  kPlan,
  kForward = 10,
  kBackwardWeight,
  kBackwardInput,
  kPointwiseOperation,
  kGraph = 15,
  kPack,
  kTensor
};

int executions = 0, plans = 0;
constexpr int64_t kWorkspace = 1 << 12;

size_t bytes_of(int type) {
  switch (type) {
    case kHandle:
    case kInt64:
    case kDouble:
    case kPointer:
    case kDescriptor:
      return 8;
    case kBoolean:
      return 1;
    default:
      return 4;
  }
}

struct Values {
  int type;
  int64_t count;
  std::vector<char> bytes;
};
struct Descriptor {
  int kind;
  bool finished = false;
  std::map<int, Values> values;
  int engine = 0;  // of a configuration or a plan

  bool has(int which) const { return values.count(which); }
  template <class T>
  std::vector<T> all(int which, int type) const {
    auto found = values.find(which);
    REQUIRE(found != values.end() && found->second.type == type);
    std::vector<T> v(size_t(found->second.count));
    REQUIRE(v.size() * sizeof(T) == found->second.bytes.size());
    std::memcpy(v.data(), found->second.bytes.data(), found->second.bytes.size());
    return v;
  }
  template <class T>
  T one(int which, int type) const {
    auto v = all<T>(which, type);
    REQUIRE(v.size() == 1);
    return v[0];
  }
  Descriptor* part(int which, int kind) const {
    auto* d = one<Descriptor*>(which, kDescriptor);
    REQUIRE(d && d->kind == kind && d->finished);
    return d;
  }
};

struct TensorOf {
  int64_t id, alignment;
  int type;
  bool is_virtual;
  std::vector<int64_t> sizes, steps;
  TensorOf(const Descriptor* d) {
    REQUIRE(d->kind == kTensor && d->finished);
    type = d->one<int>(901, kDataType);
    sizes = d->all<int64_t>(902, kInt64), steps = d->all<int64_t>(903, kInt64);
    id = d->one<int64_t>(906, kInt64), alignment = d->one<int64_t>(900, kInt64);
    is_virtual = d->has(907) && d->one<char>(907, kBoolean);
  }
  size_t item() const { return type == 1 ? 8 : type == 0 ? 4 : 2; }
  size_t extent() const {
    int64_t last = 0;
    for (size_t i = 0; i < sizes.size(); ++i) last += (sizes[i] - 1) * steps[i];
    return size_t(last + 1) * item();
  }
};

double load(const void* p, int type, int64_t at) {
  switch (type) {
    case 0:
      return static_cast<const float*>(p)[at];
    case 1:
      return static_cast<const double*>(p)[at];
    case 2:
      return double(static_cast<const _Float16*>(p)[at]);
    default:
      return static_cast<const Bf16*>(p)[at];
  }
}
void store(void* p, int type, int64_t at, double x) {
  switch (type) {
    case 0:
      static_cast<float*>(p)[at] = float(x);
      break;
    case 1:
      static_cast<double*>(p)[at] = x;
      break;
    case 2:
      static_cast<_Float16*>(p)[at] = _Float16(x);
      break;
    default:
      static_cast<Bf16*>(p)[at] = Bf16(float(x));
  }
}

// --- what finishing demands ---

void check_tensor(const Descriptor& d) {
  Descriptor finished = d;
  finished.finished = true;
  TensorOf t(&finished);
  REQUIRE(t.type == 0 || t.type == 1 || t.type == 2 || t.type == 9);
  REQUIRE(t.sizes.size() == t.steps.size() && t.sizes.size() >= 3 && t.sizes.size() <= 8);
  for (int64_t n : t.sizes) REQUIRE(n > 0);
  for (int64_t n : t.steps) REQUIRE(n > 0);
  REQUIRE(t.alignment > 0 && (t.alignment & (t.alignment - 1)) == 0);
}

struct ConvolutionOf {
  std::vector<int64_t> stride, padding, dilation;
  int compute;
  ConvolutionOf(const Descriptor* d) {
    compute = d->one<int>(100, kDataType);
    REQUIRE(d->one<int>(101, kConvolutionMode) == 1);
    auto n = size_t(d->one<int64_t>(106, kInt64));
    dilation = d->all<int64_t>(102, kInt64), stride = d->all<int64_t>(103, kInt64);
    padding = d->all<int64_t>(105, kInt64);
    REQUIRE(padding == d->all<int64_t>(104, kInt64));
    REQUIRE((n == 2 || n == 3) && dilation.size() == n && stride.size() == n &&
            padding.size() == n);
  }
};

int first_attribute(int kind) {
  return kind == kForward ? 700 : kind == kBackwardInput ? 706 : 712;
}
// Descriptors of x, w and y in the numbering of each operation.
std::vector<Descriptor*> tensors_of(const Descriptor& d) {
  int base = first_attribute(d.kind);
  auto get = [&](int i) { return d.part(base + i, kTensor); };
  return {get(4), get(3), get(5)};
}

void check_convolution_operation(const Descriptor& d) {
  int base = first_attribute(d.kind);
  ConvolutionOf c(d.part(base + 2, kConvolution));
  auto t = tensors_of(d);
  TensorOf x(t[0]), w(t[1]), y(t[2]);
  size_t n = c.stride.size();
  REQUIRE(x.sizes.size() == n + 2 && w.sizes.size() == n + 2 && y.sizes.size() == n + 2);
  REQUIRE(x.type == w.type && c.compute == (x.type == 1 ? 1 : 0));
  REQUIRE(x.sizes[0] == y.sizes[0] && y.sizes[1] == w.sizes[0] && x.sizes[1] % w.sizes[1] == 0);
  REQUIRE(w.sizes[0] % (x.sizes[1] / w.sizes[1]) == 0);
  for (size_t i = 0; i < n; ++i) {
    int64_t extent = c.dilation[i] * (w.sizes[i + 2] - 1) + 1;
    REQUIRE(y.sizes[i + 2] == (x.sizes[i + 2] + 2 * c.padding[i] - extent) / c.stride[i] + 1);
  }
  if (c.compute == 1)
    REQUIRE(d.one<double>(base, kDouble) == 1 && d.one<double>(base + 1, kDouble) == 0);
  else
    REQUIRE(d.one<float>(base, kFloat) == 1 && d.one<float>(base + 1, kFloat) == 0);
}

void check_addition(const Descriptor& d) {
  auto* mode = d.part(750, kPointwise);
  REQUIRE(mode->one<int>(0, kPointwiseMode) == 0 && mode->one<int>(1, kDataType) == 0);
  TensorOf x(d.part(751, kTensor)), b(d.part(752, kTensor)), y(d.part(753, kTensor));
  REQUIRE(x.sizes == y.sizes && x.is_virtual && !y.is_virtual && b.sizes.size() == y.sizes.size());
  for (size_t i = 0; i < b.sizes.size(); ++i) REQUIRE(b.sizes[i] == (i == 1 ? y.sizes[1] : 1));
}

std::vector<Descriptor*> operations_of(const Descriptor& graph) {
  auto all = graph.all<Descriptor*>(801, kDescriptor);
  for (auto* o : all) REQUIRE(o->finished);
  return all;
}

bool refuses(const Descriptor& graph) {
  const char* what = std::getenv("DNN_REFUSES");
  if (!what) return false;
  return std::string(what) == "all" ||
         (std::string(what) == "fused" && operations_of(graph).size() > 1);
}

void check_graph(const Descriptor& d) {
  REQUIRE(d.one<void*>(800, kHandle) == &executions);
  auto operations = operations_of(d);
  REQUIRE(operations.size() == 1 || operations.size() == 2);
  REQUIRE(operations[0]->kind >= kForward && operations[0]->kind <= kBackwardInput);
  TensorOf made(tensors_of(*operations[0])[2]);
  if (operations.size() == 1) return;
  REQUIRE(operations[0]->kind == kForward && operations[1]->kind == kPointwiseOperation);
  REQUIRE(made.is_virtual && TensorOf(operations[1]->part(751, kTensor)).id == made.id);
}

// --- computing ---

struct Pack {
  std::map<int64_t, void*> data;
  void* workspace;
};

// Calls f(offset of x, offset of w, offset of y) for every product of the convolution.
void each_product(const ConvolutionOf& c, const TensorOf& x, const TensorOf& w, const TensorOf& y,
                  const std::function<void(int64_t, int64_t, int64_t)>& f) {
  size_t n = c.stride.size();
  int64_t groups = x.sizes[1] / w.sizes[1], outputs = w.sizes[0] / groups;
  int64_t places = 1, taps = 1;
  for (size_t i = 0; i < n; ++i) places *= y.sizes[i + 2], taps *= w.sizes[i + 2];
  for (int64_t b = 0; b < y.sizes[0]; ++b)
    for (int64_t o = 0; o < w.sizes[0]; ++o)
      for (int64_t q = 0; q < places; ++q)
        for (int64_t t = 0; t < taps; ++t) {
          int64_t ax = b * x.steps[0], aw = o * w.steps[0], ay = b * y.steps[0] + o * y.steps[1];
          bool inside = true;
          int64_t rest_q = q, rest_t = t;
          for (size_t i = n; i-- > 0;) {
            int64_t at = rest_q % y.sizes[i + 2], tap = rest_t % w.sizes[i + 2];
            rest_q /= y.sizes[i + 2], rest_t /= w.sizes[i + 2];
            int64_t p = at * c.stride[i] - c.padding[i] + tap * c.dilation[i];
            inside = inside && p >= 0 && p < x.sizes[i + 2];
            ax += p * x.steps[i + 2], aw += tap * w.steps[i + 2], ay += at * y.steps[i + 2];
          }
          if (!inside) continue;
          for (int64_t ch = 0; ch < w.sizes[1]; ++ch)
            f(ax + (o / outputs * w.sizes[1] + ch) * x.steps[1], aw + ch * w.steps[1], ay);
        }
}

void each_element(const TensorOf& t, const std::function<void(int64_t, int64_t)>& f) {
  int64_t total = 1;
  for (int64_t s : t.sizes) total *= s;
  for (int64_t flat = 0; flat < total; ++flat) {
    int64_t rest = flat, at = 0, channel = 0;
    for (size_t i = t.sizes.size(); i-- > 0;) {
      int64_t k = rest % t.sizes[i];
      rest /= t.sizes[i];
      at += k * t.steps[i];
      if (i == 1) channel = k;
    }
    f(at, channel);
  }
}

void* data_of(const Pack& pack, const TensorOf& t) {
  auto found = pack.data.find(t.id);
  REQUIRE(found != pack.data.end() && is_device_memory(found->second, t.extent()));
  REQUIRE(reinterpret_cast<uintptr_t>(found->second) % uintptr_t(t.alignment) == 0);
  return found->second;
}

void execute(const Descriptor& graph, const Pack& pack) {
  auto operations = operations_of(graph);
  const Descriptor& product = *operations[0];
  ConvolutionOf c(product.part(first_attribute(product.kind) + 2, kConvolution));
  auto parts = tensors_of(product);
  TensorOf x(parts[0]), w(parts[1]), y(parts[2]);
  bool fused = operations.size() == 2;
  TensorOf to = fused ? TensorOf(operations[1]->part(753, kTensor)) : y;
  REQUIRE(to.steps == y.steps);
  void *px = data_of(pack, x), *pw = data_of(pack, w), *py = data_of(pack, to);
  const void* bias = nullptr;
  if (fused) bias = data_of(pack, TensorOf(operations[1]->part(752, kTensor)));
  Reach reach;
  const TensorOf& target = product.kind == kForward ? to : product.kind == kBackwardInput ? x : w;
  void* place = product.kind == kForward ? py : product.kind == kBackwardInput ? px : pw;
  std::vector<double> sums(target.extent() / target.item());
  each_product(c, x, w, y, [&](int64_t ax, int64_t aw, int64_t ay) {
    if (product.kind == kForward)
      sums[size_t(ay)] += load(px, x.type, ax) * load(pw, w.type, aw);
    else if (product.kind == kBackwardInput)
      sums[size_t(ax)] += load(py, to.type, ay) * load(pw, w.type, aw);
    else
      sums[size_t(aw)] += load(py, to.type, ay) * load(px, x.type, ax);
  });
  each_element(target, [&](int64_t at, int64_t channel) {
    store(place, target.type, at, sums[size_t(at)] + (bias ? load(bias, to.type, channel) : 0));
  });
}

}  // namespace

API int fake_dnn_executions() { return executions; }
API int fake_dnn_plans() { return plans; }

API size_t cudnnGetVersion() { return 92800; }
API int cudnnCreate(void** handle) {
  *handle = &executions;
  return 0;
}
API int cudnnSetStream(void* handle, void*) { return handle == &executions ? 0 : 2000; }
API int cudnnBackendCreateDescriptor(int kind, Descriptor** d) {
  *d = new Descriptor{kind, false, {}, 0};
  return 0;
}
API int cudnnBackendDestroyDescriptor(Descriptor* d) {
  delete d;
  return 0;
}
API int cudnnBackendSetAttribute(Descriptor* d, int which, int type, int64_t count, const void* p) {
  REQUIRE(d && !d->finished && count > 0 && p);
  auto* bytes = static_cast<const char*>(p);
  d->values[which] = {type, count, {bytes, bytes + bytes_of(type) * size_t(count)}};
  return 0;
}
API int cudnnBackendFinalize(Descriptor* d) {
  REQUIRE(!d->finished);
  switch (d->kind) {
    case kTensor:
      check_tensor(*d);
      break;
    case kConvolution:
      ConvolutionOf{d};
      break;
    case kForward:
    case kBackwardInput:
    case kBackwardWeight:
      check_convolution_operation(*d);
      break;
    case kPointwise:
      break;
    case kPointwiseOperation:
      check_addition(*d);
      break;
    case kGraph:
      check_graph(*d);
      break;
    case kHeuristic:
      d->part(201, kGraph);
      REQUIRE(d->one<int>(200, kHeuristicMode) == 3 || d->one<int>(200, kHeuristicMode) == 2);
      break;
    case kPlan: {
      REQUIRE(d->one<void*>(400, kHandle) == &executions);
      // A configuration comes from a heuristic: it is finished by that. The first does not build.
      auto* configuration = d->one<Descriptor*>(401, kDescriptor);
      REQUIRE(configuration->kind == kConfiguration && configuration->finished);
      if (configuration->engine == 0) return 3000;
      d->engine = configuration->engine;
      d->values[-1] = configuration->values.at(-1);
      ++plans;
      break;
    }
    case kPack:
      REQUIRE(d->all<int64_t>(1000, kInt64).size() == d->all<void*>(1001, kPointer).size());
      break;
    default:
      REQUIRE(!"a kind that can be finished");
  }
  d->finished = true;
  return 0;
}
API int cudnnBackendGetAttribute(Descriptor* d, int which, int type, int64_t wanted, int64_t* found,
                                 void* to) {
  REQUIRE(d->finished);
  if (d->kind == kHeuristic && which == 202 && type == kDescriptor) {
    Descriptor* graph = d->part(201, kGraph);
    if (refuses(*graph)) {
      *found = 0;
      return 0;
    }
    *found = 3;  // one that does not build, one on tensor cores, one that is exact
    if (wanted == 0) return 0;
    REQUIRE(wanted >= 3 && to);
    for (int i = 0; i < 3; ++i) {
      auto* configuration = static_cast<Descriptor**>(to)[i];
      REQUIRE(configuration->kind == kConfiguration && !configuration->finished);
      configuration->finished = true;
      configuration->engine = i;
      configuration->values[-1] = d->values.at(201);
    }
    return 0;
  }
  if (d->kind == kConfiguration && which == 300 && type == kDescriptor) {
    REQUIRE(wanted == 1);
    auto* engine = *static_cast<Descriptor**>(to);
    REQUIRE(engine->kind == kEngine && !engine->finished);
    engine->finished = true;
    engine->engine = d->engine;
    *found = 1;
    return 0;
  }
  if (d->kind == kEngine && which == 1303 && type == kNote) {
    *found = d->engine == 1;
    if (*found) *static_cast<int*>(to) = 0;
    return 0;
  }
  if (d->kind == kPlan && which == 402 && type == kInt64) {
    REQUIRE(wanted == 1);
    *found = 1;
    *static_cast<int64_t*>(to) = d->engine == 1 ? kWorkspace : 0;
    return 0;
  }
  REQUIRE(!"an attribute that can be asked for");
  return 3000;
}
API int cudnnBackendExecute(void* handle, Descriptor* plan, Descriptor* variant) {
  REQUIRE(handle == &executions && plan->kind == kPlan && plan->finished);
  REQUIRE(variant->kind == kPack && variant->finished);
  ++executions;
  Pack pack;
  auto ids = variant->all<int64_t>(1000, kInt64);
  auto data = variant->all<void*>(1001, kPointer);
  for (size_t i = 0; i < ids.size(); ++i) pack.data[ids[i]] = data[i];
  pack.workspace = variant->one<void*>(1003, kPointer);
  if (plan->engine == 1) REQUIRE(is_device_memory(pack.workspace, kWorkspace));
  execute(*plan->part(-1, kGraph), pack);
  return 0;
}
