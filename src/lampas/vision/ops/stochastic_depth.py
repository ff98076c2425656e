"""Stochastic depth: residual branches left out at random. Source: G. Huang et al. (2016)."""

import lampas
from lampas import nn


def stochastic_depth(input, p, mode, training=True):
    """Zero with probability `p` for the whole batch or per "row", scaled so that the mean stays."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0.0:
        return input
    survives = 1.0 - p
    rows = input.shape[0] if mode == "row" else 1
    size = [rows] + [1] * (input.dim() - 1)
    noise = lampas.empty(size, dtype=input.dtype, device=input.device).bernoulli_(survives)
    return input * (noise.div_(survives) if survives > 0.0 else noise)


class StochasticDepth(nn.Module):
    """`stochastic_depth` while training."""

    def __init__(self, p, mode):
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input):
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"
