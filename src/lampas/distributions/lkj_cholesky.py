"""The LKJ distribution of correlation matrices, over their Cholesky factors."""

import math

import lampas
from lampas.distributions import constraints
from lampas.distributions.beta import Beta
from lampas.distributions.distribution import Distribution
from lampas.distributions.parameters import expands
from lampas.distributions.utils import broadcast_all

__all__ = ["LKJCholesky"]


@expands("concentration", "_beta", keeps=["dim"])
class LKJCholesky(Distribution):
    """Cholesky factor (dim, dim) of a correlation matrix R with density det(R)^(concentration - 1).

    Raises ValueError for dim < 2. D. Lewandowski, D. Kurowicka, H. Joe, "Generating random
    correlation matrices based on vines and extended onion method", 2009.
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        # Row i + 1 has the squared length y ~ Beta(i / 2, concentration + (dim - 2 - i) / 2) below
        # the diagonal; the first row, without entries there, takes a filler.
        kind = {"dtype": self.concentration.dtype, "device": self.concentration.device}
        rows = lampas.cat([lampas.zeros(1, **kind), lampas.arange(dim - 1, **kind)])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(rows + 0.5, marginal.unsqueeze(-1) - 0.5 * rows)
        super().__init__(self.concentration.size(), lampas.Size((dim, dim)), validate_args)

    def sample(self, sample_shape=lampas.Size()):
        """The onion method: rows uniform in direction, of beta distributed squared length."""
        y = self._beta.sample(sample_shape).unsqueeze(-1)
        shape = self._extended_shape(sample_shape)
        normal = lampas.randn(shape, dtype=y.dtype, device=y.device).tril(-1)
        direction = normal / normal.norm(dim=-1, keepdim=True)
        direction[..., 0, :].fill_(0.0)  # 0 / 0 in the first row
        w = lampas.sqrt(y) * direction
        tiny = lampas.finfo(w.dtype).tiny
        diagonal = lampas.clamp(1 - lampas.sum(w**2, dim=-1), min=tiny).sqrt()
        return w + lampas.diag_embed(diagonal)

    def log_prob(self, value):
        self._check(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = lampas.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        power = lampas.sum(order * diagonal.log(), dim=-1)
        # The constant of the density of factors, theorem 5 of the paper.
        below = self.dim - 1
        alpha = self.concentration + 0.5 * below
        log_norm = 0.5 * below * math.log(math.pi) + lampas.mvlgamma(alpha - 0.5, below)
        return power - (log_norm - lampas.lgamma(alpha) * below)
