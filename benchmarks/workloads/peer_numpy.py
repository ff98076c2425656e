"""The two-layer net in NumPy, gradients by hand: the first program of many introductions."""

import numpy as np

from workloads import Step
from workloads.small import STEPS as COUNT


def by_hand():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((64, 1000), np.float32), draw.standard_normal((64, 10), np.float32)
    first = draw.standard_normal((1000, 100), np.float32)
    second = draw.standard_normal((100, 10), np.float32)

    def run(steps):
        w1, w2 = first.copy(), second.copy()
        for _ in range(steps):
            h = x.dot(w1)
            relu = np.maximum(h, 0)
            prediction = relu.dot(w2)
            loss = np.square(prediction - y).sum()
            g = np.float32(2) * (prediction - y)
            dw2 = relu.T.dot(g)
            dh = g.dot(w2.T)
            dh[h < 0] = 0
            w1 -= np.float32(1e-6) * x.T.dot(dh)
            w2 -= np.float32(1e-6) * dw2
        return float(loss)

    # Other random numbers than PyTorch's: nothing to compare but that it trains.
    return Step(lambda: run(COUNT), lambda: [float(run(1) > run(20))])


STEPS = {"two.tensor": by_hand}
