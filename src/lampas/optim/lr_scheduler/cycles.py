"""Schedules that go up and down: warm restarts, cyclic rates and the one-cycle policy."""

import functools
import math

from lampas.optim.lr_scheduler.base import (
    LRScheduler,
    _format_param,
    _update_param_group_val,
    _warn_get_lr_called_within_step,
    callable_state,
    check_optimizer,
)


def _uses_beta1(optimizer):
    """Whether the momentum to cycle is the first of the betas."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError(
            "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
        )
    return "betas" in optimizer.defaults


def _set_momentum(group, use_beta1, value):
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class CosineAnnealingWarmRestarts(LRScheduler):
    """SGDR (Loshchilov and Hutter 2017): a cosine from the initial rate to `eta_min` and again.

    The first period has `T_0` epochs, each further one `T_mult` times as many.

    Raises:
        ValueError: `T_0` or `T_mult` is not a positive integer.
    """

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates of the present epoch."""
        _warn_get_lr_called_within_step(self)
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch=None):
        """Go to the next epoch, or to the given one, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._locate(epoch)
        self.last_epoch = math.floor(epoch)
        # `last_epoch` is set already, so the step back cancels the one in _update_lr.
        self.last_epoch -= 1
        self._update_lr()

    def _locate(self, epoch):
        """Set the period that holds `epoch` and the place in it."""
        if epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        periods, start = 0, 0
        if epoch >= self.T_0:
            if self.T_mult == 1:
                start = epoch // self.T_0 * self.T_0
            else:
                grown = epoch / self.T_0 * (self.T_mult - 1) + 1
                periods = int(math.log(grown, self.T_mult))
                start = self.T_0 * (self.T_mult**periods - 1) / (self.T_mult - 1)
        self.T_cur = epoch - start
        self.T_i = self.T_0 * self.T_mult**periods


class CyclicLR(LRScheduler):
    """Triangles between `base_lr` and `max_lr` (Smith 2017), stepped after every batch.

    Args:
        base_lr, max_lr: one value, or one per group.
        step_size_up, step_size_down: batches of a rise and of a fall.
        mode: "triangular", "triangular2" (halves the height each cycle) or "exp_range" (scales
            it by gamma^iteration); ignored when `scale_fn` is given.
        scale_fn, scale_mode: a scale by the number of the "cycle" or of "iterations".
        cycle_momentum: move momentum (or beta1) against the rate, between `max_momentum` and
            `base_momentum`.

    Raises:
        ValueError: an unknown mode, lists of a wrong length, an optimizer without momentum.
    """

    def __init__(
        self,
        optimizer,
        base_lr,
        max_lr,
        step_size_up=2000,
        step_size_down=None,
        mode="triangular",
        gamma=1.0,
        scale_fn=None,
        scale_mode="cycle",
        cycle_momentum=True,
        base_momentum=0.8,
        max_momentum=0.9,
        last_epoch=-1,
    ):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = _format_param("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs):
                _update_param_group_val(group, "lr", lr)
        self.max_lrs = _format_param("max_lr", optimizer, max_lr)
        step_size_up = float(step_size_up)
        step_size_down = step_size_up if step_size_down is None else float(step_size_down)
        self.total_size = step_size_up + step_size_down
        self.step_ratio = step_size_up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._init_scale_fn()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _begin_momentum(self, base_momentum, max_momentum, last_epoch):
        self.use_beta1 = _uses_beta1(self.optimizer)
        self.base_momentums = _format_param("base_momentum", self.optimizer, base_momentum)
        self.max_momentums = _format_param("max_momentum", self.optimizer, max_momentum)
        if last_epoch != -1:
            return
        for group, base, top in zip(
            self.optimizer.param_groups, self.base_momentums, self.max_momentums
        ):
            _set_momentum(group, self.use_beta1, top)
            group["max_momentum"] = top
            group["base_momentum"] = base

    def _init_scale_fn(self):
        if self._scale_fn_custom is not None:
            return
        if self.mode == "triangular":
            self._scale_fn_ref = self._triangular_scale_fn
            self.scale_mode = "cycle"
        elif self.mode == "triangular2":
            self._scale_fn_ref = self._triangular2_scale_fn
            self.scale_mode = "cycle"
        elif self.mode == "exp_range":
            self._scale_fn_ref = functools.partial(self._exp_range_scale_fn, self.gamma)
            self.scale_mode = "iterations"

    def scale_fn(self, x):
        """The height of cycle (or iteration) x, as a part of the full height."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return self._scale_fn_ref(x)

    @staticmethod
    def _triangular_scale_fn(x):
        return 1.0

    @staticmethod
    def _triangular2_scale_fn(x):
        return 1 / (2.0 ** (x - 1))

    @staticmethod
    def _exp_range_scale_fn(gamma, x):
        return gamma**x

    def get_lr(self):
        """The rates of the present batch; with `cycle_momentum` it sets the momenta too."""
        _warn_get_lr_called_within_step(self)
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, base, top in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums
            ):
                _set_momentum(group, self.use_beta1, top - (top - base) * height * scale)
        return [
            base + (top - base) * height * scale for base, top in zip(self.base_lrs, self.max_lrs)
        ]

    def state_dict(self):
        """The state; of a custom scale function only the attributes of a callable object."""
        state = super().state_dict()
        state.pop("_scale_fn_ref", None)
        state["_scale_fn_custom"] = callable_state(state.pop("_scale_fn_custom"))
        return state

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` gave."""
        state_dict = dict(state_dict)
        custom = state_dict.pop("_scale_fn_custom")
        super().load_state_dict(state_dict)
        if custom is not None:
            self._scale_fn_custom.__dict__.update(custom)
        self._init_scale_fn()


class OneCycleLR(LRScheduler):
    """The 1cycle policy (Smith and Topin 2018): up to `max_lr`, then far down; per batch.

    Args:
        max_lr: one value, or one per group.
        total_steps: length of the cycle, or `epochs` times `steps_per_epoch`.
        pct_start: the part of the cycle that goes up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum, base_momentum, max_momentum: move momentum (or beta1) the other way.
        div_factor: the initial rate is max_lr / div_factor.
        final_div_factor: the last rate is the initial one / final_div_factor.
        three_phase: go down as fast as up, then to the last rate.

    Raises:
        ValueError: a number of steps that is missing or not positive, `pct_start` outside
            [0, 1], an unknown strategy, an optimizer without momentum, or, in `step`, more than
            `total_steps` steps.
    """

    def __init__(
        self,
        optimizer,
        max_lr,
        total_steps=None,
        epochs=None,
        steps_per_epoch=None,
        pct_start=0.3,
        anneal_strategy="cos",
        cycle_momentum=True,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25.0,
        final_div_factor=1e4,
        three_phase=False,
        last_epoch=-1,
    ):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _cycle_length(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        max_lrs = _format_param("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, max_lrs):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _begin_momentum(self, base_momentum, max_momentum, last_epoch):
        self.use_beta1 = _uses_beta1(self.optimizer)
        bases = _format_param("base_momentum", self.optimizer, base_momentum)
        tops = _format_param("max_momentum", self.optimizer, max_momentum)
        if last_epoch != -1:
            return
        for group, base, top in zip(self.optimizer.param_groups, bases, tops):
            _set_momentum(group, self.use_beta1, top)
            group["max_momentum"] = top
            group["base_momentum"] = base

    def _anneal_func(self, start, end, pct):
        anneal = self._annealing_cos if self._anneal_func_type == "cos" else self._annealing_linear
        return anneal(start, end, pct)

    @staticmethod
    def _annealing_cos(start, end, pct):
        return end + (start - end) / 2.0 * (1 + math.cos(math.pi * pct))

    @staticmethod
    def _annealing_linear(start, end, pct):
        return (end - start) * pct + start

    def get_lr(self):
        """The rates of the present batch; with `cycle_momentum` it sets the momenta too."""
        _warn_get_lr_called_within_step(self)
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        start = 0.0
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            start = phase["end_step"]
        passed = (step - start) / (phase["end_step"] - start)

        def between(group, quantity):
            ends = (group[phase[f"{end}_{quantity}"]] for end in ("start", "end"))
            return self._anneal_func(*ends, passed)

        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                _set_momentum(group, self.use_beta1, between(group, "momentum"))
        return [between(group, "lr") for group in self.optimizer.param_groups]


def _cycle_length(total_steps, epochs, steps_per_epoch):
    if total_steps is not None:
        parts = {"total_steps": total_steps}
    elif epochs is not None and steps_per_epoch is not None:
        parts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    else:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in parts.items():
        if value <= 0 or not isinstance(value, int):
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(parts.values())


def _phases(total_steps, pct_start, three_phase):
    """The phases in order: where each ends, and between which options of a group it moves."""
    up = _phase(float(pct_start * total_steps) - 1, "initial", "max", "max", "base")
    if not three_phase:
        return [up, _phase(total_steps - 1, "max", "min", "base", "max")]
    return [
        up,
        _phase(float(2 * pct_start * total_steps) - 2, "max", "initial", "base", "max"),
        _phase(total_steps - 1, "initial", "min", "max", "max"),
    ]


def _phase(end_step, start_lr, end_lr, start_momentum, end_momentum):
    return {
        "end_step": end_step,
        "start_lr": start_lr + "_lr",
        "end_lr": end_lr + "_lr",
        "start_momentum": start_momentum + "_momentum",
        "end_momentum": end_momentum + "_momentum",
    }
