"""Linear maps and convolutions of the core, and products composed of them."""

import lampas
from lampas import _core
from lampas.nn.functional.losses import cross_entropy

linear = _core.linear
conv1d = _core.conv1d
conv2d = _core.conv2d
conv3d = _core.conv3d
conv_transpose1d = _core.conv_transpose1d
conv_transpose2d = _core.conv_transpose2d
conv_transpose3d = _core.conv_transpose3d


def grouped_mm(mat_a, mat_b, *, offs=None, bias=None, out_dtype=None):
    """Products of groups of rows: a (M, K) cut at `offs`, b (G, K, N) -> (M, N); or batches."""
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if mat_a.dim() == 3 and mat_b.dim() == 3:
        result = lampas.bmm(mat_a, mat_b)
    else:
        ends = [int(end) for end in offs]
        bounds = list(zip([0, *ends[:-1]], ends))
        if mat_a.dim() == 2 and mat_b.dim() == 3:
            result = lampas.cat([mat_a[s:e] @ mat_b[g] for g, (s, e) in enumerate(bounds)])
        elif mat_a.dim() == 3:
            parts = [mat_a[g] @ mat_b[:, s:e] for g, (s, e) in enumerate(bounds)]
            result = lampas.cat(parts, 1)
        else:
            result = lampas.stack([mat_a[:, s:e] @ mat_b[s:e] for s, e in bounds])
    return result if out_dtype is None else result.to(out_dtype)


def scaled_mm(
    mat_a, mat_b, scale_a, scale_recipe_a, scale_b, scale_recipe_b, swizzle_a=None,
    swizzle_b=None, bias=None, output_dtype=None, contraction_dim=(), use_fast_accum=False,
):  # fmt: skip
    """Product of low-precision matrices with scales: needs a GPU with 8-bit floats."""
    raise NotImplementedError("scaled_mm")


def scaled_grouped_mm(
    mat_a, mat_b, scale_a, scale_recipe_a, scale_b, scale_recipe_b, swizzle_a=None,
    swizzle_b=None, bias=None, offs=None, output_dtype=None, contraction_dim=(),
    use_fast_accum=False,
):  # fmt: skip
    """`grouped_mm` of low-precision matrices with scales: needs a GPU with 8-bit floats."""
    raise NotImplementedError("scaled_grouped_mm")


def bilinear(input1, input2, weight, bias=None):
    """y_k = x1^T A_k x2 + b_k: (*, I), (*, J), weight (K, I, J) -> (*, K)."""
    if input1.dim() != input2.dim():
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}"
        )
    for d in range(input1.dim() - 1):
        if input1.size(d) != input2.size(d):
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {d}: "
                f"got {input1.size(d)} and {input2.size(d)}"
            )
    for number, x in ((1, input1), (2, input2)):
        if x.size(-1) != weight.size(number):
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: "
                f"got {x.size(-1)} but expected {weight.size(number)}"
            )
    if bias is not None and bias.size(0) != weight.size(0):
        raise RuntimeError(
            "bilinear(): bias size does not match weight size: "
            f"got {bias.size(0)} but expected {weight.size(0)}"
        )
    k, i, j = weight.shape
    left = input1.reshape(-1, i) @ weight.permute(1, 0, 2).reshape(i, k * j)
    result = left.view(-1, k, j) @ input2.reshape(-1, j, 1)  # (B, K, 1)
    result = result.view(*input1.shape[:-1], k)
    return result if bias is None else result + bias


def conv_tbc(input, weight, bias, pad=0):
    """1-D convolution of (T, N, C_in) by (K, C_in, C_out): -> (T_out, N, C_out)."""
    if input.dim() != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.dim() != 3:
        raise RuntimeError(
            "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels."
        )
    if bias.dim() != 1:
        raise RuntimeError("Bias must be 1-D")
    if input.size(2) != weight.size(1):
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight.size(2) != bias.size(0):
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    result = _core.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad)
    return result.permute(2, 0, 1).contiguous()


def linear_cross_entropy(
    input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean",
    ignore_index=None, label_smoothing=0.0, options=None,
):  # fmt: skip
    """`cross_entropy(linear(input, linear_weight, linear_bias), target, ...)`."""
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}"
        )
    if input.size(-1) != linear_weight.size(-1):
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.size(-1)} and {linear_weight.size(-1)}, respectively"
        )
    if linear_weight.dim() > 2 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {input.size(-1)}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    shape = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != shape:
        raise RuntimeError(f"expected linear_bias shape {shape}, got {tuple(linear_bias.shape)}")
    bias = None if linear_bias is None else linear_bias.flatten()
    scores = _core.linear(input, linear_weight.flatten(0, -2), bias)
    if linear_weight.dim() > 2:
        scores = scores.unflatten(-1, shape)
    if ignore_index is not None and target.shape == scores.shape:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    return cross_entropy(
        scores, target, weight, reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )  # fmt: skip
