"""Rearrangements of channels and pixels, and one-hot rows."""

import lampas


def one_hot(tensor, num_classes=-1):
    """Class indices (*) -> zeros and ones (*, num_classes)."""
    if tensor.dtype != lampas.int64:
        text = "one_hot is only applicable to index tensor of type LongTensor."
        raise lampas.hints.hinted(RuntimeError(text))
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return tensor.new_empty((*tensor.shape, num_classes))
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(tensor.max()) + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif int(tensor.max()) >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    result = tensor.new_zeros((*tensor.shape, num_classes))
    return result.scatter_(-1, tensor.unsqueeze(-1), 1)


def pixel_shuffle(input, upscale_factor):
    """(*, C * r^2, H, W) -> (*, C, H * r, W * r)."""
    _check_shuffle("pixel_shuffle", input)
    r = upscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    if c % (r * r) != 0:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    blocks = input.reshape(*lead, c // (r * r), r, r, h, w)
    n = len(lead)
    if r == 1:
        return input.clone(memory_format=lampas.contiguous_format)
    order = [*range(n), n, n + 3, n + 1, n + 4, n + 2]
    return blocks.permute(order).reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input, downscale_factor):
    """(*, C, H * r, W * r) -> (*, C * r^2, H, W)."""
    _check_shuffle("pixel_unshuffle", input)
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = input.shape
    for name, d, extent in (("height", -2, h), ("width", -1, w)):
        if extent % r != 0:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({d})={extent} is not divisible by {r}"
            )
    blocks = input.reshape(*lead, c, h // r, r, w // r, r)
    n = len(lead)
    if r == 1:
        return input.clone(memory_format=lampas.contiguous_format)
    order = [*range(n), n, n + 2, n + 4, n + 1, n + 3]
    return blocks.permute(order).reshape(*lead, c * r * r, h // r, w // r)


def _check_shuffle(name, input):
    if input.dim() < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )


def channel_shuffle(input, groups):
    """Interleaves the channels of `groups` groups: (N, C, *) -> (N, C, *)."""
    if input.dim() <= 2:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    n, c = input.shape[:2]
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if c % groups != 0:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    if input.numel() == 0:
        return input.clone()
    split = input.reshape(n, groups, c // groups, *input.shape[2:])
    return split.transpose(1, 2).reshape(input.shape)


native_channel_shuffle = channel_shuffle
