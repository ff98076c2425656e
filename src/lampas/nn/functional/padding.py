"""`pad`: constant, reflecting, replicating and circular borders."""

import lampas
from lampas import _core

_SUPPORTED = """
Supported combinations for non-constant padding:
  - 2D or 3D input: padding size = 2 (pads last dimension)
  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)
  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"""


def pad(input, pad, mode="constant", value=None):
    """Pads the last dimensions: `pad` is (left, right) of the last, then of the one before, ...

    Modes: "constant" (with `value`), "reflect", "replicate", "circular". Negative sizes crop.
    """
    if mode == "constant":
        return _core.constant_pad_nd(input, pad, 0 if value is None else value)
    if len(pad) % 2 != 0:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but "
            f"got padding length {len(pad)} and input of dimension {input.dim()}"
        )
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    dims = len(pad) // 2
    if dims not in (1, 2, 3) or input.dim() not in (dims + 1, dims + 2):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor."
            + _SUPPORTED
        )
    if mode not in (*_POSITIONS, "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if mode != "circular":
        _check_extents(input, pad, dims, mode)
    return _circular(input, pad) if mode == "circular" else _from_inside(input, pad, mode)


def _circular(input, pad):
    for d in range(len(pad) // 2):
        left, right = pad[2 * d], pad[2 * d + 1]
        axis = input.dim() - 1 - d
        _check_circular(input.size(axis), left, right)
        # A negative size crops first; what is left is what repeats.
        kept = input.size(axis) + min(left, 0) + min(right, 0)
        input = input.narrow(axis, max(-left, 0), kept)
        left, right = max(left, 0), max(right, 0)
        if left != 0 or right != 0:
            positions = lampas.arange(-left, kept + right, device=input.device)
            input = input.index_select(axis, positions.remainder(kept))
    return input if input.is_contiguous() else input.contiguous()


def _from_inside(input, pad, mode):
    """One gather over all padded dimensions: where in the input every element of the result lies."""
    dims = len(pad) // 2
    place, extents = None, []
    for d in reversed(range(dims)):  # outermost first
        left, right, extent = pad[2 * d], pad[2 * d + 1], input.size(-1 - d)
        positions = lampas.arange(-left, extent + right, device=input.device)
        positions = _POSITIONS[mode](positions, extent)
        extents.append(positions.numel())
        place = positions if place is None else place.unsqueeze(-1) * extent + positions
    node = f"{_NODES[mode]}Pad{dims}DBackward0"
    return _core._pad_from_inside(input, place.reshape(-1), extents, node)


def _check_extents(input, pad, dims, mode):
    shape = list(input.shape)
    if any(extent == 0 for extent in shape[-dims - 1 :]):
        raise RuntimeError(
            f"Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with possibly 0 batch size "
            f"and other non-zero dimensions for input, but got: {shape}"
        )
    for d in range(dims):
        left, right, extent = pad[2 * d], pad[2 * d + 1], shape[-1 - d]
        if mode == "reflect" and (left >= extent or right >= extent):
            raise RuntimeError(
                f"Argument #{4 + 2 * d}: Padding size should be less than the corresponding input "
                f"dimension, but got: padding ({left}, {right}) at dimension "
                f"{len(shape) - 1 - d} of input {shape}"
            )
        if extent + left + right < 1:
            axis = "WHD"[d]
            raise RuntimeError(
                f"input ({axis}: {extent}) is too small. Calculated output {axis}: "
                f"{extent + left + right}"
            )


def _check_circular(extent, left, right):
    if left > extent or right > extent:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    if extent + left + right < 0:
        raise RuntimeError("Negative padding value is resulting in an empty dimension")


def _reflected(positions, extent):
    positions = positions.abs()
    return (extent - 1) - ((extent - 1) - positions).abs()


_POSITIONS = {  # where in the input a position of the padded dimension lies
    "reflect": _reflected,
    "replicate": lambda positions, extent: positions.clamp(0, extent - 1),
}
_NODES = {"reflect": "Reflection", "replicate": "Replication"}
