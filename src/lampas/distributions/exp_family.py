"""ExponentialFamily: densities h(x) exp(t(x) . n - F(n)) with natural parameters n and log normaliser F."""

import lampas
from lampas.distributions.distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """A distribution of the exponential family; its entropy and divergences follow from F.

    A subclass gives `_natural_params` (a tuple of tensors), `_log_normalizer(*natural_params)` and
    `_mean_carrier_measure`, the mean of log h(x).
    F. Nielsen, R. Nock, "Entropies and cross-entropies of exponential families", ICIP 2010.
    """

    @property
    def _natural_params(self):
        raise NotImplementedError

    def _log_normalizer(self, *natural_params):
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self):
        raise NotImplementedError

    def entropy(self):
        """F(n) - n . dF/dn - E[log h(x)], by automatic differentiation of F. (batch)"""
        result = -self._mean_carrier_measure
        params = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*params)
        result = result + normalizer
        gradients = lampas.autograd.grad(normalizer.sum(), params, create_graph=True)
        for param, gradient in zip(params, gradients):
            result = result - (param * gradient).reshape(self._batch_shape + (-1,)).sum(-1)
        return result
