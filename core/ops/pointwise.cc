// One call of a row: common type, shape and device, memory for the result, the kernel, the tape.
#include "ops/pointwise.h"

#include <algorithm>

#include "cpu/convert.h"
#include "cpu/pointwise.h"
#include "cpu/walk.h"
#include "cuda/pointwise.h"
#include "ops/chain.h"
#include "ops/copy.h"
#include "ops/kernel.h"
#include "ops/out_types.h"
#include "ops/promotion.h"
#include "ops/row_call.h"
#include "ops/row_node.h"
#include "ops/row_rules.h"
#include "tape/history.h"

namespace lampas::ops {

using rows::Info;
using rows::Row;
using rows::Rule;

void (*warn)(const char* text) = nullptr;

namespace {

// The types of one call: `common` after promotion and the rule, `lane` in which the kernel
// computes.
struct Call {
  Row row;
  const Info* info;
  Operands inputs;
  Params params;
  DType common, lane, result;
  Device device;
  const Dims* sizes;
};

DType promote_operands(const Info& info, Operands inputs) {
  ResultType type;
  for (size_t i = info.rule == Rule::Select ? 1 : 0; i < inputs.size(); ++i) {
    if (inputs[i].is_tensor())
      type.add(inputs[i].tensor());
    else
      type.add(inputs[i].number());
  }
  return type.result();
}

DType result_dtype(const Info& info, DType common) {
  if (info.rule == Rule::Compare || info.rule == Rule::Logical) return DType::Bool;
  return info.has(rows::R) ? real_of(common) : common;
}

Device common_device(Operands inputs) {
  const Tensor* found = nullptr;
  for (const Operand& x : inputs) {
    if (!x.is_tensor()) continue;
    bool movable = x.tensor().device().is_cpu() && x.tensor().dim() == 0;
    if (!found || (found->device().is_cpu() && found->dim() == 0 && !movable)) found = &x.tensor();
  }
  return found ? found->device() : Device{};
}

void check_devices(Operands inputs, Device device) {
  for (const Operand& x : inputs) {
    if (!x.is_tensor() || x.tensor().device() == device) continue;
    Device other = x.tensor().device();
    if (other.is_cpu() && x.tensor().dim() == 0) continue;
    fail_devices(device, other);
  }
}

// The common shape: that of an input, or `made` when broadcasting changes it.
const Dims* broadcast_sizes(Operands inputs, Dims& made) {
  const Dims* sizes = nullptr;
  for (const Operand& x : inputs) {
    if (!x.is_tensor()) continue;
    const Dims& own = x.tensor().sizes();
    if (!sizes) {
      sizes = &own;
    } else if (!(own == *sizes)) {
      made = broadcast(*sizes, own);
      sizes = &made;
    }
  }
  return sizes ? sizes : &made;
}

// A number as last operand that another row takes as a parameter: x ** 2, lerp(a, b, 0.5).
void specialise(Call& call) {
  const Operand& last = call.inputs.back();
  if (last.is_tensor() || !call.inputs[0].is_tensor() || !has_number_form(call.row)) return;
  call.row = number_form(call.row, last.number());
  call.info = &rows::info(call.row);
  call.inputs = call.inputs.first(call.inputs.size() - 1);
  call.params = Params(&last.number(), call.info->params);
}

Call prepare(Row row, Operands inputs, Params params, Dims& made) {
  const Info& info = rows::info(row);
  Call call{row, &info, inputs, params, DType::Undefined, DType::Undefined, DType::Undefined,
            {},  {}};
  DType promoted = promote_operands(info, inputs);
  call.common = promoted;
  if (info.rule == Rule::Float && is_integral(promoted, true)) call.common = default_dtype();
  if (info.rule == Rule::Numeric && promoted == DType::Bool) call.common = DType::Int64;
  check_rules(row, inputs, params, promoted);
  if (inputs.size() > 1) specialise(call);
  call.lane = info.rule == Rule::Logical ? DType::Bool : lane_of(call.common);
  call.result = result_dtype(*call.info, call.common);
  call.device = common_device(inputs);
  check_devices(inputs, call.device);
  call.sizes = broadcast_sizes(inputs, made);
  return call;
}

DType input_lane(const Call& call, int i) {
  return call.info->rule == Rule::Select && i == 0 ? DType::Bool : call.lane;
}
DType output_lane(const Call& call) {
  return call.result == DType::Bool || call.info->has(rows::R) ? lane_of(call.result) : call.lane;
}

void fill_number(void* to, const Scalar& number, DType lane) {
  dispatch<Everything>(lane, "number", [&](auto tag) {
    *static_cast<decltype(tag)*>(to) = number.to<decltype(tag)>();
  });
}

// Everything has the result's shape, lies in order and has the kernel's type: no plan is needed.
constexpr int64_t kSmall = 4096;  // bytes of a number repeated for the kernel

bool run_directly(const Call& call, rows::Tile tile, Tensor& y) {
  if (!y.is_contiguous() || y.dtype() != output_lane(call)) return false;
  int64_t n = y.numel();
  int count = static_cast<int>(call.inputs.size()), numbers = 0;
  for (int i = 0; i < count; ++i) {
    if (!call.inputs[i].is_tensor()) {
      if (n * item_size(call.lane) > kSmall) return false;
      ++numbers;
      continue;
    }
    const Tensor& x = call.inputs[i].tensor();
    if (!x.is_contiguous() || x.dtype() != input_lane(call, i) || !(x.sizes() == y.sizes()))
      return false;
  }
  if (n > 32768) return false;
  alignas(64) char repeated[2][kSmall];
  if (numbers > 2) return false;
  void* operands[4] = {y.raw()};
  for (int i = 0; i < count; ++i) {
    if (call.inputs[i].is_tensor()) {
      operands[i + 1] = call.inputs[i].tensor().raw();
      continue;
    }
    char* buffer = repeated[--numbers];
    fill_number(buffer, call.inputs[i].number(), input_lane(call, i));
    cpu::repeat(buffer, buffer, item_size(input_lane(call, i)), n);
    operands[i + 1] = buffer;
  }
  if (n) tile(operands, call.params.data(), n);
  return true;
}

void run_planned(const Call& call, rows::Tile tile, Tensor& y) {
  Plan plan;
  cpu::Program program{tile, call.params.data(), {output_lane(call)}};
  alignas(16) char numbers[3][16];
  plan.add(y);
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    DType lane = input_lane(call, static_cast<int>(i));
    program.lanes[i + 1] = lane;
    if (call.inputs[i].is_tensor()) {
      plan.add(call.inputs[i].tensor());
    } else {
      fill_number(numbers[i], call.inputs[i].number(), lane);
      plan.add_number(numbers[i], lane);
    }
  }
  plan.finish(y.sizes());
  cpu::walk(plan, program);
}

// The kernel of a GPU converts for itself, and takes numbers as they are.
void run_on_cuda(const Call& call, Tensor& y) {
  Plan plan;
  Scalar numbers[3];
  plan.add(y);
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const Operand& x = call.inputs[i];
    if (x.is_tensor() && !x.tensor().device().is_cpu()) {
      plan.add(x.tensor());
      continue;
    }
    numbers[i] = x.is_tensor() ? number_of(x.tensor()) : x.number();
    plan.add_number(&numbers[i], DType::Undefined);
  }
  plan.finish(y.sizes());
  cuda::run_row(call.row, cuda::KernelKey::kForward, call.lane, plan, call.params.data(),
                call.device.index);
}

void compute(const Call& call, Tensor& y) {
  if (!call.device.is_cpu()) {
    kernel_of(call.row, call.lane, call.common);
    if (!call.device.is_meta()) run_on_cuda(call, y);
    return;
  }
  rows::Tile tile = kernel_of(call.row, call.lane, call.common);
  if (!run_directly(call, tile, y)) run_planned(call, tile, y);
}

// A tensor without memory in the layout that a conversion of x would have.
Tensor like_converted(const Tensor& x) {
  bool dense = is_dense(x.sizes(), x.strides());
  return empty_strided(x.sizes(), dense ? x.strides() : dense_strides(x.sizes(), x.strides()),
                       x.dtype(), Device{DeviceType::Meta});
}

Tensor make_result(const Call& call) {
  const Tensor* tensors[3];
  Tensor dense[3];
  size_t count = 0;
  for (const Operand& x : call.inputs) {
    if (!x.is_tensor()) continue;
    tensors[count] = &x.tensor();
    // An operand of another type takes part in the choice of a layout as if it had been converted
    // first.
    if (x.tensor().dtype() != call.common && !x.tensor().is_contiguous()) {
      dense[count] = like_converted(x.tensor());
      tensors[count] = &dense[count];
    }
    ++count;
  }
  bool numbers = count < call.inputs.size();
  return empty_result(*call.sizes, {tensors, count}, call.result, call.device, numbers);
}

bool any_wants_grad(Operands inputs) {
  for (const Operand& x : inputs)
    if (x.is_tensor() && tape::wants_grad(x.tensor())) return true;
  return false;
}

bool needs_node(const Call& call) {
  if (!tape::grad_enabled() || !is_differentiable(call.result)) return false;
  if (call.inputs.size() == 1 && !call.info->differentiable(0)) return false;
  if (!any_wants_grad(call.inputs)) return false;
  CHECK(!call.info->has(rows::CF) || !is_complex(call.result), call.info->name,
        " does not support automatic differentiation for outputs with complex dtype.");
  return true;
}

void check_overlaps(const Tensor& y, Operands inputs) {
  check_internal_overlap(y);
  for (const Operand& x : inputs)
    if (x.is_tensor()) check_partial_overlap(y, x.tensor());
}

}  // namespace

Tensor run(Row row, std::initializer_list<Operand> inputs, std::initializer_list<Scalar> params) {
  int wanted = rows::info(row).params, given = static_cast<int>(params.size());
  Operands operands(inputs.begin(), inputs.size());
  if (given == wanted) return run(row, operands, Params(params.begin(), params.size()));
  SmallVector<Scalar, 6> completed;
  for (int i = 0; i < wanted; ++i)
    completed.push_back(i < given ? params.begin()[i] : default_param(row, i));
  return run(row, operands, Params(completed.data(), completed.size()));
}

Tensor run(Row row, Operands inputs, Params params) {
  Dims made;
  Call call = prepare(row, inputs, params, made);
  Tensor y = make_result(call);
  compute(call, y);
  if (needs_node(call)) {
    Ref<tape::Node> node = make_row_node(call.row, call.common, call.inputs, call.params);
    tape::set_output(node.get(), y);
    save_operands(node.get(), call.inputs, nullptr, y);
  }
  return y;
}

void run_inplace(Row row, Operands inputs, Params params) {
  Tensor self = inputs[0].tensor();
  tape::check_write(self);
  Dims made;
  Call call = prepare(row, inputs, params, made);
  check_cast(call.result, self.dtype());
  CHECK(*call.sizes == self.sizes(), "output with shape ", to_string(self.sizes()),
        " doesn't match the broadcast shape ", to_string(*call.sizes));
  if (call.device != self.device()) check_devices(inputs, self.device());
  check_overlaps(self, inputs);
  bool recorded = needs_node(call);
  Ref<tape::Node> node;
  Tensor original;
  if (recorded) {
    if (reads_first(call.row, call.inputs)) original = clone(self, MemoryFormat::Preserve);
    node = make_row_node(call.row, call.common, call.inputs, call.params);
  }
  compute(call, self);
  bump_version(self);
  if (!recorded) return;
  tape::set_written(node, self);
  save_operands(node.get(), call.inputs, &original, self);
}

void run_out(Row row, Tensor& out, Operands inputs, Params params) {
  Dims made;
  Call call = prepare(row, inputs, params, made);
  if (tape::grad_enabled() && is_differentiable(call.result) &&
      (any_wants_grad(inputs) || tape::wants_grad(out)))
    fail(call.info->name,
         "(): functions with out=... arguments don't support automatic differentiation, "
         "but one of the arguments requires grad.");
  CHECK(out.device() == call.device,
        "Expected all tensors to be on the same device, but found at least two "
        "devices, ",
        to_string(call.device), " and ", to_string(out.device()), "!");
  check_out_type(call.info->name, 0, call.result, out.dtype());
  check_cast(call.result, out.dtype());
  if (!(out.sizes() == *call.sizes)) resize_output(out, *call.sizes);
  check_overlaps(out, inputs);
  compute(call, out);
  bump_version(out);
}

Scalar number_of(const Tensor& x) {
  return dispatch<Everything>(x.dtype(), "number", [&](auto tag) -> Scalar {
    using T = decltype(tag);
    T v = *x.data<T>();
    if constexpr (std::is_same_v<T, bool>)
      return v;
    else if constexpr (std::is_same_v<T, uint64_t>)
      return Scalar::unsigned_int(v);
    else if constexpr (std::is_integral_v<T>)
      return static_cast<int64_t>(v);
    else if constexpr (is_complex_v<T>)
      return convert<ComplexDouble>(v);
    else
      return convert<double>(v);
  });
}

void resize_output(Tensor& out, Span sizes) {
  if (same(out.sizes(), sizes)) return;
  if (out.numel() != 0 && warn) {
    std::string text = concat("An output with one or more elements was resized since it had shape ",
                              to_string(out.sizes()),
                              ", which does not match the required output shape ", to_string(sizes),
                              ". This behavior is deprecated, and in a future PyTorch release "
                              "outputs will not be resized unless "
                              "they have zero elements. You can explicitly reuse an out tensor t "
                              "by resizing it, inplace, to zero "
                              "elements with t.resize_(0).");
    warn(text.c_str());
  }
  Dims strides = contiguous_strides(sizes);
  size_t bytes = checked_bytes(sizes, strides, out.offset(), out.item_size());
  if (bytes > out.storage()->bytes) out.storage()->resize(bytes);
  out->sizes = Dims(sizes);
  out->strides = strides;
  refresh(out.get());
}

namespace {
Operand operand_of(const RowArgs& args, int i) {
  return args.is_scalar[i] ? Operand(args.scalars[i]) : Operand(args.inputs[i]);
}
}  // namespace

bool describe_call(Row row, const RowArgs& args, ChainedRow& described) {
  const Info& info = rows::info(row);
  const Operand operands[3] = {operand_of(args, 0), operand_of(args, 1), operand_of(args, 2)};
  Dims made;
  Call call = prepare(row, Operands(operands, info.inputs), Params(args.params, info.params), made);
  if (!call.device.is_cpu() || call.result != output_lane(call)) return false;
  described.tile = kernel_of(call.row, call.lane, call.common);
  described.count = static_cast<int>(call.inputs.size());
  described.lanes[0] = call.result;
  for (int i = 0; i < described.count; ++i) {
    described.lanes[i + 1] = input_lane(call, i);
    if (!call.inputs[i].is_tensor())
      fill_number(described.numbers[i], call.inputs[i].number(), input_lane(call, i));
  }
  for (const Scalar& p : call.params) described.params.push_back(p);
  return true;
}

Tensor call(Row row, RowArgs& args, Form form) {
  const Info& info = rows::info(row);
  const Operand operands[3] = {operand_of(args, 0), operand_of(args, 1), operand_of(args, 2)};
  Operands inputs(operands, info.inputs);
  Params params(args.params, info.params);
  if (args.out.defined()) {
    run_out(row, args.out, inputs, params);
    return args.out;
  }
  if (form == Form::Function) return run(row, inputs, params);
  run_inplace(row, inputs, params);
  return args.inputs[0];
}

}  // namespace lampas::ops
