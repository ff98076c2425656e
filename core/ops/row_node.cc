// Backward of a row: one fused kernel per wanted gradient, or, when the gradient itself must be
// differentiable, the derivative's text as tensor operations.
#include "ops/row_node.h"

#include "cpu/convert.h"
#include "cpu/pointwise.h"
#include "cpu/walk.h"
#include "cuda/pointwise.h"
#include "ops/copy.h"
#include "ops/derivatives.h"
#include "ops/row_rules.h"

namespace lampas::ops {

using rows::Info;
using rows::Row;

namespace {

bool wanted(const Info& info, Operands inputs, int d) {
  return inputs[d].is_tensor() && info.differentiable(d) && tape::wants_grad(inputs[d].tensor());
}

bool is_just_g(const Info& info, int d) { return info.derivative[d] == std::string_view("g"); }

void store_number(void* to, const Scalar& number, DType lane) {
  dispatch<Everything>(lane, "number", [&](auto tag) {
    *static_cast<decltype(tag)*>(to) = number.to<decltype(tag)>();
  });
}

[[noreturn]] void fail_derivative(const Info& info, int d) {
  bool any = info.differentiable(0) || info.differentiable(1) || info.differentiable(2);
  if (!any) fail("derivative for aten::", info.name, " is not implemented");
  std::string_view signature = info.signature;
  for (int i = 0; i < d; ++i) signature.remove_prefix(signature.find(", ") + 2);
  fail(ErrorKind::NotImplemented, "the derivative for '", info.name, ": ",
       signature.substr(0, signature.find(',')), "' is not implemented.");
}

constexpr int64_t kDirect = 32768;  // elements; above, a plan hands pieces to threads
constexpr int64_t kRepeated = 128;  // elements of a value that is the same all over

// The memory of an operand as a kernel over the whole of dx reads it: its own where it lies in
// order, `buffer` where it is one value. Null when it takes a plan.
void* directly(const Tensor& x, const Tensor& dx, DType lane, char* buffer) {
  if (x.dtype() != lane) return nullptr;
  if (x.is_contiguous() && x.sizes() == dx.sizes()) return x.raw();
  int64_t n = dx.numel();
  if (n > kRepeated) return nullptr;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (x.stride(d) != 0 && x.size(d) != 1) return nullptr;
  cpu::repeat(buffer, x.raw(), item_size(lane), n);
  return buffer;
}

// A gradient in the shape and type of the input it belongs to.
Tensor fitted(const Tensor& g, Span sizes, DType dtype) {
  Tensor summed = same(g.sizes(), sizes) ? g : sum_to(g, sizes);
  if (summed.dtype() == dtype) return summed;
  if (summed.is_complex() && !is_complex(dtype)) summed = real(summed);
  return to(summed, dtype);
}

}  // namespace

Ref<tape::Node> make_row_node(Row row, DType common, Operands inputs, Params params) {
  auto* node = new RowNode;
  Ref<tape::Node> owner = Ref<tape::Node>::adopt(node);
  NodeName naming = node_name(row, inputs);
  node->row = row;
  node->common = common;
  node->name = naming.name;
  node->piecewise = rows::info(row).has(rows::PW);
  node->params.assign(params.data(), params.size());
  node->inputs.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    RowNode::Input& in = node->inputs[i];
    in.is_number = !inputs[i].is_tensor();
    if (in.is_number) {
      in.number = inputs[i].number();
      if (naming.number_edges) node->edges.push_back({});
      continue;
    }
    const Tensor& x = inputs[i].tensor();
    in.sizes = x.sizes();
    in.dtype = x.dtype();
    in.device = x.device();
    in.edge = static_cast<int8_t>(node->edges.size());
    node->edges.push_back(tape::edge_of(x));
  }
  tape::attach(node, std::initializer_list<tape::In>{});  // the edges are there: its place in time
  return owner;
}

void save_operands(tape::Node* base, Operands inputs, const Tensor* original, const Tensor& y) {
  auto* node = static_cast<RowNode*>(base);
  const Info& info = rows::info(node->row);
  bool reads[3] = {}, reads_output = false;
  for (int d = 0; d < info.inputs; ++d) {
    if (!node->wants(d)) continue;
    for (int i = 0; i < info.inputs; ++i) reads[i] |= info.reads_input[d][i];
    reads_output |= info.reads_output[d];
  }
  for (int i = 0; i < info.inputs; ++i) {
    if (!reads[i]) continue;
    if (!inputs[i].is_tensor()) {
      // A number that PyTorch makes a tensor of is saved, and gone after backward, like one.
      node->keeps_any |= node->edges.size() == inputs.size();
      continue;
    }
    bool replaced = i == 0 && original && original->defined();
    node->keeps_any = true;
    const Tensor& x = replaced ? *original : inputs[i].tensor();
    // x.mul_(x): the write has taken the other operand's values too, so backward must refuse.
    bool overwritten = original && !replaced && x.storage() == y.storage();
    node->inputs[i].saved = tape::Saved(x, overwritten);
    if (overwritten) node->inputs[i].saved.expire();
  }
  if (reads_output) {
    node->output = tape::Saved(y, true);
    node->keeps_any = true;
  }
}

bool reads_first(Row row, Operands inputs) {
  const Info& info = rows::info(row);
  for (int d = 0; d < info.inputs; ++d)
    if (info.reads_input[d][0] && wanted(info, inputs, d)) return true;
  return false;
}

bool RowNode::wants(int d) const { return !inputs[d].is_number && edges[inputs[d].edge].node; }

void RowNode::release() {
  released = true;
  for (Input& in : inputs) in.saved.clear();
  output.clear();
}

Tensors RowNode::apply(const Tensors& grads) {
  const Tensor& g = grads[0];
  Tensors results(edges.size());
  if (!g.defined()) return results;
  const Info& info = rows::info(row);
  for (int d = 0; d < info.inputs; ++d) {
    if (!wants(d)) continue;
    if (!info.differentiable(d)) fail_derivative(info, d);
    const Input& in = inputs[d];
    bool direct = is_just_g(info, d);
    if (released && keeps_any) tape::fail_released();
    Tensor dx = direct ? g : tape::grad_enabled() ? recorded(d, g) : fused(d, g);
    results[in.edge] = fitted(dx, in.sizes, in.dtype);
    if (dx.device() != in.device) results[in.edge] = to(results[in.edge], in.device);
  }
  return results;
}

bool RowNode::run_directly(rows::Tile tile, DType lane, const Tensor& dx, const Tensor& g,
                           const Tensor* kept, const Tensor& y) {
  int64_t n = dx.numel();
  if (n == 0 || n > kDirect || !dx.is_contiguous() || dx.dtype() != lane) return false;
  const Info& info = rows::info(row);
  alignas(64) char buffers[5][kRepeated * 16];
  void* operands[Plan::kMost] = {dx.raw()};
  const Tensor* read[5] = {&g};
  for (int i = 0; i < info.inputs; ++i) read[i + 1] = &kept[i];
  read[info.inputs + 1] = &y;
  for (int i = 0; i < info.inputs + 2; ++i) {
    if (i > 0 && i <= info.inputs && inputs[i - 1].is_number) return false;
    if (!read[i]->defined()) continue;
    bool select = info.rule == rows::Rule::Select && i == 1;
    operands[i + 1] = directly(*read[i], dx, select ? DType::Bool : lane, buffers[i]);
    if (!operands[i + 1]) return false;
  }
  tile(operands, params.data(), n);
  return true;
}

void RowNode::run_on_cuda(int d, DType lane, const Tensor& dx, const Tensor& g, const Tensor* kept,
                          const Tensor& y) {
  Plan plan;
  Scalar numbers[3];
  plan.add(dx);
  for (char name : cuda::operands_of(row, d)) {
    int i = name == 'x' ? 0 : name - 'a';
    if (name == 'g' || name == 'y')
      plan.add(name == 'g' ? g : y);
    else if (!inputs[i].is_number && kept[i].device().is_cuda())
      plan.add(kept[i]);
    else {
      numbers[i] = inputs[i].is_number ? inputs[i].number : number_of(kept[i]);
      plan.add_number(&numbers[i], DType::Undefined);
    }
  }
  plan.finish(dx.sizes());
  cuda::run_row(row, d, lane, plan, params.data(), dx.device().index);
}

Tensor RowNode::fused(int d, const Tensor& incoming) {
  const Info& info = rows::info(row);
  bool conjugate = is_complex(common) && info.has(rows::C);
  Tensor g = conjugate ? conj(incoming) : incoming;
  DType lane = lane_of(common);
  rows::Tile tile = g.is_meta() ? nullptr : cpu::backward_tile(row, d, lane);
  if (!tile && !g.is_meta()) return recorded(d, g);
  Tensor kept[3], y = info.reads_output[d] ? output.unpack(this) : Tensor();
  const Tensor* shapers[4] = {&g};
  size_t count = 1;
  for (int i = 0; i < info.inputs; ++i) {
    if (info.reads_input[d][i]) kept[i] = inputs[i].saved.unpack(this);
    if (kept[i].defined()) shapers[count++] = &kept[i];
  }
  const Input& in = inputs[d];
  DType type = is_complex(common) ? common : in.dtype;
  Tensor dx = empty_result(g.sizes(), {shapers, count}, type, g.device());
  if (g.is_meta()) return dx;
  if (g.device().is_cuda()) {
    run_on_cuda(d, lane, dx, g, kept, y);
    return conjugate ? conj(dx) : dx;
  }
  if (run_directly(tile, lane, dx, g, kept, y)) return conjugate ? conj(dx) : dx;

  Plan plan;
  cpu::Program program{tile, params.data(), {}};
  alignas(16) char numbers[3][16];
  for (DType& l : program.lanes) l = lane;
  plan.add(dx);
  plan.add(g);
  for (int i = 0; i < info.inputs; ++i) {
    if (info.rule == rows::Rule::Select && i == 0) program.lanes[2] = DType::Bool;
    if (!info.reads_input[d][i]) {
      plan.skip();
    } else if (inputs[i].is_number) {
      store_number(numbers[i], inputs[i].number, program.lanes[i + 2]);
      plan.add_number(numbers[i], program.lanes[i + 2]);
    } else {
      plan.add(kept[i]);
    }
  }
  if (info.reads_output[d])
    plan.add(y);
  else
    plan.skip();
  plan.finish(dx.sizes());
  cpu::walk(plan, program);
  return conjugate ? conj(dx) : dx;
}

Tensor RowNode::recorded(int d, const Tensor& g) {
  const Info& info = rows::info(row);
  Tensor kept[3];
  for (int i = 0; i < info.inputs; ++i) {
    if (!info.reads_input[d][i]) continue;
    kept[i] = inputs[i].is_number ? scalar_tensor(inputs[i].number, common, g.device())
                                  : inputs[i].saved.unpack(this);
    bool select = info.rule == rows::Rule::Select && i == 0;
    if (!select) kept[i] = to(kept[i], common);
  }
  Tensor y = info.reads_output[d] ? output.unpack(this) : Tensor();
  return derivative(row, d, g, kept, y, {params.data(), params.size()});
}

}  // namespace lampas::ops
