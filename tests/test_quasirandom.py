"""Sobol points: PyTorch's numbers, in one draw or several, scrambled or not."""

import pytest
import torch
from agreement import agree
from expressions import cases

import lampas

CASES = """
S(0) | S(21202) | S(3) | S(3, scramble=True, seed=5) | S(1).draw(8) | S(3).draw(5) | S(5).draw_base2(3) | S(3).draw(0) | S(2).draw(-1)
S(4, scramble=True, seed=7).draw(6) | S(4, scramble=True, seed=7).shift | S(4, True, 1).sobolstate | S(7).sobolstate | S(2).draw()
S(2).draw(3, dtype=t.float64) | S(2).draw(3, dtype=t.float16) | S(2).draw(3, dtype=t.int64) | S(2).fast_forward(5).draw(2)
S(2, True, 3).fast_forward(4).draw(3) | S(2).fast_forward(1).draw(3) | S(2).fast_forward(0).draw(2) | several(S(3, True, 2)) | into(t, S(2))
(S(2).draw_base2(2), S(2).num_generated) | wrong_power(S(2)) | S(2, True).draw(2) | (S(2, True).draw(1), t.rand(2)) | S(600, True, 0).draw(3)
again(S(3, True, 4)) | S(3, True, 4)._first_point | S(3).MAXBIT, S(3).MAXDIM | S(2).draw(300)[-3:] | state(S(3, True, 6)) | S(2500).draw(130)[-2:]
"""


def several(engine):
    return [engine.draw(1), engine.draw(3), engine.draw(2), engine.num_generated]


def into(t, engine):
    out = t.empty(0)
    return engine.draw(4, out=out) is out, out


def wrong_power(engine):
    engine.draw(3)
    return engine.draw_base2(2)


def again(engine):
    first = engine.draw(3)
    return engine.reset() is engine, first, engine.draw(4), engine.num_generated


def state(engine):
    engine.draw(5)
    return engine.quasi, engine.dimension, engine.scramble, engine.seed


@pytest.mark.parametrize("case", cases(CASES))
def test_agrees(case):
    def evaluate(t):
        t.manual_seed(9)
        return eval(case, {**globals(), "t": t, "S": t.quasirandom.SobolEngine})

    agree(evaluate, rtol=0, atol=0)


def test_the_last_dimensions():
    mine = lampas.quasirandom.SobolEngine(21201).sobolstate
    theirs = torch.quasirandom.SobolEngine(21201).sobolstate
    assert torch.equal(torch.from_numpy(mine.numpy()), theirs)


def test_more_points_than_bits():
    engine = lampas.quasirandom.SobolEngine(1).fast_forward(2**30 - 1)
    assert engine.draw(0).shape == (0, 1)
    with pytest.raises(ValueError, match="there are 2"):
        engine.draw(2)
