"""The Dirichlet distribution."""

import lampas
from lampas.autograd import Function
from lampas.autograd.function import once_differentiable
from lampas.distributions import constraints
from lampas.distributions.exp_family import ExponentialFamily
from lampas.distributions.parameters import expands

__all__ = ["Dirichlet"]


def _total(concentration):
    return concentration.sum(-1, True).expand_as(concentration)


class _Dirichlet(Function):
    """Draws with implicitly differentiated gradients. M. Jankowiak, F. Obermeyer, ICML 2018."""

    @staticmethod
    def forward(ctx, concentration):
        value = lampas._sample_dirichlet(concentration)
        ctx.save_for_backward(value, concentration)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        value, concentration = ctx.saved_tensors
        slope = lampas._dirichlet_grad(value, concentration, _total(concentration))
        # The gradient stays within the simplex: a change of one part moves all in proportion.
        return slope * (g - (value * g).sum(-1, True))


@expands("concentration")
class Dirichlet(ExponentialFamily):
    """Dirichlet distribution over the simplex; concentration: (batch, categories), positive."""

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration, validate_args=None):
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape=()):
        return _Dirichlet.apply(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        self._check(value)
        c = self.concentration
        power = lampas.xlogy(c - 1, value).sum(-1)
        return power + lampas.lgamma(c.sum(-1)) - lampas.lgamma(c).sum(-1)

    @property
    def mean(self):
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self):
        excess = (self.concentration - 1).clamp(min=0)
        mode = excess / excess.sum(-1, True)
        # With all below 1 the density grows towards every corner; PyTorch names one of them.
        corners = (self.concentration < 1).all(dim=-1)
        corner = lampas.nn.functional.one_hot(mode.argmax(-1), mode.shape[-1]).to(mode)
        return lampas.where(corners.unsqueeze(-1), corner, mode)

    @property
    def variance(self):
        c, total = self.concentration, self.concentration.sum(-1, True)
        return c * (total - c) / (total.pow(2) * (total + 1))

    def entropy(self):
        c, total = self.concentration, self.concentration.sum(-1)
        log_norm = lampas.lgamma(c).sum(-1) - lampas.lgamma(total)
        weights = ((c - 1) * lampas.digamma(c)).sum(-1)
        return log_norm - (c.size(-1) - total) * lampas.digamma(total) - weights

    @property
    def _natural_params(self):
        return (self.concentration,)

    def _log_normalizer(self, x):
        return x.lgamma().sum(-1) - lampas.lgamma(x.sum(-1))
