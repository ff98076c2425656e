"""GradScaler: losses are multiplied before backward so that float16 gradients do not vanish.

The scale, and whether an infinity was found, are tensors beside the gradients: a step asks a GPU once.
"""

from collections import abc

import lampas
from lampas import _core


def _warn_disabled():
    import warnings

    warnings.warn(
        "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
        stacklevel=3,
    )


class _Progress:
    """What has been done for one optimizer since the last update()."""

    def __init__(self):
        self.unscaled = self.stepped = False
        self.found = {}  # device: a float tensor, 1 where a gradient was infinite or NaN


class GradScaler:
    """Scales losses, unscales gradients, skips steps with infinite gradients and adapts the scale.

    On device "cuda" without CUDA it is disabled, with a warning, and hands everything through.
    """

    def __init__(
        self, device="cuda", init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000,
        enabled=True,
    ):  # fmt: skip
        if enabled and device == "cuda":
            from lampas import cuda

            if not cuda.is_available():
                _warn_disabled()
                enabled = False
        if enabled and growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if enabled and backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._device, self._enabled = device, enabled
        self._init_scale, self._init_growth_tracker = init_scale, 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._scale = self._growth_tracker = None  # tensors, from the first scale() on
        self._progress = {}  # id of an optimizer: its _Progress

    def _lazy_init_scale_growth_tracker(self, device):
        self._scale = lampas.full((), self._init_scale, dtype=lampas.float32, device=device)
        self._growth_tracker = lampas.full(
            (), self._init_growth_tracker, dtype=lampas.int32, device=device
        )

    def scale(self, outputs):
        """A loss, or a nest of them, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, lampas.Tensor):
            if self._scale is None:
                self._lazy_init_scale_growth_tracker(outputs.device)
            return outputs * self._scale.to(outputs.device)
        if not isinstance(outputs, abc.Iterable):
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")
        scaled = map(self.scale, outputs)
        return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled

    def _require_scale(self, name):
        if self._scale is None:
            raise AssertionError(
                f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )

    def _progress_of(self, optimizer):
        return self._progress.setdefault(id(optimizer), _Progress())

    def _check_gradients(self, optimizer, factor, half):
        """{device: whether a gradient there is infinite}, gradients multiplied by `factor`."""
        found, lists = {}, {}
        for group in optimizer.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                if param.grad.dtype is lampas.float16 and not half:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                lists.setdefault(param.grad.device, []).append(param.grad)
        for device, gradients in lists.items():
            found[device] = lampas.zeros((), dtype=lampas.float32, device=device)
            _core._amp_foreach_non_finite_check_and_unscale_(
                gradients, found[device], factor.to(device)
            )
        return found

    def unscale_(self, optimizer):
        """Divides the gradients of the optimizer's parameters by the scale."""
        if not self._enabled:
            return
        self._require_scale("unscale_")
        progress = self._progress_of(optimizer)
        if progress.unscaled and not progress.stepped:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if progress.stepped:
            raise RuntimeError("unscale_() is being called after step().")
        # In float64 the reciprocal of any scale is exact enough.
        inverse = self._scale.double().reciprocal().float()
        progress.found = self._check_gradients(optimizer, inverse, half=False)
        progress.unscaled = True

    def step(self, optimizer, *args, **kwargs):
        """optimizer.step(), unless a gradient is infinite or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._require_scale("step")
        progress = self._progress_of(optimizer)
        if progress.stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            return self._step_that_unscales(optimizer, progress, args, kwargs)
        if not progress.unscaled:
            self.unscale_(optimizer)
        if not progress.found:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        progress.stepped = True
        if any(found.item() for found in progress.found.values()):
            return None
        return optimizer.step(*args, **kwargs)

    def _step_that_unscales(self, optimizer, progress, args, kwargs):
        """A fused step reads scale and found_inf on the device: nobody waits for it."""
        if not progress.unscaled:
            unchanged = lampas.ones_like(self._scale)
            progress.found = self._check_gradients(optimizer, unchanged, half=True)
        if not progress.found:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        (device, found), *others = progress.found.items()
        for _, other in others:
            found = found + other.to(device)
        optimizer.grad_scale = None if progress.unscaled else self._scale.to(device)
        optimizer.found_inf = found
        progress.stepped = True
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            del optimizer.grad_scale, optimizer.found_inf

    def update(self, new_scale=None):
        """Lowers the scale after an infinite gradient, raises it after `growth_interval` good steps."""
        if not self._enabled:
            return
        self._require_scale("update")
        if new_scale is not None:
            self._set_scale(new_scale)
        else:
            found = [x for p in self._progress.values() for x in p.found.values()]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            total = found[0].to(self._scale.device)
            for other in found[1:]:
                total = total + other.to(self._scale.device)
            _core._amp_update_scale_(
                self._scale, self._growth_tracker, total, self._growth_factor, self._backoff_factor,
                self._growth_interval,
            )  # fmt: skip
        self._progress.clear()

    def _set_scale(self, new_scale):
        if isinstance(new_scale, float):
            self._scale.fill_(new_scale)
            return
        fits = new_scale.numel() == 1 and not new_scale.requires_grad
        if not (fits and new_scale.device.type == self._device):
            raise AssertionError(
                "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
                "torch.FloatTensor with requires_grad=False."
            )
        self._scale.copy_(new_scale)

    def get_scale(self):
        """The scale, a Python float; 1.0 when disabled. Waits for a GPU."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def is_enabled(self):
        return self._enabled

    def get_growth_factor(self):
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        self._growth_interval = new_interval

    def _get_growth_tracker(self):
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else tracker.item()

    def state_dict(self):
        """The scale and its settings; empty when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict):
        """Takes over what state_dict returned."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
