// Connectionist temporal classification (Graves et al., 2006).
#pragma once
#include "runtime/tensor.h"

namespace lampas::cpu {

// The lengths of a batch, and where each sample's labels begin in the contiguous int64 targets.
struct CtcBatch {
  const int64_t *input_lengths, *target_lengths, *starts;
  int64_t blank;
};

// losses (N) from contiguous log-probabilities (T, N, C).
void ctc_losses(const Tensor& losses, const Tensor& logs, const Tensor& targets,
                const CtcBatch& batch);
// dx (T, N, C) from the gradient g (N) of each loss; zero where `drop_infinite` and the loss is
// infinite.
void ctc_gradient(const Tensor& dx, const Tensor& g, const Tensor& losses, const Tensor& logs,
                  const Tensor& targets, const CtcBatch& batch, bool drop_infinite);

}  // namespace lampas::cpu
