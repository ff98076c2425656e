"""Small helpers around autograd, func, checkpoint and optimizers, against PyTorch."""

import pytest
from agreement import agree

SNIPPETS = """
c.get_device_states(x, 1), c.set_device_states([], []), c.DefaultDeviceType.get_device_type()
[(p.name, p.value) for p in c.CheckpointPolicy], c.tree_map(lambda a: a + 1, [1, {'a': 2}])
f.replace_all_batch_norm_modules_(net), list(net.state_dict()), net(y).shape
f.functionalize(lambda x: x.add_(1))(x.clone()), f.debug_unwrap(x) is x
f.functionalize(len, remove='x')
f.rearrange(y, 'a b c -> c b a')
f.rearrange(y, 'a b c -> (a b) c')
f.rearrange(y, 'a b c -> a b c 1')
f.rearrange(y, 'a (b d) c -> a b d c', b=3)
f.rearrange(y, '... c -> c ...')
f.rearrange(y, 'a ... -> ... a')
f.rearrange(y, '... -> ...')
f.rearrange(y, 'a b c -> (a b c)')
f.rearrange(y, 'a b c -> () a b c')
f.rearrange([y, y], 'n a b c -> a n b c')
f.rearrange(y, 'a b c -> a b')
f.rearrange(y, 'a b -> b a')
f.rearrange(y, 'a b c')
f.rearrange(y, 'a b c -> b a (c c)')
f.rearrange(y, 'a b c -> b a c', z=3)
f.rearrange(y, '_a b c -> b c _a')
t.autograd.is_multithreading_enabled(), t.autograd.is_tensor_like(x), t.autograd.is_tensor_like(1)
t.autograd.is_view_replay_enabled()
x.const_data_ptr() == x.data_ptr()
x.xpu()
x.reinforce(1)
x.module_load(t.zeros(2, 3)), x, x.module_load(y, assign=True) is y
type(t.nn.Parameter(x).module_load(t.zeros(2, 3), assign=True)).__name__ == "Tensor"
"""


@pytest.mark.parametrize("snippet", SNIPPETS.strip().splitlines())
def test_agrees(snippet):
    def run(t):
        import importlib

        x, y = t.ones(2, 3), t.arange(24.0).reshape(2, 3, 4)
        net = t.nn.Sequential(t.nn.BatchNorm1d(3), t.nn.Sequential(t.nn.BatchNorm1d(3)))
        c = importlib.import_module(f"{t.__name__}.utils.checkpoint")
        return eval(snippet, {"t": t, "x": x, "y": y, "c": c, "f": t.func, "net": net})

    agree(run)


@pytest.mark.parametrize("early", [True, False])
def test_early_stop_of_checkpoints(early):
    """Without it, everything after the last saved tensor is computed again too."""

    def run(t):
        import importlib

        c = importlib.import_module(f"{t.__name__}.utils.checkpoint")
        calls = []

        def function(x):
            y = x.sin()
            calls.append("sin")
            y = y + 1
            calls.append("add")
            return y

        x = t.ones(3, requires_grad=True)
        with c.set_checkpoint_early_stop(early):
            y = c.checkpoint(function, x, use_reentrant=False)
        y.sum().backward()
        return calls, x.grad

    agree(run)
