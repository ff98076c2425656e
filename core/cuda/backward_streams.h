// Backward passes do each node's work on the stream of its forward call, as PyTorch's.
#pragma once

namespace lampas::cuda {

void follow_streams();  // once: from the first stream that a program makes current on

}  // namespace lampas::cuda
