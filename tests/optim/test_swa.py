"""Weight averaging: AveragedModel, its functions, update_bn and SWALR."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree


def model_of(module):
    module.manual_seed(0)
    return module.nn.Sequential(module.nn.Linear(3, 4), module.nn.BatchNorm1d(4))


@pytest.mark.parametrize("kind", ["default", "avg", "multi", "ema", "multi_ema"])
@pytest.mark.parametrize("use_buffers", [False, True])
def test_averages(kind, use_buffers):
    if kind == "multi" and use_buffers:
        pytest.skip("PyTorch cannot average the whole-numbered buffer this way")

    def run(module):
        utils = module.optim.swa_utils
        options = {
            "default": {},
            "avg": {"avg_fn": utils.get_swa_avg_fn()},
            "multi": {"multi_avg_fn": utils.get_swa_multi_avg_fn()},
            "ema": {"avg_fn": utils.get_ema_avg_fn(0.7)},
            "multi_ema": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.7)},
        }[kind]
        model = model_of(module)
        averaged = utils.AveragedModel(model, use_buffers=use_buffers, **options)
        for step in range(3):
            with module.no_grad():
                for param in model.parameters():
                    param.add_(step + 1.0)
                model[1].running_mean.add_(1.0)
            averaged.update_parameters(model)
        return averaged.state_dict(), averaged(module.arange(6.0).reshape(2, 3) ** 2), averaged

    agree(run, rtol=1e-4)


def test_update_bn():
    def run(module):
        model = model_of(module).eval()
        batches = [(module.arange(6.0).reshape(2, 3) * i, 0) for i in range(3)]
        module.optim.swa_utils.update_bn(batches, model)
        return model.state_dict(), model.training, model[1].momentum

    agree(run, rtol=1e-4)


@pytest.mark.parametrize(
    "text",
    [
        "AveragedModel(model, avg_fn=lambda a, b, c: a, multi_avg_fn=lambda a, b, c: None)",
        "get_ema_avg_fn(2.0)",
        "get_ema_multi_avg_fn(-1)",
    ],
)
def test_errors(text):
    def run(module):
        eval(text, {**vars(module.optim.swa_utils), "model": model_of(module)})

    agree(run)


@pytest.mark.parametrize("epochs,strategy", [(3, "cos"), (3, "linear"), (0, "cos")])
def test_swalr(epochs, strategy):
    def run(module):
        groups = [{"params": [module.ones(2)]}, {"params": [module.ones(3)], "lr": 0.02}]
        optimizer = module.optim.SGD(groups, lr=0.1)
        schedule = module.optim.swa_utils.SWALR(optimizer, 0.05, epochs, strategy)
        rates = []
        for _ in range(6):
            optimizer.step()
            schedule.step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        return rates, schedule.state_dict()

    agree(run)
