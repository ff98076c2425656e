// Which rows can be joined, where their tiles lie, and one run of the joined program.
#include "ops/chain.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace lampas::ops {

namespace {

using Kind = cpu::ChainOperand::Kind;

// Broadcast along leading dimensions only (a row), or along trailing ones only (a column).
bool broadcasts_simply(const Tensor& x, const Dims& sizes, bool* prefix) {
  size_t lead = sizes.size() - x.sizes().size();
  auto size_at = [&](size_t d) { return d < lead ? int64_t{1} : x.sizes()[d - lead]; };
  size_t first = 0, last = sizes.size();
  while (first < last && size_at(first) == 1) ++first;
  while (last > first && size_at(last - 1) == 1) --last;
  bool row = true, column = true;
  for (size_t d = 0; d < sizes.size(); ++d) {
    bool same = size_at(d) == sizes[d];
    if (d >= first) row &= same;
    if (d < last) column &= same;
  }
  *prefix = !row && column;
  return row || column;
}

// Puts tiles into as few slots as their lives allow.
class Slots {
 public:
  int take() {
    if (free_.empty()) return count_++;
    int slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void give(int slot) { free_.push_back(slot); }
  int count() const { return count_; }

 private:
  std::vector<int> free_;
  int count_ = 0;
};

class Joiner {
 public:
  explicit Joiner(ChainProgram& program) : program_(program), chain_(program.chain) {}
  void join(const std::vector<int>& results, const std::vector<bool>& wanted);

 private:
  int add(cpu::ChainOperand operand) {
    chain_.widest = std::max(chain_.widest, operand.bytes);
    chain_.operands.push_back(operand);
    return static_cast<int>(chain_.operands.size()) - 1;
  }
  int input(const ChainedRow& row, int i);

  ChainProgram& program_;
  cpu::Chain& chain_;
  std::unordered_map<int, int> place_;                      // of values made inside
  std::vector<std::pair<std::pair<int, Kind>, int>> seen_;  // inputs as they are read
  Slots slots_;
};

int Joiner::input(const ChainedRow& row, int i) {
  cpu::ChainOperand x;
  x.bytes = static_cast<int32_t>(item_size(row.lanes[i + 1]));
  if (row.values[i] < 0) {
    x.kind = Kind::Constant;
    x.data = const_cast<char*>(row.numbers[i]);
    x.slot = slots_.take();
    return add(x);
  }
  if (auto made = place_.find(row.values[i]); made != place_.end()) return made->second;
  int64_t numel = 1;
  for (int64_t size : row.sizes) numel *= size;
  if (row.numels[i] == numel) {
    x.kind = Kind::Direct;
  } else if (row.numels[i] == 1) {
    x.kind = Kind::Constant;
  } else {
    x.kind = row.prefix[i] ? Kind::Repeated : Kind::Periodic;
    x.period = row.prefix[i] ? numel / row.numels[i] : row.numels[i];
  }
  std::pair<int, Kind> key{row.values[i], x.kind};
  for (const auto& [known, operand] : seen_)
    if (known == key) return operand;
  if (x.kind != Kind::Direct) x.slot = slots_.take();
  int operand = add(x);
  program_.inputs.resize(static_cast<size_t>(operand) + 1, -1);
  program_.inputs[operand] = row.values[i];
  seen_.push_back({key, operand});
  return operand;
}

void Joiner::join(const std::vector<int>& results, const std::vector<bool>& wanted) {
  // Constants and broadcast inputs keep their slots, so they are taken before any scratch is.
  for (size_t i = 0; i < program_.rows.size(); ++i) {
    const ChainedRow& row = *program_.rows[i];
    cpu::ChainStep step{row.tile, row.params.data(), {}, row.count + 1};
    for (int k = 0; k < row.count; ++k) step.operands[k + 1] = input(row, k);
    cpu::ChainOperand y;
    y.bytes = static_cast<int32_t>(item_size(row.lanes[0]));
    step.operands[0] = place_[results[i]] = add(y);
    if (wanted[i]) {
      program_.outputs.push_back(results[i]);
      program_.places.push_back(step.operands[0]);
      program_.dtypes.push_back(row.lanes[0]);
    }
    chain_.steps.push_back(step);
  }
  std::vector<size_t> last(chain_.operands.size(), 0);
  for (size_t i = 0; i < chain_.steps.size(); ++i)
    for (int k = 0; k < chain_.steps[i].count; ++k) last[chain_.steps[i].operands[k]] = i;
  for (size_t i = 0; i < chain_.steps.size(); ++i) {
    const cpu::ChainStep& step = chain_.steps[i];
    if (!wanted[i]) chain_.operands[step.operands[0]].slot = slots_.take();
    // What this step reads last is free for the next one; never for its own result, whose
    // elements may be of another size.
    for (int k = 0; k < step.count; ++k) {
      int operand = step.operands[k];
      bool made = std::any_of(place_.begin(), place_.end(),
                              [&](const auto& each) { return each.second == operand; });
      bool again = std::count(step.operands, step.operands + k, operand) > 0;
      int slot = chain_.operands[operand].slot;
      if (made && !again && last[operand] == i && slot >= 0) slots_.give(slot);
    }
  }
  program_.inputs.resize(chain_.operands.size(), -1);
  chain_.slots = slots_.count();
}

}  // namespace

std::shared_ptr<ChainedRow> chained(rows::Row row, const RowArgs& args, const Tensor& y,
                                    const int* values) {
  auto result = std::make_shared<ChainedRow>();
  if (!describe_call(row, args, *result)) return nullptr;
  bool floats = result->lanes[0] == DType::Bool || result->lanes[0] == DType::Float ||
                result->lanes[0] == DType::Double;
  if (!floats || y.requires_grad() || !y.device().is_cpu() || y.numel() == 0 ||
      y.dtype() != result->lanes[0] || !(y.strides() == contiguous_strides(y.sizes())))
    return nullptr;
  result->sizes = y.sizes();
  for (int i = 0; i < result->count; ++i) {
    DType lane = result->lanes[i + 1];
    if (lane != DType::Bool && lane != DType::Float && lane != DType::Double) return nullptr;
    result->values[i] = args.is_scalar[i] ? -1 : values[i];
    if (args.is_scalar[i]) continue;
    const Tensor& x = args.inputs[i];
    if (x.dtype() != lane || !x.device().is_cpu() || !x.is_contiguous() ||
        !broadcasts_simply(x, y.sizes(), &result->prefix[i]))
      return nullptr;
    result->numels[i] = x.numel();
  }
  return result;
}

std::shared_ptr<ChainProgram> join(std::vector<std::shared_ptr<ChainedRow>> rows,
                                   const std::vector<int>& results,
                                   const std::vector<bool>& wanted) {
  auto program = std::make_shared<ChainProgram>();
  program->sizes = rows.front()->sizes;
  program->rows = std::move(rows);
  Joiner(*program).join(results, wanted);
  return program;
}

Tensors run(const ChainProgram& program, char* const* inputs) {
  cpu::Chain chain = program.chain;  // addresses differ from run to run
  for (size_t i = 0; i < chain.operands.size(); ++i)
    if (program.inputs[i] >= 0) chain.operands[i].data = inputs[i];
  Tensors made;
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    made.push_back(empty(program.sizes, program.dtypes[i]));
    chain.operands[program.places[i]].data = static_cast<char*>(made[i].raw());
  }
  cpu::run(std::move(chain), checked_numel(program.sizes));
  return made;
}

}  // namespace lampas::ops
