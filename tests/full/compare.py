"""Whether two results agree: structure, dtype, shape, strides and values within a tolerance by dtype."""

import torch
from carry import tensor_to_torch

import lampas

# Relative and absolute; sums of different order differ by some rounding.
TOLERANCE = {
    "float64": (1e-7, 1e-9), "float32": (1e-4, 1e-5), "float16": (4e-3, 2e-3), "bfloat16": (3e-2, 2e-2),
    "complex128": (1e-7, 1e-9), "complex64": (1e-4, 1e-5),
}  # fmt: skip


class Differs(Exception):
    """Two results disagree, with the first difference."""


def agree(mine, theirs, values=True, strides=True, place="result"):
    """Raises Differs at the first difference."""
    if isinstance(theirs, torch.Tensor):
        if not isinstance(mine, lampas.Tensor):
            raise Differs(f"{place}: {type(mine).__name__} instead of a tensor")
        tensors_agree(mine, theirs, values, strides, place)
    elif isinstance(theirs, (list, tuple)):
        if not isinstance(mine, (list, tuple)) or len(mine) != len(theirs):
            raise Differs(f"{place}: {type(mine).__name__} instead of {len(theirs)} entries")
        for i, pair in enumerate(zip(mine, theirs)):
            agree(*pair, values, strides, f"{place}[{i}]")
    elif isinstance(theirs, (bool, int, float, complex, str, type(None))):
        if type(mine) is not type(theirs):
            raise Differs(f"{place}: {mine!r} instead of {theirs!r}")
        if values and mine != theirs and not (mine != mine and theirs != theirs):
            if not isinstance(theirs, (float, complex)) or abs(mine - theirs) > 1e-5 * abs(theirs):
                raise Differs(f"{place}: {mine!r} instead of {theirs!r}")
    elif str(mine).replace("lampas", "torch") != str(theirs):
        raise Differs(f"{place}: {mine} instead of {theirs}")


def tensors_agree(mine, theirs, values, strides, place):
    """One tensor."""
    for name in ("dtype", "shape"):
        got, expected = str(getattr(mine, name)), str(getattr(theirs, name))
        if got != expected:
            raise Differs(f"{place}: {name} {got} instead of {expected}")
    if strides and theirs.numel() and mine.stride() != theirs.stride():
        raise Differs(f"{place}: strides {mine.stride()} instead of {theirs.stride()}")
    if not values or theirs.is_meta:
        return
    rtol, atol = TOLERANCE.get(str(theirs.dtype).removeprefix("torch."), (0, 0))
    expected = theirs.detach().resolve_conj().resolve_neg().contiguous()
    got = tensor_to_torch(mine).reshape(expected.shape)
    if not torch.allclose(got, expected, rtol, atol, equal_nan=True):
        wrong = ~torch.isclose(got, expected, rtol, atol, equal_nan=True)
        first = wrong.reshape(-1).nonzero()[0].item()
        pair = got.reshape(-1)[first].item(), expected.reshape(-1)[first].item()
        raise Differs(
            f"{place}: {int(wrong.sum())} of {wrong.numel()} differ, {pair[0]} for {pair[1]}"
        )
