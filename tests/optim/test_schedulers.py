"""Learning rate schedules: rates, states, closed forms, errors and warnings as PyTorch's."""

import copy

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree


class Halves:
    """A callable object, whose attributes are part of a state dict."""

    def __init__(self):
        self.count = 2

    def __call__(self, epoch):
        return 0.5


MAKERS = {
    "StepLR": lambda L, o: L.StepLR(o, 3),
    "MultiStepLR": lambda L, o: L.MultiStepLR(o, [2, 5, 5]),
    "ExponentialLR": lambda L, o: L.ExponentialLR(o, 0.9),
    "ConstantLR": lambda L, o: L.ConstantLR(o),
    "LinearLR": lambda L, o: L.LinearLR(o, 0.2, 0.8, 7),
    "PolynomialLR": lambda L, o: L.PolynomialLR(o, 6, 2.0),
    "CosineAnnealingLR": lambda L, o: L.CosineAnnealingLR(o, 4, 0.01),
    "WarmRestarts": lambda L, o: L.CosineAnnealingWarmRestarts(o, 3, 2),
    "LambdaLR": lambda L, o: L.LambdaLR(o, [lambda epoch: 0.9**epoch, Halves()]),
    "MultiplicativeLR": lambda L, o: L.MultiplicativeLR(o, lambda epoch: 0.9),
    "CyclicLR": lambda L, o: L.CyclicLR(o, 0.01, [0.1, 0.2], 3, 2),
    "CyclicLR 2": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, mode="triangular2"),
    "CyclicLR exp": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
    "CyclicLR own": lambda L, o: L.CyclicLR(o, 0.01, 0.1, 3, scale_fn=Halves()),
    "OneCycleLR": lambda L, o: L.OneCycleLR(o, 0.1, 20),
    "OneCycleLR 3": lambda L, o: L.OneCycleLR(
        o, [0.1, 0.2], epochs=4, steps_per_epoch=5, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": lambda L, o: L.SequentialLR(
        o, [L.ConstantLR(o, 0.1, 2), L.CosineAnnealingLR(o, 5), L.StepLR(o, 1)], [3, 6]
    ),
    "nested": lambda L, o: L.SequentialLR(
        o,
        [L.SequentialLR(o, [L.ConstantLR(o), L.ExponentialLR(o, 0.5)], [2]), L.StepLR(o, 2)],
        [5],
    ),
    "ChainedScheduler": lambda L, o: L.ChainedScheduler([L.ConstantLR(o), L.ExponentialLR(o, 0.9)]),
}


def optimizer_of(module, kind="SGD", **options):
    options = {"lr": 0.1, **({"momentum": 0.9} if kind == "SGD" else {}), **options}
    groups = [{"params": [module.ones(2)]}, {"params": [module.ones(3)], "lr": 0.02}]
    return getattr(module.optim, kind)(groups, **options)


def options_of(optimizer):
    keys = ("lr", "momentum", "betas", "initial_lr")
    return [{key: group[key] for key in keys if key in group} for group in optimizer.param_groups]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", MAKERS)
def test_rates(name, kind):
    def run(module):
        optimizer = optimizer_of(module, kind)
        schedule = MAKERS[name](module.optim.lr_scheduler, optimizer)
        history = [copy.deepcopy(options_of(optimizer)), list(vars(schedule))]
        for _ in range(12):
            optimizer.step()
            schedule.step()
            history.append((copy.deepcopy(options_of(optimizer)), schedule.get_last_lr()))
        return history, schedule.state_dict()

    agree(run, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
def test_resuming(name):
    def run(module):
        optimizer = optimizer_of(module)
        schedule = MAKERS[name](module.optim.lr_scheduler, optimizer)
        for _ in range(4):
            optimizer.step()
            schedule.step()
        states = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
        optimizer = optimizer_of(module)
        schedule = MAKERS[name](module.optim.lr_scheduler, optimizer)
        optimizer.load_state_dict(states[0])
        schedule.load_state_dict(states[1])
        rates = []
        for _ in range(4):
            optimizer.step()
            schedule.step()
            rates.append(copy.deepcopy(options_of(optimizer)))
        return rates, schedule.state_dict()

    agree(run, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
def test_given_epochs_and_get_lr(name):
    def run(module):
        optimizer = optimizer_of(module)
        schedule = MAKERS[name](module.optim.lr_scheduler, optimizer)
        rates = [schedule.get_lr()]
        optimizer.step()
        for epoch in (7, 2, 5):
            schedule.step(epoch)
            rates.append(schedule.get_last_lr())
        return rates, schedule.last_epoch

    agree(run)


@pytest.mark.parametrize("name", [name for name in MAKERS if "nested" not in name])
def test_tensor_rate_keeps_its_identity(name):
    def run(module):
        optimizer = optimizer_of(module, lr=module.tensor(0.1))
        rate = optimizer.param_groups[0]["lr"]
        schedule = MAKERS[name](module.optim.lr_scheduler, optimizer)
        for _ in range(3):
            optimizer.step()
            schedule.step()
        return optimizer.param_groups[0]["lr"] is rate, rate, schedule.get_last_lr()

    agree(run)


@pytest.mark.parametrize("last_epoch", [0, 3, 5, 8])
@pytest.mark.parametrize(
    "text",
    [
        "StepLR(o, 3, last_epoch=e)",
        "CosineAnnealingLR(o, 4, last_epoch=e)",
        "OneCycleLR(o, 0.1, 10, last_epoch=e)",
        "CyclicLR(o, 0.1, 0.2, 4, last_epoch=e)",
        "CosineAnnealingWarmRestarts(o, 3, 2, last_epoch=e)",
        "LinearLR(o, last_epoch=e)",
        "PolynomialLR(o, last_epoch=e)",
        "MultiplicativeLR(o, lambda x: 0.5, last_epoch=e)",
        "ExponentialLR(o, 0.5, last_epoch=e)",
    ],
)
def test_last_epoch(text, last_epoch):
    def run(module, fresh=False):
        optimizer = optimizer_of(module)
        for group in optimizer.param_groups:
            group.update(initial_lr=group["lr"], max_lr=0.3, min_lr=0.001)
            group.update(base_momentum=0.8, max_momentum=0.9)
        names = {**vars(module.optim.lr_scheduler), "o": optimizer, "e": last_epoch}
        schedule = eval(text, names)
        return options_of(optimizer), schedule.last_epoch, schedule._step_count

    agree(run)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    def run(module):
        optimizer = optimizer_of(module)
        schedule = module.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, 0.5, 1, 0.1, threshold_mode, cooldown=1, min_lr=[0.01, 0.001]
        )
        history = []
        for metric in (3.0, 2.95, 2.9, 2.5, 2.6, 3.5, 3.5, 3.5, 3.6, 3.4, 3.7, float("nan")):
            schedule.step(module.tensor(metric))
            history.append((options_of(optimizer), schedule.in_cooldown, schedule.state_dict()))
        return history

    agree(run)


ERRORS = [
    "L.StepLR(3, 1)",
    "L.StepLR(o, 3, last_epoch=2)",
    "L.LRScheduler(o)",
    "L.LambdaLR(o, [abs])",
    "L.ConstantLR(o, 2.0)",
    "L.LinearLR(o, 0)",
    "L.LinearLR(o, 0.5, 2)",
    "L.SequentialLR(o, [], [])",
    "L.SequentialLR(o, [L.StepLR(o, 1), L.StepLR(other, 1)], [1])",
    "L.SequentialLR(o, [L.StepLR(o, 1), L.StepLR(o, 1)], [1, 2])",
    "L.SequentialLR(o, [L.StepLR(o, 1), L.ReduceLROnPlateau(o)], [1])",
    "L.SequentialLR(o, [L.StepLR(o, 1), 3], [1])",
    "L.ChainedScheduler([])",
    "L.ChainedScheduler([L.StepLR(o, 1)], other)",
    "L.ReduceLROnPlateau(o, factor=1.0)",
    "L.ReduceLROnPlateau(3)",
    "L.ReduceLROnPlateau(o, mode='x')",
    "L.ReduceLROnPlateau(o, threshold_mode='x')",
    "L.ReduceLROnPlateau(o, min_lr=[1])",
    "L.CyclicLR(o, 0.1, 0.2, mode='x')",
    "L.CyclicLR(o, [0.1], 0.2)",
    "L.CyclicLR(rprop, 0.1, 0.2)",
    "L.OneCycleLR(o, 0.1)",
    "L.OneCycleLR(o, 0.1, -1)",
    "L.OneCycleLR(o, 0.1, 1.5)",
    "L.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=1)",
    "L.OneCycleLR(o, 0.1, 10, pct_start=2.0)",
    "L.OneCycleLR(o, 0.1, 10, anneal_strategy='x')",
    "[L.OneCycleLR(o, 0.1, 1).step() for _ in range(2)]",
    "L.CosineAnnealingWarmRestarts(o, 0)",
    "L.CosineAnnealingWarmRestarts(o, 2, 1.5)",
    "L.CosineAnnealingWarmRestarts(o, 3).step(-1)",
    "S.SWALR(o, 0.1, anneal_strategy='x')",
    "S.SWALR(o, 0.1, anneal_epochs=-1)",
    "S.SWALR(o, [0.1])",
    "L.StepLR(o, 3, verbose=True)",
    "[s := L.StepLR(o, 2), s.step(), o.step(), s.step()] and None",
    "[s := L.StepLR(o, 2), setattr(o, 'step', lambda: 0), s.step()] and None",
]


@pytest.mark.parametrize("text", ERRORS)
def test_errors_and_warnings(text):
    def run(module):
        optim = module.optim
        names = {"L": optim.lr_scheduler, "S": optim.swa_utils, "o": optimizer_of(module)}
        names.update(other=optimizer_of(module), rprop=optim.Rprop([module.ones(2)]))
        eval(text, names)

    agree(run)
