"""Convolutions, transposed convolutions, and their lazy forms."""

import math

import lampas
from lampas import _core
from lampas._signing import signed_by_children
from lampas.nn import functional as F
from lampas.nn import init
from lampas.nn.modules.lazy import LazyModuleMixin
from lampas.nn.modules.module import Module
from lampas.nn.modules.utils import _ntuple, _pair, _reverse_repeat_tuple, _single, _triple
from lampas.nn.parameter import Parameter, UninitializedParameter

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
    "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]  # fmt: skip

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: arguments, weight, bias, initial values."""

    __constants__ = [
        "stride", "padding", "dilation", "groups", "padding_mode", "output_padding",
        "in_channels", "out_channels", "kernel_size",
    ]  # fmt: skip

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, transposed,
        output_padding, groups, bias, padding_mode, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        _check_arguments(in_channels, out_channels, groups, padding, stride, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._explicit_padding()
        options = {"device": device, "dtype": dtype}
        rows, columns = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        shape = (rows, columns // groups, *kernel_size)
        self.weight = Parameter(lampas.empty(shape, **options))
        if bias:
            self.bias = Parameter(lampas.empty(out_channels, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _explicit_padding(self):
        """The padding as `pad` wants it: last dimension first, left and right."""
        if not isinstance(self.padding, str):
            return _reverse_repeat_tuple(self.padding, 2)
        pads = [0, 0] * len(self.kernel_size)
        if self.padding == "same":
            for i, (d, k) in enumerate(zip(self.dilation, self.kernel_size)):
                total = d * (k - 1)
                at = 2 * (len(self.kernel_size) - 1 - i)
                pads[at] = total // 2
                pads[at + 1] = total - total // 2
        return pads

    def reset_parameters(self):
        """Draws new initial values, uniform in ±1/sqrt(in_channels/groups * kernel volume)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        zeros, ones = (0,) * len(self.kernel_size), (1,) * len(self.kernel_size)
        if self.padding != zeros:
            parts.append(f"padding={self.padding}")
        if self.dilation != ones:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * len(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)

    def __setstate__(self, state):
        super().__setstate__(state)
        if not hasattr(self, "padding_mode"):
            self.padding_mode = "zeros"


def _check_arguments(in_channels, out_channels, groups, padding, stride, padding_mode):
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups != 0:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups != 0:
        raise ValueError("out_channels must be divisible by groups")
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
            )
        if padding == "same" and any(s != 1 for s in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    if padding_mode not in _PADDING_MODES:
        shown = "{" + ", ".join(repr(mode) for mode in sorted(_PADDING_MODES)) + "}"
        raise ValueError(
            f"padding_mode must be one of {shown}, but got padding_mode='{padding_mode}'"
        )


@signed_by_children
class _PlainConv(_ConvNd):
    """Conv1d to Conv3d, which differ in the number of spatial dimensions only."""

    _tuple = None  # one value or several -> one for each dimension
    _conv = None

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        many = self._tuple
        padding = padding if isinstance(padding, str) else many(padding)
        super().__init__(
            in_channels, out_channels, many(kernel_size), many(stride), padding, many(dilation),
            False, many(0), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input, weight, bias):
        if self.padding_mode != "zeros":
            padded = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            none = self._tuple(0)
            return self._conv(padded, weight, bias, self.stride, none, self.dilation, self.groups)
        return self._conv(
            input, weight, bias, self.stride, self.padding, self.dilation, self.groups
        )

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_PlainConv):
    """Cross-correlation over (N, C, L): -> (N, out_channels, L_out)."""

    _tuple = staticmethod(_single)
    _conv = staticmethod(_core.conv1d)


class Conv2d(_PlainConv):
    """Cross-correlation over (N, C, H, W): -> (N, out_channels, H_out, W_out)."""

    _tuple = staticmethod(_pair)
    _conv = staticmethod(_core.conv2d)


class Conv3d(_PlainConv):
    """Cross-correlation over (N, C, D, H, W): -> (N, out_channels, D_out, H_out, W_out)."""

    _tuple = staticmethod(_triple)
    _conv = staticmethod(_core.conv3d)


@signed_by_children
class _ConvTransposeNd(_ConvNd):
    """ConvTranspose1d to 3d: the gradient of the convolution with respect to its input."""

    _tuple = None
    _conv = None
    _dims = 0

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0,
        groups=1, bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {self.__class__.__name__}'
            )
        many = self._tuple
        super().__init__(
            in_channels, out_channels, many(kernel_size), many(stride), many(padding),
            many(dilation), True, many(output_padding), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(
        self, input, output_size, stride, padding, kernel_size, num_spatial_dims, dilation=None
    ):
        """The output padding that gives `output_size`, or the module's own if that is None."""
        if output_size is None:
            return _ntuple(num_spatial_dims)(self.output_padding)
        dims = num_spatial_dims
        has_batch = input.dim() == dims + 2
        if len(output_size) == dims + (2 if has_batch else 1):
            output_size = output_size[-dims:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} "
                f"or {dims + (2 if has_batch else 1)} elements (got {len(output_size)})"
            )
        dilation = dilation or (1,) * dims
        spatial = input.shape[-dims:]
        least = [
            (spatial[d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel_size[d] - 1) + 1
            for d in range(dims)
        ]
        most = [least[d] + stride[d] - 1 for d in range(dims)]
        for size, low, high in zip(output_size, least, most):
            if size < low or size > high:
                raise ValueError(
                    f"requested an output size of {output_size}, but valid sizes range "
                    f"from {least} to {most} (for an input of {input.size()[2:]})"
                )
        return [size - low for size, low in zip(output_size, least)]

    def forward(self, input, output_size=None):
        if self.padding_mode != "zeros":
            raise ValueError(
                f"Only `zeros` padding mode is supported for {self.__class__.__name__}"
            )
        output_padding = self.output_padding
        if output_size is not None:
            output_padding = self._output_padding(
                input, output_size, self.stride, self.padding, self.kernel_size, self._dims,
                self.dilation,
            )  # fmt: skip
        return self._conv(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups,
            self.dilation,
        )  # fmt: skip


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution over (N, C, L)."""

    _tuple = staticmethod(_single)
    _conv = staticmethod(_core.conv_transpose1d)
    _dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution over (N, C, H, W)."""

    _tuple = staticmethod(_pair)
    _conv = staticmethod(_core.conv_transpose2d)
    _dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution over (N, C, D, H, W)."""

    _tuple = staticmethod(_triple)
    _conv = staticmethod(_core.conv_transpose3d)
    _dims = 3


class _LazyConvXdMixin(LazyModuleMixin):
    """Takes in_channels from the first input."""

    def reset_parameters(self):
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        """Takes the shapes from an input."""
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if self.transposed:
            shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        else:
            shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self.weight.materialize(shape)
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input):
        dims = len(self.kernel_size)
        if input.dim() not in (dims + 1, dims + 2):
            raise RuntimeError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to "
                f"{self.__class__.__name__}, but got input of size: {input.shape}"
            )
        return input.shape[1] if input.dim() == dims + 2 else input.shape[0]

    def _be_lazy(self, out_channels, bias, device, dtype):
        # The base was built with no channels and no bias: now come the unsized parameters.
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)


@signed_by_children
class _LazyPlainConv(_LazyConvXdMixin):
    def __init__(
        self, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device,
            dtype,
        )  # fmt: skip
        self._be_lazy(out_channels, bias, device, dtype)


@signed_by_children
class _LazyConvTranspose(_LazyConvXdMixin):
    def __init__(
        self, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
        bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
            padding_mode, device, dtype,
        )  # fmt: skip
        self._be_lazy(out_channels, bias, device, dtype)


class LazyConv1d(_LazyPlainConv, Conv1d):
    """Conv1d that takes in_channels from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyPlainConv, Conv2d):
    """Conv2d that takes in_channels from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyPlainConv, Conv3d):
    """Conv3d that takes in_channels from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """ConvTranspose1d that takes in_channels from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """ConvTranspose2d that takes in_channels from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """ConvTranspose3d that takes in_channels from its first input."""

    cls_to_become = ConvTranspose3d
