"""Clipping gradients by their norm or by value."""

import types
import warnings

import lampas
from lampas import _core


def _gradients(parameters):
    """The gradients of a tensor or of an iterable of tensors."""
    if isinstance(parameters, lampas.Tensor):
        parameters = [parameters]
    return [param.grad for param in parameters if param.grad is not None]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors together, as if they were one vector.

    Raises:
        RuntimeError: the norm is infinite or NaN and `error_if_nonfinite` is set.
    """
    tensors = [tensors] if isinstance(tensors, lampas.Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return lampas.tensor(0.0)
    total = _core.total_norm(tensors, norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from "
            "`parameters` is non-finite, so it cannot be clipped. To disable "
            "this error and scale the gradients by the non-finite norm anyway, "
            "set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale all gradients by max_norm / total_norm, where that is less than 1."""
    gradients = _gradients(parameters)
    if not gradients:
        return
    with lampas.no_grad():
        # Multiplying by 1 costs less than asking a device whether it is 1.
        scale = lampas.clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
    _core.scale_all_(gradients, scale)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients so that their total norm is at most `max_norm`; gives the norm before.

    Raises:
        RuntimeError: the norm is infinite or NaN and `error_if_nonfinite` is set.
    """
    if isinstance(parameters, lampas.Tensor):
        parameters = [parameters]
    else:
        is_generator = isinstance(parameters, types.GeneratorType)
        parameters = list(parameters)
        if is_generator and not parameters:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                stacklevel=3,
            )
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The old name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated "
        "in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamp every entry of the gradients to [-clip_value, clip_value]."""
    clip_value = float(clip_value)
    with lampas.no_grad():
        for grad in _gradients(parameters):
            grad.clamp_(min=-clip_value, max=clip_value)
