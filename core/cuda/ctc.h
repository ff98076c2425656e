// Connectionist temporal classification: cpu/ctc.h on a GPU. The lengths are the host's.
#pragma once
#include "cpu/ctc.h"

namespace lampas::cuda {

struct On;

void ctc_losses(On, const Tensor& losses, const Tensor& logs, const Tensor& targets,
                const cpu::CtcBatch& batch);
void ctc_gradient(On, const Tensor& dx, const Tensor& g, const Tensor& losses, const Tensor& logs,
                  const Tensor& targets, const cpu::CtcBatch& batch, bool drop_infinite);

}  // namespace lampas::cuda
