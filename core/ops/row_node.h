// The tape node of every row: what it keeps, and its two ways backward.
#pragma once
#include "ops/pointwise.h"
#include "runtime/reuse.h"
#include "tape/tape.h"

namespace lampas::ops {

struct RowNode final : tape::Node, Reused<RowNode> {
  struct Input {
    tape::Saved saved;  // kept only when a wanted derivative reads it
    Dims sizes;
    Scalar number;
    DType dtype = DType::Undefined;
    Device device;    // a number of the host may take part on a GPU
    int8_t edge = 0;  // which of the node's edges is this input's
    bool is_number = false;
  };

  rows::Row row;
  DType common;  // type in which the derivative is computed
  bool released = false;
  bool keeps_any = false;  // then it can be used once only, unless the graph is retained
  InlineVector<Input, 2> inputs;
  tape::Saved output;
  SmallVector<Scalar, 1> params;

  Tensors apply(const Tensors& grads) override;
  void release() override;
  bool wants(int input) const;  // does this input want a gradient, and is there one

 private:
  Tensor fused(int input, const Tensor& g);
  // Without a plan, where the operands lie in order; false: nothing has been done.
  bool run_directly(rows::Tile tile, DType lane, const Tensor& dx, const Tensor& g,
                    const Tensor* kept, const Tensor& y);
  void run_on_cuda(int input, DType lane, const Tensor& dx, const Tensor& g, const Tensor* kept,
                   const Tensor& y);
  Tensor recorded(int input, const Tensor& g);
};

// Attaches a node for this call to the history of its inputs. `original` replaces the first input
// among the saved tensors (in place: its old value).
Ref<tape::Node> make_row_node(rows::Row row, DType common, Operands inputs, Params params);
// The tensors to keep; after the result has its history, so that it is kept as an output.
void save_operands(tape::Node* node, Operands inputs, const Tensor* original, const Tensor& y);
// Does a derivative that will be wanted read the first input?
bool reads_first(rows::Row row, Operands inputs);

}  // namespace lampas::ops
