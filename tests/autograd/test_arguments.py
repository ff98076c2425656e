"""What backward() and grad() accept, and Parameters of whole numbers, against PyTorch."""

import numpy as np
import pytest
from agreement import agree

CASES = """
t.autograd.backward([two()], [g, g]) | t.autograd.backward([two()], [g, 1.]) | t.autograd.backward([two()], [1., g])
t.autograd.backward([two(), two()], [g]) | t.autograd.backward([two(), two()], [1.]) | t.autograd.backward([], [g])
t.autograd.backward([], []) | t.autograd.backward(two(), 1.) | two().backward(1.) | two().backward([g])
two().backward((g, g)) | two().backward([t.ones(3), g]) | two().backward(t.ones(3)) | two().backward('a')
two().backward(()) | two().sum().backward(()) | two().sum().backward([]) | two().sum().backward({})
two().sum().backward(0) | two().sum().backward(False) | two().sum().backward([None]) | two().backward([None])
two().backward(iter([g])) | two().backward(np.ones(2)) | two().backward(g, inputs=[]) | two().backward(g.long())
t.autograd.grad([two()], []) | t.autograd.grad(two(), None) | t.autograd.grad(two(), 1) | t.autograd.grad(two(), (), g)
t.autograd.grad([two()], [], [1., 2.]) | t.autograd.grad(two(), two(), 1.) | t.autograd.grad([two()], [two()], [g, g])
t.autograd.grad(two().sum(), two(), grad_outputs=()) | t.autograd.grad([], [])
t.nn.Parameter(g.long()) | t.nn.Parameter(g.long(), requires_grad=False) | t.nn.Parameter(g.bool())
format(g, '') | format(g, '.2f') | format(t.ones(1), '.2f') | format(t.nn.Parameter(g), '.2f') | format(t.tensor(1.5), '.2f')
"""


@pytest.mark.parametrize("case", CASES.strip().replace("\n", " | ").split(" | "))
def test_arguments(case):
    def run(t):
        names = {
            "t": t,
            "np": np,
            "g": t.ones(2),
            "two": lambda: t.ones(2, requires_grad=True) * 2,
        }
        return eval(case, names)

    agree(run)


def test_a_surplus_gradient_does_not_count():
    def run(t):
        x = t.ones(2, requires_grad=True)
        t.autograd.backward([x * 2], [t.ones(2), t.zeros(2)])
        return x.grad

    agree(run)
