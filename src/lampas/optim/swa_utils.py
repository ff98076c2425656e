"""Averages of models over training: running copies, their statistics, and a schedule."""

import math
from copy import deepcopy
from itertools import chain

import lampas
from lampas.nn import Module
from lampas.optim.lr_scheduler import LRScheduler, _format_param, _warn_get_lr_called_within_step

__all__ = [
    "AveragedModel",
    "update_bn",
    "SWALR",
    "get_ema_multi_avg_fn",
    "get_swa_multi_avg_fn",
    "get_ema_avg_fn",
    "get_swa_avg_fn",
]


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_multi_avg_fn(decay=0.999):
    """A function of lists that makes decay * average + (1 - decay) * parameter in place.

    Raises:
        ValueError: a decay outside [0, 1].
    """
    _check_decay(decay)

    @lampas.no_grad()
    def ema_update(ema_param_list, current_param_list, _):
        for average, current in zip(ema_param_list, current_param_list):
            if lampas.is_floating_point(average) or lampas.is_complex(average):
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn():
    """A function of lists that makes the equal average of all models so far, in place."""

    @lampas.no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        weight = 1 / (num_averaged + 1)
        for average, current in zip(averaged_param_list, current_param_list):
            if lampas.is_floating_point(average) or lampas.is_complex(average):
                average.lerp_(current, float(weight))
            else:
                average.copy_(average + (current - average) * float(weight))

    return swa_update


def get_ema_avg_fn(decay=0.999):
    """A function that gives decay * average + (1 - decay) * parameter.

    Raises:
        ValueError: a decay outside [0, 1].
    """
    _check_decay(decay)

    @lampas.no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """A function that gives the equal average of all models so far."""

    @lampas.no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model that holds the average of its parameters (Izmailov et al. 2018).

    Args:
        model: copied at once, and averaged with at each `update_parameters`.
        device: where the copy goes.
        avg_fn: average of (averaged parameter, parameter, number averaged).
        multi_avg_fn: the same in place over lists; the default is the equal average.
        use_buffers: average the buffers too instead of copying them.

    Raises:
        AssertionError: both functions are given.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", lampas.tensor(0, dtype=lampas.long, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """The averaged model's output."""
        return self.module(*args, **kwargs)

    def _averaged(self, model):
        if self.use_buffers:
            return list(chain(model.parameters(), model.buffers()))
        return list(model.parameters())

    def update_parameters(self, model):
        """Average with the model's present parameters; the first call copies them."""
        averages = [average.detach() for average in self._averaged(self.module)]
        currents = [
            current.detach().to(average.device)
            for average, current in zip(averages, self._averaged(model))
        ]
        if self.n_averaged == 0:
            for average, current in zip(averages, currents):
                average.copy_(current)
        elif self.avg_fn is not None:
            for average, current in zip(averages, currents):
                count = self.n_averaged.to(average.device)
                average.copy_(self.avg_fn(average, current, count))
        else:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            update(averages, currents, self.n_averaged)
        if not self.use_buffers:
            for average, current in zip(self.module.buffers(), model.buffers()):
                average.detach().copy_(current.detach().to(average.device))
        self.n_averaged += 1


def update_bn(loader, model, device=None):
    """Recompute the running statistics of the batch norm layers by a pass over `loader`.

    A batch may be a tensor, or a list or tuple whose first entry is the input. The model's
    training mode and the layers' momenta come back as they were.
    """
    layers = [
        module
        for module in model.modules()
        if isinstance(module, lampas.nn.modules.batchnorm._BatchNorm)
    ]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        # No momentum means a plain average over all batches.
        layer.momentum = None
    with lampas.no_grad():
        for batch in loader:
            if isinstance(batch, (list, tuple)):
                batch = batch[0]
            model(batch if device is None else batch.to(device))
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Anneals the rate of every group to `swa_lr` in `anneal_epochs` steps, then keeps it.

    Args:
        swa_lr: one value, or one per group.
        anneal_strategy: "cos" or "linear".

    Raises:
        ValueError: an unknown strategy, a negative number of epochs, a list of a wrong length.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for group, rate in zip(optimizer.param_groups, _format_param("swa_lr", optimizer, swa_lr)):
            group["swa_lr"] = rate
        self._set_anneal_func(anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    @staticmethod
    def _linear_anneal(t):
        return t

    @staticmethod
    def _cosine_anneal(t):
        return (1 - math.cos(math.pi * t)) / 2

    @staticmethod
    def _get_initial_lr(lr, swa_lr, alpha):
        # lr = alpha * swa_lr + (1 - alpha) * initial
        return swa_lr if alpha == 1 else (lr - alpha * swa_lr) / (1 - alpha)

    def get_lr(self):
        """The rates of the present step, from those of the one before."""
        _warn_get_lr_called_within_step(self)
        # `_step_count` also counts the step of the constructor.
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = (
            self.anneal_func(max(0, min(1, t / max(1, self.anneal_epochs))))
            for t in (step - 1, step)
        )
        rates = []
        for group in self.optimizer.param_groups:
            initial = self._get_initial_lr(group["lr"], group["swa_lr"], before)
            rates.append(group["swa_lr"] * now + initial * (1 - now))
        return rates

    def _set_anneal_func(self, anneal_strategy):
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_strategy = anneal_strategy
        linear = anneal_strategy == "linear"
        self.anneal_func = self._linear_anneal if linear else self._cosine_anneal

    def state_dict(self):
        """The state without the optimizer and the annealing function."""
        state = super().state_dict()
        del state["anneal_func"]
        return state

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self._set_anneal_func(self._anneal_strategy)
