"""Functions with a backward of their own: the identity on which full backward hooks hang, and
CrossMapLRN2d. Registration of hooks is in _hooks.py."""

import warnings

import lampas
from lampas import Tensor


class BackwardHookFunction(lampas.autograd.Function):
    """Identity: its node stands at the border of a module, where hooks can be put."""

    @staticmethod
    def forward(ctx, *tensors):
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx, *grads):
        return grads


def _spread(values, positions, count):
    """A tuple of `count` entries with `values` at `positions` and None elsewhere."""
    full = [None] * count
    for value, position in zip(values, positions):
        full[position] = value
    return tuple(full)


def _band(input, before, after, with_first=False):
    """(C, C) matrix of ones at rows i, columns i - before to i + after; perhaps column 0 too."""
    channels = input.size(1)
    ones = lampas.ones(channels, channels, dtype=input.dtype, device=input.device)
    band = ones.tril(after).triu(-before)
    if with_first:
        band[:, 0] = 1
    return band


class CrossMapLRN2d(lampas.autograd.Function):
    """x / (k + alpha / size * sum of squares)^beta over neighbouring channels of (N, C, H, W).

    The neighbours are those of PyTorch, found by probing: the forward sums always hold
    channel 0, and the backward sums reach one channel further down than symmetry asks.
    """

    @staticmethod
    def forward(ctx, input, size, alpha=1e-4, beta=0.75, k=1):
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        half = (size - 1) // 2
        sums = _band(input, half, half, with_first=True) @ input.square().flatten(2)
        scale = sums.view(input.shape) * (alpha / size) + k
        output = input * scale.pow(-beta)
        ctx.save_for_backward(input, output, scale)
        ctx.size, ctx.alpha, ctx.beta = size, alpha, beta
        return output

    @staticmethod
    def backward(ctx, g):
        input, output, scale = ctx.saved_tensors
        before = (ctx.size + 1) // 2
        ratio = (g * output / scale).flatten(2)
        sums = _band(input, before, ctx.size - before - 1) @ ratio
        factor = 2 * ctx.alpha * ctx.beta / ctx.size
        grad = g * scale.pow(-ctx.beta) - factor * input * sums.view(input.shape)
        return grad, None, None, None, None


class BackwardHook:
    """One call's full backward hooks: sees the gradients at a module's outputs and inputs."""

    def __init__(self, module, hooks, pre_hooks):
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs = None  # set once the outputs' gradients are known, until inputs' are
        self.input_positions = None  # of the tensors among the arguments; None: none needs grad
        self.input_count = 0
        self.output_positions = None
        self.output_count = 0

    def setup_input_hook(self, args):
        """Passes the tensors among `args` through the identity node."""

        def attach(node):
            node.register_hook(self._on_grad_input)

        args, self.input_positions = self._through_identity(args, attach)
        self.input_count = len(args)
        return args

    def setup_output_hook(self, result):
        """Passes the tensors of the result through the identity node."""
        values = result if isinstance(result, tuple) else (result,)

        def attach(node):
            node.register_hook(self._on_grad_output)

        self.output_count = len(values)
        values, positions = self._through_identity(values, attach)
        self.output_positions = positions
        if isinstance(result, tuple):
            return values if type(result) is tuple else type(result)(*values)
        return values[0]

    def _through_identity(self, values, attach):
        positions = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        wanted = any(values[i].requires_grad for i in positions)
        if not (wanted and lampas.is_grad_enabled()):
            return values, None
        passed = BackwardHookFunction.apply(*[values[i] for i in positions])
        nodes = [tensor.grad_fn for tensor in passed if tensor.grad_fn is not None]
        if not nodes:
            raise RuntimeError(
                "Error while setting up backward hooks. Please open an issue with a code "
                "sample to reproduce this."
            )
        attach(nodes[0])
        values = list(values)
        for position, tensor in zip(positions, passed):
            values[position] = tensor
        return tuple(values), positions

    def _on_grad_input(self, grad_input, _):
        if self.grad_outputs is None:  # no gradient came through the outputs
            return None
        grad_input = _spread(grad_input, self.input_positions, self.input_count)
        replaced = False
        for hook in self.hooks:
            given = hook(self.module, grad_input, self.grad_outputs)
            if given is None:
                continue
            given = given if isinstance(given, tuple) else (given,)
            if len(given) != len(grad_input):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(given)}, but expected {len(grad_input)}"
                )
            grad_input = given
            replaced = True
        self.grad_outputs = None
        return tuple(grad_input[i] for i in self.input_positions) if replaced else None

    def _on_grad_output(self, _, grad_output):
        grad_output = _spread(grad_output, self.output_positions, self.output_count)
        replaced = False
        for hook in self.pre_hooks:
            given = hook(self.module, grad_output)
            if given is None:
                continue
            given = given if isinstance(given, tuple) else (given,)
            if len(given) != len(grad_output):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(given)}, but expected {len(grad_output)}"
                )
            grad_output = given
            replaced = True
        self.grad_outputs = grad_output
        if self.input_positions is None and self.hooks:
            self._fire_without_inputs(grad_output)
        if replaced:
            return tuple(grad_output[i] for i in self.output_positions)
        return None

    def _fire_without_inputs(self, grad_output):
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See "
            "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
            "#torch.nn.Module.register_full_backward_hook for more details.",
            stacklevel=5,
        )
        grad_input = (None,) * self.input_count
        for hook in self.hooks:
            given = hook(self.module, grad_input, grad_output)
            if given is not None and not (
                isinstance(given, tuple) and all(entry is None for entry in given)
            ):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None
