"""In-place forms whose gradient needs the value that they overwrite."""

import pytest
from agreement import agree

CALLS = {
    "clamp_": (0.3, 0.6),
    "clamp_min_": (0.4,),
    "clamp_max_": (0.4,),
    "cumprod_": (0,),
    "renorm_": (2, 0, 0.5),
    "float_power_": (3,),
    "ldexp_": None,
    "tril_": (),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("view", [False, True])
def test_gradient(name, view):
    def run(t):
        x = t.linspace(0.1, 0.9, 6, dtype=t.float64).reshape(2, 3).requires_grad_()
        y = x * 1.5
        given = (t.tensor([1.0, 2.0, 1.0]),) if CALLS[name] is None else CALLS[name]
        getattr(y[:, :] if view else y, name)(*given)
        y.pow(2).sum().backward()
        return x.grad

    agree(run)
