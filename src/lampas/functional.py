"""`torch.functional`: functions of `torch` under their second name."""

import lampas

_NAMES = (
    "align_tensors atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors "
    "cartesian_prod cdist chain_matmul einsum lu meshgrid norm split stft tensordot unique "
    "unique_consecutive unravel_index istft"
).split()
globals().update({name: getattr(lampas, name) for name in _NAMES if hasattr(lampas, name)})
