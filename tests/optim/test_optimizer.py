"""Optimizer: groups, names, errors, hooks, state dictionaries, printing, pickling."""

import copy
import inspect
import pickle

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

NAMES = """SGD Adam AdamW Adamax NAdam RAdam RMSprop Adagrad Adadelta Rprop ASGD LBFGS SparseAdam
Adafactor Muon""".split()
PAIRS = ("betas", "etas", "step_sizes")
FLAGS = """foreach maximize capturable differentiable fused amsgrad centered nesterov
decoupled_weight_decay""".split()


def P(module, *shape):
    return module.ones(shape or (3, 2)).requires_grad_()


def values_of(name, parameter):
    if name in PAIRS or isinstance(parameter.default, tuple):
        return [(-1.0, 0.5), (0.5, -1.5), (1, 1)]
    if name in FLAGS:
        return [True]
    if name in ("adjust_lr_fn", "line_search_fn"):
        return ["no such"]
    return [-1.0] if name != "max_iter" else [5]


def arguments():
    import torch

    for kind in NAMES:
        for name, parameter in list(
            inspect.signature(getattr(torch.optim, kind)).parameters.items()
        )[1:]:
            for value in values_of(name, parameter):
                yield kind, name, value


@pytest.mark.parametrize("kind,name,value", list(arguments()))
def test_arguments(kind, name, value):
    def run(module):
        param = P(module)
        optimizer = getattr(module.optim, kind)([param], **{name: value})
        if kind == "SparseAdam":
            return optimizer.defaults, optimizer
        param.grad = module.ones(3, 2)
        optimizer.step(lambda: module.tensor(1.0))
        return param, optimizer.state_dict(), optimizer.defaults, optimizer

    agree(run, rtol=1e-3)


@pytest.mark.parametrize("kind", NAMES)
def test_signatures(kind):
    def run(module):
        cls = getattr(module.optim, kind)
        return [
            [
                (name, str(p.default), str(p.kind))
                for name, p in inspect.signature(f).parameters.items()
            ]
            for f in (cls, cls.step)
        ], cls.__module__

    agree(run)


@pytest.mark.parametrize("kind", NAMES)
def test_older_state_dicts(kind):
    def run(module):
        optimizer = getattr(module.optim, kind)([P(module)])
        state = {"step": 3, "mu_product": 0.5, "eta": 0.1, "mu": 1.0}
        optimizer.load_state_dict({"state": {0: state}, "param_groups": [{"params": [0]}]})
        return optimizer.param_groups, list(optimizer.state.values())

    agree(run)


GROUPS = {
    "tensor": lambda m, p: m.optim.Adam(p),
    "empty": lambda m, p: m.optim.Adam([]),
    "number": lambda m, p: m.optim.Adam([1]),
    "text": lambda m, p: m.optim.Adam({"a": p}),
    "no params": lambda m, p: m.optim.Adam([{}]),
    "non-leaf": lambda m, p: m.optim.Adam([p * 2]),
    "no iterable": lambda m, p: m.optim.Adam(5),
    "set in group": lambda m, p: m.optim.Adam([{"params": {p}}]),
    "twice": lambda m, p: m.optim.Adam([p, p]),
    "two groups": lambda m, p: m.optim.Adam([{"params": p}, {"params": p}]),
    "named": lambda m, p: m.optim.Adam([("a", p), ("b", P(m))]).state_dict(),
    "half named": lambda m, p: m.optim.Adam([("a", p), P(m)]),
    "half named groups": lambda m, p: m.optim.Adam([{"params": [("a", p)]}, {"params": [P(m)]}]),
    "extra": lambda m, p: m.optim.Adam([{"params": iter([p]), "extra": 1}]).param_groups,
    "no dict": lambda m, p: m.optim.Adam([p]).add_param_group(3),
    "required": lambda m, p: m.optim.Optimizer([p], {"lr": m.optim.Adam and 1}).step(),
    "groups differ": lambda m, p: m.optim.Adam([p]).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "sizes differ": lambda m, p: m.optim.Adam([p]).load_state_dict(
        {"state": {}, "param_groups": [{"params": [0, 1]}]}
    ),
    "lbfgs groups": lambda m, p: m.optim.LBFGS([{"params": [p]}, {"params": [P(m)]}]),
    "lbfgs closure": lambda m, p: m.optim.LBFGS([p]).step(),
    "muon vector": lambda m, p: m.optim.Muon([P(m, 3)]),
    "fused foreach": lambda m, p: m.optim.Adam([p], fused=True, foreach=True),
    "fused differentiable": lambda m, p: m.optim.SGD([p], fused=True, differentiable=True),
    "tensor lr": lambda m, p: m.optim.Adam([p], lr=m.tensor(0.1), foreach=True),
    "tensor lr 2": lambda m, p: m.optim.RMSprop([p], lr=m.tensor([0.1, 0.2])),
    "one beta": lambda m, p: m.optim.Adam([p], betas=(m.tensor(0.9), 0.9)),
    "vars": lambda m, p: list(vars(m.optim.Adam([p]))),
}


@pytest.mark.parametrize("case", GROUPS)
def test_groups(case):
    agree(lambda module: GROUPS[case](module, P(module)))


def test_names_survive_loading():
    def run(module):
        named = module.optim.Adam([("a", P(module)), ("b", P(module))])
        other = module.optim.Adam([("c", P(module)), ("d", P(module))])
        plain = module.optim.Adam([P(module), P(module)])
        other.load_state_dict(plain.state_dict())
        names = [other.param_groups[0]["param_names"]]
        other.load_state_dict(named.state_dict())
        plain.load_state_dict(named.state_dict())
        named.add_param_group({"params": [("e", P(module))]})
        return names, other.param_groups, plain.param_groups, named.state_dict()

    agree(run)


def test_states_are_cast():
    def run(module):
        param = P(module)
        optimizer = module.optim.Adam([param])
        state = {
            "step": 3,
            "exp_avg": module.zeros(3, 2, dtype=module.float64),
            "count": module.ones(2, dtype=module.int32),
            "list": [module.ones(1, dtype=module.float64)],
        }
        optimizer.load_state_dict(
            {"state": {0: state, 7: {"x": 1}}, "param_groups": [{"params": [0], "lr": 2}]}
        )
        return list(optimizer.state.values())

    agree(run)


def test_hooks():
    def run(module):
        log = []
        optimizer = module.optim.SGD([P(module)])

        def note(text):
            return lambda *args: log.append((text, len(args), args[0] is optimizer))

        handles = [
            optimizer.register_step_pre_hook(note("pre")),
            optimizer.register_step_post_hook(note("post")),
        ]
        optimizer.step()
        for handle in handles:
            handle.remove()
        optimizer.step()
        optimizer.register_state_dict_pre_hook(note("state"))
        optimizer.register_state_dict_post_hook(lambda o, state: {"x": 1, **state})
        optimizer.register_state_dict_post_hook(lambda o, state: {"y": 1, **state}, prepend=True)
        optimizer.register_load_state_dict_pre_hook(note("load"))
        optimizer.register_load_state_dict_post_hook(note("loaded"))
        optimizer.load_state_dict(optimizer.state_dict())
        return log, list(optimizer.state_dict())

    agree(run)


def test_step_hooks_may_change_arguments():
    def run(module):
        param = P(module)
        optimizer = module.optim.SGD([param])
        optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 5}))
        return optimizer.step()

    agree(run)


@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad(to_none):
    def run(module):
        params = [P(module), P(module)]
        params[0].grad = module.ones(3, 2)
        module.optim.SGD(params).zero_grad(to_none)
        return [param.grad for param in params]

    agree(run)


@pytest.mark.parametrize("kind", [name for name in NAMES if name != "SparseAdam"])
def test_copies(kind):
    import lampas

    param = P(lampas)
    optimizer = getattr(lampas.optim, kind)([param])
    param.grad = lampas.ones(3, 2)
    optimizer.step(lambda: lampas.tensor(1.0))
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        twin_param = twin.param_groups[0]["params"][0]
        twin_param.grad = param.grad = lampas.full((3, 2), 0.5)
        twin.step(lambda: lampas.tensor(1.0))
        assert list(twin.state) == [twin_param] or kind == "SGD"


def test_state_that_vanished():
    import lampas

    param = P(lampas)
    optimizer = lampas.optim.Adam([param])
    param.grad = lampas.ones(3, 2)
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    with pytest.raises(KeyError, match="max_exp_avg_sq"):
        optimizer.step()
    optimizer.state.clear()
    optimizer.step()
    assert set(optimizer.state[param]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}


def test_swapping_tensors_in():
    def run(module):
        param = P(module)
        optimizer = module.optim.Adam([param])
        param.grad = module.ones(3, 2)
        optimizer.step()
        other = module.zeros(3, 2).requires_grad_()
        other.grad = module.ones(3, 2)
        state = copy.deepcopy(optimizer.state_dict())
        state["param_groups"][0]["lr"] = 0.5
        swap = module.optim.swap_in_optimizer_params_and_state
        with swap(optimizer, {"w": other}, state):
            optimizer.step()
        with pytest.raises(RuntimeError, match="to be a dict mapping packed"):
            with swap(optimizer, {"w": other}, {}):
                pass
        return param, other, optimizer.state_dict(), state["state"][0]["exp_avg"]

    agree(run)
