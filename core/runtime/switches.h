// Switches of precision and determinism that kernels read. Python sets them under PyTorch's names
// (lampas/backends); nothing here acts.
#pragma once

namespace lampas {

// row(name, value at the start)
#define LAMPAS_SWITCHES(row)                                                                   \
  row(matmul_tf32, false)              /* float32 products may round their factors to TF32 */  \
      row(matmul_fp16_reduction, true) /* partial sums of half products may be halves */       \
      row(matmul_bf16_reduction, true) row(matmul_fp16_accumulation, false)                    \
          row(cudnn_enabled, true) row(cudnn_benchmark, false) row(cudnn_deterministic, false) \
              row(cudnn_tf32, true) /* convolutions and recurrent layers */                    \
      row(deterministic, false)     /* torch.use_deterministic_algorithms */                   \
      row(flash_sdp, true) row(mem_efficient_sdp, true) row(math_sdp, true) row(cudnn_sdp, true)

struct Switches {
#define FIELD(name, start) bool name = start;
  LAMPAS_SWITCHES(FIELD)
#undef FIELD
};
inline Switches switches;

}  // namespace lampas
