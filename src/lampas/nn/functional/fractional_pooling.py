"""Fractional max pooling: windows at random places. Source: B. Graham, "Fractional max-pooling", 2014."""

import lampas
from lampas.nn._tuples import _pair, _triple
from lampas.ops.one_node import one_node


def _interval_starts(samples, extent, count, window):
    """First positions (N, C, count) of windows at random, increasing places of a dimension."""
    last = samples.new_full((*samples.shape, 1), extent - window, dtype=lampas.int64)
    if count == 1:
        return last
    alpha = (extent - window) / (count - 1)
    alpha = samples.new_full((), alpha)
    sample = samples.unsqueeze(-1)
    steps = lampas.arange(count - 1, dtype=samples.dtype, device=samples.device)
    starts = ((steps + sample) * alpha).to(lampas.int64) - (sample * alpha).to(lampas.int64)
    return lampas.cat([starts, last], -1)


def _check_samples(samples, batch, dims):
    if samples.dtype != batch.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    if samples.dim() != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {samples.dim()}")
    if samples.size(0) < batch.size(0):
        raise RuntimeError("Expect _random_samples.size(0) no less then input batch size.")
    if samples.size(1) != batch.size(1):
        raise RuntimeError("Expect _random_samples.size(1) equals to input channel size.")
    if samples.size(2) != dims:
        raise RuntimeError(
            f"Expect _random_samples.size(2) equals to {dims}; got {samples.size(2)}."
        )


def _picking(dims):
    """pick(x, indices): values of (N, C, *spatial) at flat positions; one node, as are its derivatives."""

    def values(x, indices):
        return x.flatten(2).gather(2, indices.flatten(2)).reshape(indices.shape)

    def spread(g, x, indices):
        zeros = lampas.zeros_like(x).flatten(2)
        return zeros.scatter_add(2, indices.flatten(2), g.flatten(2)).reshape(x.shape)

    def again(grads, args, outputs):
        _, x, indices = args
        return pick(grads[0], indices), lampas.zeros_like(x)

    put = one_node(f"FractionalMaxPool{dims}DBackwardBackward0", spread, again)
    pick = one_node(
        f"FractionalMaxPool{dims}DBackward0",
        values,
        lambda grads, args, outputs: (put(grads[0], *args),),
    )
    return pick


_PICK = {dims: _picking(dims) for dims in (2, 3)}


def _fractional_max_pool(input, kernel_size, output_size, output_ratio, random_samples, many, name):
    dims = len(many(0))
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    kernel_size = many(kernel_size)
    spatial = [input.size(d - dims) for d in range(dims)]
    if output_size is None:
        if len(many(output_ratio)) > dims:
            raise ValueError(
                f"{name} requires output_ratio to either be a single Int or tuple of Ints."
            )
        output_size = [int(extent * r) for extent, r in zip(spatial, many(output_ratio))]
    output_size = many(output_size)
    kernel = name + ("()" if dims == 2 else "_out()")
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{kernel}: Expected {dims + 1}D or {dims + 2}D tensor, but got: {list(input.shape)}"
        )
    first = input.dim() - dims - 1  # the channels
    for d in range(first, input.dim()):
        if input.size(d) == 0:
            raise RuntimeError(
                f"{kernel}: Expected input to have non-zero size for non-batch dimensions, "
                f"but got{list(input.shape)} with dimension {d} being empty."
            )
    batch = input if first == 1 else input.unsqueeze(0)
    axes = "THW"[3 - dims :]
    names = {"T": "time", "H": "height", "W": "width"}
    for d in range(dims):
        if output_size[d] + kernel_size[d] - 1 > spatial[d]:
            raise RuntimeError(
                f"{kernel}: pool {names[axes[d]]} {kernel_size[d]} too large relative to input "
                f"{names[axes[d]]} {spatial[d]}"
            )
    if random_samples is None:
        random_samples = lampas.rand(
            batch.shape[0], batch.shape[1], dims, dtype=input.dtype, device=input.device
        )
    else:
        _check_samples(random_samples, batch, dims)
        random_samples = random_samples[: batch.shape[0]]
    # In two dimensions the samples are those of width and height, in this order.
    order = (1, 0) if dims == 2 else (0, 1, 2)
    places = None  # (N, C, *output_size, *kernel_size), flat positions
    for d in range(dims):
        starts = _interval_starts(
            random_samples[..., order[d]], spatial[d], output_size[d], kernel_size[d]
        )
        window = starts.unsqueeze(-1) + lampas.arange(kernel_size[d], device=starts.device)
        # window: (N, C, out, kernel)
        shape = [*starts.shape[:2]] + [1] * (2 * dims)
        shape[2 + d], shape[2 + dims + d] = output_size[d], kernel_size[d]
        window = window.reshape(shape)
        places = window if places is None else places * spatial[d] + window
    places = places.expand(*places.shape[:2], *output_size, *kernel_size)
    lead = places.shape[: 2 + dims]
    volume = 1
    for extent in kernel_size:
        volume *= extent
    flat = places.flatten(2)
    values = batch.detach().flatten(2).gather(2, flat).reshape(*lead, volume)
    chosen = values.argmax(-1, keepdim=True)
    indices = flat.reshape(*lead, volume).gather(-1, chosen).squeeze(-1)
    best = _PICK[dims](batch, indices)
    return (best, indices) if batch is input else (best.squeeze(0), indices.squeeze(0))


def fractional_max_pool2d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Max pooling of (N, C, H, W) at random places; also the positions of the maxima."""
    return _fractional_max_pool(
        input, kernel_size, output_size, output_ratio, _random_samples, _pair,
        "fractional_max_pool2d",
    )  # fmt: skip


def fractional_max_pool3d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Max pooling of (N, C, D, H, W) at random places; also the positions of the maxima."""
    return _fractional_max_pool(
        input, kernel_size, output_size, output_ratio, _random_samples, _triple,
        "fractional_max_pool3d",
    )  # fmt: skip


def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Max pooling of (N, C, H, W) with windows at random places (Graham, 2014)."""
    found = fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, False, _random_samples
    )
    return found if return_indices else found[0]


def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Max pooling of (N, C, D, H, W) with windows at random places (Graham, 2014)."""
    found = fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, False, _random_samples
    )
    return found if return_indices else found[0]
