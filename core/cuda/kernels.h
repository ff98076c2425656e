// Which kernels a GPU has of its own: KERNEL (ops/kernel.h) takes the function of that name whose
// first parameter is On, and where there is none the CPU's, on copies (fallback.h).
#pragma once

namespace lampas::cuda {

struct On {};

}  // namespace lampas::cuda

#include "cuda/copy.h"
#include "cuda/ctc.h"
#include "cuda/distance.h"
#include "cuda/extremes.h"
#include "cuda/folding.h"
#include "cuda/grid_sampling.h"
#include "cuda/indexing.h"
#include "cuda/joining.h"
#include "cuda/losses.h"
#include "cuda/masked.h"
#include "cuda/normalize.h"
#include "cuda/pooling.h"
#include "cuda/random.h"
#include "cuda/ranges.h"
#include "cuda/reduce.h"
#include "cuda/resampling.h"
#include "cuda/scan.h"
#include "cuda/scatter.h"
#include "cuda/sets.h"
#include "cuda/softmax.h"
#include "cuda/sorting.h"
